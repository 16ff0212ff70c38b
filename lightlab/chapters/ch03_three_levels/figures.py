"""A task solved at three levels, and a network's layers as clouds of points."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps, patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from lightlab.show import marks, style, tables

BLUE, ORANGE, GREEN, _, _, SKY, _, DARK = style.COLOURS
HAND = style.method("hand")["color"]
# Ten classes need two colours more than the workbook's eight (both from Tol's muted set).
DIGITS = [*style.COLOURS, "#882255", "#999933"]
FINDERS = {"hand": HAND, "formula": GREEN, "machine": BLUE}
LINES = {"softmax": {"color": BLUE, "ls": "-"}, "one hidden layer": {"color": SKY, "ls": "-"}}
LINES |= {way: style.method(way, marker="") for way in ("hand", "grid", "random")}
POINTS = {"drawn": (HAND, "*"), "class means": (GREEN, "^"), "ridge": (GREEN, "D")}
TOP = 0.995  # intervals of few seeds may reach over 100 %; they are cut off here
TICKS = {"x": (0.2, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)}
TICKS["y"] = (0.2, 0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)


def weights(rows: Mapping[str, np.ndarray], notes: Mapping[str, str]) -> Figure:
    """Rows of pictures (10, h, w): images, then weights by who found them; `notes` at the right."""
    fig, axes = style.subplots(len(rows), 10, height=0.66 * len(rows))
    fig.get_layout_engine().set(hspace=0.02, h_pad=0.02)
    for number, (name, pictures) in enumerate(rows.items()):
        for ax, picture in zip(axes[number], pictures, strict=True):
            if number == 0:
                ax.imshow(picture, cmap="Greys")
            else:
                centred = picture - picture.mean()  # blue below, red above the mean
                top = np.abs(centred).max()
                ax.imshow(centred, cmap=style.DIVERGING, vmin=-top, vmax=top)
            marks.frame(ax)
        axes[number, 0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
        axes[number, -1].annotate(notes[name], (1.15, 0.5), xycoords="axes fraction", va="center")
    return fig


def descent(steps: pd.DataFrame) -> Figure:
    """Gap of step-by-step minimisation to the formula's minimum, a line per seed."""
    fig, ax = style.subplots(height=2.7, width=5.4)
    for _, run in steps[steps.gap > 0].groupby("seed"):
        ax.plot(run.step, run.gap, color=BLUE, alpha=0.6, lw=1.1)
    ax.axhline(1e-12, color=GREEN, lw=2)
    ax.text(1, 1.6e-12, "the formula: there in one solution", color=GREEN, va="bottom")
    words = "conjugate gradients,\none line per seed"
    ax.text(0.97, 0.93, words, transform=ax.transAxes, color=BLUE, ha="right", va="top")
    ax.set(yscale="log", xlim=(0, None), ylim=(4e-13, None), xlabel="steps downhill")
    ax.set_ylabel("squared loss above\nits minimum (relative)")
    return fig


def slices(trials: pd.DataFrame, factors: Mapping[str, str], shares: Mapping[str, float]) -> Figure:
    """Validation accuracy of every trial against each hyperparameter, by way of searching.

    `factors` maps columns to axis labels; `shares` gives each one's share of the grid's variance.
    """
    fig, axes = style.subplots(1, len(factors), height=2.9, sharey=True)
    sizes = {"random": 11, "grid": 15, "hand": 42}
    for ax, (column, label) in zip(axes, factors.items(), strict=True):
        for way, size in sizes.items():
            t, look = trials[trials.way == way], style.method(way, ls="", mew=0, alpha=0.65)
            ax.plot(t[column], t.val_accuracy, ms=size**0.5, **look)
        ax.set(xscale="log", xlabel=label, title=f"{shares[column]:.0%} of grid's variance")
        if trials[column].min() >= 1:
            style.only_ticks(ax.xaxis, [4, 8, 16, 32, 64])
    axes[0].set_ylabel("validation accuracy")
    axes[0].yaxis.set_major_formatter(lambda a, _: f"{a:.0%}")
    looks = {way: style.method(way, ls="", ms=size**0.5 + 2) for way, size in sizes.items()}
    marks.legend_above(fig, [marks.key(**look) for look in looks.values()])
    return fig


def networks(trials: pd.DataFrame) -> Figure:
    """Validation accuracy against MACs. Squares are random networks, one per seed; named stars
    were chosen by hand: mean over seeds.
    """
    fig, ax = style.subplots(height=3.8)
    random = trials[trials.way == "random"]
    hand = trials[trials.way == "hand"].groupby(["network", "macs_image"]).val_accuracy.mean()
    hand = hand.reset_index().sort_values("macs_image", ignore_index=True)
    for frame, marker, size, alpha in ((random, "s", 20, 0.5), (hand, "*", 130, 1.0)):
        colours = np.where(frame.network.str.contains("conv"), BLUE, ORANGE)
        look = {"marker": marker, "alpha": alpha, "lw": 0}
        ax.scatter(frame.macs_image, frame.val_accuracy, size, colours, **look)
    kinds = {"convolutions": (BLUE, "o", 6), "dense only": (ORANGE, "o", 6)}
    kinds |= {"by hand": (DARK, "*", 9), "random": (DARK, "s", 6)}
    looks = [(name, c, {"marker": m, "ms": s, "ls": ""}) for name, (c, m, s) in kinds.items()]
    marks.legend_above(fig, [marks.key(name, colour, **look) for name, colour, look in looks])
    ax.set(xscale="log", xlabel="multiply-accumulates for one image (log)")
    ax.margins(x=0.08)
    _accuracy_axis(ax, "y", max(0.05, trials.val_accuracy.min() - 0.15), trials.val_accuracy.max())
    for with_conv, family in hand.groupby(hand.network.str.contains("conv")):
        _name_stars(ax, family, above=with_conv)
    ax.set_ylabel("validation accuracy (even steps of log error)")
    return fig


def _name_stars(ax: Axes, stars: pd.DataFrame, above: bool) -> None:
    """Names of networks in a row at the top or bottom of the axes, a thin line to each star."""
    x = ax.transLimits.transform(np.c_[np.log10(stars.macs_image), np.ones(len(stars))])[:, 0]
    for i in range(1, len(x)):
        x[i] = max(x[i], x[i - 1] + 0.13)
    x -= max(0, x[-1] - 0.93)
    y, va = (0.98, "top") if above else (0.03, "bottom")
    look = {"textcoords": "axes fraction", "ha": "center", "fontsize": 8, "linespacing": 0.95}
    look["arrowprops"] = {"arrowstyle": "-", "color": style.GREY, "lw": 0.7, "shrinkB": 6}
    for at, t in zip(x, stars.itertuples(), strict=True):
        words = t.network.replace(" ", "\n")
        ax.annotate(words, (t.macs_image, t.val_accuracy), (at, y), va=va, **look)


def three_levels(curves: pd.DataFrame, ends: pd.DataFrame, titles: Sequence[str]) -> Figure:
    """Validation accuracy against evaluations, one panel a level, on one accuracy axis, and `ends`,
    the test accuracy of what was chosen.
    """
    fig, axes = style.subplots(1, 3, height=4.0, sharey=True, width_ratios=[1.15, 1, 1])
    labels = ("passes over the training images", "networks trained", "networks trained")
    for level, ax in enumerate(axes, start=1):
        lines = curves[curves.level == level]
        for way, line in lines.groupby("way", sort=False):
            ends_of = line[["ci_low", "ci_high"]].clip(0, TOP)
            marks.band(ax, line.assign(**ends_of), "x", **LINES[way])
        handles = _ends(ax, ends[ends.level == level], lines.x.max())
        ax.legend(handles=handles, loc="lower right", handlelength=2.2, labelspacing=0.35)
        ax.set(title=titles[level - 1], xlabel=labels[level - 1])
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    highest = max(curves.ci_high.max(), ends.ci_high.max())
    _accuracy_axis(axes[0], "y", ends["mean"].min() - 0.2, highest)
    axes[0].set_ylabel("accuracy (even steps of log error)")
    return fig


def _ends(ax: Axes, ends: pd.DataFrame, last: float) -> list[Line2D]:
    """Test accuracies, formulas where they stand, searches beyond their lines; the legend's handles
    come back, best first."""
    slot, handles = last * 1.08, []
    ax.axvspan(last * 1.03, last * 1.29, color=style.LIGHT, alpha=0.45, lw=0)
    ax.text(last * 1.16, 0.985, "test", transform=ax.get_xaxis_transform(), ha="center", va="top")
    ax.set_xlim(None, last * 1.29)
    for _, end in ends.sort_values("mean", ascending=False).iterrows():
        if end.way in POINTS:
            (colour, marker), x = POINTS[end.way], end.x
            look = {"color": colour, "marker": marker, "ms": 8, "ls": ""}
        else:
            look, x = LINES[end.way] | {"marker": "o", "ms": 5}, slot
            slot += last * 0.07
        low, high = max(end["mean"] - end.ci_low, 0), min(end.ci_high, TOP) - end["mean"]
        ax.errorbar(x, end["mean"], [[low], [max(high, 0)]], **look | {"ls": "", "label": None})
        handles.append(marks.key(**look | {"label": end.way}))
    return handles


def accuracy_and_cost(rows: pd.DataFrame, titles: Sequence[str]) -> Figure:
    """Test accuracy and training cost of every way, side by side, coloured by who found it;
    `titles` names the levels.
    """
    height = 0.36 * len(rows) + 1.8
    fig, axes = style.subplots(1, 2, height=height, sharey=True, width_ratios=[1.5, 1])
    left, right = axes
    rows = rows.reset_index(drop=True)
    y = rows.level * 1.2 + np.arange(len(rows))
    for at, row in zip(y, rows.itertuples(), strict=True):
        colour, macs = FINDERS[row.finder], max(row.macs, 1)
        high = min(row.ci_high, TOP) if row.ci_high > row.mean else row.mean
        left.plot([max(row.ci_low, 0), high], [at, at], color=colour, lw=2.2)
        left.plot(row.mean, at, "o", color=colour, ms=6.5)
        marks.note(left, f"{row.mean:.1%}", (row.mean, at), (0, 6), ha="center", color=colour)
        right.plot([1, macs], [at, at], color=colour, lw=1.2, alpha=0.5)
        right.plot(macs, at, "o", color=colour, ms=6.5, clip_on=False)
        words = tables.short(row.macs)
        marks.note(right, words, (macs, at), (7, 0), va="center", color=colour)
    look = {"transform": left.get_yaxis_transform(), "fontsize": 8.5, "va": "center"}
    for level, at in y.groupby(rows.level):
        for ax in axes:
            ax.axhline(at.min() - 1.2, color=style.LIGHT, lw=0.8)
        left.text(0.01, at.min() - 0.9, titles[level - 1], weight="bold", **look)
    left.set_yticks(y, rows.way)
    left.set_ylim(y.max() + 0.6, y.min() - 1.3)
    for ax in axes:
        ax.grid(axis="y", visible=False)
    _accuracy_axis(left, "x", rows["mean"].min() - 0.2, rows.ci_high.max())
    left.set(title="How good", xlabel="test accuracy (even steps of log error)")
    right.set(xscale="log", xlim=(1, rows.macs.max() * 300), title="What it cost")
    right.set_xlabel("multiply-accumulates to find it (log)")
    handles = [marks.key(name, colour, marker="o", lw=2) for name, colour in FINDERS.items()]
    marks.legend_above(fig, handles, title="who found it")
    return fig


def clouds(points: pd.DataFrame, epochs: Sequence[int] | None = None) -> Figure:
    """Rows are epochs, columns layers, axes equal within a column.

    `epochs` picks rows (None: all); axes fit all of them.
    """
    layers = points.layer.unique()
    epochs = points.epoch.unique() if epochs is None else epochs
    height = style.WIDTH_IN / len(layers) * len(epochs) + 0.55
    fig, axes = style.subplots(len(epochs), len(layers), height=height, squeeze=False)
    for column, layer in zip(axes.T, layers, strict=True):
        column[0].set_title(layer, loc="center")
        there = points[points.layer == layer]
        half = max(np.ptp(there.x), np.ptp(there.y)) / 2 * 1.06
        x, y = ((there[a].min() + there[a].max()) / 2 for a in ("x", "y"))
        for ax, epoch in zip(column, epochs, strict=True):
            cloud = there[there.epoch == epoch]
            colours = [DIGITS[d] for d in cloud.digit]
            ax.scatter(cloud.x, cloud.y, s=3.5, c=colours, lw=0, alpha=0.75, rasterized=True)
            marks.frame(ax)
            ax.set(xlim=(x - half, x + half), ylim=(y - half, y + half))
        _name_clusters(column[-1], cloud)
    for ax, epoch in zip(axes[:, 0], epochs, strict=True):
        ax.set_ylabel("before training" if epoch == 0 else f"epoch {epoch}")
    return fig


def _name_clusters(ax: Axes, cloud: pd.DataFrame) -> None:
    """Each digit written where most of its points are, or beside another that stands there."""
    centres = cloud.groupby("digit")[["x", "y"]].median()
    places = centres.to_numpy(copy=True)
    gap = 0.085 * np.ptp(ax.get_xlim())
    for _ in range(50):  # as long as some push one another away; then it has to do
        away = places[:, None] - places[None]
        distance = np.linalg.norm(away, axis=2) + np.eye(len(places)) * gap
        push = np.clip(gap - distance, 0, None) / np.maximum(distance, 1e-9)
        places += (away * push[:, :, None]).sum(axis=1) / 2
    look = {"fontsize": 10, "weight": "bold", "ha": "center", "va": "center"}
    for digit, (x, y) in zip(centres.index, places, strict=True):
        text = ax.text(x, y, str(digit), color=DIGITS[digit], **look)
        text.set_path_effects([patheffects.withStroke(linewidth=2, foreground="white")])


def separation(by_layer: pd.DataFrame) -> Figure:
    """Probe accuracy, separation and fuzziness from input to output, one line per epoch."""
    quantities = {
        "probe": ("Linear probe", "test accuracy"),
        "separation": ("Fisher's criterion", "variance between / within classes"),
        "fuzziness": ("Fuzziness", "D on training images"),
    }
    fig, axes = style.subplots(1, 3, height=3.3)
    epochs = sorted(by_layer.epoch.unique())
    shades = colormaps[style.SEQUENTIAL](np.linspace(0.9, 0, len(epochs)))
    layers = by_layer.drop_duplicates("depth").sort_values("depth")
    for ax, (quantity, (title, label)) in zip(axes, quantities.items(), strict=True):
        lines = by_layer[by_layer.quantity == quantity]
        for (epoch, line), shade in zip(lines.groupby("epoch"), shades, strict=True):
            name = "before training" if epoch == 0 else f"epoch {epoch}"
            marks.band(ax, line, "depth", marker="o", color=shade, label=name)
        if quantity != "probe":
            ax.set_yscale("log")
            ax.set_ylim(lines["mean"].min() / 1.6, lines["mean"].max() * 1.6)
            style.decades(ax.yaxis, (1, 3))
        ax.set_xticks(layers.depth, layers.layer.str.removeprefix("layer "), fontsize=8)
        ax.set(title=title, ylabel=label)
    axes[1].set_xlabel("from input through the hidden layers to the output")
    axes[0].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    marks.legend_above(fig, axes[0])
    return fig


def _accuracy_axis(ax: Axes, which: str, low: float, high: float) -> None:
    """Accuracy with room for what matters: even steps of the logarithm of the error."""
    high = min(TOP, 1 - (1 - high) / 1.25)
    there_and_back = (
        lambda a: -np.log10(1 - np.clip(a, -1, 0.9999)),
        lambda e: 1 - 10.0 ** -np.asarray(e),
    )
    getattr(ax, f"set_{which}scale")("function", functions=there_and_back)
    getattr(ax, f"set_{which}lim")(low, high)
    ticks = [t for t in TICKS[which] if low <= t <= high]
    getattr(ax, f"set_{which}ticks")(ticks, [f"{t:.0%}" for t in ticks])
