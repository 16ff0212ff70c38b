"""How far timings can be trusted, on times that a test makes up."""

import math

import numpy as np
import pytest

from lightlab import latency
from lightlab.chapters.ch07_latency import noise
from lightlab.latency.comparison import Timings, Visits


def timings(ms, names, repeated=0):
    """Timings as if every visit had given `ms` (networks, rounds)."""
    ms = np.asarray(ms, dtype=float).tolist()
    n = np.ones(len(names), int)
    visits = Visits(list(names), ms, ms, 10 * n, 0 * n, repeated * n)
    return Timings(visits, latency.Setting(), {"load_end": 0.5}, "fastest")


def test_noise_leaves_nothing_to_claim():
    clear = timings(np.outer([1, 2, 3, 4], np.ones(6)), "abcd")
    assert noise.quiet(clear)
    value, interval, n = noise.ratio_claim([1.0, 4.0], clear)
    assert (value, n) == (pytest.approx(2.0), 2)
    assert interval[0] < 2 < interval[1]
    luck = timings(np.random.default_rng(0).normal(10, 2, (4, 6)), "abcd")
    assert not noise.quiet(clear, luck)  # one of them is enough
    assert noise.ratio_claim([1.5, 1.6], clear, luck) == ([],)
    wavering = timings(np.outer([1, 2, 3, 4], [1.0, 1.04] * 3), "abcd")  # in one order always
    assert wavering.split_half == pytest.approx(1)
    assert noise.quiet(wavering)
    assert not noise.quiet(wavering, max_noise_pct=1.0)


def test_quality_is_a_row_for_every_measurement():
    found = noise.quality({"a": timings([[2.0, 2.2], [3.0, 3.0]], "ab", repeated=3)})
    assert found.index.name == "setting"
    assert found.loc["a", ["networks", "repeated"]].tolist() == [2, 6]


class Drifting:
    """A runner of `ms` on a machine that goes on and off to be slower."""

    def __init__(self, ms, clock):
        self.ms, self.clock = ms, clock

    def time(self, n):
        self.clock[0] += 1
        wall = self.ms * n / 1e3 * (1 + 0.5 * math.sin(self.clock[0] / 60))
        return wall, wall


def test_visits_in_turn_share_the_drift_that_visits_in_a_row_do_not():
    clock = [0]
    runners = {f"n{i}": Drifting(1 + i / 10, clock) for i in range(6)}
    plan = latency.Plan(rounds=8, samples=3, warmup_ms=3)
    found = noise.repeat(runners, plan)
    assert {p: [x.shape for x in both] for p, both in found.items()} == {
        "interleaved": [(6, 8)] * 2,
        "back to back": [(6, 8)] * 2,
    }
    last = noise.disagreement(found).groupby("protocol")["percent"].last()
    assert last["interleaved"] < last["back to back"] / 2


def test_disagreement_counts_what_is_not_shared():
    a = np.ones((4, 4))
    found = noise.disagreement({"interleaved": [a, 2 * a]})
    assert found["n_visits"].tolist() == [1, 2, 4]
    assert found["percent"].tolist() == pytest.approx([0, 0, 0])  # twice as slow, all of them
    b = a * np.exp([[0.01], [-0.01], [0.01], [-0.01]])
    assert noise.disagreement({"interleaved": [a, b]})["percent"].tolist() == pytest.approx(
        [1, 1, 1]
    )


def test_one_time_is_judged_by_order_and_by_size():
    truth = np.array([1.0, 2.0, 3.0])
    assert noise.error(2 * truth, truth) == pytest.approx(
        {"times_as_long": 2, "error_pct": 0, "wrong_pairs": 0}
    )
    assert noise.error(truth[::-1], truth)["wrong_pairs"] == 1
    rounds = np.array([[1.0, 1.0, 4.0], [2.0, 2.0, 2.0], [3.0, 3.0, 3.0]])
    found = noise.single_times(3 * truth, rounds, truth[:, None])
    assert found.loc["first run", "times_as_long"] == pytest.approx(3)
    assert found.loc["one visit", "wrong_pairs"] == pytest.approx(2 / 3 / 3)
    assert found.loc["median of 3 visits", "wrong_pairs"] == 0
