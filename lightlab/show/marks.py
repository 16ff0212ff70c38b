"""Marks that several figures share. Frames in, marks on axes; a figure's words stay in its room."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from lightlab.show import style, tables

BLUE = style.COLOURS[0]
VERDICTS = {
    "reproduced": style.COLOURS[2],
    "not reproduced": style.COLOURS[1],
    "inconclusive": style.LIGHT,
}


def panels(
    titles: Sequence[str],
    *,
    height: float,
    ncols: int = 0,
    extra: float = 0,
    labels: tuple[str, str] = ("", ""),
    **kwargs: Any,
) -> tuple[Figure, list[Axes]]:
    """A figure with an axes under each title, in rows of `ncols` (0: all in one row).

    A row is `height` inches high, the figure `extra` more; `labels` of x and y stand at its edges.
    """
    n = len(titles)
    ncols = min(n, ncols or n)
    nrows = -(-n // ncols)
    size = {"height": height * nrows + extra, "squeeze": False}
    fig, axes = style.subplots(nrows, ncols, **size | kwargs)
    for ax, title in zip(axes.flat, titles, strict=False):
        ax.set_title(title)
    for ax in axes.flat[n:]:
        ax.set_visible(False)
    for ax in axes.flat[max(0, n - ncols) : n]:  # the lowest of each column
        ax.set_xlabel(labels[0])
        ax.tick_params(labelbottom=True)
    for ax in axes[:, 0]:
        ax.set_ylabel(labels[1])
    return fig, list(axes.flat[:n])


def band(ax: Axes, rows: pd.DataFrame, x: str, y: str = "mean", **look: Any) -> Line2D:
    """A line of `y` over `x`, its interval (ci_low, ci_high) shaded."""
    (line,) = ax.plot(rows[x], rows[y], **look)
    shade = {"color": line.get_color(), "alpha": 0.15, "lw": 0}
    ax.fill_between(rows[x], rows["ci_low"], rows["ci_high"], **shade)
    return line


def belief(ax: Axes, rows: pd.DataFrame, x: str) -> None:
    """A posterior over `x`: its mean, and two standard deviations (sd) to both sides."""
    ends = {"ci_low": rows["mean"] - 2 * rows["sd"], "ci_high": rows["mean"] + 2 * rows["sd"]}
    band(ax, rows.assign(**ends), x, color=BLUE)


def whiskers(rows: pd.DataFrame, y: str = "mean", low: str = "ci_low", high: str = "ci_high"):
    """Distances of an interval's ends from `y`, (2, n); 0 where there is none."""
    return np.abs(rows[[low, high]].sub(rows[y], axis=0)).fillna(0).to_numpy().T


def dots_and_means(
    ax: Axes, table: pd.DataFrame, x: str, y: str, by: str, **look: Any
) -> pd.DataFrame:
    """A dot for every row, usually a seed, and the means over each value of `by`, which come back;
    `look` is that of the means.
    """
    ax.plot(table[x], table[y], ".", color=look["color"], ms=3, alpha=0.6)
    mean = table.groupby(by)[list({x, y})].mean()
    ax.plot(mean[x], mean[y], **look)
    return mean


def forest(ax: Axes, parts: Iterable[pd.DataFrame], at: Iterable[float] | None = None) -> None:
    """Differences with their intervals, one in a row from the top, and a line at none.

    Each part has mean, ci_low, ci_high and perhaps, in a row for each seed, difference.
    """
    parts = list(parts)
    for y, part in zip(range(len(parts)) if at is None else at, parts, strict=True):
        low, mean, high = part.iloc[0][["ci_low", "mean", "ci_high"]]
        ax.plot([low, high], [y, y], color=BLUE, lw=3)
        if "difference" in part:
            seeds = part["difference"]
            ax.plot(seeds, np.full(len(seeds), y - 0.22), "o", mfc="none", color="black", ms=4)
        ax.plot(mean, y, "D", color=BLUE, ms=6.5)
    ax.axvline(0, color="black", lw=1)


def name_rows(ax: Axes, names: Sequence[str]) -> None:
    """A row for each name, from the top."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)


def note(ax: Axes, text: str, at: tuple, shift: tuple = (4, 0), **look: Any) -> None:
    """Small text at a point of the data, moved by `shift` points."""
    ax.annotate(text, at, shift, textcoords="offset points", **{"fontsize": 8} | look)


def end_label(ax: Axes, line: Line2D, text: str = "", **look: Any) -> None:
    """A line's name at its right end, in its colour."""
    end = line.get_xydata()[np.argmax(line.get_xdata())]
    look = {"color": line.get_color(), "fontsize": 9, "va": "center"} | look
    note(ax, text or str(line.get_label()), tuple(end), (7, 0), annotation_clip=False, **look)


def key(label: str, color: str = "black", **look: Any) -> Line2D:
    """An entry of a legend."""
    return Line2D([], [], color=color, label=label, **look)


def legend_above(fig: Figure, entries: Axes | Sequence, ncols: int = 0, **look: Any) -> None:
    """The entries, or those of axes, in lines of `ncols` (0: one line) above the figure."""
    handles = entries.get_legend_handles_labels()[0] if isinstance(entries, Axes) else entries
    look = {"loc": "outside upper center", "ncols": ncols or len(handles)} | look
    fig.legend(handles=handles, **look)


def diagonal(ax: Axes, values: pd.DataFrame) -> None:
    """A line of equal x and y over the range of all values."""
    ends = [values.to_numpy().min(), values.to_numpy().max()]
    ax.plot(ends, ends, color="black", lw=1)


def frame(ax: Axes, color: str = style.LIGHT) -> None:
    """A thin frame without ticks, as of a picture."""
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set(visible=True, color=color)


def pictures(
    pictures: np.ndarray,
    titles: Sequence[object],
    ncols: int = 8,
    height: float = 1.15,
    **shades: Any,
) -> Figure:
    """Pictures, grey (N, H, W) or in colour (N, H, W, 3), in rows, each under its title."""
    nrows = -(-len(pictures) // ncols)
    fig, axes = style.subplots(nrows, ncols, height=height * nrows, squeeze=False)
    for ax, picture, title in zip(axes.flat, pictures, titles, strict=False):
        ax.imshow(picture, **{"cmap": "gray", "interpolation": "nearest"} | shades)
        ax.set_title(title, loc="center")
    for ax in axes.flat:
        ax.axis("off")
    return fig


def networks(layers: pd.DataFrame) -> Figure:
    """Networks as rows of layers: colour the operation, height the channels, hatching 5×5 kernels.

    Columns network, op, kernel, channels, stride, se (bool), in the order of the layers.
    """
    names = list(dict.fromkeys(layers["network"]))
    fig, axes = style.subplots(
        len(names), 1, height=0.5 + 0.95 * len(names), sharex=True, squeeze=False
    )
    ops = list(dict.fromkeys(layers["op"]))
    colours = dict(zip(ops, style.COLOURS, strict=False)) | {"fixed": style.LIGHT}
    most = layers["channels"].max()
    for ax, name in zip(axes[:, 0], names, strict=True):
        part = layers[layers["network"] == name].reset_index(drop=True)
        for i, row in part.iterrows():
            ax.bar(i, row["channels"], width=0.86, edgecolor="white",
                   color=colours[row["op"]],
                   hatch="///" if row["kernel"] == 5 else None)  # fmt: skip
            down, se = "↓" * (row["stride"] == 2), " se" * bool(row["se"])
            words = f"{row['channels']}{down}{se}"
            ax.annotate(words, (i, row["channels"]), ha="center", va="bottom", fontsize=7.5)
        ax.set(ylim=(0, 1.35 * most), yticks=[])
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
        ax.grid(False)
        ax.spines["left"].set_visible(False)
    words = "number: channels, ↓: stride 2, se: squeeze-excite, hatched: 5×5"
    axes[-1, 0].set(xticks=[], xlabel=f"layers in order; {words}")
    handles = [axes[0, 0].bar(0, 0, color=colours[op], label=op) for op in ops]
    fig.legend(handles=handles, loc="outside upper center", ncols=len(ops))
    return fig


def scoreboard(claims: pd.DataFrame) -> Figure:
    """A square per claim, its colour and sign the verdict."""

    return squares(
        claims,
        "verdict",
        VERDICTS,
        lambda line: f"{(line['verdict'] == 'reproduced').sum()} of {len(line)} hold",
    )


def squares(
    table: pd.DataFrame,
    column: str,
    colours: Mapping[str, str],
    behind: Callable[[pd.DataFrame], str],
) -> Figure:
    """A line of squares per notebook, coloured by the value of `column` in the order of `colours`;
    `behind` words what stands behind a line, the legend counts the values beside their signs.
    """
    lines = dict(list(table.groupby("notebook", sort=False)))
    fig, ax = style.subplots(height=0.9 + 0.27 * len(lines))
    for y, rows in enumerate(lines.values()):
        for x, value in enumerate(sorted(rows[column], key=list(colours).index)):
            colour = colours[value]
            ax.add_patch(Rectangle((x + 0.05, y - 0.45), 0.9, 0.9, color=colour, lw=0))
            look = {"ha": "center", "va": "center_baseline"}
            look["color"] = "black" if colour == style.LIGHT else "white"
            ax.text(x + 0.5, y, tables.SIGNS.get(value, ""), **look)
        note(ax, behind(rows), (len(rows), y), (5, 0), va="center_baseline", fontsize=8.5)
    longest = max(map(len, lines.values()), default=1)
    ax.set(xlim=(0, 1.25 * longest), ylim=(max(len(lines), 1) - 0.4, -0.6), xticks=[])
    ax.set_yticks(range(len(lines)), list(lines))
    ax.tick_params(left=False)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    n, words = table[column].value_counts(), {"inconclusive": "open (inconclusive)"}
    texts = {v: f"{tables.SIGNS.get(v, '')} {n.get(v, 0)} {words.get(v, v)}" for v in colours}
    entries = [Patch(color=c, label=texts[v].strip()) for v, c in colours.items()]
    legend_above(fig, entries, 3, fontsize=10)
    return fig
