"""Pictures of what nests in a once-for-all network say what the data frames say."""

import pandas as pd

from lightlab.chapters.ch10_once_for_all import figures_elastic as plots
from lightlab.chapters.ch10_once_for_all.lesson import ORDERS


def title(ax):
    return ax.get_title() or ax.get_title(loc="left")


def test_kernels_are_framed_where_the_next_comes_from():
    rows = [(k, i, j, i - j) for k in (3, 5) for i in range(k) for j in range(k)]
    fig = plots.kernels(pd.DataFrame(rows, columns=["kernel", "row", "column", "value"]))
    assert [title(ax) for ax in fig.axes] == ["5×5", "3×3"]
    (frame,) = fig.axes[0].lines
    assert (min(frame.get_xdata()), max(frame.get_xdata())) == (0.5, 3.5)
    assert not fig.axes[1].lines


def test_bars_stand_for_the_orders():
    importance = pd.DataFrame(
        {"order": ["as trained"] * 2 + ["by importance"] * 2, "channel": [0, 1] * 2, "value": 1.0}
    )
    rows = [(o, e, 10.0 * e + len(o), 1.0, 99.0) for o in ORDERS for e in (2, 3)]
    cut = pd.DataFrame(rows, columns=["order", "expand", "mean", "ci_low", "ci_high"])
    right = plots.ordered(importance, cut).axes[1]
    found = [bar.get_height() for bar in right.patches]
    wanted = [10.0 * e + len(o) for o in ("by importance", "as trained", "random") for e in (2, 3)]
    assert found == wanted


def test_a_layer_has_a_bar_for_every_width():
    rows = [(0, 1, e, 16 * e, False, "3, 5") for e in (2, 4)]
    rows += [(1, 1, e, 16 * e, True, "3, 5") for e in (2, 4)]
    columns = ["layer", "unit", "expand", "channels", "optional", "kernels"]
    (ax,) = plots.layers(pd.DataFrame(rows, columns=columns)).axes
    assert [bar.get_height() for bar in ax.patches] == [64, 64, 32, 32]
