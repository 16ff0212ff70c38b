"""Pictures of searches that weigh accuracy against latency. Data frames in, figures out.

Accuracies in per cent; latencies as multiples of the target where nothing else is said.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from lightlab.show import style

# One look per search, the same in every figure.
LOOKS = {
    "soft": (style.COLOURS[0], "o"),
    "hard": (style.COLOURS[1], "s"),
    "accuracy only": (style.COLOURS[6], "^"),
    "soft, flat": (style.COLOURS[5], "D"),
    "accuracy only, flat": (style.COLOURS[3], "v"),
    "random": (style.GREY, "x"),
}


def cloud(trials: pd.DataFrame, chosen: pd.DataFrame) -> Figure:
    """Accuracy against latency of all that two searches sampled, early ones light, and the front.

    `trials`: arm, trial, ratio, accuracy, front (bool, of each arm); `chosen`: arm, ratio,
    accuracy.
    """
    arms = list(dict.fromkeys(trials["arm"]))
    fig, axes = style.subplots(1, len(arms), height=3.4, sharex=True, sharey=True)
    for ax, arm in zip(np.atleast_1d(axes), arms, strict=True):
        part = trials[trials["arm"] == arm]
        colour, _ = LOOKS[arm]
        share = (part["trial"] / part["trial"].max()).to_numpy()
        ax.scatter(part["ratio"], part["accuracy"], s=18, color=colour, alpha=0.2 + 0.7 * share)
        front = part[part["front"]].sort_values("ratio")
        ax.step(front["ratio"], front["accuracy"], where="post", color=colour, linewidth=1.4)
        best = chosen[chosen["arm"] == arm]
        ax.plot(best["ratio"], best["accuracy"], "*", ms=13, color="black", mfc=colour)
        ax.axvline(1, color="black", linestyle="--", linewidth=1)
        ax.set(xlabel="latency / target", title=f"{arm}: {len(part)} networks")
    np.atleast_1d(axes)[0].set_ylabel("accuracy after short training, %")
    return fig


def progress(curves: pd.DataFrame) -> Figure:
    """Best reward so far, and what is left of the policy's entropy, against networks tried.

    Columns arm, trial, best, ci_low, ci_high, entropy (NaN for random search).
    """
    fig, (left, right) = style.subplots(1, 2, height=2.9)
    for arm, part in curves.groupby("arm", sort=False):
        colour, _ = LOOKS[arm]
        line = "--" if arm == "random" else "-"
        left.plot(part["trial"], part["best"], line, color=colour, label=arm)
        if part["ci_low"].notna().all():
            left.fill_between(
                part["trial"], part["ci_low"], part["ci_high"], color=colour, alpha=0.15
            )
        if part["entropy"].notna().all():
            right.plot(part["trial"], 100 * part["entropy"], line, color=colour)
    left.set(xlabel="networks tried", ylabel="best reward so far")
    right.set(
        xlabel="networks tried", ylabel="entropy of the policy,\n% of its first", ylim=(0, 105)
    )
    fig.legend(loc="outside upper center", ncols=len(LOOKS))
    return fig


def hard_and_soft(ours: pd.DataFrame, published: pd.DataFrame) -> Figure:
    """Share of the sampled networks by latency over target: ours and the paper's Figure 6.

    `ours`: arm, ratio. `published`: ratio (middle of a bin), width, hard, soft (shares).
    """
    fig, (left, right) = style.subplots(1, 2, height=2.9, sharex=True)
    bins = np.linspace(0, max(2.0, min(3.0, ours["ratio"].quantile(0.99))), 31)
    for arm in ("hard", "soft"):
        colour, _ = LOOKS[arm]
        found = ours.loc[ours["arm"] == arm, "ratio"].clip(upper=bins[-1] - 1e-9)
        weights = np.full(len(found), 100 / max(1, len(found)))
        _outline(left, found, bins, weights, colour, arm)
        edges = [*(published["ratio"] - published["width"] / 2),
                 published["ratio"].iloc[-1] + published["width"].iloc[-1] / 2]  # fmt: skip
        _outline(right, published["ratio"], edges, 100 * published[arm], colour, arm)
        left.axvline(found.median(), color=colour, linewidth=1.2, linestyle=":")
        middle = _weighted_median(published["ratio"], published[arm])
        right.axvline(middle, color=colour, linewidth=1.2, linestyle=":")
    for ax, title in ((left, "here"), (right, "published, Figure 6")):
        ax.axvline(1, color="black", linestyle="--", linewidth=1)
        ax.set(title=title, xlabel="latency / target", ylabel="% of sampled networks")
    fig.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return fig


def _outline(ax: Axes, values, bins, weights, colour: str, label: str) -> None:
    for kind, alpha in (("stepfilled", 0.25), ("step", 1)):
        ax.hist(values, bins, weights=weights, histtype=kind, color=colour, alpha=alpha,
                label=label if alpha < 1 else None)  # fmt: skip


def _weighted_median(values: pd.Series, weights: pd.Series) -> float:
    return float(np.interp(0.5, weights.cumsum() / weights.sum(), values))


def proxies(networks: pd.DataFrame) -> Figure:
    """Accuracy after short training against that after longer: accuracy, longer, ratio (latency
    over target, as the colour).
    """
    fig, ax = style.subplots(height=3.2, width=0.72 * style.WIDTH_IN)
    dots = ax.scatter(networks["accuracy"], networks["longer"], c=networks["ratio"], s=34,
                      cmap=style.SEQUENTIAL, edgecolors="white", linewidths=0.6)  # fmt: skip
    fig.colorbar(dots, label="latency / target")
    ax.set(xlabel="accuracy after short training, %", ylabel="after longer training, %")
    return fig


def ablation(winners: pd.DataFrame, published: pd.DataFrame) -> Figure:
    """What searches choose, accuracy against latency over target: one mark a seed; the paper's.

    `winners`: arm, ratio, accuracy. `published`: ratio, top1, label.
    """
    fig, (left, right) = style.subplots(1, 2, height=3.1)
    for arm, part in winners.groupby("arm", sort=False):
        colour, marker = LOOKS[arm]
        look = {"ls": "", "ms": 6, "color": colour, "alpha": 0.75, "label": arm}
        left.plot(part["ratio"], part["accuracy"], marker=marker, **look)
    left.set(title="here", ylabel="accuracy after short training, %")
    right.plot(published["ratio"], published["top1"], "o", color=style.COLOURS[1], ms=6)
    for row in published.itertuples():
        right.annotate(row.label, (row.ratio, row.top1), **beside(row.ratio > 2))
    right.set(title="published, Table 5", ylabel="top-1 on ImageNet, %", ylim=(71, 76))
    for ax in (left, right):
        ax.axvline(1, color="black", linestyle="--", linewidth=1)
        ax.set(xlabel="latency / target", xscale="log")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xticks([0.25, 0.5, 1, 2, 4])
    right.set_xlim(0.8, 3)
    fig.legend(loc="outside upper center", ncols=4)
    return fig


def trained(table: pd.DataFrame, published: pd.DataFrame) -> Figure:
    """Networks trained to the end: accuracy with interval against latency, ours and Table 6.

    `table`: name, latency_ms, accuracy, ci_low, ci_high. `published`: model, latency_ms, top1.
    """
    fig, (left, right) = style.subplots(1, 2, height=3.4)
    for i, row in enumerate(table.itertuples()):
        colour = style.COLOURS[i % len(style.COLOURS)]
        left.plot([row.latency_ms * 1e3] * 2, [row.ci_low, row.ci_high], color=colour, alpha=0.4,
                  linewidth=3)  # fmt: skip
        left.plot(row.latency_ms * 1e3, row.accuracy, "*" if i == 0 else "o", color=colour,
                  ms=13 if i == 0 else 6, label=row.name)  # fmt: skip
    left.set(title="here", xlabel="measured latency, µs", ylabel="test accuracy, %")
    for i, row in enumerate(published.itertuples()):
        right.plot(row.latency_ms, row.top1, "*" if i == 0 else "o", ms=13 if i == 0 else 6,
                   color=style.COLOURS[0 if i == 0 else i + 1])  # fmt: skip
    right.set(title="published, Table 6", xlabel="latency on a Pixel 1, ms", ylabel="top-1, %")
    fig.legend(loc="outside upper center", ncols=3)
    return fig


def beside(left: bool) -> dict:
    """How a word stands beside its mark."""
    side = "right" if left else "left"
    look = {"textcoords": "offset points", "va": "center", "fontsize": 7.5}
    return {"xytext": (-6 if left else 6, 0), "ha": side, **look}
