"""Sampled networks are judged once each, and a search that was killed goes on."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from lightlab import data, train
from lightlab.measure import cost
from lightlab.measure.journal import Journal
from lightlab.methods import mnasnet, proxy
from lightlab.search import Controller
from lightlab.space.arch import encode
from lightlab.space.mnasnet import MnasNetSpace
from lightlab.space.skeleton import Skeleton

SPACE = MnasNetSpace(Skeleton.small(16, 1, 10, [32]))
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
    judge = proxy.Proxy(digits, RECIPE, clock, Journal(path))
    table = judge([*archs, archs[0]])
    assert list(table.columns) == list(proxy.COLUMNS)
    assert table["arch"].tolist() == [encode(a) for a in [*archs, archs[0]]]
    assert table.iloc[0].equals(table.iloc[3])
    assert len(clock.timed) == len({encode(a) for a in archs})
    assert table["macs"].tolist()[:3] == [cost.macs(a) for a in archs]
    assert table["accuracy"].between(0, 100).all()
    assert (table["samples"] == 96).all()
    assert (table["train_macs"] == 96 * table["macs"] * cost.PASSES_PER_TRAINING_STEP).all()
    again = proxy.Proxy(digits, replace(RECIPE, epochs=50), Clock(), Journal(path))
    assert again(archs).equals(table.iloc[:3])


def test_the_same_in_one_process_or_two(digits, archs):
    one, two = (
        proxy.Proxy(digits, RECIPE, Clock(), workers=n)(archs).drop(columns="seconds")
        for n in (1, 2)
    )
    assert one.equals(two)


def test_a_training_that_diverges_is_a_failure_and_no_end(digits, archs):
    judge = proxy.Proxy(digits, replace(RECIPE, lr=1e30, warmup=0.0), Clock())
    table = judge(archs)
    assert table["accuracy"].isna().all()
    assert (table["latency_ms"] > 0).all()


def test_a_slower_machine_does_not_make_a_network_slower(archs, monkeypatch):
    meter = proxy.Meter(SPACE.decode(SPACE.centre()))
    factor = iter([1.0, 3.0])

    class Timed:
        def __init__(self, names, times):
            self.latency_ms = {
                n: times * (2.0 if n == "reference" else 1.5 + int(n)) for n in names
            }

    monkeypatch.setattr(proxy.latency, "runner", lambda arch, _: arch)
    monkeypatch.setattr(
        proxy.latency, "time_runners", lambda runners, *_, **__: Timed(runners, next(factor))
    )
    assert meter(archs) == meter(archs)
    assert meter.journal.of("reference") == [{"kind": "reference", "ms": 2.0}]


def test_real_latencies_are_positive_and_the_scale_is_kept(digits, archs, tmp_path):
    path = tmp_path / "j.jsonl"

    def begin():
        notes = Journal(path)
        return proxy.Proxy(digits, RECIPE, proxy.Meter(archs[0], journal=notes), notes)

    judge = begin()
    first = judge.latency_ms(archs)
    assert (first > 0).all()
    again = begin()
    assert again.latency_ms(archs).tolist() == first.tolist()
    again.latency_ms([SPACE.decode(SPACE.unrank(5))])
    assert len(Journal(path).of("reference")) == 1


PROGRAM = """
import sys, pathlib
from tests.methods.test_proxy import search
search(pathlib.Path(sys.argv[1]))
"""


def search(path):
    """Twelve networks by a controller; trials as one would save them."""
    images = data.load("digits", n_train=100, n_val=60, n_test=60, resolution=16)
    judge = proxy.Proxy(images, replace(RECIPE, epochs=4), Clock(), Journal(path), workers=1)
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
