"""Figures of notebook 07 show what their data say."""

import numpy as np
import pandas as pd
import pytest

from lightlab.chapters.ch07_latency import figures

FP32, INT8 = "onnxruntime 1", "onnxruntime-int8 1"
RANKS = pd.DataFrame(
    [
        ("macs", FP32, 0.91, 0.7, 0.97),
        ("macs", INT8, np.nan, np.nan, np.nan),
        (FP32, INT8, 0.62, 0.1, 0.9),
    ],
    columns=["a", "b", "rho", "ci_low", "ci_high"],
)


@pytest.fixture
def points():
    rows = [
        (f"net{m:.0f}", s, f, m, t * m / 1e6)
        for s, t in ((FP32, 0.1), (INT8, 0.05))
        for f, m in FAMILIES
    ]
    return pd.DataFrame(rows, columns=["name", "setting", "family", "macs", "latency_ms"])


FAMILIES = [("MobileNetV1", 50e6), ("MobileNetV1", 200e6), ("OFA", 100e6)]


def dots(ax):
    """x and y of all markers."""
    found = [line for line in ax.lines if line.get_linestyle() == "None"]
    return sorted((x, y) for line in found for x, y in zip(*line.get_data(), strict=True))


def test_names_of_settings():
    assert figures.setting_name("onnxruntime 1") == "ONNX Runtime, 1 thread"
    assert figures.setting_name("torch 2") == "PyTorch eager, 2 threads"
    assert figures.setting_name("macs") == "MACs"


def test_against_macs_has_every_network_and_says_the_ranks(points, words):
    fig = figures.against_macs(points, RANKS, {"net100000000": "the one"})
    shown = words(fig)
    assert any("rank correlation 0.91 [0.70, 0.97]" in text for text in shown)
    assert any("too few networks for a rank correlation" in text for text in shown)
    assert shown.count("the one") == 2
    assert {"MobileNetV1", "OFA", "million MACs", "latency (ms)"} <= set(shown)
    assert np.allclose(dots(fig.axes[0]), [(50, 5), (100, 10), (200, 20)])
    assert np.allclose(dots(fig.axes[1]), [(50, 2.5), (100, 5), (200, 10)])


def test_one_price_puts_all_dots_on_the_line(points, words):
    fig = figures.price_of_a_mac(points)
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
    rows = [
        ("wide", "macs", 1.5, np.nan, np.nan),
        ("wide", "Pixel 1, published", 1.9, np.nan, np.nan),
    ]
    rows += [("wide", FP32, 1.2, 0.2, 40.0)]
    columns = ["name", "kind", "ratio", "ci_low", "ci_high"]
    fig = figures.relative(pd.DataFrame(rows, columns=columns), "A1")
    assert 1.9 < fig.axes[0].get_xlim()[1] < 3
    assert {"MACs", "Pixel 1, published", "ONNX Runtime, 1 thread", "times A1"} <= set(words(fig))
    assert any(ln.get_marker() == ">" and len(ln.get_xdata()) for ln in fig.axes[0].lines)
    noisy = figures.relative(pd.DataFrame(rows, columns=columns), "A1", {FP32})
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
    parts = pd.DataFrame(
        {
            "network": "net",
            "operator": ["pointwise", "depthwise", "pool", "elementwise"],
            "time_share": [0.5, 0.3, 0.15, 0.05],
            "macs_share": [0.87, 0.13, 0.0, 0.0],
        }
    )
    fig = figures.shares(parts)
    macs, time = fig.axes[0].containers
    assert [bar.get_width() for bar in macs] == pytest.approx([87, 13, 0])
    assert [bar.get_width() for bar in time] == pytest.approx([50, 30, 20])  # the rest together
    shown = words(fig)
    assert {"1×1 convolutions", "depthwise convolutions", "all else"} <= set(shown)
    assert "squeeze-excite" not in shown


def test_the_largest_gain_stands_first(words):
    gain = pd.DataFrame(
        {"name": ["a", "b"], "ratio": [1.1, 2.5], "ci_low": [1, 2], "ci_high": [2, 3]}
    )
    fig = figures.speedup(gain, (2, 3), "published: 2 to 3")
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == ["b", "a"]
    assert {"published: 2 to 3", "no gain"} <= set(words(fig))


def test_disagreement_names_both_protocols(words):
    curves = pd.DataFrame(
        {"protocol": ["interleaved"] * 2 + ["back to back"] * 2, "n_visits": [1, 4] * 2}
    ).assign(percent=[2.0, 1.0, 3.0, 3.0], ci_low=0.5, ci_high=4.0)
    fig = figures.disagreement(curves)
    assert {"in turn, round after round", "one after another", "1", "4"} <= set(words(fig))
    assert [list(line.get_ydata()) for line in fig.axes[0].lines] == [[2, 1], [3, 3]]
