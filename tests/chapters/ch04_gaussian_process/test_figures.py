"""Figures of notebook 04 say what their data say."""

import numpy as np
import pandas as pd
import pytest

from lightlab.chapters.ch04_gaussian_process import experiment, figures, lesson
from lightlab.chapters.ch04_gaussian_process.lesson import Process

TRUTH = pd.DataFrame({"x": experiment.GRID, "value": experiment.hills(experiment.GRID)})
X = np.array([0.2, 0.6, 0.9])
POINTS = pd.DataFrame({"x": X, "value": experiment.hills(X)})


def test_the_next_point_is_marked_where_the_acquisition_is_largest(words):
    rules = {
        "EI": lambda m, s: lesson.expected_improvement(m, s, POINTS["value"].max()),
        "bold": experiment.ucb(25.0),
    }
    places = experiment.acquire(Process(X, POINTS["value"], 0.15), rules)
    fig = figures.acquisitions(places, POINTS, TRUTH)
    assert {"EI", "bold", "next point", "truth"} <= set(words(fig))
    for i, (name, group) in enumerate(places.groupby("judge", sort=False)):
        top = group.loc[group["acqf"].idxmax(), "x"]
        lines = [line.get_xdata() for line in fig.axes[i].lines]
        assert any(len(x) == 2 and x[0] == x[1] == top for x in lines), name


def test_posteriors_and_evidence_have_a_panel_each(words):
    bands, seen = experiment.learn(X, POINTS["value"].to_numpy(), 0.15, [0, 1, 3])
    shown = words(figures.posteriors(bands, seen, TRUTH))
    assert {"0 observations", "1 observation", "3 observations"} <= set(shown)
    curve = experiment.evidence(X, POINTS["value"].to_numpy(), 0.1, [0.05, 0.2, 1.0])
    trio = experiment.at_lengths(X, POINTS["value"], 0.1, {"short": 0.05, "long": 1.0})
    fig = figures.evidence(trio, POINTS.assign(sd=0.1), curve, TRUTH)
    assert {"short: 0.05", "long: 1", "length scale"} <= set(words(fig))


def test_the_plane_joins_rules_that_take_the_same_place(words):
    rules = {"UCB, β = 100": experiment.ucb(100.0), "UCB, β = 1000": experiment.ucb(1000.0)}
    places = experiment.acquire(Process(X, POINTS["value"], 0.15), rules)
    assert "UCB, β = 100\nUCB, β = 1000" in words(figures.plane(places, 1.0))
    front = figures._front(places[places["judge"] == "UCB, β = 100"])
    assert front["mean"].is_monotonic_increasing
    assert front["sd"].is_monotonic_decreasing


def test_regret_draws_the_means(words):
    trials = np.arange(1, 6)
    curves = pd.DataFrame({"problem": "Branin", "method": ["ours"] * 5 + ["random"] * 5})
    curves = curves.assign(trial=[*trials] * 2, mean=[*-2.0 / trials, *1 / trials])
    fig = figures.regret(curves.assign(ci_low=-3.0, ci_high=2.0), 2)
    drawn = {line.get_label(): line.get_ydata() for line in fig.axes[0].lines}
    np.testing.assert_allclose(drawn["random"], 1 / trials)
    assert "Branin" in words(fig)


@pytest.mark.parametrize("n", [1, 3])
def test_kernels_have_a_panel_each(n, words):
    fig = figures.kernels(experiment.prior_samples(0.2, n, 0))
    assert set(experiment.KERNELS) <= set(words(fig))
    assert len(fig.axes[0].lines) == n
