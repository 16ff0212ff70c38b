"""Networks to compress, trained once for all tests of the room."""

from dataclasses import replace

import numpy as np
import pytest

from lightlab import train
from lightlab.chapters.ch11_compression import experiment
from lightlab.chapters.ch11_compression.search import Worth
from lightlab.chapters.ch11_compression.space import CompressionSpace
from lightlab.space.skeleton import Skeleton


@pytest.fixture(scope="session")
def recipe():
    return train.Recipe(3, batch_size=16, lr=0.05)


@pytest.fixture(scope="session")
def space(digits):
    frame = Skeleton.small(digits.input_shape, 10, [16, 32], layers=2)
    return CompressionSpace(frame, 3, (0.5, 1.0), resolutions=(8, 16))


@pytest.fixture(scope="session")
def compressors(space, digits, recipe):
    short = replace(recipe, epochs=1)
    return experiment.compressors(space, digits, recipe, short, [0, 1], workers=1)


class MadeUp:
    """Candidates that are the more accurate, slow and large the later options they take; the points
    that were evaluated are written down by seed.
    """

    macs = 0.0

    def __init__(self, space, folder):
        self.space, self.folder = space, folder

    def __call__(self, point, seed):
        with open(self.folder / f"{seed}.txt", "a") as noted:
            noted.write(f"{point}\n")
        share = np.mean(np.divide(point, np.subtract(self.space.n_options, 1).clip(1)))
        return Worth(100 * share, 0.0, share**2, share, samples=10, seconds=0.1)


@pytest.fixture
def made_up(space, tmp_path):
    return MadeUp(space, tmp_path)
