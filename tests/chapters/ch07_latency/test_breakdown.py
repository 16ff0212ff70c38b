"""What stands behind a latency, on times that a test makes up, and the profile."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest

from lightlab import latency
from lightlab.chapters.ch07_latency import breakdown
from lightlab.latency.pieces import joints, pieces_of
from lightlab.space.arch import decode, layers


def test_the_errors_are_those_that_were_put_in(timings, machine):
    archs = breakdown.random_networks(60)

    def timed(ms, setting=None):
        return timings(np.array(ms)[:, None], archs, "fastest", setting=setting)

    parts = {p for arch in archs.values() for p in pieces_of(arch)}
    parts |= {p for arch in archs.values() for joint in joints(arch) for p in joint.through}
    table = latency.LookupTable(
        latency.Setting(), {}, {p.key: [machine.piece_ms(p)] for p in parts}
    )
    noise = np.random.default_rng(0).normal(1, 0.02, (2, 60))
    true = [machine.network_ms(arch) for arch in archs.values()]
    once, again = (timed(1.1 * np.array(true) * n) for n in noise)
    predicted = breakdown.predictions(table, archs, once, 20)
    result = breakdown.errors(predicted, again).set_index("prediction")
    assert result["n"].tolist() == [40] * 6
    assert result.loc["corrected", "bias_pct"] == pytest.approx(100 * (1 / 1.1 - 1), abs=1)
    assert result.loc["calibrated", "rmse_pct"] == pytest.approx(2.0, abs=0.7)
    assert result.loc["repeat", "rmse_pct"] == pytest.approx(2.0 * 2**0.5, abs=0.9)
    assert result.loc["sum", "rmse_pct"] != pytest.approx(result.loc["corrected", "rmse_pct"])
    assert result.loc["calibrated", "r2"] > 0.9
    assert result.loc["calibrated", "ci_low"] < result.loc["calibrated", "spearman"] <= 1
    with pytest.raises(ValueError, match="fewer than 10 are held out"):
        breakdown.errors(breakdown.predictions(table, archs, once, 51), again)
    with pytest.raises(ValueError, match="the table is for"):
        breakdown.predictions(table, archs, timed(true, latency.Setting(threads=2)), 20)


def test_random_networks_differ_and_come_from_the_seed(monkeypatch):
    a, b = breakdown.random_networks(150), breakdown.random_networks(150)
    assert a == b
    assert len(set(a.values())) == 150
    assert a != breakdown.random_networks(150, seed=1)
    keys = {piece.key for arch in a.values() for piece in pieces_of(arch)}
    assert len(keys) == 54 + 1 + 1 + 1  # blocks, stem, features, head
    monkeypatch.setattr(breakdown, "_WIDTHS", (16,))
    monkeypatch.setattr(breakdown, "_STRIDES", (1,))
    with pytest.raises(ValueError, match="300 different networks were asked for, 258 w"):
        breakdown.random_networks(300)  # six blocks; 6 + 36 + 216 stages


def test_time_by_operator_counts_every_mac_under_its_kind():
    arch = decode("r32x3 conv_k3_s2_c8 sep_k3_s1_c8 mb_k5_s2_e3_c16_se0.25*3 head_f64_n10")
    profile = breakdown.profile({"a": arch, "b": arch}, runs=3)
    assert profile["network"].unique().tolist() == ["a", "b"]
    found = profile[profile["network"] == "a"].set_index("operator")
    roles = [layer.role for layer in layers(arch)]
    counts = {role: sum(x.macs for x in layers(arch) if x.role == role) for role in roles}
    assert {k: v for k, v in found["macs"].items() if v} == counts
    assert found["time_share"].sum() == pytest.approx(1)
    assert found["macs_share"].sum() == pytest.approx(1)
    assert found["ms"].is_monotonic_decreasing
    for role in ("conv", "depthwise", "pointwise", "se"):
        assert found.loc[role, "calls"] == roles.count(role)
    assert breakdown._kind({"args": {"op_name": "ReorderInput"}}) == "layout"


def test_visits_in_turn_share_the_drift_that_visits_in_a_row_do_not():
    clock = itertools.count()  # of a machine that goes on and off to be slower

    def drifting(ms):
        def time(n):
            wall = ms * n / 1e3 * (1 + 0.5 * math.sin(next(clock) / 60))
            return wall, wall

        return SimpleNamespace(time=time)

    runners = {f"n{i}": drifting(1 + i / 10) for i in range(6)}
    plan = latency.Plan(rounds=8, samples=3, warmup_ms=3)
    found = breakdown.repeat(runners, plan)
    assert {p: [x.shape for x in both] for p, both in found.items()} == {
        "interleaved": [(6, 8)] * 2,
        "back to back": [(6, 8)] * 2,
    }
    last = breakdown.disagreement(found).groupby("protocol")["percent"].last()
    assert last["interleaved"] < last["back to back"] / 2


def test_disagreement_counts_what_is_not_shared():
    a = np.ones((4, 4))
    found = breakdown.disagreement({"interleaved": [a, 2 * a]})
    assert found["n_visits"].tolist() == [1, 2, 4]
    assert found["percent"].tolist() == pytest.approx([0, 0, 0])  # twice as slow, all of them
    b = a * np.exp([[0.01], [-0.01], [0.01], [-0.01]])
    found = breakdown.disagreement({"interleaved": [a, b]})
    assert found["percent"].tolist() == pytest.approx([1, 1, 1])


def test_one_time_is_judged_by_order_and_by_size():
    truth = np.array([1.0, 2.0, 3.0])
    assert breakdown._error(2 * truth, truth) == pytest.approx(
        {"times_as_long": 2, "error_pct": 0, "wrong_pairs": 0}
    )
    assert breakdown._error(truth[::-1], truth)["wrong_pairs"] == 1
    rounds = np.array([[1.0, 1.0, 4.0], [2.0, 2.0, 2.0], [3.0, 3.0, 3.0]])
    found = breakdown.single_times(3 * truth, rounds, truth[:, None])
    assert found.loc["first run", "times_as_long"] == pytest.approx(3)
    assert found.loc["one visit", "wrong_pairs"] == pytest.approx(2 / 3 / 3)
    assert found.loc["median of 3 visits", "wrong_pairs"] == 0
