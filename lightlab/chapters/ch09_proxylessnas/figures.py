"""Pictures of a search among paths. Data frames in, figures out; accuracies in per cent."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lightlab.show import marks, style

# One look and one name per form of a step, the same in every figure.
FORMS = {
    "sum": {"label": "weighted sum (DARTS)", "color": style.COLOURS[6], "marker": "s"},
    "all": {"label": "all gates", "color": style.COLOURS[2], "marker": "^"},
    "two": style.method("ProxylessNAS", label="two paths"),
    "reinforce": style.method("ProxylessNAS, REINFORCE", label="REINFORCE"),
    "one": {"label": "weight step, one path", "color": style.GREY, "marker": "x", "ls": "--"},
}
KERNELS = {3: style.COLOURS[5], 5: style.COLOURS[4], 7: style.COLOURS[1]}
_OURS = {
    "found": "ProxylessNAS",
    "λ by target": "ProxylessNAS",
    "REINFORCE": "ProxylessNAS, REINFORCE",
    "random": "random search",
    "random, as fast": "random search",
    "MobileNetV2, as fast": "MobileNetV2",
    "MnasNet (08), as fast": "MnasNet",
}
_OTHERS = [
    {"color": style.COLOURS[i], "marker": marker}
    for i, marker in zip((0, 2, 3, 6, 1, 7), "o^vs*D", strict=True)
]


def _looks(names: Iterable[str]) -> dict[str, dict]:
    """How each search or network is marked: the methods as everywhere, others one by one."""
    looks, others = {}, iter(_OTHERS)
    for name in dict.fromkeys(names):
        known = style.method(_OURS[name]) if name in _OURS else next(others)
        looks[name] = known | {"label": name}
    return looks


def gates(estimates: pd.DataFrame) -> Figure:
    """Mean estimated gradients and exact ones, a panel a loss."""
    losses = list(estimates["loss"].unique())
    labels = "logit of candidate", "gradient (line: exact)"
    fig, axes = marks.panels(losses, height=3.1, labels=labels, sharey=True)
    for ax, (_, part) in zip(axes, estimates.groupby("loss", sort=False), strict=True):
        for k, (form, rows) in enumerate(part.groupby("form", sort=False)):
            at = rows["logit"] + 0.16 * (k - 1.5)
            ax.errorbar(at, rows["mean"], marks.whiskers(rows), **FORMS[form] | {"ls": ""})
        exact = part.drop_duplicates("logit")
        ax.hlines(exact["exact"], exact["logit"] - 0.4, exact["logit"] + 0.4, color="black", lw=1)
        ax.set_xticks(exact["logit"])
        ax.grid(axis="x", visible=False)
    marks.legend_above(fig, axes[0])
    return fig


def memory_and_time(steps: pd.DataFrame) -> Figure:
    """Memory and time of a step against the number of candidates."""
    fig, axes = style.subplots(1, 2, height=3.0)
    columns = {"mib": "kept for the backward pass, MiB", "ms": "time of a step, ms"}
    for ax, (column, words) in zip(axes, columns.items(), strict=True):
        for form, rows in steps.groupby("form", sort=False):
            ax.plot(rows["candidates"], rows[column], **FORMS[form])
        ax.set(xlabel="candidates at every position", ylabel=words, ylim=(0, None))
    marks.legend_above(fig, axes[0], 4)
    return fig


def progress(curves: pd.DataFrame, target_ms: float) -> Figure:
    """A line per search: how decided it is, λ, the expected latency and the accuracy by step."""
    fig, axes = style.subplots(2, 2, height=4.6, sharex=True)
    columns = {
        "entropy": (100, "entropy, % of even chances"),
        "latency_weight": (1, "price of latency, λ"),
        "expected_ms": (1 / target_ms, "expected latency / target"),
        "accuracy": (1, "accuracy of the likeliest\nnetwork in the supernet, %"),
    }
    looks = _looks(curves["search"])
    for ax, (column, (times, words)) in zip(axes.flat, columns.items(), strict=True):
        for name, rows in curves.groupby("search", sort=False):
            ax.plot(rows["step"], times * rows[column], color=looks[name]["color"], label=name)
        most = curves[column].max()
        ax.set_ylabel(words)
        ax.set_ylim(0, 1.05 * times * most if most > 0 else 1)
    axes[1, 0].axhline(1, color="black", lw=0.8, ls=":")
    for ax in axes[1]:
        ax.set_xlabel("step")
    marks.legend_above(fig, axes[0, 0], 4)
    return fig


def shapes(layers: pd.DataFrame) -> Figure:
    """Networks as rows of blocks: colour the kernel, height the expansion (0: left out)."""
    names = list(dict.fromkeys(layers["network"]))
    height = 0.6 + 0.62 * len(names)
    fig, axes = style.subplots(len(names), 1, height=height, sharex=True, squeeze=False)
    for ax, name in zip(axes[:, 0], names, strict=True):
        part = layers[layers["network"] == name].reset_index(drop=True)
        at = part.index + 0.5 * (part["stage"] - 1)
        for x, row in zip(at, part.itertuples(), strict=True):
            if row.expand_ratio:
                ax.bar(x, row.expand_ratio, width=0.9, color=KERNELS[row.kernel], edgecolor="white")
                down = " ↓" if row.stride == 2 else ""
                word = f"{row.kernel}×{row.kernel} e{row.expand_ratio:g}{down}"
                ax.annotate(word, (x, row.expand_ratio), ha="center", va="bottom", fontsize=7)
            else:
                ax.plot([x - 0.45, x + 0.45], [0.3, 0.3], color="black", lw=1.5, ls=":")
        ax.set(ylim=(0, 8.5), yticks=[], xticks=[])
        ax.set_ylabel(_device(name), rotation=0, ha="right", va="center")
        ax.grid(False)
        ax.spines[["left", "bottom"]].set_visible(False)
    axes[-1, 0].set_xlabel("blocks in order, a gap between stages; dots: left out, ↓: stride 2")
    marks.legend_above(fig, [Patch(color=c, label=f"{k}×{k}") for k, c in KERNELS.items()])
    return fig


def front(trained: pd.DataFrame, swept: pd.DataFrame, target_ms: float) -> Figure:
    """Accuracy against measured latency: the swept searches, and the baselines seed by seed."""
    fig, (left, right) = style.subplots(1, 2, height=3.3, sharey=True)
    line = swept.groupby("name")[["latency_ms", "accuracy"]].mean().sort_values("latency_ms")
    left.plot(line["latency_ms"] / target_ms, line["accuracy"], color=style.GREY, lw=1)
    for ax, table in ((left, swept), (right, trained)):
        looks = _looks(table["name"])
        for name, rows in table.groupby("name", sort=False):
            look = looks[name] | {"ls": ""}
            ax.plot(rows["latency_ms"] / target_ms, rows["accuracy"], **look)
            if ax is right:
                ax.axhline(rows["accuracy"].mean(), color=look["color"], lw=0.8, alpha=0.6)
    left.set(title="the price of latency", ylabel="test accuracy, %")
    right.set(title="others, as fast")
    for ax in (left, right):
        ax.set_xlabel("measured latency / target")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1.08), borderaxespad=0, ncols=2)
    return fig


def crossed(cells: pd.DataFrame, published: pd.DataFrame) -> Figure:
    """Latency of each network over that of the setting's own one; here, published."""
    sizes = [table["setting"].nunique() for table in (cells, published)]
    fig, axes = style.subplots(1, 2, height=3.0, width_ratios=sizes)
    for ax, table, title in zip(axes, (cells, published), ("here", "published"), strict=True):
        names = list(dict.fromkeys(table["setting"]))
        wide = table.pivot(index="network", columns="setting", values="times").loc[names, names]
        ax.imshow(np.log(wide), cmap=style.DIVERGING, vmin=-0.6, vmax=0.6, aspect="auto")
        for i, j in np.ndindex(wide.shape):
            shade = "white" if abs(np.log(wide.iloc[i, j])) > 0.45 else "black"
            ax.annotate(f"{wide.iloc[i, j]:.2f}", (j, i), ha="center", va="center", color=shade)
        ax.set(xticks=range(len(names)), yticks=range(len(names)), title=title)
        below = [_device(n).replace(", ", "\n").replace("runtime", "-\nruntime") for n in names]
        ax.set_xticklabels(below, fontsize=7)
        ax.set_yticklabels([_device(name) for name in names], fontsize=7)
        ax.set(xlabel="timed on", ylabel="searched for")
        ax.grid(False)
    return fig


def predicted(points: pd.DataFrame) -> Figure:
    """Predicted against measured latency."""
    fig, ax = style.subplots(height=3.2, width=0.6 * style.WIDTH_IN)
    looks = _looks(points["kind"])
    for kind, rows in points.groupby("kind", sort=False):
        look = looks[kind] | {"ls": ""}
        ax.plot(1e3 * rows["latency_ms"], 1e3 * rows["predicted_ms"], **look)
    marks.diagonal(ax, 1e3 * points["latency_ms"])
    ax.set(xlabel="measured, µs", ylabel="predicted, µs")
    ax.legend(loc="upper left")
    return fig


def _device(setting: str) -> str:
    """ "onnxruntime/1/32" as a reader sees it, in two lines; other words as they are."""
    return setting.replace("/", "\n", 1).replace("/", " thread, batch ")
