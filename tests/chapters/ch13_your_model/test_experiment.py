"""What is measured for the claims about a delivered model."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lightlab import published
from lightlab.chapters.ch13_your_model import experiment
from lightlab.data import DataSet, Split
from lightlab.fit import evaluate
from lightlab.fit.budget import MACS, SIZE, Meter, Target
from lightlab.fit.report import DESIGNS
from lightlab.fit.run import FLOAT, INT8
from lightlab.nets.build import build
from lightlab.space.arch import decode

NAMES, N = ("a", "b"), 100


def split(seed):
    """Images of noise, those of one class brighter."""
    y = torch.arange(N) % 2
    x = torch.randn(N, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    return Split(x + y[:, None, None, None], y, torch.arange(N))


IMAGES = DataSet("made", *map(split, range(3)), NAMES, (0.5,), (0.25,), "f" * 64)
LABELS = IMAGES.test.y.numpy()


def answers(n_wrong):
    """Of the test images; the first ones wrong."""
    said = np.where(np.arange(N) < n_wrong, 1 - LABELS, LABELS)
    return evaluate.Tested(LABELS, said, np.ones(N), NAMES)


def fitted(accuracy, **wrong):
    """What a method found, its finalists' validation accuracy by name; the first one is delivered,
    with so many test images wrong.
    """
    finalists = [SimpleNamespace(name=name, rank=(value, 0.0)) for name, value in accuracy.items()]
    target = Target(max_macs=1e6, max_size_kb=10)
    network = build(decode("r8x1 conv_k3_s2_c8 head_n2"))
    said = {name: answers(n) for name, n in ({FLOAT: 10, INT8: 12} | wrong).items()}
    delivered = SimpleNamespace(
        finalist=SimpleNamespace(network=network),
        model=Meter(target, IMAGES).exact_file(network),
        again=SimpleNamespace(costs={MACS: 5e5, SIZE: 8.0}),
    )
    known = {"target": target, "delivered": delivered, "tested": said[FLOAT], "answers": said}
    known |= {"finalists": finalists, "found": SimpleNamespace(finalists=finalists[:1])}
    return SimpleNamespace(**known, seed=0, spent_s=9.0, budget_s=10.0)


def test_every_claim_of_the_notebook_is_measured():
    accuracy = {"searched": 90, DESIGNS[0]: 80, DESIGNS[1]: 85}
    found = fitted(accuracy, searched=20, **{DESIGNS[0]: 10, DESIGNS[1]: 25})
    measured = experiment.measured(found, IMAGES)
    assert set(measured) == set(published.claims("13_your_model"))
    assert measured["yours.meets_target"] == (0.8,)
    assert measured["yours.keeps_budget"] == (0.9,)
    assert measured["yours.same_answers"][0] < 1e-4
    mean, (low, high), n = measured["yours.integers_keep"]
    assert (mean, n) == (pytest.approx(-2), N)
    assert low < mean < high
    linear = experiment.linear(IMAGES, 0).accuracy[0]
    assert linear > 95
    assert measured["yours.beats_linear"][0] == pytest.approx(90 - linear)
    # of the designs the one that is best on the validation images counts
    assert measured["yours.beats_scaled"][0] == pytest.approx(5)


def test_where_there_is_no_design_nothing_was_measured():
    alone = fitted({"searched": 90}, searched=20)
    assert experiment.measured(alone, IMAGES)["yours.beats_scaled"] == ([], None, N)
    assert experiment.against_designs(fitted({DESIGNS[0]: 80})) is None
