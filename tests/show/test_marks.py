"""Marks and drawings that several notebooks share."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from lightlab.show import marks, style

CLAIMS = pd.DataFrame(
    {
        "notebook": ["01 A", "01 A", "02 B", "02 B", "02 B"],
        "verdict": ["inconclusive", "reproduced", "not reproduced", "inconclusive", "reproduced"],
    }
)


def test_pictures_carry_their_labels():
    fig = marks.pictures(np.random.default_rng(0).random((5, 8, 8)), [3, 1, 4, 1, 5], ncols=3)
    assert len(fig.axes) == 6
    assert [ax.get_title(loc="center") for ax in fig.axes[:5]] == ["3", "1", "4", "1", "5"]


def test_networks_say_what_a_layer_has():
    layers = pd.DataFrame(
        {"network": "n", "op": ["conv", "MBConv6"], "kernel": [3, 5], "channels": [16, 32],
         "stride": [2, 1], "se": [False, True]}
    )  # fmt: skip
    axes = marks.networks(layers).axes
    assert "32 se" in [text.get_text() for text in axes[0].texts]


def squares(fig) -> list[tuple[int, str]]:
    """(line, colour) of every square, from left to right."""
    found = [p for p in fig.axes[0].patches if isinstance(p, Rectangle)]
    found = sorted((round(p.get_y() + 0.45), p.get_x(), p.get_facecolor()) for p in found)
    return [(y, mpl.colors.to_hex(colour).upper()) for y, _, colour in found]


def test_there_is_a_square_for_each_claim(words):
    fig = marks.scoreboard(CLAIMS)
    held, failed, left_open = style.COLOURS[2], style.COLOURS[1], style.LIGHT
    lines = [(0, held), (0, left_open), (1, held), (1, failed), (1, left_open)]
    assert squares(fig) == lines
    told = words(fig)
    assert {"✓ 2 reproduced", "✗ 1 not reproduced", "? 2 open (inconclusive)"} <= set(told)
    assert {"1 of 2 hold", "1 of 3 hold", "01 A", "02 B"} <= set(told)
    assert [told.count(sign) for sign in "✓✗?"] == [2, 1, 2]
    told = words(marks.scoreboard(CLAIMS[CLAIMS["verdict"] == "reproduced"]))
    assert {"✗ 0 not reproduced", "1 of 1 hold"} <= set(told)


ROWS = pd.DataFrame({"x": [1, 2], "mean": [3.0, 4], "ci_low": [2, 3.5], "ci_high": [5, np.nan]})


def test_a_band_has_the_means_their_interval_and_a_name_at_the_end(words):
    fig, ax = style.subplots()
    line = marks.band(ax, ROWS.fillna(6), "x", color="red", label="ours")
    marks.end_label(ax, line)
    assert line.get_ydata().tolist() == [3, 4]
    assert {tuple(v) for v in ax.collections[0].get_paths()[0].vertices} == {
        (1, 2), (2, 3.5), (2, 6), (1, 5)}  # fmt: skip
    assert "ours" in words(fig)
    assert ax.texts[0].xy == (2, 4)
    assert marks.whiskers(ROWS).tolist() == [[1, 0.5], [2, 0]]


def test_a_forest_shows_intervals_means_and_seeds():
    _, ax = style.subplots()
    part = pd.DataFrame({"difference": [1.0, 3], "mean": 2.0, "ci_low": 0.5, "ci_high": 3.5})
    marks.forest(ax, [part, part[["mean", "ci_low", "ci_high"]].head(1)])
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines]
    assert drawn[:3] == [([0.5, 3.5], [0, 0]), ([1, 3], [-0.22, -0.22]), ([2], [0])]
    assert drawn[3:] == [([0.5, 3.5], [1, 1]), ([2], [1]), ([0, 0], [0, 1])]


def test_dots_are_rows_and_marks_their_means():
    _, ax = style.subplots()
    table = pd.DataFrame({"n": [1, 1, 2], "y": [2.0, 4, 5]})
    mean = marks.dots_and_means(ax, table, "n", "y", "n", color="red")
    assert mean["y"].tolist() == [3, 5]
    assert [line.get_ydata().tolist() for line in ax.lines] == [[2, 4, 5], [3, 5]]


def test_panels_are_titled_and_labelled_at_the_edges():
    fig, axes = marks.panels(["a", "b", "c"], height=1, ncols=2, labels=("x", "y"), sharex=True)
    assert [ax.get_title(loc="left") or ax.get_title() for ax in axes] == ["a", "b", "c"]
    assert [ax.get_xlabel() for ax in axes] == ["", "x", "x"]
    assert [ax.get_ylabel() for ax in axes] == ["y", "", "y"]
    assert [ax.get_visible() for ax in fig.axes] == [True, True, True, False]
