"""Figures of notebook 07 about what stands behind a latency show what their data say."""

import pandas as pd
import pytest

from lightlab.chapters.ch07_latency import figures_timing as timing


def test_predictions_and_their_errors(words):
    networks = pd.DataFrame({"latency_ms": [0.2, 0.4], "sum": [0.3, 0.5], "macs": [0.2, 0.4]})
    errors = pd.DataFrame({"prediction": ["sum", "macs", "repeat"], "rmse_pct": [21.3, 5.0, 1.0]})
    errors = errors.assign(rmse_low=errors["rmse_pct"] - 0.5, rmse_high=errors["rmse_pct"] + 0.5)
    fig = timing.predictions(networks, errors)
    assert len(fig.axes) == 2  # repeating is no prediction
    assert any("error 21.3 %" in text for text in words(fig))
    assert list(fig.axes[0].lines[1].get_ydata()) == [0.3, 0.5]
    fig = timing.errors(errors, {"published: 0.75 %": 0.75})
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
    fig = timing.shares(parts)
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
    fig = timing.speedup(gain, (2, 3), "published: 2 to 3")
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == ["b", "a"]
    assert {"published: 2 to 3", "no gain"} <= set(words(fig))


def test_disagreement_names_both_protocols(words):
    curves = pd.DataFrame(
        {"protocol": ["interleaved"] * 2 + ["back to back"] * 2, "n_visits": [1, 4] * 2}
    ).assign(percent=[2.0, 1.0, 3.0, 3.0], ci_low=0.5, ci_high=4.0)
    fig = timing.disagreement(curves)
    assert {"in turn, round after round", "one after another", "1", "4"} <= set(words(fig))
    assert [list(line.get_ydata()) for line in fig.axes[0].lines] == [[2, 1], [3, 3]]
