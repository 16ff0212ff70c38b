"""Train and evaluate classifiers on tensors in memory. Equal seeds give equal networks."""

from lightlab.train.descent import augment, flip, shift
from lightlab.train.evaluate import evaluate, logits
from lightlab.train.jobs import collect, start, tabulate, train_each
from lightlab.train.parallel import accelerator
from lightlab.train.recipe import DivergedError, Recipe, samples
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
    "flip",
    "logits",
    "samples",
    "shift",
    "start",
    "tabulate",
    "train_each",
]
