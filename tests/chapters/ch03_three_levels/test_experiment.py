"""Three levels: what is tried, what it costs, what is made of the trials."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightlab import data, train
from lightlab.chapters.ch03_three_levels import experiment
from lightlab.chapters.ch03_three_levels.experiment import Setting
from lightlab.measure import cost
from lightlab.space.hyper import Float, HyperSpace, Int

BASE = Setting("linear", 0.05, 5e-4)
RECIPE = train.Recipe(epochs=3, batch_size=50)


@pytest.fixture(scope="module")
def sets():
    return {s: data.load("digits", seed=s, n_train=150) for s in (3, 4)}


def test_points_become_settings_and_open_numbers_come_from_the_base():
    space = HyperSpace({"lr": Float(0.01, 1.0, log=True), "width": Int(4, 64, log=True)})
    full = {(s.network, round(s.lr, 9)) for s in experiment.grid(space, 2, 0, BASE)}
    assert full == set(itertools.product(("dense-4", "dense-64"), (0.01, 1.0)))
    drawn = experiment.random(space, 3, 0, BASE)
    assert len({s.network for s in drawn}) > 1
    assert {s.weight_decay for s in drawn} == {BASE.weight_decay}
    sizes = dict.fromkeys(("convs", "kernel", "channels", "denses", "units"), Int(3, 3))
    stacked = experiment.random(HyperSpace(sizes), 1, 0, BASE)
    assert stacked == [Setting("conv3-3 conv3-3 conv3-3 dense-3 dense-3 dense-3", 0.05, 5e-4)]


def test_search_tests_only_what_it_chose_and_counts_its_cost(sets):
    tried = [Setting("dense-8", 0.05, 0.0), Setting("linear", 0.05, 0.0)]
    tried.append(Setting("dense-8", 1e30, 0.0))  # diverges
    trials, again = (
        experiment.search({7: sets[3]}, {"hand": lambda _: tried}, RECIPE) for _ in range(2)
    )
    assert trials.trial.tolist() == [1, 2, 3]
    assert trials.chosen.sum() == 1
    assert trials.test_accuracy.notna().tolist() == trials.chosen.tolist()
    assert trials.val_accuracy[trials.chosen].item() == trials.val_accuracy.max()
    assert trials.val_accuracy[2] == 0
    assert trials.samples.tolist() == [450] * 3
    assert trials.macs[1] == 450 * 640 * cost.PASSES_PER_TRAINING_STEP
    pd.testing.assert_frame_equal(trials.drop(columns="seconds"), again.drop(columns="seconds"))


def test_solve_parameters_and_summary(sets):
    solved, histories, found = experiment.solve_parameters(sets, 20.0, {"softmax": BASE}, RECIPE)
    assert solved.way.tolist() == ["drawn", "class means", "ridge", "softmax"] * 2
    assert solved.seed.tolist() == [3] * 4 + [4] * 4
    assert found["softmax"].accuracy(sets[3].test) == pytest.approx(solved.test_accuracy[3])
    trials = experiment.search(sets, {"hand": lambda _: [BASE] * 2}, RECIPE)
    results = experiment.results(solved, {2: trials})
    summary = experiment.summary(results).set_index(["level", "way"])
    assert list(summary.index) == [*((1, way) for way in solved.way[:4]), (2, "hand")]
    assert summary.finder.tolist() == ["hand", "formula", "formula", "machine", "hand"]
    assert summary.trainings.tolist() == [0, 0, 0, 1, 2]
    assert summary.macs[(2, "hand")] == 2 * summary.macs[(1, "softmax")]
    gap = summary["mean"][(1, "ridge")] - summary["mean"][(1, "drawn")]
    assert experiment.paired(results, 1, "ridge", "drawn").mean() == pytest.approx(gap)
    curves = experiment.curves(histories, {2: trials})
    assert curves[curves.level == 1].x.tolist() == [0, 1, 2, 3]
    assert curves["mean"].notna().all()


def test_the_walk_downhill_reaches_the_formula_for_every_seed(sets):
    gaps = dict(iter(experiment.descend(sets, 20.0).groupby("seed").gap))
    assert list(gaps) == [3, 4]
    for gap in gaps.values():
        assert gap.iloc[0] > 0.1
        assert gap.is_monotonic_decreasing
        assert -1e-12 <= gap.iloc[-1] < 1e-9  # at the minimum and not below


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5))
@settings(max_examples=30)
def test_best_so_far_is_the_mean_over_all_orders(values):
    orders = np.array(list(itertools.permutations(values)), dtype=float)
    brute = np.maximum.accumulate(orders, axis=1).mean(0)
    np.testing.assert_allclose(experiment.best_so_far(values, exchangeable=True), brute)
    running = experiment.best_so_far(values, exchangeable=False)
    assert running.tolist() == list(itertools.accumulate(values, max))


@pytest.mark.parametrize(
    ("value", "a", "b"),
    [
        (lambda t: 3.0 * t.a + 1.0 * t.b, 6 / 6.25, 0.25 / 6.25),  # variances 9 * 2/3 and 1/4
        (lambda t: (t.a - 1) * (t.b - 0.5), 0, 0),
        (lambda _: 0.5, math.nan, math.nan),
    ],
)
def test_variance_shares_of_a_known_design(value, a, b):
    grid = pd.DataFrame(list(itertools.product([0, 1, 2], [0, 1])), columns=["a", "b"])
    grid = pd.concat([grid.assign(val_accuracy=value, seed=s) for s in (0, 1)])
    shares = experiment.variance_shares(grid, ["a", "b"])
    np.testing.assert_allclose(shares, [[a, b]] * 2, atol=1e-12)
    with pytest.raises(ValueError, match="full grid"):
        experiment.variance_shares(grid.iloc[1:], ["a", "b"])
