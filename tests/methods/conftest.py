"""What the tests of methods share: images, and whether two results are one."""

import pytest
import torch

from lightlab import data
from lightlab.space.once_for_all import OfaSpace
from lightlab.space.skeleton import Skeleton

TINY = OfaSpace(Skeleton.small((1, 16, 16), 10, [16], layers=2), (3, 5), (2, 4), (1, 2))


@pytest.fixture(scope="session")
def digits():
    return data.load("digits", n_train=96, n_val=64, n_test=64, resolution=16)


def same(a, b):
    """Equal histories, times apart, and all else of the two equal bit for bit."""
    if "network" in vars(a):
        weights = [one.network.state_dict().values() for one in (a, b)]
        equal = all(map(torch.equal, *weights))
    else:
        equal = (a.point, a.probabilities) == (b.point, b.probabilities)
    histories = [one.history.drop(columns="seconds") for one in (a, b)]
    return equal and histories[0].equals(histories[1])
