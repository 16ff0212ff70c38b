"""Figures of notebook 06 show what their data say."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from lightlab.chapters.ch06_mobilenet import figures


def test_savings_name_each_kernel_with_its_limit(words):
    line = pd.DataFrame({"kernel_size": [3, 3, 5, 5], "out_channels": [8, 64] * 2})
    line["saving"] = [4.2, 7.9, 6.1, 18.0]
    fig = figures.savings(line, line)
    assert {"3×3 kernel\n(never over 9)", "5×5 kernel\n(never over 25)"} <= set(words(fig))
    rings = [ln for ln in fig.axes[0].lines if ln.get_marker() == "o"]
    assert list(rings[0].get_ydata()) == [4.2, 7.9]


def test_agreement_has_one_row_a_network_and_a_band_of_one_digit(words):
    cases = product("AB", ("MACs", "weights"), ("one way", "other way"))
    table = pd.DataFrame(cases, columns=["network", "quantity", "convention"])
    fig = figures.agreement(table.assign(last_digits=table["network"].map({"A": 0.4, "B": -1.2})))
    assert {"A", "B", "MACs", "weights", "one way"} <= set(words(fig))
    band = fig.axes[0].patches[0]
    assert (band.get_x(), band.get_x() + band.get_width()) == (-0.5, 0.5)
    assert list(fig.axes[0].lines[0].get_xdata()) == [0.4, -1.2]


@pytest.fixture
def points() -> pd.DataFrame:
    frame = pd.DataFrame({"width_mult": [0.25, 0.5, 0.5, 1.0], "resolution": [32, 32, 16, 32]})
    frame = frame.assign(macs=[1e5, 1e6, 4e5, 1e7], mean=[30.0, 60.0, 52.0, 80.0])
    return frame.assign(ci_low=frame["mean"] - 2, ci_high=frame["mean"] + 2)


LINE = pd.DataFrame({"macs": [1e5, 1e7], "mean": [40.0, 80.0]})


def test_plane_shows_how_far_each_network_is_from_the_line(words, points):
    for gap, told in (
        ((10.0, 8.0, 12.0), "10.0 points under the line [8.0, 12.0]"),
        ((-10.0, -12.0, 1.0), "10.0 points above the line [-1.0, 12.0]"),
        ((10.0, np.nan, np.nan), "10.0 points under the line"),
    ):
        fig = figures.plane(points, LINE, gap, "accuracy")
        assert {f"width × 0.25: {told}", "width × 0.25", "16 px"} <= set(words(fig))
    stems = [ln for ln in fig.axes[1].lines if list(ln.get_ydata())[:1] == [0] and ln.get_lw() == 1]
    assert [ln.get_ydata()[1] for ln in stems] == pytest.approx([-10, 0, -0.04, 0], abs=0.05)


def test_costs_and_times_mark_the_network(words, points):
    shares = pd.DataFrame({"role": ["pointwise", "depthwise", "conv", "fc"]})
    shares = shares.assign(macs=[900e3, 50e3, 40e3, 10e3], weights=[6e3, 1e3, 1e3, 2e3])
    fig = figures.costs(shares, points, LINE)
    promised = "the line promises 60.0 %"
    assert {"1M MACs", "10k weights", "900k (90.0%)", "classifier", promised} <= set(words(fig))
    assert fig.axes[2].lines[-1].get_xydata()[0].tolist() == [1e6, 60.0]
    timed = points.assign(latency_ms=[0.05, 0.1, 0.08, 0.3], iqr_ms=0.01, name="x")
    fig = figures.latency(timed, timed.iloc[:1].assign(name="full"))
    assert {"full", "width × 0.5", "32 px"} <= set(words(fig))  # named, for it is not on the grid


def test_trainings_tell_network_and_length_of_every_dot(words):
    names = ["full", "full", "separable", "separable"]
    curves = pd.DataFrame({"network": names, "epochs": [1.0, 6.0] * 2})
    curves = curves.assign(train_macs=[6e9, 36e9, 1e9, 6e9], mean=[50, 90, 15, 70])
    fig = figures.lengths(curves.assign(ci_low=-20.0, ci_high=120.0), chance=10.0)
    dots = [ln for ln in fig.axes[0].lines if len(ln.get_xdata()) == 1]
    assert [ln.get_ydata()[0] for ln in dots] == [50, 90, 15, 70]
    short, long, *_ = [ln.get_markersize() for ln in dots]
    assert short < long
    assert {"1 epoch", "6 epochs", "full", "separable", "guessing"} <= set(words(fig))
    assert fig.axes[0].get_ylim()[0] >= 0
    found = pd.DataFrame({"name": ["full", "full", "thin"], "loss": [1.0, 0.1, 0.2]})
    fig = figures.learning(found.assign(accuracy=[50.0, 80.0, 70.0]))
    assert [len(ln.get_xdata()) for ln in fig.axes[0].lines] == [2, 1]
    assert fig.axes[0].xaxis_inverted()  # less loss to the right
    assert {"full", "thin"} <= set(words(fig))


def test_gaps_place_seeds_interval_and_the_paper(words):
    pairs = pd.DataFrame({"comparison": "a − b", "length": "1 epoch", "difference": [1.0, 3.0]})
    pairs = pairs.assign(mean=2.0, ci_low=-10.7, ci_high=14.7, published=-1.1)
    fig = figures.gaps(pairs)
    bar, dots, mean, _none, star = fig.axes[0].lines
    assert list(bar.get_xdata()) == [-10.7, 14.7]
    assert list(dots.get_xdata()) == [1.0, 3.0]
    assert mean.get_xdata()[0] == 2.0
    assert star.get_xdata()[0] == -1.1
    assert {"a − b", "1 epoch", "paper (ImageNet)"} <= set(words(fig))
    without = figures.gaps(pairs.assign(published=np.nan))
    assert "paper (ImageNet)" not in words(without)
