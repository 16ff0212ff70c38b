"""Train and evaluate classifiers on tensors in memory. Equal seeds give equal networks."""

from lightlab.train.descent import DivergedError, Recipe, augment, samples
from lightlab.train.evaluate import evaluate, logits
from lightlab.train.jobs import collect, start, tabulate, train_each
from lightlab.train.parallel import accelerator
from lightlab.train.training import Job, JobError, Trained, fit

__all__ = [
    "DivergedError",
    "Job",
    "JobError",
    "Recipe",
    "Trained",
    "accelerator",
    "augment",
    "collect",
    "evaluate",
    "fit",
    "logits",
    "samples",
    "start",
    "tabulate",
    "train_each",
]
