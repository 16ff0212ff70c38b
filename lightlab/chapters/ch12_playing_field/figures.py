"""Pictures of all methods side by side. Data frames in, figures out; accuracies in per cent."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lightlab.show import style


def fronts(results: pd.DataFrame) -> Figure:
    """What each method found, means joined: method, target, seed, accuracy, latency_ms."""
    fig, ax = style.subplots(height=3.8)
    for name, part in results.groupby("method", sort=False):
        look = style.method(name, lw=1.1)
        mean = part.groupby("target")[["latency_ms", "accuracy"]].mean()
        seeds = {"color": look["color"], "ms": 3, "alpha": 0.5}
        ax.plot(1e3 * part["latency_ms"], part["accuracy"], ".", **seeds)
        ax.plot(1e3 * mean["latency_ms"], mean["accuracy"], **look)
    ax.set(xlabel="measured time of an image, µs", ylabel="test accuracy, %")
    fig.legend(loc="outside right center")
    return fig


def bill(table: pd.DataFrame) -> Figure:
    """Hypervolume against what the search took for all targets, seeds as dots, their means joined:
    method, budget, seed, hypervolume, samples, seconds. Those by hand, at no cost, are lines.
    """
    fig, axes = style.subplots(1, 2, height=3.6, sharey=True)
    columns = {"samples": "images seen", "seconds": "seconds of one core"}
    for ax, (column, words) in zip(axes, columns.items(), strict=True):
        for name, part in table.groupby("method", sort=False):
            look = style.method(name)
            mean = part.groupby("budget")[[column, "hypervolume"]].mean()
            if (part[column] == 0).all():
                ax.axhline(mean["hypervolume"].iloc[0], **look | {"marker": "", "lw": 1})
                continue
            seeds = {"color": look["color"], "ms": 3, "alpha": 0.5}
            ax.plot(part[column], part["hypervolume"], ".", **seeds)
            ax.plot(mean[column], mean["hypervolume"], **look)
        spent = table.loc[table[column] > 0, column]
        if spent.max() > 5 * spent.min():
            style.log_counts(ax)
        ax.set_xlabel(f"{words}, all targets")
    axes[0].set_ylabel("dominated share, test")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return fig


def ranks(table: pd.DataFrame, cd: float) -> Figure:
    """Mean ranks on a line, best to the left, with the critical difference: method, rank."""
    fig, ax = style.subplots(height=0.9 + 0.3 * len(table), width=0.9 * style.WIDTH_IN)
    at = np.arange(len(table))[::-1]
    for y, row in zip(at, table.itertuples(), strict=True):
        ax.plot(row.rank, y, **style.method(row.method, ms=7))
    best = table["rank"].min()
    ax.axvspan(best, best + cd, color=style.LIGHT, alpha=0.6, lw=0, zorder=0)
    ax.annotate("not to be told from the best", (best + cd, at[0] + 0.45), ha="right", va="center",
                fontsize=8, xytext=(-3, 0), textcoords="offset points")  # fmt: skip
    ax.set_yticks(at, table["method"])
    ax.set(xlabel="mean rank over targets and seeds, 1 is best", ylim=(-0.6, len(table) - 0.2))
    ax.set_xlim(0.8, max(len(table), best + cd) + 0.2)
    return fig
