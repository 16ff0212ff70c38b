"""Figures of disorder and work, in rooms of particles and in networks."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from lightlab.show import style


def rooms(table: pd.DataFrame, *, ncols: int = 6, floor: float = 1e-4) -> Figure:
    """Rooms side by side: columns room (its title), x, y, share (of the particles, in a cell).

    White cells are empty; shares below `floor` have the lightest colour.
    """
    titles = list(dict.fromkeys(table["room"]))
    nrows = -(-len(titles) // ncols)
    size = min(1.8, (style.WIDTH_IN - 1) / ncols)
    fig, axes = style.subplots(
        nrows, ncols, height=(size + 0.42) * nrows, width=size * ncols + 1, squeeze=False
    )
    for ax in axes.flat[len(titles) :]:
        ax.remove()
    for ax, title in zip(axes.flat, titles, strict=False):
        room = table[table["room"] == title].pivot(index="y", columns="x", values="share")
        shares = np.ma.masked_less_equal(room.to_numpy(), 0)
        image = ax.imshow(shares, norm=LogNorm(floor, 1), cmap=style.SEQUENTIAL + "_r")
        ax.set_title(title, fontsize=8.5, fontweight="normal")
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        for spine in ax.spines.values():
            spine.set(visible=True, color=style.GREY)
    bar = fig.colorbar(image, ax=list(axes.flat[: len(titles)]), aspect=14, pad=0.01, extend="min")
    bar.set_label("share of particles")
    bar.ax.grid(False)
    return fig


def growth(curve: pd.DataFrame, gaps: pd.DataFrame, n_cells: int) -> Figure:
    """Entropy over time beside Boltzmann's count, and how the two become one.

    `curve`: step, entropy_bits, arrangements_bits, exact_bits. `gaps`: particles, gap_bits,
    stirling_bits, bound_bits.
    """
    fig, (left, right) = style.subplots(1, 2, height=3.1)
    top = np.log2(n_cells)
    left.axhline(top, color=style.GREY, ls=":", lw=1)
    _note(left, f"evenly filled: log₂ {n_cells} = {top:.3g} bits", curve["step"].max(), top, (0, 6))
    steps = curve["step"]
    left.plot(steps, curve["exact_bits"], color=style.LIGHT, lw=5, label="H, infinitely many")
    left.plot(steps, curve["entropy_bits"], label="H of this room")
    left.plot(steps, curve["arrangements_bits"], "--", label="(log₂ W) / N of this room")
    left.set(xlabel="step", ylabel="bits per particle", ylim=(0, top * 1.15))
    left.set_title("Disorder comes by itself")
    left.legend(loc="lower right")
    n = gaps["particles"]
    right.loglog(n, gaps["bound_bits"], color=style.GREY, ls=":", label="bound: never above")
    right.loglog(n, gaps["stirling_bits"], color=style.LIGHT, lw=5, label="predicted (Stirling)")
    right.loglog(n, gaps["gap_bits"], "o", color=style.COLOURS[1], label="counted")
    right.set(xlabel="particles N", ylabel="H − (log₂ W) / N  [bits]")
    right.set_title("The gap between the two closes")
    right.legend(loc="lower left")
    return fig


def _note(
    ax: Axes, text: str, x: float, y: float, shift: tuple[float, float], colour: str = style.GREY
) -> None:
    """Small text that ends at (x, y), moved by `shift` points."""
    ax.annotate(
        text, (x, y), shift, textcoords="offset points", ha="right", fontsize=8, color=colour
    )


def tidying(curves: pd.DataFrame) -> Figure:
    """Entropy against work, a line per order of work: columns order, moves, entropy_bits."""
    fig, ax = style.subplots(height=2.8, width=5.2)
    for colour, (order, rows) in zip(
        style.COLOURS, curves.groupby("order", sort=False), strict=False
    ):
        ax.plot(rows["moves"], rows["entropy_bits"], color=colour, label=order)
    ax.set(xlabel="moves per particle", ylabel="entropy [bits per particle]")
    ax.set(xlim=(0, None), ylim=(0, None))
    ax.legend()
    return fig


def work_against_diffusion(
    runs: pd.DataFrame, held: pd.DataFrame, measured: pd.DataFrame
) -> Figure:
    """Left: entropy over time by work rate and start. Right: the level at which it stays.

    `runs`: work_rate, start (tidy, strewn), step, entropy_bits. `held` (exact): side, work_rate,
    entropy_bits. `measured`: work_rate, mean, ci_low, ci_high.
    """
    fig, (left, right) = style.subplots(1, 2, height=3.2, sharey=True)
    rates = sorted(runs["work_rate"].unique())
    colours = dict(zip(rates, style.COLOURS, strict=False))
    for rate, colour in colours.items():
        for start, line in (("tidy", "-"), ("strewn", "--")):
            rows = runs[(runs["work_rate"] == rate) & (runs["start"] == start)]
            left.plot(rows["step"], rows["entropy_bits"], line, color=colour, lw=1.3)
        level = rows["entropy_bits"].iloc[-len(rows) // 4 :].max()
        _note(left, f"work {rate:g}", rows["step"].max(), level, (0, 4), colour)
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
        right.annotate(
            f"{side} × {side} cells",
            (rows["work_rate"].iloc[0], rows["entropy_bits"].iloc[0]),
            (2, 4),
            textcoords="offset points",
            fontsize=8,
            color="0.3",
        )
    for row in measured.itertuples():
        error = [[row.mean - row.ci_low], [row.ci_high - row.mean]]
        look = {"fmt": "o", "capsize": 2.5, "zorder": 3, "color": colours[row.work_rate]}
        right.errorbar(row.work_rate, row.mean, error, **look)
    right.set(xlabel="work rate [chance to be carried, per step]")
    right.set(ylim=(0, 1.08 * held["entropy_bits"].max()))
    right.set_title("More work, more order")
    right.legend(loc="lower left")
    return fig


def _band(ax: Axes, x: Any, summary: pd.DataFrame, colour: str, **look: Any) -> None:
    """A line of means with its interval as a band."""
    ax.plot(x, summary["mean"], color=colour, **look)
    ax.fill_between(x, summary["ci_low"], summary["ci_high"], color=colour, alpha=0.2, lw=0)


def _work_axis(ax: Axes, first: float) -> None:
    """Log axis of multiply-accumulates with a place of its own for 0, the random weights."""
    ax.set_xscale("symlog", linthresh=first, linscale=0.5)
    ax.set_xlim(-0.25 * first, None)
    ax.set_xticks([t for t in ax.get_xticks() if t == 0 or t >= first])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.text(
        0.5 * first,
        0,
        "//",
        transform=ax.get_xaxis_transform(),
        ha="center",
        va="center",
        bbox={"color": "white", "pad": 0.5},
    )
    ax.set_xlabel("multiply-accumulates spent on training (0: random weights)")


def training(curves: pd.DataFrame, n_classes: int) -> Figure:
    """Surprise and expected surprise against work: measure, macs, mean, ci_low, ci_high.

    `measure` is cross_entropy_bits or predictive_entropy_bits.
    """
    fig, ax = style.subplots(height=3.3)
    top = np.log2(n_classes)
    ax.axhline(top, color=style.GREY, ls=":", lw=1)
    names = {
        "cross_entropy_bits": ("surprise at the truth\n(cross-entropy)", style.COLOURS[1]),
        "predictive_entropy_bits": ("surprise it expects\n(predictive entropy)", style.COLOURS[0]),
    }
    lines = {}
    for measure, (name, colour) in names.items():
        rows = lines[measure] = curves[curves["measure"] == measure].sort_values("macs")
        _band(ax, rows["macs"], rows, colour, marker="o", label=name, ms=3)
    low, high = (lines[m]["mean"].to_numpy() for m in names)
    macs = lines["cross_entropy_bits"]["macs"].to_numpy()
    ax.fill_between(macs, low, high, color=style.LIGHT, alpha=0.5, lw=0, label="miscalibration")
    _work_axis(ax, macs[macs > 0].min())
    text = f"knows nothing: log₂ {n_classes} = {top:.2f} bits"
    _note(ax, text, macs.max(), top, (0, 3))
    ax.set(ylabel="bits per test image", ylim=(0, top * 1.15))
    ax.legend(loc="lower left")
    return fig


def weights(curves: pd.DataFrame, values: pd.DataFrame) -> Figure:
    """Entropy of the weights' histogram under two rulers, and the weights before and after.

    `curves`: ruler, decay, macs, mean, ci_low, ci_high. `values`: moment (random, trained), weight.
    """
    rulers = list(dict.fromkeys(curves["ruler"]))
    fig, axes = style.subplots(1, len(rulers) + 1, height=3.0)
    for ax, ruler in zip(axes, rulers, strict=False):
        for colour, (decay, rows) in zip(
            style.COLOURS, curves[curves["ruler"] == ruler].groupby("decay"), strict=False
        ):
            rows = rows.sort_values("macs")
            _band(ax, rows["macs"], rows, colour, label=f"{decay:g}")
        ax.axhline(rows["mean"].iloc[0], color=style.GREY, ls=":", lw=1)
        _work_axis(ax, rows["macs"][rows["macs"] > 0].min())
        ax.set_xlabel("multiply-accumulates")
        ax.set_title(ruler)
    low, high = curves["ci_low"].min(), curves["ci_high"].max()
    for ax in axes[:-1]:
        ax.set_ylim(low - 0.2, high + 0.2)
    axes[0].set_ylabel("entropy of the weights [bits]")
    axes[0].legend(title="weight decay", title_fontsize=8.5)
    edge = values["weight"].abs().max()
    bins = np.linspace(-edge, edge, 81)
    for colour, moment in zip((style.GREY, style.COLOURS[1]), ("random", "trained"), strict=True):
        rows = values[values["moment"] == moment]
        axes[-1].hist(rows["weight"], bins, histtype="step", color=colour, lw=1.4, label=moment)
    axes[-1].set(yscale="log", xlabel="weight", ylabel="weights in a bin")
    axes[-1].set_ylim(0.7, axes[-1].get_ylim()[1] * 6)
    axes[-1].set_title("Weights of one network")
    axes[-1].legend(loc="upper center", ncols=2, columnspacing=1, handlelength=1.2)
    return fig
