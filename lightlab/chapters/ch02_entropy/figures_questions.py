"""Figures of codes and question games."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lightlab.show import style

_ASKED = style.COLOURS[1]


def tree(nodes: pd.DataFrame, highlight: str, entropy_bits: float, questions: float) -> Figure:
    """A tree of questions from the top down, the way to the leaf `highlight` drawn thick.

    `nodes`: word, parent, depth, x, prob, symbol (None at inner nodes). `entropy_bits` and
    `questions` (the mean) are drawn as levels.
    """
    fig, ax = style.subplots(height=4.2)
    at = nodes.set_index("word")
    _branches(ax, at, goal=at.index[at["symbol"] == highlight][0])
    leaves = at[at["symbol"].notna()]
    area = 2200 * leaves["prob"] + 6
    ax.scatter(leaves["x"], leaves["depth"], s=area, color=style.COLOURS[5], zorder=3, linewidth=0)
    for leaf in leaves.itertuples():
        name = "␣" if leaf.symbol == " " else leaf.symbol
        _note(ax, name, (leaf.x, leaf.depth), (0, -1), fontsize=9.5, va="center", zorder=4)
    for level, text, line in (
        (entropy_bits, "entropy", ":"),
        (questions, "mean number of questions", "--"),
    ):
        label = f"{text}: {level:.3f}"
        ax.axhline(level, color=style.COLOURS[2], lw=1.2, ls=line, zorder=0, label=label)
    ax.legend(loc="lower left")
    ax.set(ylabel="questions asked", xticks=[], ylim=(at["depth"].max() + 0.7, -0.4))
    ax.set_yticks(range(int(at["depth"].max()) + 1))
    ax.grid(axis="x", visible=False)
    ax.spines["bottom"].set_visible(False)
    return fig


def _branches(ax: Axes, at: pd.DataFrame, goal: str) -> None:
    """The lines of a tree (nodes by word), with the answers 0 and 1 along the way to `goal`."""
    for word, node in at.iloc[1:].iterrows():
        parent = at.loc[node["parent"]]
        x, depth = [parent["x"], node["x"], node["x"]], parent["depth"]
        if goal.startswith(word):
            ax.plot(x, [depth, depth, node["depth"]], color=_ASKED, lw=2.6, zorder=2)
            middle = ((parent["x"] + node["x"]) / 2, depth)
            _note(ax, word[-1], middle, (0, 3), color=_ASKED, fontweight="bold", fontsize=9)
        else:
            ax.plot(x, [depth, depth, node["depth"]], color="#B5B5B5", lw=1, zorder=1)


def _note(
    ax: Axes, text: str, at: tuple[float, float], shift: tuple[float, float], **look: Any
) -> None:
    """Text at a point of the data, moved by `shift` points, centred unless `look` says else."""
    look = {"ha": "center", "fontsize": 8} | look
    ax.annotate(text, at, shift, textcoords="offset points", **look)


def blocks(table: pd.DataFrame) -> Figure:
    """Questions per symbol by block length, a panel per source, H to H + 1/n shaded.

    Columns: source, reading (line), n, questions, entropy_bits (of one symbol).
    """
    sources = list(dict.fromkeys(table["source"]))
    fig, axes = style.subplots(1, len(sources), height=3.1, squeeze=False)
    for ax, source in zip(axes.flat, sources, strict=True):
        rows = table[table["source"] == source]
        h = rows["entropy_bits"].iloc[0]
        n = np.sort(rows["n"].unique())
        ax.fill_between(n, h, h + 1 / n, color=style.LIGHT, alpha=0.6, lw=0, label="H to H + 1/n")
        ax.axhline(h, color="0.3", lw=1)
        _note(ax, f"H = {h:.3f} bits", (n[-1], h), (0, -10), ha="right", color="0.3")
        for colour, (reading, line) in zip(
            style.COLOURS, rows.groupby("reading", sort=False), strict=False
        ):
            ax.plot(line["n"], line["questions"], "o-", color=colour, label=reading)
        low = min(h, rows["questions"].min())
        ax.set(xlabel="symbols in a block, n", ylim=(low - 0.12, h + 1.03), xticks=n)
        ax.set_title(source)
    axes[0, 0].set_ylabel("questions per symbol")
    axes[0, 0].legend()
    return fig


def film(images: np.ndarray, frames: pd.DataFrame, *, ncols: int = 6) -> Figure:
    """A game of questions: what the remaining images look like on average before each question.

    `images` (frames, height, width); `frames`: left, entropy_bits, row, column (of the pixel that
    is asked; NaN in the last frame), threshold, answer.
    """
    nrows = -(-len(images) // ncols)
    fig, axes = style.subplots(nrows, ncols, height=1.85 * nrows, squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, image, frame in zip(axes.flat, images, frames.itertuples(), strict=False):
        ax.imshow(image, cmap="gray_r", vmin=0, vmax=16)
        left = "found" if frame.left == 1 else f"{frame.left} left"
        title = f"{left}\n{frame.entropy_bits:.1f} bits"
        ax.set_title(title, fontsize=8.5, fontweight="normal", loc="center")
        if np.isnan(frame.row):
            continue
        corner = (frame.column - 0.5, frame.row - 0.5)
        ax.add_patch(Rectangle(corner, 1, 1, fill=False, ec=_ASKED, lw=2))
        question = f"ink ≥ {frame.threshold:.0f}? {frame.answer}"
        look = {"ha": "center", "va": "top", "fontsize": 8.5, "color": _ASKED}
        ax.text(0.5, -0.04, question, transform=ax.transAxes, **look)
    return fig


def game_curves(summary: pd.DataFrame, entropy_bits: float) -> Figure:
    """Bits left after each question: player, asked, mean, ci_low, ci_high; the ideal as a line."""
    fig, ax = style.subplots(height=3.0)
    ideal = np.arange(0, np.ceil(entropy_bits) + 1)
    left = np.maximum(entropy_bits - ideal, 0)
    ax.plot(ideal, left, color=style.LIGHT, lw=6, zorder=0, label="one bit per question: the best")
    for colour, (player, rows) in zip(
        (style.COLOURS[0], style.COLOURS[4], style.GREY),
        summary.groupby("player", sort=False),
        strict=True,
    ):
        ax.plot(rows["asked"], rows["mean"], color=colour, label=player)
        ax.fill_between(
            rows["asked"], rows["ci_low"].clip(0), rows["ci_high"], color=colour, alpha=0.2, lw=0
        )
    ax.set(xlabel="questions asked", ylabel="entropy left [bits]")
    ax.set(xlim=(0, 4 * entropy_bits), ylim=(0, None))
    ax.legend()
    return fig


def wrong_codes(table: pd.DataFrame) -> Figure:
    """Wasted questions against the divergence: belief (name), kl_bits, mean, ci_low, ci_high."""
    fig, ax = style.subplots(height=3.4, width=5.4)
    top = 1.3 * max(table["kl_bits"].max(), table["ci_high"].max())
    ax.plot([0, top], [0, top], color=style.LIGHT, lw=5, zorder=0)
    _note(ax, "wasted = KL", (top * 0.93, top * 0.93), (-6, 0), ha="right", color=style.GREY)
    error = [table["mean"] - table["ci_low"], table["ci_high"] - table["mean"]]
    ax.errorbar(table["kl_bits"], table["mean"], error, fmt="o", color=_ASKED, capsize=3)
    for row in table.itertuples():
        _note(ax, row.belief, (row.kl_bits, row.mean), (8, -3), ha="left", va="top")
    ax.set(xlabel="KL(p ‖ q) [bits per letter]", ylabel="wasted questions per letter, counted")
    ax.set(xlim=(-0.02 * top, top), ylim=(-0.06 * top, top))
    return fig
