"""Figures of notebook 06 show what their data say."""

import numpy as np
import pandas as pd
import pytest

from lightlab.show.plots import mobilenet


def test_savings_name_each_kernel_with_its_limit(words):
    line = pd.DataFrame({"kernel_size": [3, 3, 5, 5], "out_channels": [8, 64] * 2})
    line["saving"] = [4.2, 7.9, 6.1, 18.0]
    fig = mobilenet.savings(line, line)
    assert {"3×3 kernel\n(never over 9)", "5×5 kernel\n(never over 25)"} <= set(words(fig))
    rings = [ln for ln in fig.axes[0].lines if ln.get_marker() == "o"]
    assert list(rings[0].get_ydata()) == [4.2, 7.9]


def test_agreement_has_one_row_a_network_and_a_band_of_one_digit(words):
    table = pd.DataFrame(
        [(n, q, c, d) for n, d in (("A", 0.4), ("B", -1.2)) for q in ("MACs", "weights")
         for c in ("one way", "other way")],
        columns=["network", "quantity", "convention", "last_digits"],
    )  # fmt: skip
    fig = mobilenet.agreement(table)
    assert {"A", "B", "MACs", "weights", "one way"} <= set(words(fig))
    band = fig.axes[0].patches[0]
    assert (band.get_x(), band.get_x() + band.get_width()) == (-0.5, 0.5)
    assert list(fig.axes[0].lines[0].get_xdata()) == [0.4, -1.2]


@pytest.fixture
def points() -> pd.DataFrame:
    frame = pd.DataFrame(
        {"width_mult": [0.25, 0.5, 0.5, 1.0], "resolution": [32, 32, 16, 32]}
    ).assign(macs=[1e5, 1e6, 4e5, 1e7], mean=[30.0, 60.0, 52.0, 80.0])
    return frame.assign(ci_low=frame["mean"] - 2, ci_high=frame["mean"] + 2)


def test_plane_leads_the_thinnest_to_the_line(words, points):
    line = pd.DataFrame({"macs": [1e5, 1e7], "mean": [40.0, 80.0]})
    fig = mobilenet.plane(points, line, ylabel="accuracy", thinnest=0.25, jump=10.0)
    (dashed,) = [ln for ln in fig.axes[0].lines if ln.get_linestyle() == "--"]
    assert list(dashed.get_ydata()) == pytest.approx([30, 40])
    assert {
        "width × 0.25: 10.0 points\nunder the line of the others",
        "width × 0.25",
        "16 px",
    } <= set(words(fig))


def test_thinnest_above_the_line_are_said_to_be_above(words, points):
    line = pd.DataFrame({"macs": [1e5, 1e7], "mean": [20.0, 80.0]})
    fig = mobilenet.plane(points, line, ylabel="accuracy", thinnest=0.25, jump=-10.0)
    assert "width × 0.25: 10.0 points\nabove the line of the others" in words(fig)


def test_costs_add_up_and_mark_the_network(words, points):
    shares = pd.DataFrame({"role": ["pointwise", "depthwise", "conv", "fc"]})
    shares = shares.assign(macs=[900e3, 50e3, 40e3, 10e3], weights=[6e3, 1e3, 1e3, 2e3])
    fig = mobilenet.costs(shares, points, 0.5, 32)
    assert {"1M MACs", "10k weights", "900k (90.0%)"} <= set(words(fig))
    marked = fig.axes[2].lines[-1]
    assert (marked.get_xdata()[0], marked.get_ydata()[0]) == (1e6, 60.0)


def test_lengths_join_equal_epochs(words):
    names = ["full", "full", "separable", "separable"]
    curves = pd.DataFrame({"network": names, "epochs": [1.0, 6.0] * 2})
    curves = curves.assign(train_macs=[6e9, 36e9, 1e9, 6e9], mean=[50, 90, 15, 70])
    fig = mobilenet.lengths(curves.assign(ci_low=-20.0, ci_high=120.0))
    dotted = [ln for ln in fig.axes[0].lines if ln.get_linestyle() == ":"]
    assert [list(ln.get_xdata()) for ln in dotted] == [[1e9, 6e9], [6e9, 36e9]]
    assert {"1 epoch", "6 epochs", "full", "separable"} <= set(words(fig))
    assert fig.axes[0].get_ylim()[0] >= 0


def test_gaps_place_seeds_interval_and_the_paper(words):
    pairs = pd.DataFrame({"comparison": "a − b", "length": "1 epoch", "difference": [1.0, 3.0]})
    pairs = pairs.assign(mean=2.0, ci_low=-10.7, ci_high=14.7, published=-1.1)
    fig = mobilenet.gaps(pairs, "difference")
    bar, dots, mean, star = fig.axes[0].lines[:4]
    assert list(bar.get_xdata()) == [-10.7, 14.7]
    assert list(dots.get_xdata()) == [1.0, 3.0]
    assert mean.get_xdata()[0] == 2.0
    assert star.get_xdata()[0] == -1.1
    assert {"a − b", "1 epoch", "paper (ImageNet)"} <= set(words(fig))
    without = mobilenet.gaps(pairs.assign(published=np.nan), "difference")
    assert "paper (ImageNet)" not in words(without)


def test_latency_names_what_is_not_on_the_grid(words, points):
    timed = points.assign(latency_ms=[0.05, 0.1, 0.08, 0.3], iqr_ms=0.01, name="x")
    fig = mobilenet.latency(timed, timed.iloc[:1].assign(name="full"))
    assert {"full", "width × 0.5", "32 px"} <= set(words(fig))
    assert fig.axes[0].get_yscale() == "log"


@pytest.mark.parametrize(
    ("number", "text"),
    [(568_740_352, "569M"), (999_600, "1M"), (999_000, "999k"), (1.5e12, "1.5T"), (12, "12")],
)
def test_numbers_are_short(number, text):
    assert mobilenet.short(number) == text
