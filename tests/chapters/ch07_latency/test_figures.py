"""Figures of notebook 07 show what their data say."""

import numpy as np
import pandas as pd
import pytest

from lightlab.chapters.ch07_latency import figures

FP32, INT8 = "onnxruntime 1", "onnxruntime-int8 1"
RANKS = pd.DataFrame({"a": ["macs", "macs", FP32], "b": [FP32, INT8, INT8]}).assign(
    rho=[0.91, np.nan, 0.62], ci_low=[0.7, np.nan, 0.1], ci_high=[0.97, np.nan, 0.9]
)
POINTS = pd.DataFrame({"name": list("abcabc"), "setting": [FP32] * 3 + [INT8] * 3}).assign(
    family=["MobileNetV1", "MobileNetV1", "OFA"] * 2,
    macs=[50e6, 200e6, 100e6] * 2,
    latency_ms=[5, 20, 10, 2.5, 10, 5],
)


def dots(ax):
    """x and y of all markers."""
    found = [line for line in ax.lines if line.get_linestyle() == "None"]
    return sorted((x, y) for line in found for x, y in zip(*line.get_data(), strict=True))


def test_against_macs_has_every_network_and_says_the_ranks(words):
    fig = figures.against_macs(POINTS, RANKS, {"c": "the one"})
    shown = words(fig)
    assert any("rank correlation 0.91 [0.70, 0.97]" in text for text in shown)
    assert any("too few networks for a rank correlation" in text for text in shown)
    assert shown.count("the one") == 2
    assert {"MobileNetV1", "OFA", "million MACs", "latency (ms)"} <= set(shown)
    assert np.allclose(dots(fig.axes[0]), [(50, 5), (100, 10), (200, 20)])
    assert np.allclose(dots(fig.axes[1]), [(50, 2.5), (100, 5), (200, 10)])


def test_one_price_puts_all_dots_on_the_line(words):
    fig = figures.price_of_a_mac(POINTS)
    for ax, price in zip(fig.axes, (0.1, 0.05), strict=True):
        assert [x for x, _ in dots(ax)] == pytest.approx([1e3 * price] * 3)
        assert ax.lines[0].get_xdata()[0] == pytest.approx(1e3 * price)
    assert {"ONNX Runtime\n1 thread", "ONNX Runtime\nint8, 1 thread", "OFA"} <= set(words(fig))


def test_ranks_leave_out_what_is_not_known(words):
    shown = words(figures.ranks(RANKS))
    assert {"0.91", "[0.70, 0.97]", "0.62", "MACs"} <= set(shown)
    assert "nan" not in " ".join(shown)
    only = RANKS.assign(rho=[0.91, np.nan, np.nan])
    assert not any("int8" in text for text in words(figures.ranks(only)))


def test_multiples_cut_whiskers_but_never_dots(words):
    kinds = {"kind": ["macs", "Pixel 1, published", FP32], "ratio": [1.5, 1.9, 1.2]}
    limits = {"ci_low": [np.nan, np.nan, 0.2], "ci_high": [np.nan, np.nan, 40.0]}
    rows = pd.DataFrame({"name": "wide", **kinds, **limits})
    fig = figures.relative(rows, "A1")
    assert 1.9 < fig.axes[0].get_xlim()[1] < 3
    assert {"MACs", "Pixel 1, published", "ONNX Runtime, 1 thread", "times A1"} <= set(words(fig))
    assert any(ln.get_marker() == ">" and len(ln.get_xdata()) for ln in fig.axes[0].lines)
    noisy = figures.relative(rows, "A1", {FP32})
    assert "ONNX Runtime, 1 thread (noisy)" in words(noisy)


def test_predictions_and_their_errors(words):
    networks = pd.DataFrame({"latency_ms": [0.2, 0.4], "sum": [0.3, 0.5], "macs": [0.2, 0.4]})
    errors = pd.DataFrame({"prediction": ["sum", "macs", "repeat"], "rmse_pct": [21.3, 5.0, 1.0]})
    errors = errors.assign(rmse_low=errors["rmse_pct"] - 0.5, rmse_high=errors["rmse_pct"] + 0.5)
    fig = figures.predictions(networks, errors)
    assert len(fig.axes) == 2  # repeating is no prediction
    assert any("error 21.3 %" in text for text in words(fig))
    assert list(fig.axes[0].lines[1].get_ydata()) == [0.3, 0.5]
    fig = figures.errors(errors, {"published: 0.75 %": 0.75})
    assert [bar.get_width() for bar in fig.axes[0].patches] == [21.3, 5.0, 1.0]
    assert {"the same timed again", "published: 0.75 %", "21.3 %"} <= set(words(fig))


def test_shares_of_time_and_macs_stand_side_by_side(words):
    operators = ["pointwise", "depthwise", "pool", "elementwise"]
    shares = {"time_share": [0.5, 0.3, 0.15, 0.05], "macs_share": [0.87, 0.13, 0.0, 0.0]}
    fig = figures.shares(pd.DataFrame({"network": "net", "operator": operators, **shares}))
    macs, time = fig.axes[0].containers
    assert [bar.get_width() for bar in macs] == pytest.approx([87, 13, 0])
    assert [bar.get_width() for bar in time] == pytest.approx([50, 30, 20])  # the rest together
    shown = words(fig)
    assert {"1×1 convolutions", "depthwise convolutions", "all else"} <= set(shown)
    assert "squeeze-excite" not in shown


def test_the_largest_gain_stands_first_and_both_protocols_are_named(words):
    gain = pd.DataFrame({"name": ["a", "b"], "ratio": [1.1, 2.5]})
    fig = figures.speedup(gain.assign(ci_low=1, ci_high=3), (2, 3), "published: 2 to 3")
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == ["b", "a"]
    assert {"published: 2 to 3", "no gain"} <= set(words(fig))
    protocols = ["interleaved"] * 2 + ["back to back"] * 2
    curves = pd.DataFrame({"protocol": protocols, "n_visits": [1, 4] * 2, "percent": [2, 1, 3, 3]})
    fig = figures.disagreement(curves.assign(ci_low=0.5, ci_high=4.0))
    assert {"in turn, round after round", "one after another", "1", "4"} <= set(words(fig))
    assert [list(line.get_ydata()) for line in fig.axes[0].lines] == [[2, 1], [3, 3]]
