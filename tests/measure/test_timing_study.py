"""What repeated timings say, on times that a test makes up."""

import math

import numpy as np
import pandas as pd
import pytest

from lightlab.measure import latency, timing_study
from lightlab.measure.latency.timing import Visits
from lightlab.measure.latency.timings import Timings
from lightlab.space.arch import Arch, Block

SMALL = Arch(16, Block("conv", 8, 3, 2), (Block("mb", 8, 3, 1, 3),), n_classes=10)
QUICK = latency.Plan(rounds=4, samples=2, sample_ms=0.2, warmup_ms=0.5)


def timings(ms, names, repeated=0):
    """Timings as if every visit had given `ms` (networks, rounds)."""
    ms = np.asarray(ms, dtype=float).tolist()
    n = np.ones(len(names), int)
    visits = Visits(list(names), ms, ms, 10 * n, 0 * n, repeated * n)
    return Timings(visits, latency.Setting(), {"load_end": 0.5}, "fastest")


class Drifting:
    """A runner of `ms` on a machine that goes on and off to be slower."""

    def __init__(self, ms, clock):
        self.ms, self.clock = ms, clock

    def time(self, n):
        self.clock[0] += 1
        wall = self.ms * n / 1e3 * (1 + 0.5 * math.sin(self.clock[0] / 60))
        return wall, wall


def test_every_setting_has_its_own_networks():
    found = timing_study.in_settings(
        {"a": SMALL, "b": SMALL}, {"onnxruntime 1": ["a", "b"], "torch 2": ["b"]}, QUICK
    )
    assert [t.visits.names for t in found.values()] == [["a", "b"], ["b"]]
    assert found["torch 2"].setting == latency.Setting("torch", 2)
    assert found["onnxruntime 1"].rounds_ms.shape == (2, 4)
    assert (found["onnxruntime 1"].rounds_ms > 0).all()


@pytest.mark.parametrize("wrong", ["torch", "torch two", "tensorrt 1"])
def test_a_setting_that_cannot_be_is_said(wrong):
    with pytest.raises(latency.LatencyError, match=wrong.split()[0]):
        timing_study.in_settings({"a": SMALL}, {wrong: ["a"]}, QUICK)


def test_ranks_are_of_the_networks_that_both_have():
    n = 8
    columns = pd.DataFrame({"macs": np.arange(n), "up": np.arange(n) ** 2.0, "few": np.nan})
    columns.loc[:3, "few"] = 1.0
    found = timing_study.rank_correlations(columns).set_index(["a", "b"])
    assert found.loc[("macs", "up"), "rho"] == pytest.approx(1)
    assert found.loc[("macs", "up"), "n"] == n
    assert np.isnan(found.loc[("macs", "few"), "rho"])  # four networks rank nothing


def test_multiples_of_a_reference_network():
    ms = [[1.0, 2.0, 4.0], [3.0, 6.0, 12.0], [2.0, 3.0, 9.0]]
    here = {"x 1": timings(ms, "abc"), "y 1": timings([[1.0, 1.0, 1.0]], "b")}
    published = pd.Series({"a": 50.0, "b": 75.0}, name="phone")
    macs = pd.Series({"a": 10, "b": 40, "c": 7})
    found = timing_study.against_published(published, "a", macs, here).set_index(["name", "kind"])
    assert set(found.index) == {("b", "macs"), ("b", "phone"), ("b", "x 1")}  # y 1 has no a
    assert found.loc[("b", "macs"), "ratio"] == 4
    assert found.loc[("b", "phone"), "ratio"] == 1.5
    assert found.loc[("b", "x 1"), ["ratio", "ci_low", "ci_high"]].tolist() == pytest.approx(
        [3] * 3
    )


def test_slowest_and_fastest_are_chosen_and_judged_by_different_rounds():
    ms = np.array([[1.0, 1.0] * 3, [2.0, 1.0] * 3, [1.5, 1.2] * 3, [9.0, 9.0] * 3])
    macs = pd.Series({"a": 100, "b": 105, "c": 95, "d": 200})
    slow, fast, spread = timing_study.equal_macs_spread(timings(ms, "abcd"), macs, "a")
    assert (slow, fast) == ("b", "a")  # d has other MACs
    assert spread.tolist() == [1.0] * 3  # b was slow by chance, in even rounds only


def test_visits_in_turn_share_the_drift_that_visits_in_a_row_do_not():
    clock = [0]
    runners = {f"n{i}": Drifting(1 + i / 10, clock) for i in range(6)}
    plan = latency.Plan(rounds=8, samples=3, warmup_ms=3)
    found = timing_study.repetitions(runners, plan)
    assert {p: [x.shape for x in both] for p, both in found.items()} == {
        "interleaved": [(6, 8)] * 2,
        "back to back": [(6, 8)] * 2,
    }
    last = timing_study.disagreement(found).groupby("protocol")["percent"].last()
    assert last["interleaved"] < last["back to back"] / 2


def test_disagreement_counts_what_is_not_shared():
    a = np.ones((4, 4))
    found = timing_study.disagreement({"interleaved": [a, 2 * a]})
    assert found["n_visits"].tolist() == [1, 2, 4]
    assert found["percent"].tolist() == pytest.approx([0, 0, 0])  # twice as slow, all of them
    b = a * np.exp([[0.01], [-0.01], [0.01], [-0.01]])
    assert timing_study.disagreement({"interleaved": [a, b]})["percent"].tolist() == pytest.approx(
        [1, 1, 1]
    )


def test_one_time_is_judged_by_order_and_by_size():
    truth = np.array([1.0, 2.0, 3.0])
    assert timing_study.judged(2 * truth, truth) == pytest.approx(
        {"times_as_long": 2, "error_pct": 0, "wrong_pairs": 0}
    )
    assert timing_study.judged(truth[::-1], truth)["wrong_pairs"] == 1
    rounds = np.array([[1.0, 1.0, 4.0], [2.0, 2.0, 2.0], [3.0, 3.0, 3.0]])
    found = timing_study.evidence(3 * truth, rounds, truth[:, None])
    assert found.loc["first run", "times_as_long"] == pytest.approx(3)
    assert found.loc["one visit", "wrong_pairs"] == pytest.approx(2 / 3 / 3)
    assert found.loc["median of 3 visits", "wrong_pairs"] == 0


def test_quality_counts_and_speedup_divides():
    slow, fast = timings([[2.0, 2.2], [3.0, 3.0]], "ab", repeated=3), timings([[1.0, 1.1]], "a")
    assert timing_study.quality(slow)["repeated"] == 6
    assert timing_study.quality(slow)["networks"] == 2
    (gain,) = timing_study.speedup(slow, fast).to_dict("records")
    assert gain["name"] == "a"
    assert [gain[k] for k in ("ratio", "ci_low", "ci_high")] == pytest.approx([2, 2, 2])


def test_tens_leave_out_what_is_left_over():
    parts = timing_study.tens(pd.DataFrame({"x": range(25)}))
    assert [list(p["x"]) for p in parts] == [list(range(10)), list(range(10, 20))]


def test_noise_leaves_nothing_to_claim():
    clear = timings(np.outer([1, 2, 3, 4], np.ones(6)), "abcd")
    assert timing_study.if_quiet(clear, [1.5, 1.6]).tolist() == [1.5, 1.6]
    luck = timings(np.random.default_rng(0).normal(10, 2, (4, 6)), "abcd")
    assert timing_study.if_quiet(luck, [1.5, 1.6]).size == 0
    wavering = timings(np.outer([1, 2, 3, 4], [1.0, 1.04] * 3), "abcd")  # in one order always
    assert wavering.split_half == pytest.approx(1)
    assert timing_study.if_quiet(wavering, [1.5]).size == 1
    assert timing_study.if_quiet(wavering, [1.5], max_noise_pct=1.0).size == 0
