"""Figures of notebook 05 show what their data say."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer

from lightlab.chapters.ch05_hyperparameter_tuning import figures


def test_folds_show_bars_of_two_sds(words):
    scores = pd.DataFrame({"x": [0.1, 0.1, 1.0, 1.0], "accuracy": [0.2, 0.4, 0.5, 0.5]})
    scores = scores.assign(mean=[0.3, 0.3, 0.5, 0.5], sd=[0.1, 0.1, 0.02, 0.02], fold=[0, 1] * 2)
    fig = figures.folds(scores)
    (bars,) = [c for c in fig.axes[0].containers if isinstance(c, ErrorbarContainer)]
    ends = [segment[:, 1] for segment in bars[2][0].get_segments()]
    assert np.allclose(ends, [[0.1, 0.5], [0.46, 0.54]])
    assert {"learning rate", "accuracy"} <= set(words(fig))


PEAKS = [(2, 0.1), (3, 0.5)]


def test_replay_marks_the_maximum_and_shows_only_trials_made(words):
    x = np.geomspace(0.01, 1, 30)
    parts = [pd.DataFrame({"n_trials": n, "lr": x, "acqf": -((x - p) ** 2)}) for n, p in PEAKS]
    beliefs = pd.concat(parts).assign(mean=0.5, sd=0.1)
    seen = pd.DataFrame({"lr": [0.02, 0.2, 0.6], "value": [0.3, 0.5, 0.6], "sd": 0.01})
    fig = figures.replay(beliefs, seen)
    assert len(fig.axes) == 4
    for ax, (n, peak) in zip(fig.axes, PEAKS, strict=False):
        assert f"after {n} trials" in words(fig)
        dashed = next(line for line in ax.lines if line.get_linestyle() == "--")
        assert dashed.get_xdata()[0] == pytest.approx(x[np.abs(x - peak).argmin()])
        (bars,) = ax.containers
        assert len(bars[0].get_xdata()) == n


def test_anytime_names_the_methods(words):
    curves = pd.DataFrame({"method": ["bo", "random"] * 2, "cost": [1, 1, 2, 2]})
    fig = figures.anytime(curves.assign(mean=0.3, ci_low=0.1, ci_high=0.5))
    assert {"Bayesian optimisation", "random search"} <= set(words(fig))
    assert fig.axes[0].get_ylim() == (0, 1)  # wide intervals of few seeds do not squeeze the curves


def test_differences_place_mean_interval_and_seeds(words):
    pairs = pd.DataFrame({"first": "bo", "second": "grid", "difference": [1.0, 3.0]})
    fig = figures.differences(pairs.assign(mean=2.0, ci_low=-10.7, ci_high=14.7))
    bar, dots, mean = fig.axes[0].lines[:3]
    assert list(bar.get_xdata()) == [-10.7, 14.7]
    assert list(mean.get_xdata()) == [2.0]
    assert list(dots.get_xdata()) == [1.0, 3.0]
    assert "Bayesian optimisation\nminus grid search" in words(fig)


def test_slices_scale_each_axis_as_asked(words):
    cuts = pd.concat(
        pd.DataFrame({"name": n, "x": x, "mean": 0.5, "sd": 0.1})
        for n, x in (("lr", [1e-3, 1.0]), ("batch_size", [16, 128]), ("dropout", [0, 0.5]))
    )
    seen = pd.DataFrame({"lr": [1e-3, 1.0], "batch_size": [16, 128], "dropout": [0.0, 0.5]})
    incumbent = {"lr": 0.1, "batch_size": 32, "dropout": 0.25}
    fig = figures.slices(cuts, seen.assign(value=0.4), incumbent, ["lr", "batch_size"])
    assert [ax.get_xscale() for ax in fig.axes] == ["log", "log", "linear"]
    assert {"16", "32", "64", "128", "batch size"} <= set(words(fig))
    for ax, value in zip(fig.axes, incumbent.values(), strict=True):
        assert any(line.get_xdata()[0] == value for line in ax.lines)


def test_relevance_is_sorted_with_a_dot_per_seed():
    shares = pd.DataFrame({"seed": [0, 0, 1, 1], "name": ["lr", "width"] * 2})
    fig = figures.relevance(shares.assign(share=[0.9, 0.1, 0.7, 0.3]))
    assert [bar.get_width() for bar in fig.axes[0].patches] == pytest.approx([0.8, 0.2])
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == ["learning rate", "width"]
    assert fig.axes[0].lines[0].get_xydata().tolist() == [[0.9, 0], [0.1, 1], [0.7, 0], [0.3, 1]]
