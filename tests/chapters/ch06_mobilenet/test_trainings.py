"""Figures of compared trainings show what their data say."""

import numpy as np
import pandas as pd

from lightlab.chapters.ch06_mobilenet import figures_trainings as trainings


def test_lengths_tell_network_and_length_of_every_dot(words):
    names = ["full", "full", "separable", "separable"]
    curves = pd.DataFrame({"network": names, "epochs": [1.0, 6.0] * 2})
    curves = curves.assign(train_macs=[6e9, 36e9, 1e9, 6e9], mean=[50, 90, 15, 70])
    fig = trainings.lengths(curves.assign(ci_low=-20.0, ci_high=120.0), chance=10.0)
    dots = [ln for ln in fig.axes[0].lines if len(ln.get_xdata()) == 1]
    assert [ln.get_ydata()[0] for ln in dots] == [50, 90, 15, 70]
    short, long, *_ = [ln.get_markersize() for ln in dots]
    assert short < long
    assert {"1 epoch", "6 epochs", "full", "separable", "guessing"} <= set(words(fig))
    assert fig.axes[0].get_ylim()[0] >= 0


def test_learning_has_a_dot_per_training_and_less_loss_to_the_right(words):
    found = pd.DataFrame({"name": ["full", "full", "thin"], "loss": [1.0, 0.1, 0.2]})
    fig = trainings.learning(found.assign(accuracy=[50.0, 80.0, 70.0]))
    assert [len(ln.get_xdata()) for ln in fig.axes[0].lines] == [2, 1]
    left, right = fig.axes[0].get_xlim()
    assert left > right
    assert {"full", "thin"} <= set(words(fig))


def test_gaps_place_seeds_interval_and_the_paper(words):
    pairs = pd.DataFrame({"comparison": "a − b", "length": "1 epoch", "difference": [1.0, 3.0]})
    pairs = pairs.assign(mean=2.0, ci_low=-10.7, ci_high=14.7, published=-1.1)
    fig = trainings.gaps(pairs, "difference")
    bar, dots, mean, star = fig.axes[0].lines[:4]
    assert list(bar.get_xdata()) == [-10.7, 14.7]
    assert list(dots.get_xdata()) == [1.0, 3.0]
    assert mean.get_xdata()[0] == 2.0
    assert star.get_xdata()[0] == -1.1
    assert {"a − b", "1 epoch", "paper (ImageNet)"} <= set(words(fig))
    without = trainings.gaps(pairs.assign(published=np.nan), "difference")
    assert "paper (ImageNet)" not in words(without)
