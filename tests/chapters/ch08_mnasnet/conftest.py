"""Searches over a made-up table, which several tests of this room look at."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lightlab.chapters.ch08_mnasnet import analysis, experiment
from lightlab.space.arch import encode
from lightlab.space.skeleton import MACRO, MACRO_TIED


def evaluate(archs):
    """Larger networks are better and slower; nothing is trained."""
    size = np.array([sum(b.out_channels * b.expand_ratio for b in a.blocks) for a in archs]) / 1e3
    found = pd.DataFrame({"arch": [encode(a) for a in archs], "accuracy": 40 + 8 * np.log1p(size)})
    found["latency_ms"] = 0.1 + size / 10
    return found.assign(samples=100, train_macs=10**6, seconds=0.5)


@pytest.fixture(scope="session")
def trials():
    """Every arm with two seeds, 60 networks each, for a target of 0.5 ms."""
    both = {"hierarchical": MACRO_TIED, "flat": MACRO}
    return experiment.searches(both, evaluate, 0.5, range(2), 60)


@pytest.fixture(scope="session")
def outcomes(trials):
    return analysis.outcomes(trials)


@pytest.fixture(scope="session")
def real_table():
    """NAS-Bench-Macro's own file."""
    path = Path(__file__).parents[4] / "shared/data/nas_bench_macro_cifar10.csv.gz"
    return path if path.is_file() else pytest.skip(f"{path} is not there")
