"""The reward, what a run records; networks are evaluated once each, a killed search goes on."""

import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab import data, train
from lightlab.disk import Journal
from lightlab.measure import cost
from lightlab.methods import mnasnet
from lightlab.search import Controller, RandomSearch, RegularizedEvolution, SearchError
from lightlab.space.arch import encode
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
    space = MnasNetSpace(Skeleton.small((1, 16, 16), 10, [32]))
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


SPACE = MnasNetSpace(Skeleton.small((1, 16, 16), 10, [32]))
RECIPE = train.Recipe(epochs=1, batch_size=32, lr=0.1)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", n_train=100, n_val=60, n_test=60, resolution=16)


@pytest.fixture
def archs():
    rng = np.random.default_rng(0)
    return [SPACE.decode(p) for p in SPACE.sample(rng, 3)]


class Clock:
    """A meter that counts what it is asked to time."""

    def __init__(self):
        self.timed = []

    def __call__(self, archs):
        self.timed += archs
        return [cost.macs(a) / 1e6 for a in archs]


def test_a_network_is_judged_once(digits, archs, tmp_path):
    clock, path = Clock(), tmp_path / "j.jsonl"
    judge = mnasnet.Proxy(digits, RECIPE, clock, Journal(path))
    table = judge([*archs, archs[0]])
    assert list(table.columns) == list(mnasnet.COLUMNS)
    assert table["arch"].tolist() == [encode(a) for a in [*archs, archs[0]]]
    assert table.iloc[0].equals(table.iloc[3])
    assert len(clock.timed) == len({encode(a) for a in archs})
    assert table["macs"].tolist()[:3] == [cost.macs(a) for a in archs]
    assert table["accuracy"].between(0, 100).all()
    assert (table["samples"] == 96).all()
    assert (table["train_macs"] == 96 * table["macs"] * cost.PASSES_PER_TRAINING_STEP).all()
    again = mnasnet.Proxy(digits, replace(RECIPE, epochs=50), Clock(), Journal(path))
    assert again(archs).equals(table.iloc[:3])


def test_the_same_in_one_process_or_two(digits, archs):
    one, two = (
        mnasnet.Proxy(digits, RECIPE, Clock(), workers=n)(archs).drop(columns="seconds")
        for n in (1, 2)
    )
    assert one.equals(two)


def test_a_training_that_diverges_is_a_failure_and_no_end(digits, archs):
    judge = mnasnet.Proxy(digits, replace(RECIPE, lr=1e30, warmup=0.0), Clock())
    table = judge(archs)
    assert table["accuracy"].isna().all()
    assert (table["latency_ms"] > 0).all()


def test_a_slower_machine_does_not_make_a_network_slower(archs, monkeypatch):
    meter = mnasnet.Meter(SPACE.decode(SPACE.centre()))
    factor = iter([1.0, 3.0])

    class Timed:
        def __init__(self, names, times):
            self.latency_ms = {
                n: times * (2.0 if n == "reference" else 1.5 + int(n)) for n in names
            }

    monkeypatch.setattr(mnasnet.latency, "runner", lambda arch, _: arch)
    monkeypatch.setattr(
        mnasnet.latency, "time_runners", lambda runners, *_, **__: Timed(runners, next(factor))
    )
    assert meter(archs) == meter(archs)
    assert meter.journal.of("reference") == [{"kind": "reference", "ms": 2.0}]


def test_real_latencies_are_positive_and_the_scale_is_kept(digits, archs, tmp_path):
    path = tmp_path / "j.jsonl"

    def begin():
        notes = Journal(path)
        return mnasnet.Proxy(digits, RECIPE, mnasnet.Meter(archs[0], journal=notes), notes)

    judge = begin()
    first = judge.latency_ms(archs)
    assert (first > 0).all()
    again = begin()
    assert again.latency_ms(archs).tolist() == first.tolist()
    again.latency_ms([SPACE.decode(SPACE.unrank(5))])
    assert len(Journal(path).of("reference")) == 1


PROGRAM = """
import sys, pathlib
from tests.methods.test_mnasnet import search
search(pathlib.Path(sys.argv[1]))
"""


def search(path):
    """Twelve networks by a controller; trials as one would save them."""
    images = data.load("digits", n_train=100, n_val=60, n_test=60, resolution=16)
    judge = mnasnet.Proxy(images, replace(RECIPE, epochs=4), Clock(), Journal(path), workers=1)
    value = lambda rows: mnasnet.reward(rows["accuracy"], rows["latency_ms"], 0.1)  # noqa: E731
    return mnasnet.run(Controller(SPACE, seed=0), SPACE, judge, value, 12, 4)


def test_a_kill_at_any_moment_loses_at_most_the_trial_under_way(tmp_path):
    whole = search(tmp_path / "whole.jsonl").drop(columns="seconds")
    path = tmp_path / "killed.jsonl"
    kept = 0
    for seconds in (0.3, 0.9):
        child = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], cwd=os.getcwd())
        wanted = kept + 2
        while len(_trained(path)) < wanted and child.poll() is None:
            time.sleep(0.02)
        time.sleep(seconds / 10)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert len(_trained(path)) >= wanted  # nothing that had ended is lost
        kept = len(_trained(path))
    resumed = search(path).drop(columns="seconds")
    assert resumed.equals(whole)
    assert len(_trained(path)) == whole["arch"].nunique()  # and nothing was trained twice


def _trained(path):
    """The trainings in the file, which another process may be writing."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [line for line in lines if '"kind": "training"' in line]
