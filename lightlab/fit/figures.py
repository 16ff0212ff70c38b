"""Pictures of a model that was found for somebody's images: the choice, the answers, the time.

Data frames in, figures out; accuracies in per cent.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lightlab.show import marks, style
from lightlab.show.marks import networks  # noqa: F401  one of its figures

_MOST_NAMES = 30  # classes, beyond which neither names nor numbers can be read
_MOST_ROWS = 20  # classes, of which each has a line
_MARKS = ["o", "s", "^", "D", "v", "P", "X"]


def tried(table: pd.DataFrame, models: pd.DataFrame, target: float, xlabel: str) -> Figure:
    """Validation accuracy against cost of all that was tried (small marks), of the finalists
    (`models`), and the target.
    """
    fig, ax = style.subplots(height=3.6)
    stages = list(dict.fromkeys(table["stage"]))
    for i, stage in enumerate(stages):
        part = table[table["stage"] == stage]
        look = {"color": style.GREY if i == 0 else style.COLOURS[0], "ls": "", "ms": 4}
        ax.plot(part["cost"], part["accuracy"], _MARKS[i], mfc="white", label=stage, **look)
    for i, row in enumerate(models.itertuples()):
        look = {"color": style.COLOURS[min(i, 2)], "ls": "", "ms": 9}
        label = f"{row.model}{' (delivered)' if row.delivered else ''}"
        ax.plot(row.cost, row.accuracy, "*" if row.delivered else "P", label=label, **look)
    ax.axvline(target, color="black", ls="--", lw=1)
    marks.note(ax, "target", (target, 1), (3, -3), va="top", xycoords=("data", "axes fraction"))
    ax.set(xscale="log", xlabel=f"{xlabel} (log)", ylabel="accuracy on validation images, %")
    costs = pd.concat([table["cost"], models["cost"], pd.Series([target])])
    ticks = np.geomspace(costs.min(), costs.max(), 5)
    ax.set_xticks(ticks, [f"{t:.2g}" if t < 1e5 else f"{t / 1e6:.2g}M" for t in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())
    fig.legend(loc="outside right upper")
    return fig


def confusion(table: pd.DataFrame) -> Figure:
    """What images of every class are taken for, shares of each row."""
    names = list(dict.fromkeys(table["true"]))
    counts = table.pivot(index="true", columns="said", values="images").loc[names, names]
    shares = 100 * counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    side = min(7.0, 2.2 + 0.34 * len(names))
    fig, ax = style.subplots(height=side, width=side + 1.0)
    shown = ax.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    if len(names) <= _MOST_NAMES:
        for (i, j), n in np.ndenumerate(counts.to_numpy()):
            if n:
                colour = "white" if shares.iloc[i, j] > 55 else "black"
                ax.text(j, i, str(n), ha="center", va="center", fontsize=8, color=colour)
        shown_as, is_long = list(map(style.literal, names)), max(map(len, names)) > 3
        ax.set_xticks(range(len(names)), shown_as, rotation=45 if is_long else 0,
                      ha="right" if is_long else "center")  # fmt: skip
        ax.set_yticks(range(len(names)), shown_as)
    ax.set(xlabel="the model says", ylabel="the image shows")
    ax.grid(False)
    fig.colorbar(shown, ax=ax, label="% of the images of a class", shrink=0.8)
    return fig


def classes(table: pd.DataFrame) -> Figure:
    """The share of every class that is recognised, with its interval, the worst on top; of many
    classes only the worst.
    """
    rows = table.head(_MOST_ROWS)
    fig, ax = style.subplots(height=0.9 + 0.27 * len(rows))
    bars = marks.whiskers(rows, "recognised", "low", "high")
    look = {"fmt": "o", "color": style.COLOURS[0]}
    ax.errorbar(rows["recognised"], range(len(rows)), xerr=bars, **look)
    for y, name in enumerate(rows["taken_for"]):
        if name:
            words = f"else mostly {style.literal(name)}"
            marks.note(ax, words, (101.5, y), (0, 0), va="center", annotation_clip=False)
    names = rows["class"].map(style.literal) + " (" + rows["images"].astype(str) + ")"
    marks.name_rows(ax, list(names))
    ax.grid(axis="y", visible=True)
    ax.set_xlim(0, 101)
    ax.set_xlabel("recognised, % of the class's test images (their number in brackets), 95 %")
    return fig


def examples(table: pd.DataFrame) -> Figure:
    """Images of the worst classes (height, width, channels in 0..1), and what the model says."""
    names = list(dict.fromkeys(table["class"]))
    n_columns = int(table.groupby("class").size().max())
    fig, axes = style.subplots(
        len(names), n_columns, height=1.45 * len(names), width=1.2 * n_columns + 0.6, squeeze=False
    )
    for row, name in zip(axes, names, strict=True):
        part = table[table["class"] == name]
        for ax in row:
            ax.set_axis_off()
        for ax, one in zip(row, part.itertuples(), strict=False):
            grey = one.pixels.shape[-1] == 1
            ax.imshow(one.pixels[..., 0] if grey else one.pixels, cmap="gray", vmin=0, vmax=1)
            wrong = one.said != name
            ax.set_title(f"{style.literal(one.said)} {one.sure:.0%}", fontsize=8, loc="center",
                         color=style.COLOURS[1] if wrong else "black")  # fmt: skip
        row[0].text(-0.1, 0.5, style.literal(name), transform=row[0].transAxes, ha="right",
                    va="center")  # fmt: skip
    return fig


def latency(runs: pd.DataFrame, median_ms: float, target_ms: float = 0) -> Figure:
    """Times of single runs, the median of the measurement and the target, if any."""
    fig, ax = style.subplots(height=2.6)
    ms, p95 = runs["ms"], runs["ms"].quantile(0.95)
    right = max(p95 * 1.15, target_ms * 1.1)
    bins = np.linspace(min(ms.min(), median_ms) * 0.95, right, 50)
    ax.hist(ms.clip(upper=right), bins, color=style.COLOURS[5])
    lines = {"median": (median_ms, style.COLOURS[0], "-"), "95 % below": (p95, style.GREY, ":")}
    if target_ms:
        lines["target"] = (target_ms, "black", "--")
    for name, (x, colour, line) in lines.items():
        ax.axvline(x, color=colour, ls=line, label=f"{name}: {x:.3g} ms")
    ax.set(xlabel=f"ms of one image, {len(ms)} runs (the last bar: longer ones too)", ylabel="runs")
    marks.legend_above(fig, ax)
    return fig


def comparison(table: pd.DataFrame) -> Figure:
    """Test accuracy with intervals of the delivered model and of others."""
    fig, ax = style.subplots(height=0.9 + 0.4 * len(table))
    bars, labels = marks.whiskers(table, "accuracy", "low", "high"), []
    for y, row in enumerate(table.itertuples()):
        colour = style.COLOURS[0] if row.delivered else style.GREY
        ax.errorbar(row.accuracy, y, xerr=bars[:, [y]], fmt="o", color=colour, ms=6)
        words = f"{row.accuracy:.1f} %"
        marks.note(ax, words, (row.accuracy, y), (0, 6), ha="center")
        word = " (delivered)" if row.delivered else ""
        labels.append(f"{row.model}{word}, {row.latency_ms:.3g} ms")
    marks.name_rows(ax, labels)
    ax.grid(axis="y", visible=True)
    ax.set(xlabel="test accuracy, %, 95 %", ylim=(len(table) - 0.4, -0.7))
    return fig


def budget(phases: pd.DataFrame, budget_s: float) -> Figure:
    """Where the time went, and the budget."""
    fig, ax = style.subplots(height=1.0 + 0.3 * len(phases))
    left, box = 0.0, {"fc": "white", "ec": "none", "pad": 1}
    for y, seconds in enumerate(phases["seconds"]):
        ax.barh(y, seconds, left=left, color=style.COLOURS[0], height=0.6)
        left += seconds
        marks.note(ax, f"{seconds:.0f} s", (left, y), va="center", bbox=box)
    ax.axvline(budget_s, color="black", ls="--", lw=1)
    place = {"xycoords": ("data", "axes fraction"), "ha": "right", "va": "bottom"}
    marks.note(ax, f"budget: {budget_s:.0f} s", (budget_s, 1), (0, 0), **place)
    marks.name_rows(ax, list(phases["phase"]))
    ax.set(xlabel="seconds since the start", xlim=(0, 1.12 * max(left, budget_s)))
    return fig
