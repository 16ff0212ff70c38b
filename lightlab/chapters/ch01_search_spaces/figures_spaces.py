"""Figures of notebook 01: boards, growth of work, sizes of spaces."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MultipleLocator, PercentFormatter

from lightlab.show import style

BLUE, ORANGE, GREEN = style.COLOURS[:3]
DARK = "#3A3A3A"
_FINDERS = {"breadth-first": BLUE, "depth-first": ORANGE, "A*": GREEN}
_STATES_PER_SECOND = 9  # as a power of ten
_WAITS = {"1 second": 1.0, "1 year": 3.156e7, "age of the universe": 4.35e17}  # seconds


def visits(cells: pd.DataFrame) -> Figure:
    """One board per method: colour = order of visit, path on top, counts as title.

    `cells`: columns method, row, column, obstacle, visit, step (`board.visits`).
    """
    methods = list(cells["method"].unique())
    width, height = (style.WIDTH_IN, 2.85) if len(methods) > 1 else (4.6, 4.4)
    fig, axes = style.subplots(1, len(methods), height=height, width=width, squeeze=False)
    for ax, (method, mine) in zip(axes[0], cells.groupby("method", sort=False), strict=True):
        image = _board(ax, mine)
        n, steps = mine["visit"].notna().sum(), mine["step"].max()
        ax.set_title(f"{n} visited, path {steps:.0f} steps", weight="normal", pad=4)
        ax.text(0, 1.09, method, transform=ax.transAxes, weight="bold", size=10.5, va="bottom")
    bar = fig.colorbar(image, ax=axes[0], shrink=0.8, ticks=[0, 1], pad=0.01)
    bar.ax.set_yticklabels(["first", "last"])
    bar.ax.set_ylim(0, 1)
    bar.set_label("order of visit", labelpad=-14)
    return fig


def _board(ax: Axes, cells: pd.DataFrame) -> AxesImage:
    size = cells["row"].max() + 1
    order = cells.pivot(index="row", columns="column", values="visit").to_numpy()
    walls = cells.pivot(index="row", columns="column", values="obstacle").to_numpy()
    ax.imshow(np.where(walls, 1.0, np.nan), cmap=ListedColormap([DARK]))
    image = ax.imshow(order / np.nanmax(order), cmap="YlGnBu", vmin=-0.15, vmax=1.0)
    path = cells.dropna(subset="step").sort_values("step")
    ax.plot(path["column"], path["row"], color="white", linewidth=3.4, solid_capstyle="round")
    ax.plot(path["column"], path["row"], color=ORANGE, linewidth=1.9, solid_capstyle="round")
    for name, end in (("S", path.iloc[0]), ("G", path.iloc[-1])):
        ax.plot(end["column"], end["row"], "o", color="white", markersize=9, mec=ORANGE, mew=1.5)
        ax.text(end["column"], end["row"], name, ha="center", va="center", size=8, weight="bold")
    ax.set(xticks=[], yticks=[], xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
    ax.spines[:].set(visible=True, color=DARK)
    ax.grid(False)
    return image


def survey(visited: pd.DataFrame, excess: pd.DataFrame) -> Figure:
    """Share of cells visited and steps too many, against the density of obstacles.

    Both: columns density, method, mean, ci_low, ci_high.
    """
    fig, axes = style.subplots(1, 2, height=2.9)
    for ax, frame in zip(axes, (visited, excess), strict=True):
        for method, mine in frame.groupby("method", sort=False):
            colour = _FINDERS[method]
            ax.plot(mine["density"], mine["mean"], "o-", color=colour, clip_on=False)
            ax.fill_between(
                mine["density"], mine["ci_low"], mine["ci_high"], color=colour, alpha=0.2, lw=0
            )
        ax.set(xlabel="share of cells that are obstacles", ylim=(0, None))
        ax.xaxis.set_major_locator(MultipleLocator(0.1))
        ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes[0].set(ylabel="free cells visited", title="Work: cells visited")
    axes[0].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes[1].set(ylabel="steps more than the shortest path", title="Result: detour of the path")
    end_labels(axes[0], visited, "density", "mean", _FINDERS)
    end_labels(axes[1], excess[excess["method"] == "depth-first"], "density", "mean", _FINDERS)
    axes[1].annotate(
        "breadth-first and A*: none", (0, 0), (4, 7), textcoords="offset points", color=GREEN
    )
    return fig


def end_labels(ax: Axes, lines: pd.DataFrame, x: str, y: str, colours: dict[str, str]) -> None:
    """Name each line (column method) at its right end, in its colour, instead of in a legend."""
    for method, mine in lines.groupby("method", sort=False):
        last = mine.loc[mine[x].idxmax()]
        ax.annotate(
            method,
            (last[x], last[y]),
            (7, 0),
            textcoords="offset points",
            color=colours[method],
            va="center",
            annotation_clip=False,
        )


def growth(measured: pd.DataFrame) -> Figure:
    """Counted operations and seconds of each algorithm against n, both axes logarithmic.

    `measured`: columns algorithm, order, n, operations, seconds (one value per algorithm and n).
    """
    fig, axes = style.subplots(1, 2, height=3.7, sharex=True)
    colours = dict(zip(measured["algorithm"].unique(), style.COLOURS, strict=False))
    sides = {"log n": ("center", 0), "n": ("left", 5), "2ⁿ": ("center", 0), "n!": ("right", -3)}
    sides |= {"n log n": ("center", 0), "n²": ("center", -2)}
    for ax, column in zip(axes, ("operations", "seconds"), strict=True):
        for algorithm, mine in measured.groupby("algorithm", sort=False):
            end = mine.loc[mine["n"].idxmax()]
            ax.plot(mine["n"], mine[column], "o-", color=colours[algorithm], markersize=3.5)
            align, dx = sides.get(end["order"], ("left", 2))
            ax.annotate(
                end["order"],
                (end["n"], end[column]),
                (dx, 5),
                textcoords="offset points",
                color=colours[algorithm],
                size=10,
                weight="bold",
                ha=align,
            )
        ax.set(xscale="log", yscale="log", xlabel="size of the input, n")
        ax.set(xlim=(1.5, 3e6), ylim=(None, ax.get_ylim()[1] * 2))
    axes[0].set(ylabel="operations", title="Counted operations")
    axes[1].set(ylabel="seconds", title="CPU time in Python, median")
    handles = [plt.Line2D([], [], color=c, marker="o", label=a) for a, c in colours.items()]
    fig.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(colours),
        fontsize=8,
        handlelength=1.2,
        columnspacing=1.0,
    )
    return fig


def sizes(spaces: pd.DataFrame, limit: float = 58.0) -> Figure:
    """Sizes of spaces as powers of ten; above 10^`limit` an arrow. Lines: what a machine visits.

    `spaces`: columns name, group, size, log10_size, origin.
    """
    fig, ax = style.subplots(height=0.32 * len(spaces) + 1.1)
    colours = {"board": BLUE, "architecture": ORANGE}
    y = np.arange(len(spaces))[::-1]
    for wait, seconds in _WAITS.items():
        at = _STATES_PER_SECOND + np.log10(seconds)
        ax.axvline(at, color=style.GREY, linestyle=":", linewidth=1.2, zorder=0)
        ax.text(at, len(y) - 0.4, wait, ha="center", va="bottom", size=8, color="#555555")
    for at, space in zip(y, spaces.itertuples(), strict=True):
        colour, beyond = colours[space.group], space.log10_size > limit
        end = min(space.log10_size, limit)
        face = "white" if space.origin == "published" else colour
        ax.plot([0, end], [at, at], color=colour, linewidth=1.6, alpha=0.45)
        ax.plot(end, at, ">" if beyond else "o", color=colour, mfc=face, markersize=7)
        label = ax.annotate(
            power(space.size),
            (end, at),
            (-9, 2) if beyond else (8, 0),
            va="bottom" if beyond else "center",
            ha="right" if beyond else "left",
            textcoords="offset points",
            color=colour,
        )
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.6})
    ax.set(yticks=y, yticklabels=spaces["name"], ylim=(-0.6, len(y) - 0.5), xlim=(0, limit + 2))
    ax.set_xlabel("number of states; dotted: how far one gets at $10^9$ states per second")
    ax.xaxis.set_major_formatter(lambda x, _: f"$10^{{{x:.0f}}}$")
    ax.grid(axis="y", visible=False)
    for colour, face, label in (
        (BLUE, BLUE, "boards and games"),
        (ORANGE, ORANGE, "architectures, searched later"),
        ("#444444", "white", "hollow: published number"),
    ):
        ax.plot([], [], "o", color=colour, mfc=face, label=label, markersize=7)
    ax.legend(loc="upper right")
    return fig


def power(number: float) -> str:
    """A count as a reader writes it: 6,561 or 2.2 × 10¹⁹ (as mathtext)."""
    if number < 1e6:
        return f"{number:,.0f}"
    exponent = math.floor(math.log10(number))
    return rf"${number / 10**exponent:.1f} \times 10^{{{exponent}}}$"
