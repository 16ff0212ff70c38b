"""What several rooms test with: small images, a short way to time, a table of costs."""

import pytest

from lightlab import data, latency


@pytest.fixture(scope="session")
def digits():
    return data.load("digits", n_train=96, n_val=64, n_test=64, resolution=16)


@pytest.fixture(scope="session")
def plan():
    return latency.Plan(rounds=6, samples=2, sample_ms=0.05, min_busy=0, warmup_ms=0.5)


@pytest.fixture
def with_costs(tmp_path):
    """What makes the results of a notebook with this text as its table of costs."""

    def make(text):
        (tmp_path / "tables").mkdir()
        (tmp_path / "tables" / "cost.csv").write_text(text, encoding="utf-8")
        return tmp_path

    return make
