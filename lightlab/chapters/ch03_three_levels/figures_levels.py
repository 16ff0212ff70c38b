"""Figures of a task solved at three levels: parameters, hyperparameters, architecture."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from lightlab.show import numbers, style

_HAND = style.COLOURS[6]
FINDERS = {"hand": _HAND, "formula": style.COLOURS[2], "machine": style.COLOURS[0]}
_LINES = {
    "softmax": {"color": style.COLOURS[0], "linestyle": "-"},
    "one hidden layer": {"color": style.COLOURS[5], "linestyle": "-"},
    "hand": {"color": _HAND, "linestyle": "-"},
    "grid": {"color": style.COLOURS[4], "linestyle": ":"},
    "random": {"color": style.GREY, "linestyle": "--"},
}
_POINTS = {
    "drawn": (_HAND, "*"),
    "class means": (style.COLOURS[2], "^"),
    "ridge": (style.COLOURS[2], "D"),
}
_TOP = 0.995  # intervals of few seeds may reach over 100 %; they are cut off here
_TICKS = {
    "x": [0.2, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99],
    "y": [0.2, 0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99],
}


def weights(rows: Mapping[str, np.ndarray], notes: Mapping[str, str]) -> Figure:
    """One row of ten pictures (10, h, w) per way to find weights; `notes` stand at the right.

    The first row shows images, from white to black; the others weights, blue below and red above
    the picture's mean.
    """
    fig, axes = style.subplots(len(rows), 10, height=0.66 * len(rows))
    fig.get_layout_engine().set(hspace=0.02, h_pad=0.02)
    for number, (name, pictures) in enumerate(rows.items()):
        for ax, picture in zip(axes[number], pictures, strict=True):
            if number == 0:
                ax.imshow(picture, cmap="Greys")
            else:
                centred = picture - picture.mean()
                top = np.abs(centred).max()
                ax.imshow(centred, cmap=style.DIVERGING, vmin=-top, vmax=top)
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
            ax.spines[:].set(visible=True, color=style.LIGHT)
        axes[number, 0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
        axes[number, -1].annotate(
            notes.get(name, ""), (1.15, 0.5), xycoords="axes fraction", va="center"
        )
    return fig


def descent(steps: pd.DataFrame) -> Figure:
    """Gap of step-by-step minimisation to the formula's minimum; columns step, gap, seed."""
    fig, ax = style.subplots(height=2.7, width=5.4)
    for _, run in steps[steps.gap > 0].groupby("seed"):
        ax.plot(run.step, run.gap, color=style.COLOURS[0], alpha=0.6, lw=1.1)
    ax.axhline(1e-12, color=FINDERS["formula"], lw=2)
    ax.text(1, 1.6e-12, "the formula: there in one solution", color=FINDERS["formula"], va="bottom")
    ax.text(
        0.97,
        0.93,
        "conjugate gradients,\none line per seed",
        transform=ax.transAxes,
        color=style.COLOURS[0],
        ha="right",
        va="top",
    )
    ax.set_yscale("log")
    ax.set_ylim(4e-13, None)
    ax.set_xlim(0, None)
    ax.set_xlabel("steps downhill")
    ax.set_ylabel("squared loss above\nits minimum (relative)")
    return fig


def slices(trials: pd.DataFrame, factors: Mapping[str, str], shares: Mapping[str, float]) -> Figure:
    """Validation accuracy of every trial against each hyperparameter, by way of searching.

    `factors` maps columns to axis labels; `shares` gives each one's share of the grid's variance.
    """
    fig, axes = style.subplots(1, len(factors), height=2.9, sharey=True)
    looks = {"random": (style.GREY, "s", 11), "grid": (style.COLOURS[4], "D", 15)}
    looks["hand"] = (_HAND, "*", 42)
    for ax, (column, label) in zip(axes, factors.items(), strict=True):
        for method, (colour, marker, size) in looks.items():
            t = trials[trials.way == method]
            ax.scatter(t[column], t.val_accuracy, s=size, c=colour, marker=marker, alpha=0.65, lw=0)
        ax.set_xscale("log")
        if trials[column].min() >= 1:
            ax.set_xticks([4, 8, 16, 32, 64], ["4", "8", "16", "32", "64"])
            ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xlabel(label)
        ax.set_title(f"{shares[column]:.0%} of grid's variance")
    axes[0].set_ylabel("validation accuracy")
    axes[0].yaxis.set_major_formatter(lambda a, _: f"{a:.0%}")
    handles = [
        Line2D([], [], color=c, marker=m, ls="", ms=s**0.5 + 2, label=name)
        for name, (c, m, s) in looks.items()
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=3)
    return fig


def networks(trials: pd.DataFrame) -> Figure:
    """Validation accuracy against MACs per image; columns way, network, macs_image, seed.

    Blue networks have convolutions, orange ones none. Squares are random, one per seed; stars were
    chosen by hand: mean over seeds, named.
    """
    fig, ax = style.subplots(height=3.8)
    random = trials[trials.way == "random"]
    hand = trials[trials.way == "hand"].groupby(["network", "macs_image"]).val_accuracy.mean()
    hand = hand.reset_index().sort_values("macs_image", ignore_index=True)
    for frame, marker, size in ((random, "s", 20), (hand, "*", 130)):
        colours = np.where(frame.network.str.contains("conv"), style.COLOURS[0], style.COLOURS[1])
        look = {"marker": marker, "alpha": 0.5 if marker == "s" else 1.0, "lw": 0}
        ax.scatter(frame.macs_image, frame.val_accuracy, size, colours, **look)
    marks = (("convolutions", style.COLOURS[0], "o"), ("dense only", style.COLOURS[1], "o"))
    marks += (("by hand", style.COLOURS[7], "*"), ("random", style.COLOURS[7], "s"))
    handles = [
        Line2D([], [], color=c, marker=m, ls="", ms=9 if m == "*" else 6, label=n)
        for n, c, m in marks
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=4)
    ax.set_xscale("log")
    ax.margins(x=0.08)
    _accuracy_axis(ax, "y", max(0.05, trials.val_accuracy.min() - 0.15), trials.val_accuracy.max())
    for with_conv, family in hand.groupby(hand.network.str.contains("conv")):
        _name_stars(ax, family, above=with_conv)
    ax.set_xlabel("multiply-accumulates for one image (log)")
    ax.set_ylabel("validation accuracy (even steps of log error)")
    return fig


def _name_stars(ax: Axes, stars: pd.DataFrame, above: bool) -> None:
    """Names of networks in a row at the top or bottom of the axes, a thin line to each star."""
    x = ax.transLimits.transform(np.c_[np.log10(stars.macs_image), np.ones(len(stars))])[:, 0]
    for i in range(1, len(x)):
        x[i] = max(x[i], x[i - 1] + 0.13)
    x -= max(0, x[-1] - 0.93)
    for at, t in zip(x, stars.itertuples(), strict=True):
        ax.annotate(
            t.network.replace(" ", "\n"),
            (t.macs_image, t.val_accuracy),
            (at, 0.98 if above else 0.03),
            textcoords="axes fraction",
            ha="center",
            va="top" if above else "bottom",
            fontsize=8,
            linespacing=0.95,
            arrowprops={"arrowstyle": "-", "color": style.GREY, "lw": 0.7, "shrinkB": 6},
        )


def three_levels(curves: pd.DataFrame, ends: pd.DataFrame, titles: Sequence[str]) -> Figure:
    """Accuracy against evaluations, one panel a level, on one accuracy axis.

    `curves`: level (1..3), way, x, mean, ci_low, ci_high of the validation accuracy;
    `ends`: level, way, x and the same for the test accuracy of what was chosen.
    """
    fig, axes = style.subplots(1, 3, height=4.0, sharey=True, width_ratios=[1.15, 1, 1])
    labels = ("passes over the training images", "networks trained", "networks trained")
    for level, ax in enumerate(axes, start=1):
        lines = curves[curves.level == level]
        for way, line in lines.groupby("way", sort=False):
            look = _LINES[way]
            ax.plot(line.x, line["mean"], **look)
            low, high = line.ci_low.clip(0, _TOP), line.ci_high.clip(0, _TOP)
            ax.fill_between(line.x, low, high, color=look["color"], alpha=0.13, lw=0)
        handles = _ends(ax, ends[ends.level == level], lines.x.max())
        ax.legend(handles=handles, loc="lower right", handlelength=2.2, labelspacing=0.35)
        ax.set_title(titles[level - 1])
        ax.set_xlabel(labels[level - 1])
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    _accuracy_axis(
        axes[0], "y", ends["mean"].min() - 0.2, max(curves.ci_high.max(), ends.ci_high.max())
    )
    axes[0].set_ylabel("accuracy (even steps of log error)")
    return fig


def _ends(ax: Axes, ends: pd.DataFrame, last: float) -> list[Line2D]:
    """Test accuracies with intervals: formulas where they stand, searches beyond their lines.

    Returns the legend's handles, best first.
    """
    slot, handles = last * 1.08, []
    ax.axvspan(last * 1.03, last * 1.29, color=style.LIGHT, alpha=0.45, lw=0)
    ax.text(last * 1.16, 0.985, "test", transform=ax.get_xaxis_transform(), ha="center", va="top")
    ax.set_xlim(None, last * 1.29)
    for _, end in ends.sort_values("mean", ascending=False).iterrows():
        if end.way in _POINTS:
            colour, marker = _POINTS[end.way]
            x, look = end.x, {"color": colour, "linestyle": ""}
        else:
            marker, look = "o", _LINES[end.way]
            x, slot = slot, slot + last * 0.07
        low, high = max(end["mean"] - end.ci_low, 0), min(end.ci_high, _TOP) - end["mean"]
        size = 8 if marker != "o" else 5
        ax.errorbar(
            x, end["mean"], [[low], [max(high, 0)]], fmt=marker, ms=size, color=look["color"]
        )
        handles.append(Line2D([], [], marker=marker, ms=size, label=end.way, **look))
    return handles


def _accuracy_axis(ax: Axes, which: str, low: float, high: float) -> None:
    """Accuracy with room for what matters: even steps of the logarithm of the error."""
    high = min(_TOP, 1 - (1 - high) / 1.25)
    getattr(ax, f"set_{which}scale")(
        "function",
        functions=(
            lambda a: -np.log10(1 - np.clip(a, -1, 0.9999)),
            lambda e: 1 - 10.0 ** -np.asarray(e),
        ),
    )
    getattr(ax, f"set_{which}lim")(low, high)
    ticks = [t for t in _TICKS[which] if low <= t <= high]
    getattr(ax, f"set_{which}ticks")(ticks, [f"{t:.0%}" for t in ticks])


def accuracy_and_cost(rows: pd.DataFrame, titles: Sequence[str]) -> Figure:
    """Test accuracy and training cost of every way, side by side, coloured by who found it.

    Columns: level, way, finder, mean, ci_low, ci_high, macs; `titles` names the levels.
    """
    fig, (left, right) = style.subplots(
        1, 2, height=0.36 * len(rows) + 1.8, sharey=True, width_ratios=[1.5, 1]
    )
    rows = rows.reset_index(drop=True)
    y = rows.level * 1.2 + np.arange(len(rows))
    for at, (_, row) in zip(y, rows.iterrows(), strict=True):
        _accuracy_mark(left, at, row)
        _cost_mark(right, at, row)
    for level, at in y.groupby(rows.level):
        for ax in (left, right):
            ax.axhline(at.min() - 1.2, color=style.LIGHT, lw=0.8)
        left.text(
            0.01,
            at.min() - 0.9,
            titles[level - 1],
            transform=left.get_yaxis_transform(),
            weight="bold",
            fontsize=8.5,
            va="center",
        )
    left.set_yticks(y, rows.way)
    left.set_ylim(y.max() + 0.6, y.min() - 1.3)
    left.grid(axis="y", visible=False)
    right.grid(axis="y", visible=False)
    _accuracy_axis(left, "x", rows["mean"].min() - 0.2, rows.ci_high.max())
    left.set_xlabel("test accuracy (even steps of log error)")
    left.set_title("How good")
    right.set_xscale("log")
    right.set_xlim(1, rows.macs.max() * 300)
    right.set_xlabel("multiply-accumulates to find it (log)")
    right.set_title("What it cost")
    handles = [Line2D([], [], color=c, marker="o", lw=2, label=n) for n, c in FINDERS.items()]
    fig.legend(handles=handles, loc="outside upper center", ncols=3, title="who found it")
    return fig


def _accuracy_mark(ax: Axes, at: float, row: pd.Series) -> None:
    """Mean with its interval, as far as the axis goes, and its value above."""
    mean, colour = row["mean"], FINDERS[row.finder]
    high = min(row.ci_high, _TOP) if row.ci_high > mean else mean
    ax.plot([max(row.ci_low, 0), high], [at, at], color=colour, lw=2.2)
    ax.plot(mean, at, "o", color=colour, ms=6.5)
    look = {"textcoords": "offset points", "fontsize": 8, "color": colour}
    ax.annotate(f"{mean:.1%}", (mean, at), (0, 6), ha="center", **look)


def _cost_mark(ax: Axes, at: float, row: pd.Series) -> None:
    """A line as long as the cost, with its number at the end."""
    macs, colour = max(row.macs, 1), FINDERS[row.finder]
    ax.plot([1, macs], [at, at], color=colour, lw=1.2, alpha=0.5)
    ax.plot(macs, at, "o", color=colour, ms=6.5, clip_on=False)
    look = {"textcoords": "offset points", "fontsize": 8, "color": colour}
    ax.annotate(numbers.short(row.macs), (macs, at), (7, 0), va="center", **look)
