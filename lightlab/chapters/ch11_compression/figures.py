"""Pictures of compression as search. Data frames in, figures out; accuracies in per cent."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lightlab.show import style

_CRITERIA = {
    "l1": ("L1 norm of the filters", style.COLOURS[0], "o"),
    "bn_scale": ("scale of the normalisation", style.COLOURS[2], "^"),
    "random": ("at random", *style.METHODS["random search"][:2]),
}
METHODS = ("qLogNEHVI", "NSGA-II", "random search", "uniform pruning")
SIDES = {
    "compressing one network": "compression",
    "searching from scratch": "evolution",
    "cutting from one supernet": "Once-for-All",
}


def criteria(table: pd.DataFrame) -> Figure:
    """Accuracy of evenly pruned networks, untrained: importance, keep, mean, ci_low, ci_high."""
    fig, ax = style.subplots(height=3.0, width=0.75 * style.WIDTH_IN)
    for k, (name, (label, colour, marker)) in enumerate(_CRITERIA.items()):
        part = table[table["importance"] == name].sort_values("keep")
        at = 100 * part["keep"] + 1.2 * (k - 1)
        bars = [part["mean"] - part["ci_low"], part["ci_high"] - part["mean"]]
        look = {"color": colour, "marker": marker, "label": label, "elinewidth": 0.8}
        ax.errorbar(at, part["mean"], yerr=bars, **look)
    ax.set(xlabel="channels kept in every stage, %", ylabel="validation accuracy, %")
    ax.set_xticks(sorted(100 * table["keep"].unique()))
    ax.legend(loc="upper left")
    return fig


def arms(table: pd.DataFrame, trained: float) -> Figure:
    """Test accuracy by way of training, line: before pruning. Columns arm, seed, accuracy."""
    names = list(dict.fromkeys(table["arm"]))
    fig, ax = style.subplots(height=0.9 + 0.38 * len(names), width=0.85 * style.WIDTH_IN)
    for y, name in enumerate(reversed(names)):
        values = table[table["arm"] == name]["accuracy"]
        ax.plot(values, [y] * len(values), ".", color=style.GREY, ms=5)
        ax.plot(values.mean(), y, "D", color=style.COLOURS[0], ms=6)
    ax.axvline(trained, color="black", lw=1, ls="--", label="before pruning")
    ax.set_yticks(range(len(names)), list(reversed(names)))
    ax.set(xlabel="test accuracy, % (dots: seeds)", ylim=(-0.6, len(names) - 0.4))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1))
    return fig


def volumes(table: pd.DataFrame) -> Figure:
    """Dominated volume over the networks tried, by method: method, trial, mean, ci_low, ci_high."""
    fig, ax = style.subplots(height=3.0, width=0.8 * style.WIDTH_IN)
    for name in METHODS:
        part, look = table[table["method"] == name], style.method(name)
        ax.plot(part["trial"], part["mean"], **look)
        ends = (part["ci_low"], part["ci_high"])
        ax.fill_between(part["trial"], *ends, color=look["color"], alpha=0.12, lw=0)
    ax.set(xlabel="networks tried", ylabel="hypervolume, validation", ylim=(0, None))
    ax.legend(loc="lower right")
    return fig


def sides(table: pd.DataFrame) -> Figure:
    """Left: accuracy against time, each side's front on the validation images joined. Right:
    hypervolume over what was spent, a line for each seed. Columns side, seed, tested, latency,
    front, spent, hypervolume.
    """
    fig, (left, right) = style.subplots(1, 2, height=3.4)
    for name, part in table.groupby("side", sort=False):
        colour, marker, _ = style.METHODS[SIDES[name]]
        best, rest = part[part["front"]].sort_values("latency"), part[~part["front"]]
        left.plot(100 * rest["latency"], rest["tested"], ".", color=colour, ms=3, alpha=0.4)
        left.plot(100 * best["latency"], best["tested"], marker + "-", color=colour, label=name)
        for _, rows in part.groupby("seed"):
            shown = rows if rows["spent"].nunique() > 1 else rows.tail(1)  # a search for nothing
            spent, volume = shown["spent"] / 1000, shown["hypervolume"]
            right.plot(spent, volume, marker + "-", color=colour, lw=1.2, markevery=[-1])
    left.set(xlabel="time, % of the trained network's", ylabel="test accuracy, %", xscale="log")
    ticks = [t for t in (5, 10, 20, 50, 100) if 100 * table["latency"].min() <= t]
    left.set_xticks(ticks, ticks)
    left.minorticks_off()
    right.set(xlabel="images trained on, thousands", ylabel="hypervolume, validation", xscale="log")
    style.log_counts(right, (1, 2, 5))
    fig.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return fig


def ways(table: pd.DataFrame) -> Figure:
    """Accuracy of the corners of a network by way of making them: way, seed, corner, accuracy."""
    fig, ax = style.subplots(height=3.2)
    corners = list(dict.fromkeys(table["corner"]))
    known = (style.METHODS[name] for name in ("compression", "Once-for-All"))
    looks = [(style.GREY, "s"), *(look[:2] for look in known)]
    for k, (name, part) in enumerate(table.groupby("way", sort=False)):
        colour, marker = looks[k]
        at = part["corner"].map(corners.index) + 0.22 * (k - 1)
        ax.plot(at, part["accuracy"], ".", color=colour, ms=3, alpha=0.7)
        mean = part.groupby("corner")["accuracy"].mean().reindex(corners)
        ax.plot(np.arange(len(corners)) + 0.22 * (k - 1), mean, marker, color=colour, label=name)
    ax.set_xticks(range(len(corners)), [corner.replace(" ", "\n") for corner in corners])
    ax.set(ylabel="test accuracy, %", xlabel="depth, width (expansion) and kernel everywhere")
    ax.grid(axis="x", visible=False)
    fig.legend(loc="outside upper center", ncols=3)
    return fig
