"""What a search has learned, on functions whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.chapters.ch05_hyperparameter_tuning import explain
from lightlab.search import BayesianOptimization
from lightlab.search.gaussian import surrogate
from lightlab.search.searcher import Trial
from lightlab.space.hyper import Choice, Float, HyperSpace, Int

SPACE = HyperSpace({"a": Float(0.0, 1.0), "b": Float(1e-3, 1.0, log=True), "c": Int(1, 4)})


def trials_of(space, f, n=25):
    configs = space.sample(np.random.default_rng(0), n)
    return [Trial(c, (f(c),), (1e-6,)) for c in configs]


def test_the_hyperparameter_that_matters_is_found():
    trials = trials_of(SPACE, lambda c: np.sin(5 * c["a"]))
    shares = explain.relevance(surrogate.fit(SPACE, trials, 1.0).length_scales)
    assert shares["a"] > 0.9
    assert sum(shares.values()) == pytest.approx(1)
    assert explain.effective_dimension(shares) < 1.3


@given(st.integers(1, 12), st.floats(0.01, 100))
def test_effective_dimension_counts_equals(d, scale):
    shares = explain.relevance({str(i): scale for i in range(d)})
    assert explain.effective_dimension(shares) == pytest.approx(d)


def test_a_short_length_scale_weighs_by_its_square():
    assert explain.relevance({"a": 0.5, "b": 1.0}) == pytest.approx({"a": 0.8, "b": 0.2})


def test_slices_go_through_the_incumbent_and_change_one_at_a_time():
    trials = trials_of(SPACE, lambda c: c["a"] ** 2 + np.log(c["b"]))
    model = surrogate.fit(SPACE, trials, 1.0)
    config = trials[3].config
    cuts = explain.slices(SPACE, model, config, n=21)
    assert cuts.groupby("name", sort=False).size().to_dict() == {"a": 21, "b": 21, "c": 4}
    part = cuts[cuts["name"] == "a"]
    near = np.interp(config["a"], part["x"], part["mean"])
    assert near == pytest.approx(trials[3].values[0], abs=0.05)
    b = cuts[cuts["name"] == "b"]["x"].to_numpy()
    assert np.allclose(np.diff(np.log(b)), np.diff(np.log(b))[0])  # even in its logarithm


def test_along_takes_the_options_of_a_choice():
    space = HyperSpace({"a": Choice(("x", "y"))})
    assert explain.along(space, "a", {}, 9) == [{"a": "x"}, {"a": "y"}]


def test_replay_points_at_what_is_asked_next():
    """The maximum of its acquisition curve is the point that the search itself asks for."""
    space = HyperSpace({"a": Float(0.0, 1.0)})
    bo = BayesianOptimization(space, seed=0, n_initial=1)
    for a in (0.0, 0.45, 1.0):
        bo.tell([{"a": a}], [-((a - 0.6) ** 2)], [1e-4])
    belief = explain.replay(space, bo.trials, [2, 3], n=1001)
    assert belief["n_trials"].unique().tolist() == [2, 3]
    last = belief[belief["n_trials"] == 3]
    (asked,) = bo.ask(1)
    assert last.loc[last["acqf"].idxmax(), "a"] == pytest.approx(asked["a"], abs=0.01)


def test_observations_are_a_row_per_trial():
    table = explain.observations([Trial({"a": 1}, (0.5,), (0.04,)), Trial({"a": 2}, (0.6,), None)])
    assert table["a"].tolist() == [1, 2]
    assert table["sd"][0] == pytest.approx(0.2)
    assert np.isnan(table["sd"][1])
