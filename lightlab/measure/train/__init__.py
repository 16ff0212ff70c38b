"""Train and evaluate classifiers on tensors in memory. Equal seeds give equal networks."""

from lightlab.measure.train.augment import augment, cutout, flip, shift
from lightlab.measure.train.device import accelerator
from lightlab.measure.train.evaluate import evaluate, logits
from lightlab.measure.train.job import Job, JobError, Trained
from lightlab.measure.train.loop import fit
from lightlab.measure.train.many import fit_each, fit_many, in_order
from lightlab.measure.train.recipe import DivergedError, Recipe, TrainError, samples

__all__ = [
    "DivergedError",
    "Job",
    "JobError",
    "Recipe",
    "TrainError",
    "Trained",
    "accelerator",
    "augment",
    "cutout",
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
