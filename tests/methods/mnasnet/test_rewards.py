"""MnasNet's reward and search: published values, bad input, and what a run records."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.measure import cost
from lightlab.methods import mnasnet
from lightlab.search import Controller, RandomSearch, RegularizedEvolution, SearchError
from lightlab.space.decisions import Decision, DecisionSpace
from lightlab.space.mnasnet import MnasNetSpace
from lightlab.space.skeleton import Skeleton


@pytest.mark.parametrize(
    ("exponents", "values"),
    [(mnasnet.HARD, (0.5, 0.5, 0.25)), (mnasnet.SOFT, (0.525, 0.5, 0.476))],
)
def test_the_reward_is_that_of_figure_3(exponents, values):
    found = mnasnet.reward(0.5, [40, 80, 160], 80, *exponents)
    np.testing.assert_allclose(found, values, atol=5e-4)


def test_the_printed_networks_are_worth_the_same():
    """Table 1, computed in the paper's page of facts: A1, A2, A3 and MobileNetV2."""
    found = mnasnet.reward([75.2, 75.6, 76.7, 72.0], [78, 84, 103, 75], 75)
    np.testing.assert_allclose(found, [74.99, 75.00, 75.02, 72.0], atol=0.005)


@given(st.floats(0.01, 100), st.floats(1, 99), st.floats(0.01, 100))
def test_twice_the_latency_and_5_percent_more_accuracy_are_worth_the_same(ms, accuracy, target):
    beta = mnasnet.exponent(2, 0.05)
    once = mnasnet.reward(accuracy, ms, target, beta, beta)
    twice = mnasnet.reward(1.05 * accuracy, 2 * ms, target, beta, beta)
    assert math.isclose(once, twice, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: mnasnet.reward(0.5, 10, 0), "target latency has to be above 0 ms, got 0"),
        (lambda: mnasnet.reward(0.5, 10, math.nan), "target latency has to be above 0"),
        (lambda: mnasnet.reward(0.5, [10, 0], 5), "latencies have to be above 0 ms, got 0"),
        (lambda: mnasnet.reward(0.5, math.nan, 5), "latencies have to be above 0 ms, got nan"),
        (lambda: mnasnet.reward([0.5, math.nan], 10, 5), "an accuracy is NaN"),
        (lambda: mnasnet.exponent(1, 0.05), "no exponent"),
        (lambda: mnasnet.exponent(2, -1), "no exponent"),
    ],
)
def test_values_that_have_no_reward_are_refused_in_one_line(call, says):
    with pytest.raises(ValueError, match=says) as error:
        call()
    assert "\n" not in str(error.value)


def flat_judge(failing=()):
    def look(archs):
        totals = [sum(a) for a in archs]
        accuracy = [
            math.nan if tuple(a) in failing else 10.0 + t
            for a, t in zip(archs, totals, strict=True)
        ]
        return pd.DataFrame({"accuracy": accuracy, "latency_ms": [1.0 + t for t in totals]})

    return look


POINTS = DecisionSpace(
    [Decision(f"d{i}", (0, 1, 2)) for i in range(4)], lambda options: tuple(options.values())
)


def soft(rows):
    return mnasnet.reward(rows["accuracy"], rows["latency_ms"], 5.0)


@pytest.mark.parametrize("kind", [Controller, RandomSearch, RegularizedEvolution])
def test_a_run_records_every_trial_and_tells_failures(kind):
    failing = {(0, 0, 0, 0), (1, 1, 1, 1), (2, 2, 2, 2), (0, 1, 2, 0)}
    searcher = kind(POINTS, seed=1)
    trials = mnasnet.run(searcher, POINTS, flat_judge(failing), soft, 70, 8)
    assert trials["trial"].tolist() == list(range(1, 71))
    assert trials["point"].is_unique
    failed = trials["accuracy"].isna()
    assert failed.any()
    assert trials.loc[failed, "value"].isna().all()
    assert trials.loc[~failed, "value"].notna().all()
    assert [t.failed for t in searcher.trials] == failed.tolist()


def test_a_run_ends_where_the_space_does_and_begins_in_none_of_one_network():
    trials = mnasnet.run(RandomSearch(POINTS), POINTS, flat_judge(), soft, 1000, 20)
    assert len(trials) == POINTS.size() == 81
    single = DecisionSpace([Decision("d", ("only",))])
    with pytest.raises(SearchError, match="nothing to search"):
        mnasnet.run(RandomSearch(single), single, flat_judge(), soft, 5, 1)


def test_equal_seeds_run_equally():
    first, again = (
        mnasnet.run(Controller(POINTS, seed=3), POINTS, flat_judge(), soft, 60, 20)
        for _ in range(2)
    )
    assert first.equals(again)
    other = mnasnet.run(Controller(POINTS, seed=4), POINTS, flat_judge(), soft, 60, 20)
    assert first["point"].tolist() != other["point"].tolist()


def test_a_target_out_of_reach_is_said_before_anything_is_trained():
    space = MnasNetSpace(Skeleton.small(16, 1, 10, [32]))
    timed = []

    def time(archs):
        timed.extend(archs)
        return [0.03] * len(archs)

    mnasnet.check_target(space, time, 0.03)
    with pytest.raises(SearchError, match=r"target of 0.029 ms is out of reach.*takes 0.03 ms"):
        mnasnet.check_target(space, time, 0.029)
    with pytest.raises(ValueError, match="above 0 ms"):
        mnasnet.check_target(space, time, -1.0)
    least = min(cost.macs(space.decode(space.unrank(i))) for i in range(space.size()))
    assert cost.macs(timed[0]) == least
