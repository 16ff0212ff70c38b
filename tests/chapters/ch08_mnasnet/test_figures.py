"""Figures of notebook 08 show what their data say."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from lightlab.chapters.ch08_mnasnet import analysis, experiment, figures

PAPER = analysis.published()


@pytest.fixture
def trials():
    rng = np.random.default_rng(0)
    trials = pd.DataFrame({"arm": np.repeat(list(experiment.ARMS), 12), "seed": 0})
    return trials.assign(
        trial=np.tile(np.arange(1, 13), len(experiment.ARMS)),
        ratio=rng.uniform(0.4, 2.5, len(trials)),
        accuracy=rng.uniform(20, 80, len(trials)),
        front=rng.random(len(trials)) < 0.3,
    )


def test_the_rewards_of_figure_3(words):
    fig = figures.rewards(*experiment.figure3())
    hard, soft = fig.axes[0].lines
    assert np.interp(160, *hard.get_data()) == pytest.approx(0.25)
    assert np.interp([40, 160], *soft.get_data()) == pytest.approx([0.525, 0.476], abs=1e-3)
    assert {"hard reward", "soft reward"} <= set(words(fig))


def test_published_names_do_not_overlap(words):
    published = PAPER["table 1"]
    ours = pd.DataFrame({"macs": [1e6, 2e6], "latency_ms": [0.1, 0.2]})
    fig = figures.macs_and_latency(published, ours)
    assert "2 sampled here" in words(fig)
    boxes = [t.get_window_extent() for t in fig.axes[0].texts]
    assert len(boxes) == len(published)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_the_cloud_marks_what_each_search_chose(trials, words):
    some = trials[trials["arm"].isin(["soft", "random"])]
    fig = figures.cloud(some, trials.groupby("arm").head(1), -0.2)
    assert "soft: 12 networks" in words(fig)
    assert [sum(line.get_marker() == "*" for line in ax.lines) for ax in fig.axes] == [1, 1]


def test_hard_and_soft_share_the_axis_and_count_every_sample(trials):
    fig = figures.hard_and_soft(trials, PAPER["figure 6"])
    left, right = fig.axes
    assert left.get_xlim() == right.get_xlim()
    hard = np.array(right.lines[0].get_data(), dtype=float)
    assert np.interp(57.4 / 75, *hard) == pytest.approx(50, abs=1)  # the median of figure 6
    assert np.interp(1, *hard) == pytest.approx(91.5, abs=1)
    ours = np.array(left.lines[0].get_data(), dtype=float)
    median = trials.loc[trials["arm"] == "hard", "ratio"].median()
    assert np.interp(median, *ours) == pytest.approx(50, abs=10)


def test_progress_draws_an_entropy_for_those_that_have_one():
    curves = pd.DataFrame({"arm": ["soft"] * 3 + ["random"] * 3, "trial": [1, 2, 3] * 2})
    curves = curves.assign(best=1.0, ci_low=np.nan, ci_high=np.nan, entropy=[1] * 3 + [np.nan] * 3)
    fig = figures.progress(curves)
    assert (len(fig.axes[0].lines), len(fig.axes[1].lines)) == (2, 1)


def test_the_rest_names_what_it_shows(trials, words):
    winners = trials[trials["arm"].isin(experiment.CORNERS)]
    results = pd.DataFrame({"name": ["found", "other"] * 2, "seed": [0, 0, 1, 1]})
    results = results.assign(latency_ms=[0.02, 0.03] * 2, accuracy=[80, 70.0, 82, 72])
    costs = pd.DataFrame({"space": ["a", "b"] * 20, "macs": np.geomspace(1e7, 1e9, 40)})
    for fig, told in (
        (
            figures.ablation(winners, PAPER["table 5"], -0.2),
            "hierarchical (A1),\naccuracy and latency",
        ),
        (figures.trained(results, PAPER["table 6"]), "found\n20.0 µs"),
        (figures.proxies(trials.assign(longer=trials["accuracy"] + 5)), "after longer training, %"),
        (figures.sizes(costs, {"mark": 3e8}), "mark"),
    ):
        assert told in words(fig)
