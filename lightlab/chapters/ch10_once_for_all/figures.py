"""Pictures of a once-for-all network. Data frames in, figures out; accuracies in per cent."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from lightlab.show import marks, style

_OURS = style.METHODS["Once-for-All"][:2]
ARMS = {
    "progressive": _OURS,
    "progressive, equal rates": (style.COLOURS[6], "v"),
    "progressive, labels only": (style.COLOURS[5], "o"),
    "uniform": (style.COLOURS[1], "s"),
    "uniform, labels only": (style.COLOURS[4], "s"),
    "uniform, equal MACs": (style.COLOURS[3], "P"),
    "sandwich": (style.COLOURS[0], "^"),
    "alone, budget divided": (style.GREY, "x"),
    "alone, full budget": ("black", "x"),
}
ORDERS = {"by importance": style.COLOURS[0], "as trained": style.COLOURS[1], "random": style.GREY}
THREE = [style.COLOURS[i] for i in (0, 2, 1)]


def layers(table: pd.DataFrame) -> Figure:
    """What can be cut of each layer: channels (shades), kernels (words), it all (pale)."""
    fig, ax = style.subplots(height=2.6)
    expands = sorted(table["expand"].unique(), reverse=True)
    shades = dict(zip(expands, np.linspace(0.25, 0.85, len(expands)), strict=True))
    for row in table.sort_values(["expand", "layer"], ascending=[False, True]).itertuples():
        x = row.layer + 0.5 * (row.unit - 1)
        face = to_rgba(style.COLOURS[0], shades[row.expand] * (0.5 if row.optional else 1))
        look = {"ls": ":" if row.optional else "-", "edgecolor": "black", "lw": 1}
        ax.bar(x, row.channels, 0.86, facecolor=face, **look)
        at, look = (x, row.channels), {"ha": "center", "fontsize": 7}
        marks.note(ax, f"{row.channels}", at, (0, -1.5), va="top", **look)
        if row.expand == expands[0]:
            marks.note(ax, f"kernel {row.kernels}", at, (0, 0), va="bottom", **look)
    ax.set(xticks=[], ylabel="hidden channels", ylim=(0, 1.12 * table["channels"].max()))
    ax.set_xlabel("layers in order, a gap between units; dotted: only in deeper networks")
    ax.grid(axis="x", visible=False)
    return fig


def kernels(values: pd.DataFrame) -> Figure:
    """One channel's kernel at each size, its centre framed."""
    sizes = sorted(values["kernel"].unique(), reverse=True)
    fig, axes = style.subplots(1, len(sizes), height=2.5, width=0.75 * style.WIDTH_IN)
    limit = values["value"].abs().max()
    for ax, size, smaller in zip(axes, sizes, [*sizes[1:], None], strict=True):
        part = values[values["kernel"] == size]
        grid = part.pivot(index="row", columns="column", values="value")
        ax.imshow(grid, cmap=style.DIVERGING, vmin=-limit, vmax=limit)
        if smaller is not None:
            rim = (size - smaller) / 2 - 0.5
            box = [rim, rim + smaller, rim + smaller, rim, rim]
            ax.plot(box, [rim, rim, rim + smaller, rim + smaller, rim], color="black", lw=2)
        ax.set(title=f"{size}×{size}", xticks=[], yticks=[])
        ax.grid(False)
    fig.supxlabel("the frame, times a learnt matrix, is the kernel to the right", fontsize=9)
    return fig


def ordered(importance: pd.DataFrame, cut: pd.DataFrame) -> Figure:
    """Importance of a layer's channels, and accuracy of networks cut to fewer by their order."""
    fig, (left, right) = style.subplots(1, 2, height=3.0)
    for order in ("as trained", "by importance"):
        part = importance[importance["order"] == order]
        left.step(part["channel"], part["value"], where="mid", color=ORDERS[order], label=order)
    left.set(xlabel="channel", ylabel="L1 norm of its projection", title="one layer")
    left.legend()
    widths = sorted(cut["expand"].unique())
    for k, (order, colour) in enumerate(ORDERS.items()):
        part = cut[cut["order"] == order].sort_values("expand")
        at = np.arange(len(widths)) + 0.26 * (k - 1)
        look = {"color": colour, "label": order, "ecolor": "black"}
        right.bar(at, part["mean"], 0.24, yerr=marks.whiskers(part), **look)
    right.set_ylabel("validation accuracy, %")
    right.set_xticks(range(len(widths)), [f"expansion {w:g}" for w in widths])
    right.grid(axis="x", visible=False)
    right.set_title("cut, not yet trained for it", pad=22)
    right.legend(loc="lower left", bbox_to_anchor=(-0.02, 0.99), ncols=3, columnspacing=0.9)
    return fig


def course(history: pd.DataFrame) -> Figure:
    """Accuracy of the smallest, middle and largest sub-network over a training in phases."""
    fig, ax = style.subplots(height=3.1)
    thousand = history["passes"] / 1000
    for name, colour in zip(("largest", "middle", "smallest"), THREE, strict=True):
        ax.plot(thousand, history[name], "o-", color=colour, label=name)
    begin = 0.0
    for phase, rows in history.groupby("phase", sort=False):
        end = rows["passes"].max() / 1000
        ax.axvline(end, color=style.LIGHT, lw=1, zorder=0)
        if end - begin > 0.06 * thousand.max():
            at = {"xy": ((begin + end) / 2, 1.01), "xycoords": ("data", "axes fraction")}
            ax.annotate(phase, **at, ha="center", va="bottom", fontsize=8)
        begin = end
    ax.set(xlabel="images times sub-networks, thousands", ylabel="validation accuracy, %")
    ax.legend(loc="lower right", ncols=3)
    return fig


def calibration(table: pd.DataFrame) -> Figure:
    """Accuracy of the corners by what running statistics come from."""
    fig, ax = style.subplots(height=3.0, width=0.8 * style.WIDTH_IN)
    words = list(dict.fromkeys(table["images"]))
    for corner, rows in table.groupby("corner", sort=False):
        by = rows.set_index("images")["accuracy"].reindex(words)
        ax.plot(words, by, "o-", lw=1, label=corner)
    ax.set(xlabel="images that the statistics come from", ylabel="validation accuracy, %")
    ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    return fig


def corners(table: pd.DataFrame) -> Figure:
    """Accuracy of the corners by arm, small marks are seeds."""
    fig, ax = style.subplots(height=3.6)
    names, arms = (list(table[column].unique()) for column in ("corner", "arm"))
    for k, (arm, part) in enumerate(table.groupby("arm", sort=False)):
        colour, marker = ARMS[arm]
        shift = 0.8 * ((k + 0.5) / len(arms) - 0.5)
        part = part.assign(at=part["corner"].map(names.index) + shift)
        look = {"color": colour, "marker": marker, "ls": "", "label": arm}
        marks.dots_and_means(ax, part, "at", "accuracy", "at", **look)
    for i in range(1, len(names)):
        ax.axvline(i - 0.5, color=style.LIGHT, lw=0.8)
    ax.set_xticks(range(len(names)), [name.replace(" ", "\n") for name in names])
    ax.set(ylabel="test accuracy, %", xlim=(-0.5, len(names) - 0.5))
    ax.set_xlabel("depth of every unit, width (expansion) and kernel of every layer")
    ax.grid(axis="x", visible=False)
    marks.legend_above(fig, ax, 3)
    return fig


def gaps(rows: pd.DataFrame, published: Sequence[float]) -> Figure:
    """Differences between arms with their intervals, the `published` ones in the first row."""
    fig, ax = style.subplots(height=0.9 + 0.38 * len(rows))
    marks.forest(ax, [rows.iloc[[i]] for i in range(len(rows))])
    marks.name_rows(ax, list(rows["what"]))
    ticks = {"color": style.COLOURS[1], "ms": 11, "ls": "", "marker": "|"}
    ax.plot(published, [0] * len(published), zorder=3, **ticks)
    ax.set_xlabel("difference in test accuracy, points")
    here = marks.key("here, 95 %", marks.BLUE, marker="D", lw=3)
    entries = [here, marks.key("published, eight corners", **ticks)]
    ax.legend(handles=entries, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2)
    return fig


def learning(curve: pd.DataFrame) -> Figure:
    """How good predictors get with the number of samples."""
    fig, axes = style.subplots(1, 2, height=2.9)
    sizes = sorted(curve["n"].unique())
    words = {"rmse": "RMSE, points", "tau": "Kendall's τ"}
    for ax, (column, label) in zip(axes, words.items(), strict=True):
        for (name, part), colour in zip(curve.groupby("model", sort=False), THREE, strict=True):
            look = {"color": colour, "marker": "o", "label": name}
            marks.dots_and_means(ax, part, "n", column, "n", **look)
        ax.set(xscale="log", xlabel="sub-networks to learn from", ylabel=label)
        style.only_ticks(ax.xaxis, sizes)
    marks.legend_above(fig, axes[0])
    return fig


def curse(chosen: pd.DataFrame) -> Figure:
    """What was predicted of chosen networks and of random ones against the test, bars: the members
    of the ensemble."""
    fig, ax = style.subplots(height=3.3, width=0.65 * style.WIDTH_IN)
    looks = {"random": (style.GREY, "."), "chosen": _OURS}
    for kind, (colour, marker) in looks.items():
        part = chosen[chosen["kind"] == kind]
        look = {"color": colour, "ls": "", "label": kind, "elinewidth": 0.7}
        ax.errorbar(part["accuracy"], part["predicted"], part["spread"], marker=marker, **look)
    marks.diagonal(ax, chosen[["accuracy", "predicted"]])
    ax.set(xlabel="test accuracy, %", ylabel="predicted (validation), %")
    ax.legend(loc="upper left")
    return fig


def fronts(served: pd.DataFrame, designs: pd.DataFrame) -> Figure:
    """Accuracy against measured latency, a panel per setting. Lines join means over the seeds, of
    the designs those that no faster one equals on the validation images.
    """
    settings = list(served["setting"].unique())
    titles = ["{}, {} thread, batch {}".format(*setting.split("/")) for setting in settings]
    shape = {"height": 2.5, "extra": 0.6, "ncols": 2, "sharey": True}
    labels = ("latency of a batch, µs", "test accuracy, %")
    fig, axes = marks.panels(titles, labels=labels, **shape)
    everything = [served.assign(family="Once-for-All"), designs]
    table = pd.concat(everything).assign(us=lambda t: 1e3 * t["latency_ms"])
    for ax, setting in zip(axes, settings, strict=True):
        there = table[table["setting"] == setting]
        for i, (name, part) in enumerate(there.groupby("family", sort=False)):
            look = style.method(name)
            ax.plot(part["us"], part["accuracy"], **look | {"ls": ""})
            steps = "arch" if i else "target_ms"  # what its line is over: networks or targets
            mean = part.groupby(steps)[["us", "accuracy", "validated"]].mean().sort_values("us")
            if i:
                before = mean["validated"].cummax().shift(fill_value=-np.inf)
                mean = mean[mean["validated"] > before]
            ax.plot(mean["us"], mean["accuracy"], color=look["color"], ls=look["ls"], lw=1)
    marks.legend_above(fig, axes[0])
    return fig


def costs(lines: pd.DataFrame, crossing: float) -> Figure:
    """What so many scenarios cost by method."""
    fig, ax = style.subplots(height=3.1, width=0.75 * style.WIDTH_IN)
    for name, rows in lines.groupby("method", sort=False):
        tuned = {"ls": ":", "mfc": "white", "label": name} if name.endswith(", fine-tuned") else {}
        look = style.method(name.removesuffix(", fine-tuned"), **tuned)
        ax.plot(rows["n"], rows["total"] / 60, **look)
    if np.isfinite(crossing):
        ax.axvline(crossing, color="black", lw=0.8, ls="--")
    ax.set(xscale="log", yscale="log", xlabel="scenarios served", ylabel="minutes of one core")
    style.only_ticks(ax.xaxis, sorted(lines["n"].unique()))
    ax.yaxis.set_major_formatter(lambda m, _: f"{m:g}")
    ax.legend(loc="upper left")
    return fig
