"""Pictures of a model that was found for somebody's images: the choice, the answers, the time.

Data frames in, figures out; accuracies in per cent.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lightlab.show import style
from lightlab.show.marks import networks  # noqa: F401  one of its figures

_MOST_NAMES = 30  # classes, beyond which neither names nor numbers can be read
_MOST_ROWS = 20  # classes, of which each has a line
_MARKS = ["o", "s", "^", "D", "v", "P", "X"]


def tried(table: pd.DataFrame, models: pd.DataFrame, target: float, xlabel: str) -> Figure:
    """Validation accuracy against cost of all that was tried, of the finalists, and the target.

    `table`: stage, cost, accuracy, small marks; `models`: model, delivered, cost, accuracy.
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
    ax.annotate("target", (target, 1), xycoords=("data", "axes fraction"), xytext=(3, -3),
                textcoords="offset points", va="top", fontsize=8)  # fmt: skip
    ax.set(xscale="log", xlabel=f"{xlabel} (log)", ylabel="accuracy on validation images, %")
    _plain_log(ax, pd.concat([table["cost"], models["cost"], pd.Series([target])]))
    fig.legend(loc="outside right upper")
    return fig


def _plain_log(ax: Axes, values: pd.Series) -> None:
    """A few round ticks over the range of `values`."""
    ticks = np.geomspace(values.min(), values.max(), 5)
    ax.set_xticks(ticks, [f"{t:.2g}" if t < 1e5 else f"{t / 1e6:.2g}M" for t in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())


def confusion(table: pd.DataFrame) -> Figure:
    """What images of every class are taken for, shares of each row: true, said, images."""
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
    classes only the worst. Columns class, images, recognised, low, high, taken_for.
    """
    rows = table.head(_MOST_ROWS)
    fig, ax = style.subplots(height=0.9 + 0.27 * len(rows))
    at = np.arange(len(rows))[::-1]
    bars = np.array([rows["recognised"] - rows["low"], rows["high"] - rows["recognised"]])
    ax.errorbar(rows["recognised"], at, xerr=bars.clip(min=0), fmt="o", color=style.COLOURS[0])
    for y, row in zip(at, rows.itertuples(), strict=True):
        if row.taken_for:
            ax.annotate(f"else mostly {style.literal(row.taken_for)}", (101.5, y), va="center",
                        fontsize=8, annotation_clip=False)  # fmt: skip
    labels = [f"{style.literal(row['class'])} ({row['images']})" for _, row in rows.iterrows()]
    ax.set_yticks(at, labels)
    ax.set(xlim=(0, 101), ylim=(-0.6, len(rows) - 0.4))
    ax.set_xlabel("recognised, % of the class's test images (their number in brackets), 95 %")
    return fig


def examples(table: pd.DataFrame) -> Figure:
    """Images of the worst classes: class, said, sure, pixels (height, width, channels in 0..1)."""
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
    """Times of single runs (column ms), the median of the measurement and the target, if any."""
    fig, ax = style.subplots(height=2.6)
    ms, p95 = runs["ms"], runs["ms"].quantile(0.95)
    right = max(p95 * 1.15, target_ms * 1.1)
    bins = np.linspace(min(ms.min(), median_ms) * 0.95, right, 50)
    ax.hist(ms.clip(upper=right), bins, color=style.COLOURS[5])
    marks = {"median": (median_ms, style.COLOURS[0], "-"), "95 % below": (p95, style.GREY, ":")}
    if target_ms:
        marks["target"] = (target_ms, "black", "--")
    for name, (x, colour, line) in marks.items():
        ax.axvline(x, color=colour, ls=line, label=f"{name}: {x:.3g} ms")
    ax.set(xlabel=f"ms of one image, {len(ms)} runs (the last bar: longer ones too)", ylabel="runs")
    fig.legend(loc="outside upper center", ncols=3)
    return fig


def comparison(table: pd.DataFrame) -> Figure:
    """Test accuracy with intervals: model, delivered, accuracy, low, high, latency_ms."""
    fig, ax = style.subplots(height=0.9 + 0.4 * len(table))
    at, labels = np.arange(len(table))[::-1], []
    bars = [table["accuracy"] - table["low"], table["high"] - table["accuracy"]]
    for y, row, low, high in zip(at, table.itertuples(), *bars, strict=True):
        colour = style.COLOURS[0] if row.delivered else style.GREY
        ax.errorbar(row.accuracy, y, xerr=[[low], [high]], fmt="o", color=colour, ms=6)
        ax.annotate(f"{row.accuracy:.1f} %", (row.accuracy, y), xytext=(0, 6), ha="center",
                    textcoords="offset points", fontsize=8)  # fmt: skip
        word = " (delivered)" if row.delivered else ""
        labels.append(f"{row.model}{word}, {row.latency_ms:.3g} ms")
    ax.set_yticks(at, labels)
    ax.set(xlabel="test accuracy, %, 95 %", ylim=(-0.6, len(table) - 0.3))
    return fig


def budget(phases: pd.DataFrame, budget_s: float) -> Figure:
    """Where the time went (phase, seconds), and the budget."""
    fig, ax = style.subplots(height=1.0 + 0.3 * len(phases))
    at, left = np.arange(len(phases))[::-1], 0.0
    for y, row in zip(at, phases.itertuples(), strict=True):
        ax.barh(y, row.seconds, left=left, color=style.COLOURS[0], height=0.6)
        end = (left + row.seconds, y)
        box = {"textcoords": "offset points", "bbox": {"fc": "white", "ec": "none", "pad": 1}}
        ax.annotate(f"{row.seconds:.0f} s", end, (4, 0), va="center", fontsize=8, **box)
        left += row.seconds
    ax.axvline(budget_s, color="black", ls="--", lw=1)
    ax.annotate(f"budget: {budget_s:.0f} s", (budget_s, 1), xycoords=("data", "axes fraction"),
                ha="right", va="bottom", fontsize=8)  # fmt: skip
    ax.set_yticks(at, phases["phase"])
    ax.set(xlabel="seconds since the start", xlim=(0, 1.12 * max(left, budget_s)))
    ax.grid(axis="y", visible=False)
    return fig
