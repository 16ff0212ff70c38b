"""Pictures of a whole run: verdicts as squares, one picture per notebook, what all of it costs."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from lightlab.show import numbers, style

_VERDICTS = {
    "reproduced": style.COLOURS[2],
    "not reproduced": style.COLOURS[1],
    "inconclusive": style.LIGHT,
}
_WORDS = {"inconclusive": "open (inconclusive)"}
_KINDS = [style.COLOURS[i] for i in (0, 4, 3, 5, 6, 7)]  # of what could decide an open claim


def scoreboard(claims: pd.DataFrame) -> Figure:
    """A square per claim, a line per notebook: columns notebook, verdict. Behind each line, how
    many of its claims hold."""
    fig, ax = _lines(claims, "verdict", _VERDICTS, numbers.SIGNS)
    for y, (_, rows) in enumerate(claims.groupby("notebook", sort=False)):
        held = (rows["verdict"] == "reproduced").sum()
        _behind(ax, len(rows), y, f"{held} of {len(rows)} hold")
    return fig


def undecided(claims: pd.DataFrame) -> Figure:
    """A square per open claim, a line per notebook, coloured by what could decide it: columns
    notebook, decided_by."""
    kinds = claims["decided_by"].value_counts().index
    fig, ax = _lines(claims, "decided_by", dict(zip(kinds, _KINDS, strict=False)), {})
    for y, (_, rows) in enumerate(claims.groupby("notebook", sort=False)):
        _behind(ax, len(rows), y, f"{len(rows)} open")
    fig.legends[0].set_title("what could decide them:")
    return fig


def _lines(
    table: pd.DataFrame, column: str, looks: Mapping[str, str], signs: Mapping[str, str]
) -> tuple[Figure, Axes]:
    """A line of squares per notebook, a colour and a sign for each value of `column`, with the
    counts as a legend."""
    groups = list(table.groupby("notebook", sort=False))
    fig, ax = style.subplots(height=0.9 + 0.27 * len(groups))
    for y, (_, rows) in enumerate(groups):
        for x, value in enumerate(sorted(rows[column], key=list(looks).index)):
            ax.add_patch(Rectangle((x + 0.05, y - 0.45), 0.9, 0.9, color=looks[value], lw=0))
            ink = "black" if looks[value] == style.LIGHT else "white"
            ax.text(x + 0.5, y, signs.get(value, ""), color=ink, ha="center", va="center_baseline")
    n = table[column].value_counts()
    handles = [
        Patch(color=c, label=f"{signs.get(v, '')} {n.get(v, 0)} {_WORDS.get(v, v)}".strip())
        for v, c in looks.items()
    ]
    longest = max((len(rows) for _, rows in groups), default=1)
    ax.set(xlim=(0, 1.25 * longest), ylim=(max(len(groups), 1) - 0.4, -0.6), xticks=[])
    ax.set_yticks(range(len(groups)), [name for name, _ in groups])
    ax.tick_params(left=False)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    fig.legend(handles=handles, loc="outside upper center", ncols=3, fontsize=10)
    return fig, ax


def _behind(ax: Axes, x: float, y: float, text: str) -> None:
    """Text behind a line or a bar that ends at `x`."""
    look = {"textcoords": "offset points", "va": "center_baseline", "fontsize": 8.5}
    ax.annotate(text, (x, y), (5, 0), **look)


def contact(pages: pd.DataFrame, images: Sequence[np.ndarray], columns: int) -> Figure:
    """One picture per notebook below its title and its question: columns notebook, question;
    `images` (height, width, 3) in their order, all fitted into cells of one size."""
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
    Columns notebook, seconds, readers_s, peak_gib; what was not recorded has no bar."""
    height = 0.9 + 0.27 * len(table)
    fig, (left, right) = style.subplots(1, 2, height=height, sharey=True, width_ratios=(2, 1))
    at = np.arange(len(table))
    itself, readers = table["seconds"] / 60, table["readers_s"] / 60
    left.barh(at, itself, color=style.COLOURS[0], label="itself")
    left.barh(at, readers, left=itself, color=style.COLOURS[5], label="those that read it")
    right.barh(at, table["peak_gib"], color=style.COLOURS[6])
    for y, (own, more, gib) in enumerate(zip(itself, readers, table["peak_gib"], strict=True)):
        told = f"{own:.1f} + {more:.1f} min" if more else f"{own:.1f} min"
        _behind(left, np.nan_to_num(own + more), y, _or_nothing(told, own))
        _behind(right, np.nan_to_num(gib), y, _or_nothing(f"{gib:.1f} GiB", gib))
    left.set_yticks(at, table["notebook"])
    left.set(ylim=(len(table) - 0.4, -0.6), xlabel="minutes")
    right.set(xlabel="peak memory, GiB")
    for ax in (left, right):
        ax.set_xlim(0, 1.4 * max(ax.dataLim.x1, 1e-3))
        ax.grid(axis="y", visible=False)
        ax.tick_params(left=False)
    fig.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return fig


def _or_nothing(text: str, value: float) -> str:
    return "not recorded" if np.isnan(value) else text
