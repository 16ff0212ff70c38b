"""What repeated timings say, on times that a test makes up."""

import numpy as np
import pandas as pd
import pytest

from lightlab import latency
from lightlab.chapters.ch07_latency import timing_study
from lightlab.latency.timing import Visits
from lightlab.latency.timings import Timings
from lightlab.nets.build import build
from lightlab.space.arch import Arch, Block

SMALL = Arch(16, Block("conv", 8, 3, 2), (Block("mb", 8, 3, 1, 3),), n_classes=10)
QUICK = latency.Plan(rounds=4, samples=2, sample_ms=0.2, warmup_ms=0.5)


def timings(ms, names, repeated=0):
    """Timings as if every visit had given `ms` (networks, rounds)."""
    ms = np.asarray(ms, dtype=float).tolist()
    n = np.ones(len(names), int)
    visits = Visits(list(names), ms, ms, 10 * n, 0 * n, repeated * n)
    return Timings(visits, latency.Setting(), {"load_end": 0.5}, "fastest")


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
    # b was slow by chance, in even rounds; c is the slowest of the odd ones
    assert spread.tolist() == [1.0] * 3 + [1.5] * 3


def test_quality_counts_and_speedup_divides():
    slow, fast = timings([[2.0, 2.2], [3.0, 3.0]], "ab", repeated=3), timings([[1.0, 1.1]], "a")
    assert timing_study.quality(slow)["repeated"] == 6
    assert timing_study.quality(slow)["networks"] == 2
    (gain,) = timing_study.speedup(slow, fast).to_dict("records")
    assert gain["name"] == "a"
    assert [gain[k] for k in ("ratio", "ci_low", "ci_high")] == pytest.approx([2, 2, 2])


def test_noise_leaves_nothing_to_claim():
    clear = timings(np.outer([1, 2, 3, 4], np.ones(6)), "abcd")
    assert timing_study.quiet(clear)
    value, interval, n = timing_study.ratio_claim([1.0, 4.0], clear)
    assert (value, n) == (pytest.approx(2.0), 2)
    assert interval[0] < 2 < interval[1]
    luck = timings(np.random.default_rng(0).normal(10, 2, (4, 6)), "abcd")
    assert not timing_study.quiet(clear, luck)  # one of them is enough
    assert timing_study.ratio_claim([1.5, 1.6], clear, luck) == ([],)
    wavering = timings(np.outer([1, 2, 3, 4], [1.0, 1.04] * 3), "abcd")  # in one order always
    assert wavering.split_half == pytest.approx(1)
    assert timing_study.quiet(wavering)
    assert not timing_study.quiet(wavering, max_noise_pct=1.0)


def test_every_time_has_a_row_with_its_spread():
    both = {"x 1": timings([[1.0, 3.0, 2.0]], "a"), "y 1": timings([[4.0] * 3, [5.0] * 3], "ab")}
    found = timing_study.every_time(both)
    assert found[["setting", "name", "latency_ms", "median_ms"]].values.tolist() == [
        ["x 1", "a", 1.0, 2.0],
        ["y 1", "a", 4.0, 4.0],
        ["y 1", "b", 5.0, 5.0],
    ]


def test_a_model_in_integers_is_smaller():
    (row,) = timing_study.model_bytes({"small": SMALL}).reset_index().to_dict("records")
    assert row["name"] == "small"
    assert row["ratio"] == row["fp32"] / row["int8"]
    weights = 4 * sum(p.numel() for p in build(SMALL).parameters())
    assert row["fp32"] > weights / 2
