"""Figures of notebook 01: boards, games, time against space, growth of work, sizes of spaces."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from lightlab.show import marks, style

BLUE, ORANGE, GREEN, PINK = style.COLOURS[:4]
DARK, WALL = "#444444", "#3A3A3A"
COLOURS = {"breadth-first": BLUE, "depth-first": ORANGE, "A*": GREEN}
COLOURS |= {"all positions": DARK, "minimax": DARK, "minimax + table": style.GREY}
COLOURS |= {"alpha–beta": BLUE, "alpha–beta + table": GREEN, "MCTS": ORANGE}
COLOURS |= {"no cuts": DARK, "random order": ORANGE, "best move first": BLUE}
COLOURS |= {"UCT": ORANGE, "flat Monte Carlo": PINK}
_WHITE = {"facecolor": "white", "edgecolor": "none"}
_PERCENT = ticker.PercentFormatter(1.0, decimals=0)


def visits(cells: pd.DataFrame) -> Figure:
    """One board per method: colour = order of visit, path on top, counts as title."""
    methods = list(cells["method"].unique())
    width, height = (style.WIDTH_IN, 2.85) if len(methods) > 1 else (4.6, 4.4)
    fig, axes = style.subplots(1, len(methods), height=height, width=width, squeeze=False)
    for ax, (method, mine) in zip(axes[0], cells.groupby("method", sort=False), strict=True):
        _board(ax, mine)
        n, steps = mine["visit"].notna().sum(), mine["step"].max()
        ax.set_title(f"{n} visited, path {steps:.0f} steps", weight="normal", pad=4)
        ax.text(0, 1.09, method, transform=ax.transAxes, weight="bold", size=10.5, va="bottom")
    image = axes[0, -1].images[-1]
    bar = fig.colorbar(image, ax=axes[0], shrink=0.8, ticks=[0, 1], pad=0.01)
    bar.ax.set(yticklabels=["first", "last"], ylim=(0, 1))
    bar.set_label("order of visit", labelpad=-14)
    return fig


def _board(ax: Axes, cells: pd.DataFrame) -> None:
    size = cells["row"].max() + 1
    order = cells.pivot(index="row", columns="column", values="visit").to_numpy()
    walls = cells.pivot(index="row", columns="column", values="obstacle").to_numpy()
    ax.imshow(np.where(walls, 1.0, np.nan), cmap=ListedColormap([WALL]))
    ax.imshow(order / np.nanmax(order), cmap="YlGnBu", vmin=-0.15, vmax=1.0)
    path = cells.dropna(subset="step").sort_values("step")
    for colour, width in (("white", 3.4), (ORANGE, 1.9)):
        look = {"color": colour, "lw": width, "solid_capstyle": "round"}
        ax.plot(path["column"], path["row"], **look)
    for name, end in (("S", path.iloc[0]), ("G", path.iloc[-1])):
        ax.plot(end["column"], end["row"], "o", color="white", markersize=9, mec=ORANGE, mew=1.5)
        ax.text(end["column"], end["row"], name, ha="center", va="center", size=8, weight="bold")
    marks.frame(ax, WALL)
    ax.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))


def survey(visited: pd.DataFrame, excess: pd.DataFrame) -> Figure:
    """Free cells visited, and steps more than needed, against the density of obstacles."""
    fig, axes = style.subplots(1, 2, height=2.9)
    for ax, frame in zip(axes, (visited, excess), strict=True):
        for method, mine in frame.groupby("method", sort=False):
            line = _band(ax, mine, "density")
            if ax is axes[0] or method == "depth-first":
                marks.end_label(ax, line)
        ax.set(xlabel="share of cells that are obstacles", ylim=(0, None))
        ax.xaxis.set(major_locator=ticker.MultipleLocator(0.1), major_formatter=_PERCENT)
    axes[0].set(ylabel="free cells visited", title="Work: cells visited")
    axes[0].yaxis.set_major_formatter(_PERCENT)
    axes[1].set(ylabel="steps more than the shortest path", title="Result: detour of the path")
    marks.note(axes[1], "breadth-first and A*: none", (0, 0), (4, 7), color=GREEN, fontsize=9)
    return fig


def _band(ax: Axes, mine: pd.DataFrame, x: str) -> plt.Line2D:
    method = mine["method"].iloc[0]
    look = {"color": COLOURS[method], "marker": "o", "clip_on": False, "label": method}
    return marks.band(ax, mine, x, **look)


def game_states(table: pd.DataFrame, by_ply: pd.DataFrame, n_positions: int) -> Figure:
    """States visited per method, repeats counted, against the different positions; and by ply."""
    fig, (left, right) = style.subplots(1, 2, height=2.9, width_ratios=[1.15, 1])
    left.axvline(n_positions, color=DARK, linestyle="--", linewidth=1.2)
    text, box = f"all {n_positions:,} positions", _WHITE | {"pad": 1}
    left.text(n_positions, -0.5, text, ha="center", bbox=box)
    for at, row in enumerate(table.itertuples()):
        colour = COLOURS[row.method]
        left.plot([n_positions, row.states], [at, at], color=colour, lw=5, solid_capstyle="butt")
        left.plot(row.states, at, "o", color=colour, markersize=8)
        side, align = (9, "left") if row.states >= n_positions else (-9, "right")
        look = {"va": "center", "ha": align, "fontsize": 9}
        marks.note(left, f"{row.states:,}", (row.states, at), (side, 0), **look)
    marks.name_rows(left, list(table["method"]))
    low, high = min(n_positions, table["states"].min()), table["states"].max()
    left.set(xscale="log", xlabel="states visited", xlim=(low / 30, high * 20))
    left.set_ylim(len(table) - 0.4, -0.9)
    for method, mine in by_ply.groupby("method", sort=False):
        look = {"ls": "--" if method == "all positions" else "-", "color": COLOURS[method]}
        (line,) = right.plot(mine["ply"], mine["states"], marker="o", label=method, **look)
        marks.end_label(right, line)
    right.set(yscale="log", xticks=range(0, by_ply["ply"].max() + 1))
    right.set(xlabel="stones on the board", ylabel="states visited")
    return fig


def tree_leaves(leaves: pd.DataFrame, branching: int) -> Figure:
    """Leaves visited in uniform trees against depth, per order of moves, and the best case."""
    fig, ax = style.subplots(height=3.0, width=5.6)
    depth = np.unique(leaves["depth"])
    limit = branching ** np.ceil(depth / 2) + branching ** np.floor(depth / 2) - 1.0
    ax.plot(depth, limit, color=BLUE)
    for method, mine in leaves.groupby("method", sort=False):
        look = {"color": COLOURS[method], "capsize": 2, "label": method}
        look |= {"fmt": "o" if method == "best move first" else "o-"}
        bars = ax.errorbar(mine["depth"], mine["mean"], marks.whiskers(mine), **look)
        marks.end_label(ax, bars.lines[0], method)
    formula = r"line: $b^{\lceil d/2\rceil}+b^{\lfloor d/2\rfloor}-1$"
    end = (depth[-1], limit[-1])
    marks.note(ax, formula, end, (7, -17), color=BLUE, fontsize=8.5, annotation_clip=False)
    ax.set(xlabel="depth of the tree, d (plies)", ylabel="leaves visited")
    ax.set(yscale="log", xticks=depth)
    return fig


def move_judgement(cells: pd.DataFrame) -> Figure:
    """A position with the exact value of each move (left) and the playouts spent on it (right).

    Stones are 1, −1 or 0, values −1, 0 or 1, shares 0..1.
    """
    fig, axes = style.subplots(1, 2, height=2.5, width=5.0)
    words, tints = {-1: "loses", 0: "draws", 1: "wins"}, {-1: "#F6C9B5", 0: "#E3E3E3", 1: "#BFE3D3"}
    most = cells["playout_share"].max()
    for cell in cells[cells["stone"] == 0].itertuples():
        share, value = cell.playout_share, int(cell.value)
        _square(axes[0], cell, words[value], tints[value])
        _square(axes[1], cell, f"{share:.0%}", plt.cm.Oranges(0.6 * share / most))
    for ax, title in zip(axes, ("Value of each move", "Playouts on each move"), strict=True):
        for cell in cells[cells["stone"] != 0].itertuples():
            _square(ax, cell, "X" if cell.stone == 1 else "O", "white", size=20)
        ax.set(xlim=(0, cells["column"].max() + 1), ylim=(cells["row"].max() + 1, 0))
        ax.set(aspect="equal", xticks=[], yticks=[], title=title)
        ax.spines[:].set_visible(False)
        ax.grid(False)
    return fig


def _square(ax: Axes, cell: tuple, text: str, face: object, size: float = 9.5) -> None:
    ax.add_patch(plt.Rectangle((cell.column, cell.row), 1, 1, fc=face, ec=DARK, lw=1.2))
    ax.text(cell.column + 0.5, cell.row + 0.5, text, ha="center", va="center", size=size)


def perfect_play(errors: pd.DataFrame) -> Figure:
    """Share of decisions that lose value against playouts per decision; "random move" has 0."""
    fig, ax = style.subplots(height=3.0, width=5.6)
    searches = errors[errors["method"] != "random move"]
    for _, mine in searches.groupby("method", sort=False):
        line = _band(ax, mine.assign(ci_low=mine["ci_low"].clip(lower=0)), "playouts")
        marks.end_label(ax, line)
    top = searches["ci_high"].max()
    ax.set(xlabel="random games per decision (playouts)", ylabel="decisions that lose value")
    ax.set(xscale="log", ylim=(-0.03 * top, 1.08 * top), xticks=np.unique(searches["playouts"]))
    ax.xaxis.set(major_formatter=lambda n, _: f"{n:,.0f}", minor_locator=ticker.NullLocator())
    nice = ticker.MaxNLocator(6, steps=[1, 2, 5, 10])
    ax.yaxis.set(major_locator=nice, major_formatter=_PERCENT)
    guess = errors.set_index("method").at["random move", "mean"]
    words = f"a random move loses value in {guess:.0%} (off the scale)"
    ax.text(0.99, 0.97, words, transform=ax.transAxes, ha="right", va="top", color="#555555")
    return fig


def trade_off(sweep: pd.DataFrame, n_positions: int) -> Figure:
    """Time against space: states visited over the memory of the transposition table."""
    fig, ax = style.subplots(height=3.4, width=6.4)
    kib = sweep["memory_bytes"] / 1024
    none = kib[kib > 0].min() / 4  # where "no table" stands on the logarithmic axis
    sweep = sweep.assign(kib=kib.where(kib > 0, none))
    for method, mine in sweep.groupby("method", sort=False):
        colour, middle = COLOURS[method], mine.iloc[len(mine) // 2 - 1]
        ax.plot(mine["kib"], mine["states"], "o-", color=colour)
        look = {"color": colour, "fontsize": 9, "bbox": _WHITE | {"pad": 0.5}}
        for i, shift, align in ((0, (0, 7), "left"), (-1, (4, -14), "right")):
            end = mine.iloc[i]
            text = f"{end['states']:,} states, {1000 * end['seconds']:.0f} ms"
            marks.note(ax, text, (end["kib"], end["states"]), shift, ha=align, **look)
        at = (middle["kib"], middle["states"])
        marks.note(ax, method, at, (9, 5), color=colour, weight="bold", fontsize=10)
    full = n_positions * (sweep["memory_bytes"] / sweep["capacity"]).max() / 1024
    ax.axvline(full, color=style.GREY, linestyle="--", linewidth=1, zorder=0)
    low, high = sweep["states"].min(), sweep["states"].max()
    ax.set(xscale="log", yscale="log", ylabel="time: states visited")
    ax.set(xlabel="space: memory of the table (KiB)", ylim=(low / 1.8, high * 2.2))
    ax.text(full * 1.15, high, f"a slot for each of\n{n_positions:,} positions")
    ticks = [10.0**i for i in range(-2, 6) if none * 3 < 10.0**i <= kib.max()]
    ax.set_xticks([none, *ticks], ["none", *(f"{x:,g}" for x in ticks)])
    ax.xaxis.set_minor_locator(ticker.NullLocator())
    return fig


def growth(measured: pd.DataFrame) -> Figure:
    """Counted operations and seconds of each algorithm against n, both axes logarithmic."""
    fig, axes = style.subplots(1, 2, height=3.7, sharex=True)
    colours = dict(zip(measured["algorithm"].unique(), style.COLOURS, strict=False))
    sides = {"log n": ("center", 0), "n": ("left", 5), "2ⁿ": ("center", 0), "n!": ("right", -3)}
    sides |= {"n log n": ("center", 0), "n²": ("center", -2)}
    for ax, column in zip(axes, ("operations", "seconds"), strict=True):
        for algorithm, mine in measured.groupby("algorithm", sort=False):
            end, colour = mine.loc[mine["n"].idxmax()], colours[algorithm]
            ax.plot(mine["n"], mine[column], "o-", color=colour, markersize=3.5, label=algorithm)
            align, dx = sides.get(end["order"], ("left", 2))
            look = {"color": colour, "fontsize": 10, "weight": "bold", "ha": align}
            marks.note(ax, end["order"], (end["n"], end[column]), (dx, 5), **look)
        ax.set(xscale="log", yscale="log", xlabel="size of the input, n")
        ax.set(xlim=(1.5, 3e6), ylim=(None, ax.get_ylim()[1] * 2))
    axes[0].set(ylabel="operations", title="Counted operations")
    axes[1].set(ylabel="seconds", title="CPU time in Python, median")
    look = {"loc": "outside lower center", "fontsize": 8, "handlelength": 1.2}
    fig.legend(*axes[0].get_legend_handles_labels(), ncols=len(colours), columnspacing=1, **look)
    return fig


def sizes(spaces: pd.DataFrame) -> Figure:
    """Sizes of spaces as powers of ten; an arrow: off the scale. Lines: what a machine visits."""
    fig, ax = style.subplots(height=0.32 * len(spaces) + 1.1)
    limit, colours = 58.0, {"board": BLUE, "architecture": ORANGE}
    waits = {"1 second": 1.0, "1 year": 3.156e7, "age of the universe": 4.35e17}
    for wait, seconds in waits.items():
        at = 9 + np.log10(seconds)  # at 10⁹ states per second
        ax.axvline(at, color=style.GREY, linestyle=":", linewidth=1.2, zorder=0)
        ax.text(at, -0.6, wait, ha="center", va="bottom", size=8, color="#555555")
    for at, space in enumerate(spaces.itertuples()):
        colour, beyond = colours[space.group], space.log10_size > limit
        end = min(space.log10_size, limit)
        face = "white" if space.origin == "published" else colour
        ax.plot([0, end], [at, at], color=colour, linewidth=1.6, alpha=0.45)
        ax.plot(end, at, ">" if beyond else "o", color=colour, mfc=face, markersize=7)
        shift, va, ha = ((-9, 2), "bottom", "right") if beyond else ((8, 0), "center", "left")
        look = {"va": va, "ha": ha, "color": colour, "bbox": _WHITE | {"pad": 0.6}, "fontsize": 9}
        marks.note(ax, power(space.size), (end, at), shift, **look)
    marks.name_rows(ax, list(spaces["name"]))
    ax.set(ylim=(len(spaces) - 0.4, -0.5), xlim=(0, limit + 2))
    ax.set_xlabel("number of states; dotted: how far one gets at $10^9$ states per second")
    ax.xaxis.set_major_formatter(lambda x, _: f"$10^{{{x:.0f}}}$")
    names = {"boards and games": BLUE, "architectures, searched later": ORANGE}
    look = {"marker": "o", "ls": "", "ms": 7}
    entries = [marks.key(name, colour, **look) for name, colour in names.items()]
    entries += [marks.key("hollow: published number", DARK, mfc="white", **look)]
    ax.legend(handles=entries, loc="upper right")
    return fig


def power(number: float) -> str:
    """A count as a reader writes it: 6,561 or 2.2 × 10¹⁹ (as mathtext)."""
    if number < 1e6:
        return f"{number:,.0f}"
    exponent = math.floor(math.log10(number))
    return rf"${number / 10**exponent:.1f} \times 10^{{{exponent}}}$"
