"""Bits of a network's answers and of its weights, against closed forms."""

import math

import numpy as np
import pytest
import torch

from lightlab import data, train
from lightlab.chapters.ch02_entropy import uncertainty
from lightlab.nets import small


def test_a_network_that_knows_nothing() -> None:
    bits = uncertainty.in_bits(torch.zeros(6, 8), torch.arange(6))
    assert bits["cross_entropy_bits"] == pytest.approx(3)
    assert bits["predictive_entropy_bits"] == pytest.approx(3)
    assert bits["miscalibration_bits"] == pytest.approx(0, abs=1e-12)


def test_calibrated_and_too_sure() -> None:
    # says 3/4 : 1/4 and is right three times in four: honest
    logits = torch.log(torch.tensor([[0.75, 0.25]])).repeat(4, 1)
    labels = torch.tensor([0, 0, 0, 1])
    honest = uncertainty.in_bits(logits, labels)
    assert honest["predictive_entropy_bits"] == pytest.approx(0.811278, abs=1e-6)
    assert honest["miscalibration_bits"] == pytest.approx(0, abs=1e-6)
    assert honest["accuracy"] == 0.75
    assert uncertainty.in_bits(3 * logits, labels)["miscalibration_bits"] > 0.1
    assert uncertainty.in_bits(logits / 3, labels)["miscalibration_bits"] < -0.01


def test_rulers_of_the_weights() -> None:
    even = (np.arange(6400) + 0.5) / 6400 * 0.64  # evenly over 64 bins of 0.01
    # centred bins: 63 whole ones and two halves
    expected = 63 / 64 * 6 + 2 / 128 * 7
    assert uncertainty.histogram_entropy(even, bin_width=0.01) == pytest.approx(expected, abs=1e-3)
    assert uncertainty.histogram_entropy(even, n_bins=64) == pytest.approx(6, abs=1e-3)
    # twice as wide: a bit more by the fixed ruler, nothing by the one that stretches
    wide = uncertainty.histogram_entropy(2 * even, bin_width=0.01)
    assert wide - expected == pytest.approx(1, abs=0.02)
    assert uncertainty.histogram_entropy(2 * even, n_bins=64) == pytest.approx(6, abs=1e-3)
    for wrong in ({}, {"bin_width": 0.1, "n_bins": 3}):
        with pytest.raises(ValueError, match="either"):
            uncertainty.histogram_entropy(even, **wrong)


def test_log_steps() -> None:
    steps = uncertainty.log_steps(1000, 10)
    assert steps[0] == 1
    assert steps[-1] == 1000
    assert steps == sorted(set(steps))
    assert uncertainty.log_steps(1, 10) == [1]


def test_weights_are_matrices_only() -> None:
    assert uncertainty.weights(small.mlp(4, (3,), 2)).shape == (4 * 3 + 3 * 2,)


def test_training_entropy() -> None:
    digits = {s: data.load("digits", seed=s, n_train=320, n_val=0, n_test=200) for s in (0, 1)}
    recipe = train.Recipe(epochs=8, batch_size=32, lr=0.1)
    curve, weights = uncertainty.training_entropy(
        lambda seed: small.mlp(64, (16,), seed=seed), digits, recipe, 0.01, 64, n_points=5
    )
    assert curve.groupby("seed").step.first().tolist() == [0, 0]
    assert curve.groupby("seed").step.last().tolist() == [80, 80]
    work = 3 * 32 * (64 * 16 + 16 * 10)  # backward costs two forward passes
    assert (curve.macs == curve.step * work).all()
    gap = curve.cross_entropy_bits - curve.predictive_entropy_bits
    assert np.allclose(gap, curve.miscalibration_bits)
    start, end = (curve[curve.step == s].cross_entropy_bits for s in (0, 80))
    assert start.min() > math.log2(10) - 0.3
    assert end.max() < 1.5
    assert weights.groupby("moment").size().to_dict() == {"random": 1184, "trained": 1184}
