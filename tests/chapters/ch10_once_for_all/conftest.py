"""A small task of once-for-all, and its full network trained with two seeds."""

import pytest

from lightlab import data, train
from lightlab.chapters.ch10_once_for_all import experiment
from lightlab.methods.shrinking import begin


@pytest.fixture(scope="session")
def task():
    images = data.load("digits", n_train=96, n_val=64, n_test=64, resolution=16)
    space = experiment.small_space(images, [16], 2, (3, 5), (2, 4))
    return {"space": space, "images": images, "recipe": train.Recipe(4, batch_size=16, lr=0.05)}


@pytest.fixture(scope="session")
def begun(task):
    return begin(task, 12, [0, 1])


@pytest.fixture(scope="session")
def full(begun):
    return {seed: one.network for seed, one in begun.items()}
