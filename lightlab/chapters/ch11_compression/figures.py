"""Pictures of compression as search. Data frames in, figures out; accuracies in per cent."""

import pandas as pd
from matplotlib.figure import Figure

from lightlab.show import marks, style

_CRITERIA = {
    "l1": {"label": "L1 norm of the filters", "color": style.COLOURS[0], "marker": "o"},
    "bn_scale": {"label": "scale of the normalisation", "color": style.COLOURS[2], "marker": "^"},
    "random": style.method("random", label="at random"),
}
SIDES = {
    "compressing one network": "compression",
    "searching from scratch": "evolution",
    "cutting from one supernet": "Once-for-All",
}
WAYS = {
    "cut, no training": {"color": style.GREY, "marker": "s"},
    "each trained on": style.method("compression"),
    "shrunk together": style.method("Once-for-All"),
}


def criteria(table: pd.DataFrame) -> Figure:
    """Accuracy of evenly pruned networks, untrained, by what the channels were chosen by."""
    fig, ax = style.subplots(height=3.0, width=0.75 * style.WIDTH_IN)
    for k, (name, look) in enumerate(_CRITERIA.items()):
        part = table[table["importance"] == name].sort_values("keep")
        at = 100 * part["keep"] + 1.2 * (k - 1)
        ax.errorbar(at, part["mean"], marks.whiskers(part), elinewidth=0.8, **look)
    ax.set(xlabel="channels kept in every stage, %", ylabel="validation accuracy, %")
    ax.set_xticks(sorted(100 * table["keep"].unique()))
    ax.legend(loc="upper left")
    return fig


def arms(table: pd.DataFrame, trained: float) -> Figure:
    """Test accuracy by way of training, line: before pruning."""
    names = list(table["arm"].unique())
    fig, ax = style.subplots(height=0.9 + 0.38 * len(names), width=0.85 * style.WIDTH_IN)
    table = table.assign(at=table["arm"].map(names.index))
    look = {"marker": "D", "ls": "", "color": marks.BLUE, "ms": 6}
    marks.dots_and_means(ax, table, "accuracy", "at", "at", **look)
    ax.axvline(trained, color="black", lw=1, ls="--", label="before pruning")
    marks.name_rows(ax, names)
    ax.set_xlabel("test accuracy, % (dots: seeds)")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1))
    return fig


def volumes(table: pd.DataFrame) -> Figure:
    """Dominated volume over the networks tried, by method."""
    fig, ax = style.subplots(height=3.0, width=0.8 * style.WIDTH_IN)
    for name, part in table.groupby("method", sort=False):
        marks.band(ax, part, "trial", **style.method(name))
    ax.set(xlabel="networks tried", ylabel="hypervolume, validation", ylim=(0, None))
    ax.legend(loc="lower right")
    return fig


def sides(table: pd.DataFrame) -> Figure:
    """Left: accuracy against time, each side's front on the validation images joined. Right:
    hypervolume over what was spent, a line for each seed.
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
    least = 100 * table["latency"].min()
    style.only_ticks(left.xaxis, [t for t in (5, 10, 20, 50, 100) if least <= t])
    right.set(xlabel="images trained on, thousands", ylabel="hypervolume, validation", xscale="log")
    style.log_counts(right, (1, 2, 5))
    marks.legend_above(fig, left)
    return fig


def ways(table: pd.DataFrame) -> Figure:
    """Accuracy of the corners of a network by way of making them: cut, each trained, together."""
    fig, ax = style.subplots(height=3.2)
    corners = list(table["corner"].unique())
    for k, (name, part) in enumerate(table.groupby("way", sort=False)):
        part = part.assign(at=part["corner"].map(corners.index) + 0.22 * (k - 1))
        look = WAYS[name] | {"ls": "", "label": name}
        marks.dots_and_means(ax, part, "at", "accuracy", "at", **look)
    ax.set_xticks(range(len(corners)), [corner.replace(" ", "\n") for corner in corners])
    ax.set(ylabel="test accuracy, %", xlabel="depth, width (expansion) and kernel everywhere")
    ax.grid(axis="x", visible=False)
    marks.legend_above(fig, ax)
    return fig
