"""Figures of notebook 02: rooms, order against work, codes, question games, training."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

from lightlab.show import marks, style
from lightlab.show.marks import note

BLUE, ORANGE, GREEN = style.COLOURS[:3]


def rooms(table: pd.DataFrame, *, ncols: int = 6) -> Figure:
    """Rooms side by side. White cells are empty; shares below 1e-4 have the lightest colour."""
    titles, size = list(table["room"].unique()), min(1.8, (style.WIDTH_IN - 1) / ncols)
    shape = {"height": size + 0.42, "width": size * ncols + 1, "ncols": ncols}
    fig, axes = marks.panels(titles, **shape)
    for ax, (title, room) in zip(axes, table.groupby("room", sort=False), strict=True):
        shares = np.ma.masked_less_equal(room.pivot(index="y", columns="x", values="share"), 0)
        image = ax.imshow(shares, norm=LogNorm(1e-4, 1), cmap=style.SEQUENTIAL + "_r")
        ax.set_title(title, fontsize=8.5, fontweight="normal")
        marks.frame(ax, style.GREY)
    bar = fig.colorbar(image, ax=axes, aspect=14, pad=0.01, extend="min")
    bar.set_label("share of particles")
    bar.ax.grid(False)
    return fig


def growth(curve: pd.DataFrame, gaps: pd.DataFrame, n_cells: int) -> Figure:
    """Entropy over time beside Boltzmann's count (as `walk_table`), and how the two become one."""
    fig, (left, right) = style.subplots(1, 2, height=3.1)
    top = np.log2(n_cells)
    left.axhline(top, color=style.GREY, ls=":", lw=1)
    steps, text = curve["step"], f"evenly filled: log₂ {n_cells} = {top:.3g} bits"
    note(left, text, (steps.max(), top), (0, 6), ha="right", color=style.GREY)
    left.plot(steps, curve["exact_bits"], color=style.LIGHT, lw=5, label="H, infinitely many")
    left.plot(steps, curve["entropy_bits"], label="H of this room")
    left.plot(steps, curve["arrangements_bits"], "--", label="(log₂ W) / N of this room")
    left.set(xlabel="step", ylabel="bits per particle", ylim=(0, top * 1.15))
    left.set_title("Disorder comes by itself")
    left.legend(loc="lower right")
    n = gaps["particles"]
    right.loglog(n, gaps["bound_bits"], color=style.GREY, ls=":", label="bound: never above")
    right.loglog(n, gaps["stirling_bits"], color=style.LIGHT, lw=5, label="predicted (Stirling)")
    right.loglog(n, gaps["gap_bits"], "o", color=ORANGE, label="counted")
    right.set(xlabel="particles N", ylabel="H − (log₂ W) / N  [bits]")
    right.set_title("The gap between the two closes")
    right.legend(loc="lower left")
    return fig


def tidying(curves: pd.DataFrame) -> Figure:
    """Entropy against work, a line per order of work."""
    fig, ax = style.subplots(height=2.8, width=5.2)
    lines = curves.groupby("order", sort=False)
    for colour, (order, rows) in zip(style.COLOURS, lines, strict=False):
        ax.plot(rows["moves"], rows["entropy_bits"], color=colour, label=order)
    ax.set(xlabel="moves per particle", ylabel="entropy [bits per particle]")
    ax.set(xlim=(0, None), ylim=(0, None))
    ax.legend()
    return fig


def balance(runs: pd.DataFrame, held: pd.DataFrame, measured: pd.DataFrame) -> Figure:
    """Work against diffusion. Left: entropy over time. Right: where it stays, dots, and exactly."""
    fig, (left, right) = style.subplots(1, 2, height=3.2, sharey=True)
    colours = dict(zip(sorted(runs["work_rate"].unique()), style.COLOURS, strict=False))
    for rate, colour in colours.items():
        for start, line in (("tidy", "-"), ("strewn", "--")):
            rows = runs[(runs["work_rate"] == rate) & (runs["start"] == start)]
            left.plot(rows["step"], rows["entropy_bits"], line, color=colour, lw=1.3)
        end = (rows["step"].max(), rows["entropy_bits"].iloc[-len(rows) // 4 :].max())
        note(left, f"work {rate:g}", end, (0, 4), ha="right", color=colour)
    left.set(xlabel="step", ylabel="entropy [bits per particle]")
    left.set_title("From tidy (—) or strewn (– –): same end")
    legend = "half of the disorder gone"
    for shade, (side, rows) in zip(("0.75", "0.55", "0.2"), held.groupby("side"), strict=False):
        right.semilogx(rows["work_rate"], rows["entropy_bits"], color=shade)
        half = np.log2(side)  # of log2(side²)
        falling = rows.sort_values("entropy_bits")
        rate = np.interp(half, falling["entropy_bits"], falling["work_rate"])
        right.plot(rate, half, "x", color="black", ms=6, mew=1.6, zorder=2, label=legend)
        legend = None
        first = (rows["work_rate"].iloc[0], rows["entropy_bits"].iloc[0])
        note(right, f"{side} × {side} cells", first, (2, 4), ha="left", color="0.3")
    for rate, rows in measured.groupby("work_rate"):
        look = {"fmt": "o", "capsize": 2.5, "zorder": 3, "color": colours[rate]}
        right.errorbar(rows["work_rate"], rows["mean"], marks.whiskers(rows), **look)
    right.set(xlabel="work rate [chance to be carried, per step]", title="More work, more order")
    right.set(ylim=(0, 1.08 * held["entropy_bits"].max()))
    right.legend(loc="lower left")
    return fig


def tree(nodes: pd.DataFrame, highlight: str, entropy_bits: float, questions: float) -> Figure:
    """A tree of questions from the top down, the way to the leaf `highlight` drawn thick; entropy
    and the mean number of `questions` are drawn as levels."""
    fig, ax = style.subplots(height=4.2)
    at = nodes.set_index("word")
    _branches(ax, at, goal=at.index[at["symbol"] == highlight][0])
    leaves = at[at["symbol"].notna()]
    area = 2200 * leaves["prob"] + 6
    ax.scatter(leaves["x"], leaves["depth"], s=area, color=style.COLOURS[5], zorder=3, linewidth=0)
    for leaf in leaves.itertuples():
        name = "␣" if leaf.symbol == " " else leaf.symbol
        note(
            ax,
            name,
            (leaf.x, leaf.depth),
            (0, -1),
            ha="center",
            fontsize=9.5,
            va="center",
            zorder=4,
        )
    levels = {"entropy": (entropy_bits, ":"), "mean number of questions": (questions, "--")}
    for text, (level, line) in levels.items():
        ax.axhline(level, color=GREEN, lw=1.2, ls=line, zorder=0, label=f"{text}: {level:.3f}")
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
            ax.plot(x, [depth, depth, node["depth"]], color=ORANGE, lw=2.6, zorder=2)
            middle = ((parent["x"] + node["x"]) / 2, depth)
            look = {"color": ORANGE, "fontweight": "bold", "fontsize": 9, "ha": "center"}
            note(ax, word[-1], middle, (0, 3), **look)
        else:
            ax.plot(x, [depth, depth, node["depth"]], color="#B5B5B5", lw=1, zorder=1)


def blocks(table: pd.DataFrame) -> Figure:
    """Questions per symbol by block length, a panel per source, H to H + 1/n shaded."""
    labels = ("symbols in a block, n", "questions per symbol")
    fig, axes = marks.panels(list(table["source"].unique()), height=3.1, labels=labels)
    for ax, (_, rows) in zip(axes, table.groupby("source", sort=False), strict=True):
        h = rows["entropy_bits"].iloc[0]
        n = np.sort(rows["n"].unique())
        ax.fill_between(n, h, h + 1 / n, color=style.LIGHT, alpha=0.6, lw=0, label="H to H + 1/n")
        ax.axhline(h, color="0.3", lw=1)
        note(ax, f"H = {h:.3f} bits", (n[-1], h), (0, -10), ha="right", color="0.3")
        lines = rows.groupby("reading", sort=False)
        for colour, (reading, line) in zip(style.COLOURS, lines, strict=False):
            ax.plot(line["n"], line["questions"], "o-", color=colour, label=reading)
        low = min(h, rows["questions"].min())
        ax.set(ylim=(low - 0.12, h + 1.03), xticks=n)
    axes[0].legend()
    return fig


def film(images: np.ndarray, frames: pd.DataFrame, *, ncols: int = 6) -> Figure:
    """A game of questions: what the remaining images (frames, height, width) look like on average
    before each question."""
    titles = [
        f"{'found' if frame.left == 1 else f'{frame.left} left'}\n{frame.entropy_bits:.1f} bits"
        for frame in frames.itertuples()
    ]
    fig = marks.pictures(images, titles, ncols, height=1.85, cmap="gray_r", vmin=0, vmax=16)
    for ax, frame in zip(fig.axes, frames.itertuples(), strict=False):
        if np.isnan(frame.row):
            continue
        corner = (frame.column - 0.5, frame.row - 0.5)
        ax.add_patch(Rectangle(corner, 1, 1, fill=False, ec=ORANGE, lw=2))
        question = f"ink ≥ {frame.threshold:.0f}? {frame.answer}"
        look = {"ha": "center", "va": "top", "fontsize": 8.5, "color": ORANGE}
        ax.text(0.5, -0.04, question, transform=ax.transAxes, **look)
    return fig


def game_curves(summary: pd.DataFrame, entropy_bits: float) -> Figure:
    """Bits left after each question by player; the ideal as a line."""
    fig, ax = style.subplots(height=3.0)
    ideal = np.arange(0, np.ceil(entropy_bits) + 1)
    left = np.maximum(entropy_bits - ideal, 0)
    ax.plot(ideal, left, color=style.LIGHT, lw=6, zorder=0, label="one bit per question: the best")
    colours, lines = (BLUE, style.COLOURS[4], style.GREY), summary.groupby("player", sort=False)
    for colour, (player, rows) in zip(colours, lines, strict=True):
        rows = rows.assign(ci_low=rows["ci_low"].clip(0))
        marks.band(ax, rows, "asked", color=colour, label=player)
    ax.set(xlabel="questions asked", ylabel="entropy left [bits]")
    ax.set(xlim=(0, 4 * entropy_bits), ylim=(0, None))
    ax.legend()
    return fig


def wrong_codes(table: pd.DataFrame) -> Figure:
    """Wasted questions against the divergence of each belief."""
    fig, ax = style.subplots(height=3.4, width=5.4)
    top = 1.3 * max(table["kl_bits"].max(), table["ci_high"].max())
    ax.plot([0, top], [0, top], color=style.LIGHT, lw=5, zorder=0)
    note(ax, "wasted = KL", (top * 0.93, top * 0.93), (-6, 0), ha="right", color=style.GREY)
    look = {"fmt": "o", "color": ORANGE, "capsize": 3}
    ax.errorbar(table["kl_bits"], table["mean"], marks.whiskers(table), **look)
    for row in table.itertuples():
        note(ax, row.belief, (row.kl_bits, row.mean), (8, -3), ha="left", va="top")
    ax.set(xlabel="KL(p ‖ q) [bits per letter]", ylabel="wasted questions per letter, counted")
    ax.set(xlim=(-0.02 * top, top), ylim=(-0.06 * top, top))
    return fig


def _work_axis(ax: Axes, first: float) -> None:
    """Log axis of multiply-accumulates with a place of its own for 0, the random weights."""
    ax.set_xscale("symlog", linthresh=first, linscale=0.5)
    ax.set_xlim(-0.25 * first, None)
    ax.set_xticks([t for t in ax.get_xticks() if t == 0 or t >= first])
    ax.xaxis.set_minor_locator(NullLocator())
    look = {"ha": "center", "va": "center", "bbox": {"color": "white", "pad": 0.5}}
    ax.text(0.5 * first, 0, "//", transform=ax.get_xaxis_transform(), **look)
    ax.set_xlabel("multiply-accumulates spent on training (0: random weights)")


def training(curves: pd.DataFrame, n_classes: int) -> Figure:
    """Surprise and expected surprise against work, in the order of macs."""
    fig, ax = style.subplots(height=3.3)
    top = np.log2(n_classes)
    ax.axhline(top, color=style.GREY, ls=":", lw=1)
    measures = ("cross_entropy_bits", "predictive_entropy_bits")
    truth, expected = (curves[curves["measure"] == measure] for measure in measures)
    macs, names = (
        truth["macs"],
        ("at the truth\n(cross-entropy)", "it expects\n(predictive entropy)"),
    )
    for rows, colour, name in zip((truth, expected), (ORANGE, BLUE), names, strict=True):
        look = {"color": colour, "marker": "o", "ms": 3, "label": f"surprise {name}"}
        marks.band(ax, rows, "macs", **look)
    look = {"color": style.LIGHT, "alpha": 0.5, "lw": 0, "label": "miscalibration"}
    ax.fill_between(macs, truth["mean"], expected["mean"], **look)
    _work_axis(ax, macs[macs > 0].min())
    text = f"knows nothing: log₂ {n_classes} = {top:.2f} bits"
    note(ax, text, (macs.max(), top), (0, 3), ha="right", color=style.GREY)
    ax.set(ylabel="bits per test image", ylim=(0, top * 1.15))
    ax.legend(loc="lower left")
    return fig


def weights(curves: pd.DataFrame, values: pd.DataFrame) -> Figure:
    """Entropy of the weights' histogram under two rulers, and the weights before and after."""
    fig, (*left, last) = style.subplots(1, curves["ruler"].nunique() + 1, height=3.0)
    for ax, (ruler, mine) in zip(left, curves.groupby("ruler", sort=False), strict=True):
        for colour, (decay, rows) in zip(style.COLOURS, mine.groupby("decay"), strict=False):
            marks.band(ax, rows, "macs", color=colour, label=f"{decay:g}")
        ax.axhline(rows["mean"].iloc[0], color=style.GREY, ls=":", lw=1)
        _work_axis(ax, rows["macs"][rows["macs"] > 0].min())
        ax.set(xlabel="multiply-accumulates", title=ruler)
        ax.set_ylim(curves["ci_low"].min() - 0.2, curves["ci_high"].max() + 0.2)
    left[0].set_ylabel("entropy of the weights [bits]")
    left[0].legend(title="weight decay", title_fontsize=8.5)
    edge = values["weight"].abs().max()
    bins = np.linspace(-edge, edge, 81)
    for colour, moment in zip((style.GREY, ORANGE), ("random", "trained"), strict=True):
        rows = values[values["moment"] == moment]
        last.hist(rows["weight"], bins, histtype="step", color=colour, lw=1.4, label=moment)
    last.set(yscale="log", xlabel="weight", ylabel="weights in a bin")
    last.set(ylim=(0.7, last.get_ylim()[1] * 6), title="Weights of one network")
    last.legend(loc="upper center", ncols=2, columnspacing=1, handlelength=1.2)
    return fig
