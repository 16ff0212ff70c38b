"""The images of all tests of methods."""

import pytest

from lightlab import data


def load_digits():
    return data.load("digits", n_train=96, n_val=64, n_test=64, resolution=16)


@pytest.fixture(scope="session")
def digits():
    return load_digits()
