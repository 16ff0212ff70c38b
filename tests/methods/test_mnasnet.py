"""The reward, what a run records; networks are evaluated once each, a killed search goes on."""

import math
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab import train
from lightlab.disk import Journal
from lightlab.measure import cost
from lightlab.methods import mnasnet
from lightlab.search import RandomSearch, RegularizedEvolution, SearchError
from lightlab.search.controller import Controller
from lightlab.space.arch import encode
from lightlab.space.decisions import Decision, DecisionSpace
from lightlab.space.mnasnet import MnasNetSpace
from lightlab.space.skeleton import Skeleton

SPACE = MnasNetSpace(Skeleton.small((1, 16, 16), 10, [32]))


@pytest.mark.parametrize(
    ("accuracy", "ms", "target", "exponents", "values"),
    [
        (0.5, [40, 80, 160], 80, mnasnet.HARD, (0.5, 0.5, 0.25)),  # figure 3
        (0.5, [40, 80, 160], 80, mnasnet.SOFT, (0.525, 0.5, 0.476)),
        # table 1, computed in the paper's page of facts: A1, A2, A3 and MobileNetV2
        ([75.2, 75.6, 76.7, 72], [78, 84, 103, 75], 75, mnasnet.SOFT, (74.99, 75, 75.02, 72)),
    ],
)
def test_the_reward_is_the_papers(accuracy, ms, target, exponents, values):
    np.testing.assert_allclose(mnasnet.reward(accuracy, ms, target, *exponents), values, 7e-5, 5e-4)


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


FAILING = {(0, 0, 0, 0), (1, 1, 1, 1), (2, 2, 2, 2), (0, 1, 2, 0)}


def look(archs):
    accuracy = [math.nan if a in FAILING else 10.0 + sum(a) for a in archs]
    return pd.DataFrame({"accuracy": accuracy, "latency_ms": [1.0 + sum(a) for a in archs]})


POINTS = DecisionSpace(
    [Decision(f"d{i}", (0, 1, 2)) for i in range(4)], lambda options: tuple(options.values())
)


def soft(rows):
    return mnasnet.reward(rows["accuracy"], rows["latency_ms"], 5.0)


def tried(searcher, n, batch_size=20):
    return mnasnet.search(searcher, searcher.space, look, soft, n, batch_size)


@pytest.mark.parametrize("kind", [Controller, RandomSearch, RegularizedEvolution])
def test_a_search_records_every_trial_and_tells_failures(kind):
    searcher = kind(POINTS, seed=1)
    trials = tried(searcher, 70, 8)
    assert trials["trial"].tolist() == list(range(1, 71))
    assert trials["point"].is_unique
    failed = trials["accuracy"].isna()
    assert failed.any()
    assert (trials["value"].isna() == failed).all()
    assert [t.failed for t in searcher.trials] == failed.tolist()


def test_a_search_ends_where_the_space_does_and_begins_in_none_of_one_network():
    assert len(tried(RandomSearch(POINTS), 1000)) == POINTS.size() == 81
    with pytest.raises(SearchError, match="nothing to search"):
        tried(RandomSearch(DecisionSpace([Decision("d", ("only",))])), 5, 1)


def test_a_target_out_of_reach_is_said_before_anything_is_trained():
    timer = Mock(return_value=[0.03])
    mnasnet.check_target(SPACE, timer, 0.03)
    with pytest.raises(SearchError, match=r"target of 0.029 ms is out of reach.*takes 0.03 ms"):
        mnasnet.check_target(SPACE, timer, 0.029)
    with pytest.raises(ValueError, match="above 0 ms"):
        mnasnet.check_target(SPACE, timer, -1.0)
    least = min(cost.macs(SPACE.decode(SPACE.unrank(i))) for i in range(SPACE.size()))
    assert cost.macs(timer.call_args.args[0][0]) == least


RECIPE = train.Recipe(epochs=1, batch_size=32, lr=0.1)


@pytest.fixture
def archs():
    return [SPACE.decode(p) for p in SPACE.sample(np.random.default_rng(0), 3)]


def clock(archs):
    return [cost.macs(a) / 1e6 for a in archs]


def test_a_network_is_evaluated_once(digits, archs, tmp_path):
    meter, path = Mock(side_effect=clock), tmp_path / "j.jsonl"
    table = mnasnet.Proxy(digits, RECIPE, meter, Journal(path), workers=1)([*archs, archs[0]])
    assert list(table.columns) == list(mnasnet.COLUMNS)
    assert table["arch"].tolist() == [encode(a) for a in [*archs, archs[0]]]
    assert table.iloc[0].equals(table.iloc[3])
    assert [encode(a) for a in meter.call_args.args[0]] == [encode(a) for a in archs]
    assert meter.call_count == 1
    assert table["macs"].tolist()[:3] == [cost.macs(a) for a in archs]
    assert table["accuracy"].between(0, 100).all()
    assert (table["samples"] == 96).all()
    assert (table["train_macs"] == 96 * table["macs"] * cost.PASSES_PER_TRAINING_STEP).all()
    again = mnasnet.Proxy(digits, replace(RECIPE, epochs=50), clock, Journal(path))
    assert again(archs).equals(table.iloc[:3])
    two = mnasnet.Proxy(digits, RECIPE, clock, workers=2)(archs)
    assert two.drop(columns="seconds").equals(table.iloc[:3].drop(columns="seconds"))


def test_a_training_that_diverges_is_a_failure_and_no_end(digits, archs):
    table = mnasnet.Proxy(digits, replace(RECIPE, lr=1e30, warmup=0.0), clock)(archs)
    assert table["accuracy"].isna().all()
    assert (table["latency_ms"] > 0).all()


def test_a_slower_machine_does_not_make_a_network_slower(archs, monkeypatch):
    factor = iter([1.0, 3.0])

    def timed(runners, *_, **__):
        times = next(factor)
        ms = {n: times * (2.0 if n == "reference" else 1.5 + int(n)) for n in runners}
        return SimpleNamespace(latency_ms=ms)

    monkeypatch.setattr(mnasnet.latency, "runner", lambda arch, _: arch)
    monkeypatch.setattr(mnasnet.latency, "time_runners", timed)
    meter = mnasnet.Meter(SPACE.decode(SPACE.centre()))
    assert meter(archs) == meter(archs)
    assert meter.journal.of("reference") == [{"kind": "reference", "ms": 2.0}]


def searched(images, path):
    """Twelve networks by a controller; trials as one would save them."""
    evaluate = mnasnet.Proxy(images, RECIPE, clock, Journal(path), workers=1)
    found = mnasnet.search(Controller(SPACE, seed=0), SPACE, evaluate, soft, 12, 4)
    return found.drop(columns="seconds")


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_a_search_that_was_cut_off_goes_on_from_its_journal(digits, tmp_path, share):
    path = tmp_path / "j.jsonl"
    whole, text = searched(digits, path), path.read_bytes()
    path.write_bytes(text[: int(share * len(text))])
    kept = Journal(path).rows
    assert searched(digits, path).equals(whole)
    rows = Journal(path).rows
    assert rows[: len(kept)] == kept
    assert len(rows) == text.count(b"\n")  # nothing was trained twice


def test_real_latencies_are_positive_and_the_scale_is_kept(archs, tmp_path):
    path = tmp_path / "j.jsonl"
    first = mnasnet.Meter(archs[0], journal=Journal(path))(archs)
    assert min(first) > 0
    again = mnasnet.Meter(archs[0], journal=Journal(path))
    assert list(again(archs)) == list(first)
    again([SPACE.decode(SPACE.unrank(5))])
    assert len(Journal(path).of("reference")) == 1
