"""Pictures of a reward of accuracy and latency, and of the space it is sought in.

Data frames in, figures out; accuracies in per cent, multiply-accumulates (MACs) as they are.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lightlab.chapters.ch08_mnasnet.figures_mnasnet import LOOKS, beside
from lightlab.show import style


def macs_and_latency(published: pd.DataFrame, ours: pd.DataFrame) -> Figure:
    """Latency against MACs: the networks of the paper's Table 1, and those that were sampled here.

    `published`: model, macs_millions, latency_ms. `ours`: macs, latency_ms.
    """
    fig, (left, right) = style.subplots(1, 2, height=3.4)
    left.plot(published["macs_millions"], published["latency_ms"], "o", color=style.COLOURS[1])
    height = {True: 0.0, False: 0.0}  # of the last word on that side: words must not overlap
    for row in published.sort_values("latency_ms").itertuples():
        side = row.macs_millions > 450
        height[side] = max(row.latency_ms - 6, height[side] + 9)
        left.annotate(row.model, (row.macs_millions, height[side]), **beside(side))
    left.set(title="published, on a Pixel 1", xlabel="MACs, millions", ylabel="latency, ms")
    left.set(xlim=(250, 640), ylim=(0, None))
    right.plot(ours["macs"] / 1e6, ours["latency_ms"], "o", color=style.COLOURS[0], alpha=0.6)
    right.set(title=f"{len(ours)} sampled here", xlabel="MACs, millions", ylabel="latency, ms")
    right.set(xlim=(0, None), ylim=(0, None))
    return fig


def rewards(curves: pd.DataFrame, surface: pd.DataFrame) -> Figure:
    """Figure 3 of the paper, and both rewards over latency and accuracy.

    `curves`: kind, latency_ms, reward. `surface`: kind, ratio, accuracy, reward, a full grid.
    """
    kinds = list(dict.fromkeys(surface["kind"]))
    fig, axes = style.subplots(1, 1 + len(kinds), height=3.0)
    for kind, line in curves.groupby("kind", sort=False):
        colour = LOOKS[kind.split()[0]][0]
        axes[0].plot(line["latency_ms"], line["reward"], color=colour, label=kind)
    axes[0].set(xlabel="latency, ms", ylabel="reward at accuracy 0.5", title="Figure 3 (T = 80 ms)")
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 0.02))
    axes[0].set_ylim(0, 0.7)
    levels = np.arange(0, surface["reward"].max() + 10, 10)
    for ax, (kind, part) in zip(axes[1:], surface.groupby("kind", sort=False), strict=True):
        grid = part.pivot(index="accuracy", columns="ratio", values="reward")
        ax.contourf(
            grid.columns, grid.index, grid, levels=levels, cmap=style.SEQUENTIAL, alpha=0.75
        )
        lines = ax.contour(
            grid.columns, grid.index, grid, levels=levels, colors="white", linewidths=1
        )
        ax.clabel(lines, fontsize=7.5, fmt="%.0f")
        ax.axvline(1, color="black", linestyle="--", linewidth=1)
        ax.set(xlabel="latency / target", ylabel="accuracy, %", title=f"{kind} reward")
        ax.grid(False)
    return fig


def sizes(costs: pd.DataFrame, marks: Mapping[str, float]) -> Figure:
    """MACs of random networks by space (columns space, macs), and of networks to compare with."""
    fig, ax = style.subplots(height=2.9)
    bins = np.geomspace(costs["macs"].min(), costs["macs"].max(), 60)
    for (name, part), colour in zip(
        costs.groupby("space", sort=False), style.COLOURS, strict=False
    ):
        ax.hist(part["macs"], bins, histtype="stepfilled", alpha=0.35, color=colour, label=name)
        ax.hist(part["macs"], bins, histtype="step", color=colour)
    top = ax.get_ylim()[1]
    for i, (name, macs) in enumerate(sorted(marks.items(), key=lambda item: item[1])):
        ax.axvline(macs, color="black", linewidth=1, linestyle=":")
        ax.annotate(name, (macs, top * (0.97 - 0.12 * i)), xytext=(40, 0), va="center", fontsize=8,
                    textcoords="offset points", backgroundcolor="white",
                    arrowprops={"arrowstyle": "-", "lw": 0.8})  # fmt: skip
    style.log_counts(ax)
    ax.set(xlabel="MACs of one image (log)", ylabel="networks")
    fig.legend(loc="outside upper center", ncols=2)
    return fig
