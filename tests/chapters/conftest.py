"""What several rooms share."""

import pytest

from lightlab import data


@pytest.fixture(scope="session")
def digits():
    return data.load("digits", n_train=96, n_val=64, n_test=64, resolution=16)
