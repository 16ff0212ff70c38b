"""What the tests of training share."""

import pytest

from lightlab import data


@pytest.fixture(scope="package")
def digits():
    return data.load("digits", n_train=400, n_val=100, n_test=200)
