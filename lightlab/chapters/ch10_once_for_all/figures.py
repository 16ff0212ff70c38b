"""Pictures of a once-for-all network: what nests in it, its training, what is cut from it, costs.

Data frames in, figures out; accuracies in per cent.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from lightlab.show import style

_OURS = style.METHODS["Once-for-All"][:2]
ARMS = {
    "progressive": _OURS,
    "progressive, equal rates": (style.COLOURS[6], "v"),
    "progressive, labels only": (style.COLOURS[5], "o"),
    "uniform": (style.COLOURS[1], "s"),
    "uniform, labels only": (style.COLOURS[4], "s"),
    "uniform, equal MACs": (style.COLOURS[3], "D"),
    "sandwich": (style.COLOURS[0], "^"),
    "alone, budget divided": (style.GREY, "x"),
    "alone, full budget": ("black", "x"),
}
ENDS = {"largest": style.COLOURS[0], "middle": style.COLOURS[2], "smallest": style.COLOURS[1]}
ORDERS = {"by importance": style.COLOURS[0], "as trained": style.COLOURS[1], "random": style.GREY}
MODELS = {"perceptrons": 0, "linear": 2, "MACs only": 1}  # their colours


def layers(table: pd.DataFrame) -> Figure:
    """What can be cut: layer, unit, expand, channels, optional (pale), kernels (as words)."""
    fig, ax = style.subplots(height=2.6)
    expands = sorted(table["expand"].unique(), reverse=True)
    shades = dict(zip(expands, np.linspace(0.25, 0.85, len(expands)), strict=True))
    for row in table.sort_values(["expand", "layer"], ascending=[False, True]).itertuples():
        x = row.layer + 0.5 * (row.unit - 1)
        face = to_rgba(style.COLOURS[0], shades[row.expand] * (0.5 if row.optional else 1))
        look = {"ls": ":" if row.optional else "-", "edgecolor": "black", "lw": 1}
        ax.bar(x, row.channels, 0.86, facecolor=face, **look)
        words = {"xy": (x, row.channels), "ha": "center", "fontsize": 7}
        down = {"xytext": (0, -1.5), "textcoords": "offset points"}
        ax.annotate(f"{row.channels}", va="top", **words, **down)
        if row.expand == expands[0]:
            ax.annotate(f"kernel {row.kernels}", va="bottom", **words)
    ax.set(xticks=[], ylabel="hidden channels", ylim=(0, 1.12 * table["channels"].max()))
    ax.set_xlabel("layers in order, a gap between units; dotted: only in deeper networks")
    ax.grid(axis="x", visible=False)
    return fig


def kernels(values: pd.DataFrame) -> Figure:
    """One channel's kernel at each size, its centre framed: kernel, row, column, value."""
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
    """Importance of a layer's channels (order, channel, value), and accuracy of networks cut to
    fewer by the order of their channels (order, expand, mean, ci_low, ci_high).
    """
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
        bars = [part["mean"] - part["ci_low"], part["ci_high"] - part["mean"]]
        right.bar(at, part["mean"], 0.24, yerr=bars, color=colour, label=order, ecolor="black")
    right.set_ylabel("validation accuracy, %")
    right.set_xticks(range(len(widths)), [f"expansion {w:g}" for w in widths])
    right.grid(axis="x", visible=False)
    right.set_title("cut, not yet trained for it", pad=22)
    right.legend(loc="lower left", bbox_to_anchor=(-0.02, 0.99), ncols=3, columnspacing=0.9)
    return fig


def course(history: pd.DataFrame) -> Figure:
    """Accuracy over a training in phases: phase, passes, smallest, middle, largest."""
    fig, ax = style.subplots(height=3.1)
    thousand = history["passes"] / 1000
    for name, colour in ENDS.items():
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
    """Accuracy by what running statistics come from: images, corner, accuracy."""
    fig, ax = style.subplots(height=3.0, width=0.8 * style.WIDTH_IN)
    words = list(dict.fromkeys(table["images"]))
    for i, (corner, rows) in enumerate(table.groupby("corner", sort=False)):
        by = rows.set_index("images")["accuracy"].reindex(words)
        ax.plot(words, by, "o-", color=style.COLOURS[i], lw=1, label=corner)
    ax.set(xlabel="images that the statistics come from", ylabel="validation accuracy, %")
    ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    return fig


def corners(table: pd.DataFrame) -> Figure:
    """Accuracy of the corners by arm, small marks are seeds: arm, seed, corner, accuracy."""
    fig, ax = style.subplots(height=3.6)
    names, arms = (list(dict.fromkeys(table[column])) for column in ("corner", "arm"))
    for k, arm in enumerate(arms):
        colour, marker = ARMS[arm]
        part = table[table["arm"] == arm]
        shift = 0.8 * ((k + 0.5) / len(arms) - 0.5)
        at = part["corner"].map(names.index) + shift
        ax.plot(at, part["accuracy"], ".", color=colour, ms=3, alpha=0.7)
        mean = part.groupby("corner")["accuracy"].mean().reindex(names)
        look = {"color": colour, "marker": marker, "ls": "", "label": arm}
        ax.plot(np.arange(len(names)) + shift, mean, **look)
    for i in range(1, len(names)):
        ax.axvline(i - 0.5, color=style.LIGHT, lw=0.8)
    ax.set_xticks(range(len(names)), [name.replace(" ", "\n") for name in names])
    ax.set(ylabel="test accuracy, %", xlim=(-0.5, len(names) - 0.5))
    ax.set_xlabel("depth of every unit, width (expansion) and kernel of every layer")
    ax.grid(axis="x", visible=False)
    fig.legend(loc="outside upper center", ncols=3)
    return fig


def gaps(rows: pd.DataFrame, published: Sequence[float]) -> Figure:
    """Differences between arms with their intervals (what, mean, ci_low, ci_high), and the
    `published` ones of the first row as ticks.
    """
    fig, ax = style.subplots(height=0.9 + 0.38 * len(rows))
    at = np.arange(len(rows))[::-1]
    bars = [rows["mean"] - rows["ci_low"], rows["ci_high"] - rows["mean"]]
    ax.errorbar(rows["mean"], at, xerr=bars, fmt="o", color=style.COLOURS[0], label="here, 95 %")
    ax.axvline(0, color="black", lw=0.8)
    look = {"color": style.COLOURS[1], "ms": 11, "label": "published, eight corners"}
    ax.plot(published, [at[0]] * len(published), "|", **look)
    ax.set_yticks(at, rows["what"])
    ax.set(xlabel="difference in test accuracy, points", ylim=(-0.6, len(rows) - 0.4))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2)
    return fig


def learning(curve: pd.DataFrame) -> Figure:
    """How good predictors get with the number of samples: model, n, rmse, tau."""
    fig, axes = style.subplots(1, 2, height=2.9)
    sizes = sorted(curve["n"].unique())
    words = {"rmse": "RMSE, points", "tau": "Kendall's τ"}
    for ax, (column, label) in zip(axes, words.items(), strict=True):
        for name, i in MODELS.items():
            part = curve[curve["model"] == name]
            mean = part.groupby("n")[column].mean()
            ax.plot(part["n"], part[column], ".", color=style.COLOURS[i], ms=3, alpha=0.6)
            ax.plot(mean.index, mean, "o-", color=style.COLOURS[i], label=name)
        ax.set(xscale="log", xlabel="sub-networks to learn from", ylabel=label)
        ax.set_xticks(sizes, sizes)
        ax.minorticks_off()
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return fig


def curse(chosen: pd.DataFrame) -> Figure:
    """What was predicted of chosen networks and of random ones against the test, bars: the members
    of the ensemble. Columns kind, predicted, spread, accuracy.
    """
    fig, ax = style.subplots(height=3.3, width=0.65 * style.WIDTH_IN)
    looks = {"random": (style.GREY, "."), "chosen": _OURS}
    for kind, (colour, marker) in looks.items():
        part = chosen[chosen["kind"] == kind]
        look = {"color": colour, "ls": "", "label": kind, "elinewidth": 0.7}
        ax.errorbar(part["accuracy"], part["predicted"], part["spread"], marker=marker, **look)
    both = chosen[["accuracy", "predicted"]].to_numpy()
    ends = [both.min(), both.max()]
    ax.plot(ends, ends, color="black", lw=1)
    ax.set(xlabel="test accuracy, %", ylabel="predicted (validation), %")
    ax.legend(loc="upper left")
    return fig


def fronts(served: pd.DataFrame, designs: pd.DataFrame) -> Figure:
    """Accuracy against measured latency, a panel per setting: served networks and scaled designs.

    `served`: setting, target_ms, latency_ms, accuracy. `designs`: family, arch, setting,
    latency_ms, validated, accuracy. Lines join means over the seeds, of the designs those that no
    faster one equals on the validation images.
    """
    settings = list(dict.fromkeys(served["setting"]))
    rows = -(-len(settings) // 2)
    fig, axes = style.subplots(rows, 2, height=0.6 + 2.5 * rows, sharey=True, squeeze=False)
    everything = [served.assign(family="Once-for-All"), designs]
    table = pd.concat(everything).assign(us=lambda t: 1e3 * t["latency_ms"])
    for ax, setting in zip(axes.flat, settings, strict=False):
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
        runtime, threads, batch = setting.split("/")
        ax.set_title(f"{runtime}, {threads} thread, batch {batch}")
        ax.set_xlabel("latency of a batch, µs")
    for ax in axes[:, 0]:
        ax.set_ylabel("test accuracy, %")
    for ax in axes.flat[len(settings) :]:
        ax.set_visible(False)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return fig


def costs(lines: pd.DataFrame, crossing: float) -> Figure:
    """What so many scenarios cost by method: method, n, total (seconds of one core)."""
    fig, ax = style.subplots(height=3.1, width=0.75 * style.WIDTH_IN)
    for name, rows in lines.groupby("method", sort=False):
        tuned = {"ls": ":", "mfc": "white", "label": name} if name.endswith(", fine-tuned") else {}
        look = style.method(name.removesuffix(", fine-tuned"), **tuned)
        ax.plot(rows["n"], rows["total"] / 60, **look)
    if np.isfinite(crossing):
        ax.axvline(crossing, color="black", lw=0.8, ls="--")
    ax.set(xscale="log", yscale="log", xlabel="scenarios served", ylabel="minutes of one core")
    ticks = sorted(lines["n"].unique())
    ax.set_xticks(ticks, ticks)
    ax.minorticks_off()
    ax.yaxis.set_major_formatter(FuncFormatter(lambda m, _: f"{m:g}"))
    ax.legend(loc="upper left")
    return fig
