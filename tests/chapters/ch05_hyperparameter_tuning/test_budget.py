"""Searchers at equal cost: the budget is kept, the accounts are right."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from lightlab.chapters.ch05_hyperparameter_tuning import budget
from lightlab.search import RandomSearch
from lightlab.space.hyper import Float, HyperSpace, Int

SPACE = HyperSpace({"x": Float(0.0, 1.0), "width": Int(1, 10)})


@dataclass
class Outcome:
    mean: float
    noise_var: float
    held_out: float


class Bowl:
    """Best at x = 0.3; costs its width; held-out value tells the two apart."""

    def __init__(self):
        self.seen = []

    def __call__(self, config):
        self.seen.append(config)
        value = -((config["x"] - 0.3) ** 2)
        return Outcome(value, 1e-6, value - 1)

    def price(self, config):
        return config["width"]


@pytest.mark.parametrize("method", ["bo", "random", "grid", "tpe"])
def test_no_search_spends_more_than_its_budget(method):
    bowl = Bowl()
    table = budget.run(budget.make(method, SPACE, 0, 3, 3), bowl, 40)
    assert table["cost"].iloc[-1] <= 40
    assert table["cost"].tolist() == np.cumsum(table["width"]).tolist()
    assert len(table) == len(bowl.seen)
    assert table["trial"].tolist() == list(range(1, len(table) + 1))
    assert 40 - table["cost"].iloc[-1] < 10  # stopped by a trial that did not fit
    assert (table["held_out"] == table["value"] - 1).all()


def test_incumbent_is_the_best_so_far_with_its_own_held_out_value():
    table = budget.run(RandomSearch(SPACE, 1), Bowl(), 60)
    assert table["incumbent_value"].tolist() == table["value"].cummax().tolist()
    assert np.allclose(table["incumbent_held_out"], table["incumbent_value"] - 1)


def test_a_failed_trial_costs_and_is_not_recommended():
    class Broken(Bowl):
        def __call__(self, config):
            nan = float("nan")
            return super().__call__(config) if len(self.seen) > 1 else self._fail(config, nan)

        def _fail(self, config, nan):
            self.seen.append(config)
            return Outcome(nan, nan, nan)

    for method in ("bo", "random", "tpe"):
        table = budget.run(budget.make(method, SPACE, 0, 2, 3), Broken(), 40)
        assert table["value"].isna().tolist()[:3] == [True, True, False]
        assert table["incumbent_value"].isna().tolist()[:3] == [True, True, False]
        assert table["cost"].iloc[1] > 0


def test_a_search_for_nothing_ends():
    class Free(Bowl):
        def price(self, config):
            return 0 * config["width"]

    space = HyperSpace({"x": Float(0.0, 1.0), "width": Int(1, 2)})
    table = budget.run(budget.make("grid", space, 0, 1, 3), Free(), 1)
    assert len(table) == 6  # the whole grid


def test_compare_runs_every_method_on_every_seed():
    objectives = [(s, Bowl()) for s in (0, 1)]
    trials, searchers = budget.compare(SPACE, objectives, ["bo", "random"], 50, n_initial=3)
    assert set(searchers) == {(m, s) for m in ("bo", "random") for s in (0, 1)}
    again, _ = budget.compare(SPACE, [(0, Bowl())], ["bo", "random"], 50, n_initial=3)
    first = trials[trials["seed"] == 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, again)


def test_a_budget_below_one_trial_says_so():
    with pytest.raises(ValueError, match=r"random, seed 4: the budget does not buy one trial"):
        budget.compare(SPACE, [(4, Bowl())], ["random"], 0.5, n_initial=2)
    with pytest.raises(KeyError, match="no method 'hand': there are bo, random, grid, tpe"):
        budget.make("hand", SPACE, 0, 1, 3)


def test_at_costs_is_a_staircase():
    trials = pd.DataFrame(
        {"method": "bo", "seed": 0, "cost": [2.0, 5.0], "incumbent_held_out": [0.1, 0.4]}
    )
    values = budget.at_costs(trials, np.array([1.0, 2.0, 4.9, 5.0, 9.0]), "incumbent_held_out")
    column = values["incumbent_held_out"].tolist()
    assert np.isnan(column[0])
    assert column[1:] == [0.1, 0.1, 0.4, 0.4]
