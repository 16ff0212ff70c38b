"""Pictures of all methods side by side. Data frames in, figures out; accuracies in per cent."""

import pandas as pd
from matplotlib.figure import Figure

from lightlab.show import marks, style


def fronts(results: pd.DataFrame) -> Figure:
    """What each method found for the targets, means over the seeds joined."""
    fig, ax = style.subplots(height=3.8)
    results = results.assign(us=1e3 * results["latency_ms"])
    for name, part in results.groupby("method", sort=False):
        look = style.method(name, lw=1.1)
        marks.dots_and_means(ax, part, "us", "accuracy", "target", **look)
    ax.set(xlabel="measured time of an image, µs", ylabel="test accuracy, %")
    fig.legend(loc="outside right center")
    return fig


def search_cost(table: pd.DataFrame) -> Figure:
    """Hypervolume against what the search took for all targets, seeds as dots, their means joined.
    Those by hand, at no cost, are lines.
    """
    fig, axes = style.subplots(1, 2, height=3.6, sharey=True)
    columns = {"samples": "images seen", "seconds": "seconds of one core"}
    for ax, (column, words) in zip(axes, columns.items(), strict=True):
        for name, part in table.groupby("method", sort=False):
            look = style.method(name)
            if (part[column] == 0).all():
                ax.axhline(part["hypervolume"].mean(), **look | {"marker": "", "lw": 1})
            else:
                marks.dots_and_means(ax, part, column, "hypervolume", "budget", **look)
        spent = table.loc[table[column] > 0, column]
        if spent.max() > 5 * spent.min():
            style.log_counts(ax)
        ax.set_xlabel(f"{words}, all targets")
    axes[0].set_ylabel("dominated share, test")
    marks.legend_above(fig, axes[0], 4)
    return fig


def ranks(table: pd.DataFrame, cd: float) -> Figure:
    """Mean ranks on a line, best to the left, with the critical difference."""
    fig, ax = style.subplots(height=0.9 + 0.3 * len(table), width=0.9 * style.WIDTH_IN)
    for y, row in enumerate(table.itertuples()):
        ax.plot(row.rank, y, **style.method(row.method, ms=7))
    best = table["rank"].min()
    ax.axvspan(best, best + cd, color=style.LIGHT, alpha=0.6, lw=0, zorder=0)
    words = "not to be told from the best"
    marks.note(ax, words, (best + cd, -0.45), (-3, 0), ha="right", va="center")
    marks.name_rows(ax, list(table["method"]))
    ax.set(xlabel="mean rank over targets and seeds, 1 is best", ylim=(len(table) - 0.4, -0.8))
    ax.set_xlim(0.8, max(len(table), best + cd) + 0.2)
    return fig
