"""Train and evaluate classifiers on tensors in memory. Equal seeds give equal networks."""

from lightlab.train.descent import augment, flip, shift
from lightlab.train.device import accelerator
from lightlab.train.evaluate import evaluate, logits
from lightlab.train.job import Job, JobError, Trained
from lightlab.train.loop import fit
from lightlab.train.parallel import fit_each, fit_many, in_order
from lightlab.train.recipe import DivergedError, Recipe, TrainError, samples

__all__ = [
    "DivergedError",
    "Job",
    "JobError",
    "Recipe",
    "TrainError",
    "Trained",
    "accelerator",
    "augment",
    "evaluate",
    "fit",
    "fit_each",
    "fit_many",
    "flip",
    "in_order",
    "logits",
    "samples",
    "shift",
]
