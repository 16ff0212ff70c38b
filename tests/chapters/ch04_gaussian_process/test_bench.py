"""The race: equal starts, counted trials, regret by true values."""

import numpy as np
import pytest

from lightlab.chapters.ch04_gaussian_process import bench
from lightlab.chapters.ch04_gaussian_process.problems import problem


def test_unknown_methods_are_refused():
    with pytest.raises(KeyError, match="no method"):
        bench.run("nothing", problem("Branin"), 0)


def test_every_method_starts_from_the_same_points_and_counts_its_trials():
    trials = bench.run_all(dict.fromkeys(bench.METHODS, 2), ["Branin"], 0, n_trials=9, n_initial=4)
    assert len(trials) == 5 * 2 * 9
    first = trials[(trials["trial"] <= 4) & (trials["method"] != "grid")]
    assert first.groupby(["seed", "trial"])["value"].nunique().max() == 1
    assert (trials["regret"] >= 0).all()
    assert trials.groupby(["method", "seed"])["regret"].diff().dropna().le(0).all()
    ends = bench.final(trials)
    assert len(ends) == 10
    assert (ends["cpu_s"] >= 0).all()
    assert set(bench.table(ends)["n"]) == {2}
    assert bench.curves(trials).groupby("method")["trial"].max().eq(9).all()


def test_a_grid_that_does_not_fit_is_left_out():
    assert bench.run("grid", problem("Hartmann-6"), 0, n_trials=50).empty
    trials = bench.run_all({"grid": 1, "random": 1}, ["Hartmann-6"], 0, n_trials=5, n_initial=2)
    assert set(trials["method"]) == {"random"}


def test_noise_is_on_the_value_and_not_on_the_regret():
    quiet = bench.run("random", problem("Branin"), 0, n_trials=6, n_initial=2)
    noisy = bench.run("random", problem("Branin"), 0, n_trials=6, n_initial=2, noise_sd=5.0)
    np.testing.assert_allclose(quiet["regret"], noisy["regret"])
    assert not np.allclose(quiet["value"], noisy["value"])
