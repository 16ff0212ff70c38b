"""A small task of once-for-all, and its full network trained with two seeds."""

import pytest

from lightlab import train
from lightlab.chapters.ch10_once_for_all import experiment
from lightlab.methods.shrinking import begin


@pytest.fixture(scope="session")
def task(digits):
    space = experiment.small_space(digits, [16], 2, (3, 5), (2, 4))
    return {"space": space, "images": digits, "recipe": train.Recipe(4, batch_size=16, lr=0.05)}


@pytest.fixture(scope="session")
def begun(task):
    return begin(task, 12, [0, 1])


@pytest.fixture(scope="session")
def full(begun):
    return {seed: one.network for seed, one in begun.items()}
