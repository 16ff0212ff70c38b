"""What several rooms test with: small images, a short way to time."""

import pytest

from lightlab import data, latency


@pytest.fixture(scope="session")
def digits():
    return data.load("digits", n_train=96, n_val=64, n_test=64, resolution=16)


@pytest.fixture(scope="session")
def plan():
    return latency.Plan(rounds=6, samples=2, sample_ms=0.05, min_busy=0, warmup_ms=0.5)
