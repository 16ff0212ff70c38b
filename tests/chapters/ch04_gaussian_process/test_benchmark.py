"""Test functions with their lowest values; the race: equal starts, regret by true values."""

import numpy as np
import pytest

from lightlab.chapters.ch04_gaussian_process import benchmark
from lightlab.chapters.ch04_gaussian_process.benchmark import problem

PUBLISHED = {"Branin": 0.397887, "Hartmann-6": -3.32237, "Shekel": -10.536443, "Cosine8": -0.8}


@pytest.mark.parametrize("name", benchmark.CLASSIC + benchmark.HELD_OUT + benchmark.DEVELOPMENT)
def test_lowest_values_are_the_published_ones_and_nothing_lies_below(name):
    at = problem(name)
    values = [at(p) for p in at.space.sample(np.random.default_rng(0), 300)]
    assert min(values) > at.optimal_value
    assert at.optimal_value == pytest.approx(PUBLISHED.get(name, at.optimal_value), abs=5e-6)


def test_unknown_names_are_refused():
    with pytest.raises(KeyError, match="no problem"):
        problem("Nobody")
    with pytest.raises(KeyError, match="no method"):
        benchmark.run("nothing", problem("Branin"), 0)


def test_every_method_starts_from_the_same_points_and_counts_its_trials():
    n_seeds = dict.fromkeys(benchmark.METHODS, 2)
    trials = benchmark.run_all(n_seeds, ["Branin"], 0, n_trials=9, n_initial=4)
    assert len(trials) == 7 * 2 * 9
    first = trials[(trials["trial"] <= 4) & (trials["method"] != "grid")]
    assert first.groupby(["seed", "trial"])["value"].nunique().max() == 1
    assert (trials["regret"] >= 0).all()
    assert trials.groupby(["method", "seed"])["regret"].diff().dropna().le(0).all()
    ends = benchmark.final(trials)
    assert len(ends) == 14
    assert (ends["cpu_s"] >= 0).all()
    assert set(benchmark.table(ends)["n"]) == {2}
    assert benchmark.curves(trials).groupby("method")["trial"].max().eq(9).all()


def test_a_grid_that_does_not_fit_is_left_out():
    assert benchmark.run("grid", problem("Hartmann-6"), 0, n_trials=50).empty
    trials = benchmark.run_all({"grid": 1, "random": 1}, ["Hartmann-6"], 0, n_trials=5, n_initial=2)
    assert set(trials["method"]) == {"random"}


def test_noise_is_on_the_value_and_not_on_the_regret():
    quiet, noisy = (
        benchmark.run("random", problem("Branin"), 0, n_trials=6, n_initial=2, noise_sd=sd)
        for sd in (0.0, 5.0)
    )
    np.testing.assert_allclose(quiet["regret"], noisy["regret"])
    assert not np.allclose(quiet["value"], noisy["value"])


def test_recorded_races_are_complete_and_paired():
    rows = benchmark.recorded()
    counts = rows.groupby(["problem", "method"])["seed"].nunique()
    assert set(counts) == {10}
    assert set(rows["problem"]) == {*benchmark.CLASSIC, *benchmark.HELD_OUT}
    assert set(rows["method"]) == set(benchmark.METHODS)
    assert rows.groupby("problem")["method"].nunique().ge(6).all()  # a grid does not always fit
