"""Searches at equal cost: the budget is kept, the accounts are right; what their models tell."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lightlab.chapters.ch05_hyperparameter_tuning import experiment
from lightlab.search import BayesianOptimization, Trial
from lightlab.space.hyper import Float, HyperSpace, Int

SPACE = HyperSpace({"x": Float(0.0, 1.0), "width": Int(1, 10)})
LINE = HyperSpace({"a": Float(0.0, 1.0)})
MIXED = HyperSpace({"a": Float(0.0, 1.0), "b": Float(1e-3, 1.0, log=True), "c": Int(1, 4)})


class Bowl:
    """Best at x = 0.3; costs its width; held-out value tells the two apart."""

    def __init__(self, n_failures=0, factor=1):
        self.n_failures, self.factor, self.seen = n_failures, factor, []

    def __call__(self, config):
        self.seen.append(config)
        value = -((config["x"] - 0.3) ** 2)
        value = float("nan") if len(self.seen) <= self.n_failures else value
        return SimpleNamespace(mean=value, noise_var=1e-6 + 0 * value, held_out=value - 1)

    def price(self, config):
        return self.factor * config["width"]

    def retrain(self, config):
        return config["x"]


def search(method, bowl, budget=40, n_initial=3):
    return experiment.search(experiment.make_searcher(method, SPACE, 0, n_initial), bowl, budget)


def compare(seeds=(0, 1), budget=20.0):
    methods, rng = ["bo", "random"], np.random.default_rng(0)
    problems = {s: Bowl() for s in seeds}
    return experiment.compare(SPACE, problems, methods, budget, n_initial=3, rng=rng)


@pytest.fixture(scope="module")
def compared():
    return compare()


@pytest.mark.parametrize("method", ["bo", "random", "grid", "tpe"])
def test_no_search_spends_more_than_its_budget(method):
    bowl = Bowl()
    table = search(method, bowl)
    assert table["cost"].tolist() == np.cumsum(table["width"]).tolist()
    assert 30 < table["cost"].iloc[-1] <= 40  # stopped by a trial that did not fit
    assert table["trial"].tolist() == list(range(1, len(bowl.seen) + 1))
    assert (table["held_out"] == table["value"] - 1).all()
    if method != "bo":  # whose incumbent is the best by its model
        assert table["incumbent_value"].tolist() == table["value"].cummax().tolist()
        assert np.allclose(table["incumbent_held_out"], table["incumbent_value"] - 1)


@pytest.mark.parametrize("method", ["bo", "random", "tpe"])
def test_a_failed_trial_costs_and_is_not_recommended(method):
    table = search(method, Bowl(n_failures=2), n_initial=2)[:3]
    assert table["value"].isna().tolist() == [True, True, False]
    assert table["incumbent_value"].isna().tolist() == [True, True, False]
    assert table["cost"].iloc[1] > 0


def test_a_search_for_nothing_ends():
    assert len(search("grid", Bowl(factor=0), 1)) == 9  # the whole grid


def test_compare_runs_every_method_on_every_seed(compared):
    trials, searchers = compared
    assert set(searchers) == {(m, s) for m in ("bo", "random") for s in (0, 1)}
    again, _ = compare(seeds=(0,))
    first = trials[trials["seed"] == 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, again)
    sample = SPACE.sample(np.random.default_rng(0), 40)
    unit = np.mean([config["width"] for config in sample])
    assert trials["cost"].iloc[0] * unit == pytest.approx(trials["width"].iloc[0])
    assert trials["cost"].max() <= 20
    with pytest.raises(ValueError, match=r"bo, seed 4: the budget does not buy one trial"):
        compare(seeds=(4,), budget=0.01)


def test_the_accuracy_at_a_cost_is_a_staircase():
    trials = pd.DataFrame({"cost": [2.0, 5.0], "incumbent_held_out": [0.1, 0.4]})
    trials = trials.assign(method="bo", seed=0)
    values = experiment.incumbents_at(trials, [1.0, 2.0, 4.9, 5.0, 9.0])["incumbent_held_out"]
    np.testing.assert_equal(values.to_numpy(), [np.nan, 0.1, 0.1, 0.4, 0.4])


def test_curves_end_at_the_final_accuracies_which_are_compared_within_seeds(compared):
    trials, _ = compared
    final = experiment.final_accuracy(trials, 20.0)
    curves = experiment.anytime(trials, 20.0)
    last = 100 * curves[curves["cost"] == 20.0].set_index("method")["mean"]
    assert dict(last) == pytest.approx(dict(final.groupby("method")["accuracy"].mean()))
    assert curves["mean"].notna().all()
    pairs = experiment.differences(final, [("bo", "random")])
    wide = final.pivot(index="seed", columns="method", values="accuracy")
    assert pairs["difference"].tolist() == (wide["bo"] - wide["random"]).tolist()
    assert pairs["mean"].tolist() == pytest.approx([pairs["difference"].mean()] * 2)
    assert (pairs["ci_low"] <= pairs["mean"]).all()


def test_winners_are_what_each_search_recommends_and_its_trials_are_listed_once(compared):
    trials, searchers = compared
    winners = experiment.retrain_winners(trials, searchers, {0: Bowl(), 1: Bowl()})
    recommended = [searchers[m, s].incumbent.config["x"] for s in (0, 1) for m in ("bo", "random")]
    assert winners["test"].tolist() == recommended
    found = experiment.trials_of(searchers, 1)
    made = searchers["bo", 1].trials + searchers["random", 1].trials
    assert {str(t.config) for t in found} == {str(t.config) for t in made}
    twice = {("bo", 1): searchers["bo", 1], ("random", 1): searchers["bo", 1]}
    assert experiment.trials_of(twice, 1) == searchers["bo", 1].trials


def mixed_trials(f):
    configs = MIXED.sample(np.random.default_rng(0), 25)
    return [Trial(c, (f(c),), (1e-6,)) for c in configs]


def test_the_hyperparameter_that_matters_is_found():
    model = experiment.fit_model(MIXED, mixed_trials(lambda c: np.sin(5 * c["a"])))
    shares = experiment.relevance({7: model})
    assert set(shares["seed"]) == {7}
    assert shares.set_index("name").loc["a", "share"] > 0.9
    assert shares["share"].sum() == pytest.approx(1)
    assert experiment.effective_dimension(shares)[7] < 1.3
    assert experiment.lead(shares, "a")[7] > 0.8 > 0 > experiment.lead(shares, "b")[7]


def test_a_short_length_scale_weighs_by_its_square_and_equal_ones_alike():
    scales = [{"a": 0.5, "b": 1.0}, dict.fromkeys("abcde", 30.0)]
    models = {seed: SimpleNamespace(length_scales=s) for seed, s in enumerate(scales)}
    shares = experiment.relevance(models)
    assert shares["share"].tolist() == pytest.approx([0.8, 0.2] + [0.2] * 5)
    assert experiment.lead(shares, "b").tolist() == pytest.approx([-0.6, 0])
    assert experiment.effective_dimension(shares).tolist() == pytest.approx([1 / 0.68, 5])


def test_slices_go_through_the_incumbent_and_change_one_at_a_time():
    trials = mixed_trials(lambda c: c["a"] ** 2 + np.log(c["b"]))
    config = trials[3].config
    cuts = experiment.slices(MIXED, experiment.fit_model(MIXED, trials), config)
    assert cuts.groupby("name", sort=False).size().to_dict() == {"a": 61, "b": 61, "c": 4}
    a, b = (cuts[cuts["name"] == name] for name in ("a", "b"))
    near = np.interp(config["a"], a["x"], a["mean"])
    assert near == pytest.approx(trials[3].values[0], abs=0.05)
    steps = np.diff(np.log(b["x"]))
    assert np.allclose(steps, steps[0])  # even in its logarithm


def test_replay_points_at_what_is_asked_next():
    """The maximum of its acquisition curve is the point that the search itself asks for."""
    bo = BayesianOptimization(LINE, seed=0, n_initial=1)
    for a in (0.0, 0.45, 1.0):
        bo.tell([{"a": a}], [-((a - 0.6) ** 2)], [1e-4])
    belief = experiment.replay(LINE, bo.trials, [2, 3])
    assert belief["n_trials"].unique().tolist() == [2, 3]
    last = belief[belief["n_trials"] == 3]
    (asked,) = bo.ask(1)
    assert last.loc[last["acqf"].idxmax(), "a"] == pytest.approx(asked["a"], abs=0.01)


def test_observations_are_a_row_per_trial():
    trials = [Trial({"a": 1}, (0.5,), (0.04,)), Trial({"a": 2}, (0.6,), None)]
    table = experiment.observations(trials)
    assert table["a"].tolist() == [1, 2]
    assert table["sd"][0] == pytest.approx(0.2)
    assert np.isnan(table["sd"][1])
