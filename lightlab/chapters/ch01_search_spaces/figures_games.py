"""Figures of notebook 01 on games: what searches visit, how well they play, time against space."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, PercentFormatter

from lightlab.chapters.ch01_search_spaces.figures_spaces import end_labels
from lightlab.show import style

BLUE, ORANGE, GREEN = style.COLOURS[:3]
DARK = "#444444"
COLOURS = {
    "all positions": DARK,
    "minimax": DARK,
    "alpha–beta": BLUE,
    "minimax + table": style.GREY,
    "alpha–beta + table": GREEN,
    "MCTS": ORANGE,
    "UCT": ORANGE,
    "flat Monte Carlo": style.COLOURS[3],
}


def move_judgement(values: pd.DataFrame, shares: pd.DataFrame) -> Figure:
    """A position with the exact value of each move (left) and the playouts spent on it (right).

    Both: columns row, column, stone (1, −1, 0) and value; `values` in −1, 0, 1, `shares` in 0..1.
    """
    fig, axes = style.subplots(1, 2, height=2.5, width=5.0)
    words, tints = {-1: "loses", 0: "draws", 1: "wins"}, {-1: "#F6C9B5", 0: "#E3E3E3", 1: "#BFE3D3"}
    for cell in values.itertuples():
        if not cell.stone:
            _square(axes[0], cell, words[int(cell.value)], tints[int(cell.value)])
    most = shares["value"].max()
    for cell in shares.itertuples():
        if not cell.stone:
            _square(axes[1], cell, f"{cell.value:.0%}", plt.cm.Oranges(0.6 * cell.value / most))
    for ax, title in zip(axes, ("Value of each move", "Playouts on each move"), strict=True):
        for cell in values[values["stone"] != 0].itertuples():
            _square(ax, cell, "X" if cell.stone == 1 else "O", "white", size=20)
        ax.set(xlim=(0, values["column"].max() + 1), ylim=(values["row"].max() + 1, 0))
        ax.set(aspect="equal", xticks=[], yticks=[], title=title)
        ax.spines[:].set_visible(False)
        ax.grid(False)
    return fig


def _square(ax: Axes, cell: tuple, text: str, face: object, size: float = 9.5) -> None:
    ax.add_patch(plt.Rectangle((cell.column, cell.row), 1, 1, fc=face, ec=DARK, lw=1.2))
    ax.text(cell.column + 0.5, cell.row + 0.5, text, ha="center", va="center", size=size)


def game_states(table: pd.DataFrame, by_ply: pd.DataFrame, n_positions: int) -> Figure:
    """States visited per method against the number of different positions; the same by ply.

    `table`: method, states (visited, repeats counted). `by_ply`: method, ply, states.
    """
    fig, (left, right) = style.subplots(1, 2, height=2.9, width_ratios=[1.15, 1])
    y = np.arange(len(table))[::-1]
    left.axvline(n_positions, color=DARK, linestyle="--", linewidth=1.2)
    note = left.text(n_positions, len(table) - 0.5, f"all {n_positions:,} positions", ha="center")
    note.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
    for at, row in zip(y, table.itertuples(), strict=True):
        colour = COLOURS[row.method]
        left.plot([n_positions, row.states], [at, at], color=colour, lw=5, solid_capstyle="butt")
        left.plot(row.states, at, "o", color=colour, markersize=8)
        side = 9 if row.states >= n_positions else -9
        left.annotate(
            f"{row.states:,}",
            (row.states, at),
            (side, 0),
            textcoords="offset points",
            va="center",
            ha="left" if side > 0 else "right",
        )
    left.set(xscale="log", yticks=y, yticklabels=table["method"], ylim=(-0.6, len(table) - 0.1))
    smallest = min(n_positions, table["states"].min())
    left.set(xlabel="states visited", xlim=(smallest / 30, table["states"].max() * 20))
    left.grid(axis="y", visible=False)
    for method, mine in by_ply.groupby("method", sort=False):
        dash = "--" if method == "all positions" else "-"
        right.plot(mine["ply"], mine["states"], dash, marker="o", color=COLOURS[method])
    right.set(yscale="log", xlabel="stones on the board", ylabel="states visited")
    right.set_xticks(range(0, by_ply["ply"].max() + 1))
    end_labels(right, by_ply, "ply", "states", COLOURS)
    return fig


def tree_leaves(leaves: pd.DataFrame, branching: int) -> Figure:
    """Leaves visited in uniform trees against depth, per order of moves, with the best-case line.

    `leaves`: columns method ("no cuts", "random order", "best move first"), depth, mean, ci_low,
    ci_high.
    """
    fig, ax = style.subplots(height=3.0, width=5.6)
    colours = {"no cuts": DARK, "random order": ORANGE, "best move first": BLUE}
    depth = np.unique(leaves["depth"])
    limit = branching ** np.ceil(depth / 2) + branching ** np.floor(depth / 2) - 1.0
    ax.plot(depth, limit, color=BLUE)
    for method, mine in leaves.groupby("method", sort=False):
        if method != "best move first":
            ax.plot(mine["depth"], mine["mean"], color=colours[method])
        bars = np.nan_to_num([mine["mean"] - mine["ci_low"], mine["ci_high"] - mine["mean"]])
        ax.errorbar(mine["depth"], mine["mean"], bars, fmt="o", color=colours[method], capsize=2)
    end_labels(ax, leaves, "depth", "mean", colours)
    ax.annotate(
        r"line: $b^{\lceil d/2\rceil}+b^{\lfloor d/2\rfloor}-1$",
        (depth[-1], limit[-1]),
        (7, -17),
        textcoords="offset points",
        color=BLUE,
        size=8.5,
        annotation_clip=False,
    )
    ax.set(yscale="log", xlabel="depth of the tree, d (plies)", ylabel="leaves visited")
    ax.set_xticks(depth)
    return fig


def perfect_play(errors: pd.DataFrame) -> Figure:
    """Share of decisions that lose value against playouts per decision.

    `errors`: columns method, playouts, mean, ci_low, ci_high; "random move" has playouts 0.
    """
    fig, ax = style.subplots(height=3.0, width=5.6)
    is_guess = errors["method"] == "random move"
    guess, searches = errors[is_guess].iloc[0], errors[~is_guess]
    for method, mine in searches.groupby("method", sort=False):
        colour = COLOURS[method]
        ax.plot(mine["playouts"], mine["mean"], "o-", color=colour, clip_on=False)
        low = mine["ci_low"].clip(lower=0)
        ax.fill_between(mine["playouts"], low, mine["ci_high"], color=colour, alpha=0.2, lw=0)
    ax.set(xscale="log", xlabel="random games per decision (playouts)")
    ax.set_ylim(-0.03 * searches["ci_high"].max(), 1.08 * searches["ci_high"].max())
    ax.set(ylabel="decisions that lose value", xticks=np.unique(searches["playouts"]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    ax.xaxis.set_minor_locator(FixedLocator([]))
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    note = f"a random move loses value in {guess['mean']:.0%} (off the scale)"
    ax.text(0.99, 0.97, note, transform=ax.transAxes, ha="right", va="top", color="#555555")
    end_labels(ax, searches, "playouts", "mean", COLOURS)
    return fig


def trade_off(sweep: pd.DataFrame, n_positions: int) -> Figure:
    """Time against space: states visited over the memory of the transposition table.

    `sweep`: columns method, capacity, memory_bytes, states, seconds (`minimax.table_sweep`).
    """
    fig, ax = style.subplots(height=3.4, width=6.4)
    kib = sweep["memory_bytes"] / 1024
    none = kib[kib > 0].min() / 4  # where "no table" stands on the logarithmic axis
    sweep = sweep.assign(kib=kib.where(kib > 0, none))
    for method, mine in sweep.groupby("method", sort=False):
        ax.plot(mine["kib"], mine["states"], "o-", color=COLOURS[method])
        middle = mine.iloc[len(mine) // 2 - 1]
        notes = [(mine.iloc[0], (0, 7), "left"), (mine.iloc[-1], (4, -14), "right")]
        for end, offset, align in notes:
            ax.annotate(
                f"{end['states']:,} states, {1000 * end['seconds']:.0f} ms",
                (end["kib"], end["states"]),
                offset,
                textcoords="offset points",
                color=COLOURS[method],
                ha=align,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            )
        ax.annotate(
            method,
            (middle["kib"], middle["states"]),
            (9, 5),
            color=COLOURS[method],
            textcoords="offset points",
            weight="bold",
            size=10,
        )
    full = n_positions * (sweep["memory_bytes"] / sweep["capacity"]).max() / 1024
    ax.axvline(full, color=style.GREY, linestyle="--", linewidth=1, zorder=0)
    ax.set(xscale="log", yscale="log", ylabel="time: states visited")
    ax.set(
        xlabel="space: memory of the table (KiB)",
        ylim=(sweep["states"].min() / 1.8, sweep["states"].max() * 2.2),
    )
    ax.text(full * 1.15, sweep["states"].max(), f"a slot for each of\n{n_positions:,} positions")
    ticks = [10.0**i for i in range(-2, 6) if none * 3 < 10.0**i <= kib.max()]
    ax.xaxis.set_major_locator(FixedLocator([none, *ticks]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: "none" if x == none else f"{x:,g}"))
    ax.xaxis.set_minor_locator(FixedLocator([]))
    return fig
