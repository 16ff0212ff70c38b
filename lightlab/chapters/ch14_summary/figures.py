"""A whole run at a glance: what could decide open claims, a picture per notebook, the costs."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightlab.show import marks, style

_KINDS = [style.COLOURS[i] for i in (0, 4, 3, 5, 6, 7)]  # of what could decide an open claim


def undecided(claims: pd.DataFrame) -> Figure:
    """A square per open claim, coloured by what could decide it."""
    kinds = claims["decided_by"].value_counts().index
    colours = dict(zip(kinds, _KINDS, strict=False))
    fig = marks.squares(claims, "decided_by", colours, lambda line: f"{len(line)} open")
    fig.legends[0].set_title("what could decide them:")
    return fig


def contact(pages: pd.DataFrame, images: Sequence[np.ndarray], columns: int) -> Figure:
    """One picture (height, width, 3) per notebook below its title and its question, all fitted into
    cells of one size."""
    width, rows = 1.5 * style.WIDTH_IN, -(-len(pages) // columns)
    questions = [textwrap.fill(text, 156 // columns) for text in pages["question"]]
    lines_pt = 11.5 * (1 + max(text.count("\n") for text in questions))
    head, picture = (lines_pt + 36) / 72, 0.66 * width / columns  # heights in inches
    height = rows * (head + picture)
    grid = {"left": 0, "right": 1, "bottom": 0, "top": 1 - head / height, "wspace": 0.03}
    grid["hspace"] = head / picture
    size = {"width": width, "height": height, "squeeze": False}
    fig, axes = style.subplots(rows, columns, **size, gridspec_kw=grid)
    fig.set_layout_engine("none")  # of subplots itself savefig would not keep it
    for ax in axes.flat:
        ax.axis("off")
    above = {"xycoords": "axes fraction", "textcoords": "offset points"}
    for ax, image, name, question in zip(
        axes.flat, images, pages["notebook"], questions, strict=False
    ):
        ax.imshow(image)
        ax.set_anchor("NW")
        ax.annotate(question, (0, 1), (2, lines_pt + 4), fontsize=8.5, va="top", **above)
        bold = {"fontsize": 10.5, "fontweight": "bold"} | above
        ax.annotate(name, (0, 1), (2, lines_pt + 8), **bold)
    return fig


def costs(table: pd.DataFrame) -> Figure:
    """Left: minutes of each notebook, and of those that run again after it. Right: peak memory.
    What was not recorded has no bar."""
    height = 0.9 + 0.27 * len(table)
    fig, (left, right) = style.subplots(1, 2, height=height, sharey=True, width_ratios=(2, 1))
    at = np.arange(len(table))
    itself, readers = table["seconds"] / 60, table["readers_s"] / 60
    left.barh(at, itself, color=style.COLOURS[0], label="itself")
    left.barh(at, readers, left=itself, color=style.COLOURS[5], label="those that read it")
    right.barh(at, table["peak_gib"], color=style.COLOURS[6])
    for y, (own, more, gib) in enumerate(zip(itself, readers, table["peak_gib"], strict=True)):
        told = f"{own:.1f} + {more:.1f} min" if more else f"{own:.1f} min"
        _behind(left, own + more, y, told)
        _behind(right, gib, y, f"{gib:.1f} GiB")
    marks.name_rows(left, list(table["notebook"]))
    left.set_xlabel("minutes")
    right.set_xlabel("peak memory, GiB")
    for ax in (left, right):
        ax.set_xlim(0, 1.4 * max(ax.dataLim.x1, 1e-3))
        ax.grid(axis="y", visible=False)
        ax.tick_params(left=False)
    marks.legend_above(fig, left)
    return fig


def _behind(ax: Axes, x: float, y: float, text: str) -> None:
    """Text behind a bar that ends at `x`, NaN where that was not recorded."""
    text = "not recorded" if np.isnan(x) else text
    marks.note(ax, text, (np.nan_to_num(x), y), (5, 0), va="center_baseline", fontsize=8.5)
