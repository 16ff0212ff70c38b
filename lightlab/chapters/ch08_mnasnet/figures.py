"""Searches that weigh accuracy (%) against latency: the reward, the space, what they find."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightlab.show import marks, style
from lightlab.show.marks import networks  # noqa: F401  one of its figures

# One look per search, the same in every figure.
LOOKS = {
    "soft": style.method("MnasNet", label="soft"),
    "hard": {"color": style.COLOURS[0], "marker": "s", "ls": "-", "label": "hard"},
    "accuracy only": {"color": style.COLOURS[6], "marker": "^"},
    "soft, flat": {"color": style.COLOURS[5], "marker": "D"},
    "accuracy only, flat": {"color": style.COLOURS[3], "marker": "v"},
    "random": style.method("random"),
}
_FOUND, _TARGET = LOOKS["soft"]["color"], {"color": "black", "linestyle": "--", "linewidth": 1}


def rewards(curves: pd.DataFrame, surface: pd.DataFrame) -> Figure:
    """Figure 3 of the paper, and both rewards over a full grid of latency and accuracy."""
    fig, axes = style.subplots(1, 1 + surface["kind"].nunique(), height=3.0)
    for kind, line in curves.groupby("kind", sort=False):
        axes[0].plot(line["latency_ms"], line["reward"], color=LOOKS[kind]["color"], label=kind)
    axes[0].set(xlabel="latency, ms", ylabel="reward at accuracy 0.5", title="Figure 3 (T = 80 ms)")
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 0.02))
    axes[0].set_ylim(0, 0.7)
    levels = np.arange(0, surface["reward"].max() + 10, 10)
    for ax, (kind, part) in zip(axes[1:], surface.groupby("kind", sort=False), strict=True):
        grid = part.pivot(index="accuracy", columns="ratio", values="reward")
        where = (grid.columns, grid.index, grid)
        ax.contourf(*where, levels=levels, cmap=style.SEQUENTIAL, alpha=0.75)
        lines = ax.contour(*where, levels=levels, colors="white", linewidths=1)
        ax.clabel(lines, fontsize=8, fmt="%.0f")
        ax.axvline(1, **_TARGET)
        ax.set(xlabel="latency / target", ylabel="accuracy, %", title=f"{kind} reward")
        ax.grid(False)
    return fig


def sizes(costs: pd.DataFrame, known: Mapping[str, float]) -> Figure:
    """MACs of random networks by space, and of networks to compare with."""
    fig, ax = style.subplots(height=2.9)
    bins = np.geomspace(costs["macs"].min(), costs["macs"].max(), 60)
    parts = costs.groupby("space", sort=False)
    for (name, part), colour in zip(parts, style.COLOURS, strict=False):
        ax.hist(part["macs"], bins, histtype="stepfilled", alpha=0.35, color=colour, label=name)
        ax.hist(part["macs"], bins, histtype="step", color=colour)
    top = ax.get_ylim()[1]
    look = {"backgroundcolor": "white", "arrowprops": {"arrowstyle": "-", "lw": 0.8}}
    for i, (name, macs) in enumerate(sorted(known.items(), key=lambda item: item[1])):
        ax.axvline(macs, color="black", linewidth=1, linestyle=":")
        marks.note(ax, name, (macs, top * (0.97 - 0.12 * i)), (40, 0), va="center", **look)
    style.log_counts(ax)
    ax.set(xlabel="MACs of one image (log)", ylabel="networks")
    fig.legend(loc="outside upper center", ncols=2)
    return fig


def macs_and_latency(published: pd.DataFrame, ours: pd.DataFrame) -> Figure:
    """Latency against MACs of the paper's Table 1, and of networks sampled here."""
    fig, (left, right) = style.subplots(1, 2, height=3.4)
    left.plot(published["macs_millions"], published["latency_ms"], "o", color=style.COLOURS[1])
    height = {True: 0.0, False: 0.0}  # of the last word on that side: words must not overlap
    for row in published.sort_values("latency_ms").itertuples():
        side = row.macs_millions > 450
        height[side] = max(row.latency_ms - 6, height[side] + 9)
        _beside(left, row.model, (row.macs_millions, height[side]), left=side)
    right.plot(ours["macs"] / 1e6, ours["latency_ms"], "o", color=style.COLOURS[0], alpha=0.6)
    left.set(title="published, on a Pixel 1", xlim=(250, 640))
    right.set(title=f"{len(ours)} sampled here", xlim=(0, None))
    for ax in (left, right):
        ax.set(xlabel="MACs, millions", ylabel="latency, ms", ylim=(0, None))
    return fig


def _beside(ax: Axes, word: str, at: tuple[float, float], left: bool) -> None:
    """A word beside its mark."""
    shift, side = (-6, "right") if left else (6, "left")
    marks.note(ax, word, at, (shift, 0), ha=side, va="center")


def cloud(trials: pd.DataFrame, chosen: pd.DataFrame, beta: float) -> Figure:
    """Accuracy against latency of what searches sampled, early ones light, and the front."""
    arms = list(trials.groupby("arm", sort=False))
    titles = [f"{arm}: {len(part)} networks" for arm, part in arms]
    labels = ("latency / target", "accuracy after short training, %")
    fig, axes = marks.panels(titles, height=3.4, labels=labels, sharex=True, sharey=True)
    for ax, (arm, part) in zip(axes, arms, strict=True):
        colour = LOOKS[arm]["color"]
        share = (part["trial"] / part["trial"].max()).to_numpy()
        ax.scatter(part["ratio"], part["accuracy"], s=18, color=colour, alpha=0.2 + 0.7 * share)
        front = part[part["front"]].sort_values("ratio")
        ax.step(front["ratio"], front["accuracy"], where="post", color=colour, linewidth=1.4)
        best = chosen[chosen["arm"] == arm]
        ax.plot(best["ratio"], best["accuracy"], "*", ms=13, color="black", mfc=colour)
        ax.axvline(1, **_TARGET)
    for ax in axes:
        _equal_reward(ax, beta)
    return fig


def _equal_reward(ax: Axes, beta: float) -> None:
    """Grey lines along which the soft reward is the same, behind what the axes show already."""
    xlim, ylim = ax.get_xlim(), ax.get_ylim()
    x = np.geomspace(max(xlim[0], 1e-3), xlim[1], 100)
    ticks = ax.get_yticks()
    for level in ticks[0] + (ticks[1] - ticks[0]) * np.arange(-20, 40):
        ax.plot(x, level * x**-beta, color=style.GREY, linewidth=0.6, zorder=0)
    ax.set(xlim=xlim, ylim=ylim)
    ax.grid(False)


def progress(curves: pd.DataFrame) -> Figure:
    """Best reward so far, and what is left of the policy's entropy, against networks tried."""
    fig, (left, right) = style.subplots(1, 2, height=2.9)
    for arm, part in curves.groupby("arm", sort=False):
        steps = LOOKS[arm] | {"marker": "", "drawstyle": "steps-post"}
        marks.band(left, part, "trial", "best", **steps)
        if part["entropy"].notna().all():
            right.plot(part["trial"], 100 * part["entropy"], **steps | {"label": None})
    left.set(xlabel="networks tried", ylabel="best reward so far")
    right.set(xlabel="networks tried", ylabel="entropy of the policy,\n% of the even choice")
    right.set_ylim(0, 105)
    marks.legend_above(fig, left)
    return fig


def hard_and_soft(ours: pd.DataFrame, published: pd.DataFrame) -> Figure:
    """Share of the sampled networks that are at most so slow: ours, and the paper's Figure 6."""
    fig, (left, right) = style.subplots(1, 2, height=2.9, sharex=True, sharey=True)
    ends = published["ratio"] + published["width"] / 2
    for arm in ("hard", "soft"):
        colour = LOOKS[arm]["color"]
        found = np.sort(ours.loc[ours["arm"] == arm, "ratio"])
        shares = 100 * np.arange(1, len(found) + 1) / len(found)
        look = {"color": colour, "drawstyle": "steps-post", "label": arm}
        left.plot([0, *found, 10], [0, *shares, 100], **look)
        right.plot([0, *ends, 10], [0, *(100 * published[arm].cumsum()), 100], color=colour)
    for ax, title in ((left, "here"), (right, "published, Figure 6")):
        ax.axvline(1, **_TARGET)
        ax.axhline(50, color=style.GREY, linewidth=0.8)
        ax.set(title=title, xlabel="latency / target", xlim=(0, 2.5), ylim=(0, 103))
    left.set_ylabel("% of the sampled networks\nat most so slow")
    marks.legend_above(fig, left)
    return fig


def proxies(trials: pd.DataFrame) -> Figure:
    """Accuracy after short and after longer training; colour: latency over target."""
    fig, ax = style.subplots(height=3.2, width=0.72 * style.WIDTH_IN)
    look = {"s": 34, "cmap": style.SEQUENTIAL, "edgecolors": "white", "linewidths": 0.6}
    dots = ax.scatter(trials["accuracy"], trials["longer"], c=trials["ratio"], **look)
    fig.colorbar(dots, label="latency / target")
    ax.set(xlabel="accuracy after short training, %", ylabel="after longer training, %")
    return fig


def ablation(winners: pd.DataFrame, published: pd.DataFrame, beta: float) -> Figure:
    """What searches choose, accuracy against latency over target: one mark a seed; the paper's.
    Grey: equal soft reward, of exponent `beta` here and −0.07 in the paper.
    """
    fig, (left, right) = style.subplots(1, 2, height=3.1)
    for arm, part in winners.groupby("arm", sort=False):
        look = LOOKS[arm] | {"ls": "", "ms": 6, "alpha": 0.75, "label": arm}
        left.plot(part["ratio"], part["accuracy"], **look)
    left.set(title="here", ylabel="accuracy after short training, %")
    for row in published.itertuples():
        mark = "^" if row.reward.startswith("accuracy only") else "o"
        right.plot(row.ratio, row.top1, mark, color=_FOUND, ms=6)
        words = f"{row.space},\n{row.reward}"
        _beside(right, words, (row.ratio, row.top1), left=row.ratio > 2)
    right.set(title="published, Table 5", ylabel="top-1 on ImageNet, %", ylim=(71, 76))
    right.set_xlim(0.8, 3)
    for ax, exponent in ((left, beta), (right, -0.07)):
        ax.axvline(1, **_TARGET)
        ax.set(xlabel="latency / target", xscale="log")
        limits = ax.get_xlim()
        style.only_ticks(ax.xaxis, [0.25, 0.5, 1, 2, 4])
        ax.set_xlim(limits)
        _equal_reward(ax, exponent)
    marks.legend_above(fig, left)
    return fig


def trained(results: pd.DataFrame, published: pd.DataFrame) -> Figure:
    """Networks trained to the end: every seed, the mean, the latency in words; Table 6."""
    fig, (left, right) = style.subplots(1, 2, height=3.2, width_ratios=[1.5, 1])
    labels = []
    for at, (name, part) in enumerate(results.groupby("name", sort=False)):
        colour = _FOUND if name == "found" else style.GREY
        left.plot(part["accuracy"], [at] * len(part), "o", color=colour, alpha=0.6)
        left.plot([part["accuracy"].mean()] * 2, [at - 0.3, at + 0.3], color=colour, linewidth=2.5)
        labels.append(f"{name}\n{1e3 * part['latency_ms'].iloc[0]:.1f} µs")
    marks.name_rows(left, labels)
    left.set(xlabel="test accuracy, %", title="here")
    for i, row in enumerate(published.itertuples()):
        mark, colour = ("*", _FOUND) if i == 0 else ("o", style.GREY)
        right.plot(row.latency_ms, row.top1, mark, ms=13 if i == 0 else 6, color=colour)
        word = row.model.replace(" only", "").replace("(k3x3)", "3×3").replace("(k5x5)", "5×5")
        _beside(right, word, (row.latency_ms, row.top1), left=row.latency_ms > 100)
    right.set(title="published, Table 6", xlabel="latency on a Pixel 1, ms", ylabel="top-1, %")
    return fig
