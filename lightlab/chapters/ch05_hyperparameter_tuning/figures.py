"""Pictures of hyperparameter tuning; accuracies from 0 to 1."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, ScalarFormatter

from lightlab.show import marks, style
from lightlab.show.marks import pictures  # noqa: F401  one of its figures

_NAMES = {
    "bo": "Bayesian optimisation",
    "random": "random search",
    "grid": "grid search",
    "tpe": "TPE (Optuna)",
}
_LABELS = {"lr": "learning rate"}


def folds(scores: pd.DataFrame) -> Figure:
    """Accuracies of the folds at each learning rate, their mean and two sd: as `fold_table`."""
    fig, ax = style.subplots(height=2.8)
    means = scores.drop_duplicates("x")
    ax.plot(scores["x"], scores["accuracy"], "o", mfc="none", color=style.GREY, label="one fold")
    words = "mean of the folds ± 2 of its standard deviations"
    look = {"fmt": "D", "capsize": 4, "color": style.COLOURS[0], "label": words}
    ax.errorbar(means["x"], means["mean"], 2 * means["sd"], **look)
    ax.set(xscale="log", xlabel="learning rate")
    _accuracies(ax)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return fig


def replay(beliefs: pd.DataFrame, observed: pd.DataFrame) -> Figure:
    """Posterior above, acquisition below, one column per number of trials (in their order)."""
    sizes = list(beliefs["n_trials"].unique())
    fig, axes = style.subplots(
        2, len(sizes), height=4.2, sharex=True, sharey="row", height_ratios=[2, 1], squeeze=False
    )
    for (upper, lower), size in zip(axes.T, sizes, strict=True):
        belief = beliefs[beliefs["n_trials"] == size]
        seen = observed.iloc[:size]
        best = belief.loc[belief["acqf"].idxmax(), "lr"]
        marks.belief(upper, belief, "lr")
        upper.errorbar(seen["lr"], seen["value"], 2 * seen["sd"], fmt="o", color="black", capsize=3)
        upper.set(title=f"after {size} trials", xscale="log", ylim=(0, 1))
        lower.fill_between(belief["lr"], belief["acqf"] * 100, color=style.COLOURS[2], alpha=0.4)
        lower.set(xlabel="learning rate", xscale="log")
        for ax in (upper, lower):
            ax.axvline(best, color=style.COLOURS[1], linestyle="--", linewidth=1.3)
        place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top"}
        lower.annotate("next", (best, 0.92), xytext=(4, 0), color=style.COLOURS[1], **place)
    _accuracies(axes[0, 0])
    axes[1, 0].set_ylabel("expected\nimprovement\n(% points)")
    return fig


def anytime(curves: pd.DataFrame) -> Figure:
    """Mean over seeds with its 95 % band, by method."""
    fig, ax = style.subplots(height=3.2)
    for name, part in curves.groupby("method", sort=False):
        marks.band(ax, part, "cost", **style.method(name, marker="", label=_NAMES[name]))
    ax.set(xlabel="cost (trainings of an average configuration)", ylim=(0, 1))
    _accuracies(ax, "held-out accuracy of the incumbent")
    ax.legend(loc="lower right")
    return fig


def differences(pairs: pd.DataFrame) -> Figure:
    """Differences between methods, in percentage points: a dot per seed, mean, 95 % interval."""
    groups = dict(list(pairs.groupby(["first", "second"], sort=False)))
    fig, ax = style.subplots(height=0.9 + 0.55 * len(groups))
    marks.forest(ax, groups.values())
    marks.name_rows(ax, [f"{_NAMES[a]}\nminus {_NAMES[b]}" for a, b in groups])
    ax.set_xlabel("difference in held-out accuracy (% points)")
    return fig


def slices(
    curves: pd.DataFrame, observed: pd.DataFrame, incumbent: Mapping[str, float], log: list[str]
) -> Figure:
    """Mean ± 2σ through the incumbent, one panel per hyperparameter, logarithmic where in `log`."""
    groups, labels = curves.groupby("name", sort=False), ("", "accuracy")
    shape = {"height": 2.1, "ncols": 3, "sharey": True}
    fig, axes = marks.panels([""] * len(groups), labels=labels, **shape)
    for ax, (name, curve) in zip(axes, groups, strict=True):
        ax.plot(observed[name], observed["value"], ".", color=style.GREY, alpha=0.7)
        marks.belief(ax, curve, "x")
        ax.axvline(incumbent[name], color=style.COLOURS[1], linestyle="--", linewidth=1.3)
        ax.set_xlabel(_label(name))
        ax.yaxis.set_major_formatter(PercentFormatter(1))
        if name in log:
            many = observed[name].max() / observed[name].min() > 100
            ax.set_xscale("log", base=10 if many else 2)
            if not many:  # powers of two written out
                ax.xaxis.set_major_formatter(ScalarFormatter())
    return fig


def relevance(shares: pd.DataFrame) -> Figure:
    """Share of each hyperparameter in the model's variation: one dot per seed, bar at the mean."""
    means = shares.groupby("name")["share"].mean().sort_values(ascending=False)
    fig, ax = style.subplots(height=0.8 + 0.32 * len(means))
    ax.barh(range(len(means)), means, color=style.COLOURS[0], alpha=0.55, height=0.65)
    rows = shares["name"].map(list(means.index).index)
    ax.plot(shares["share"], rows, "o", mfc="white", color="black")
    ax.axvline(1 / len(means), color=style.GREY, linestyle=":")
    marks.note(ax, "all alike", (1 / len(means), len(means) - 0.58), (3, 0), fontsize=9)
    marks.name_rows(ax, [_label(name) for name in means.index])
    ax.set_xlabel("share of 1/ℓ²")
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    return fig


def _accuracies(ax: Axes, label: str = "accuracy") -> None:
    """Name the vertical axis and write its numbers in per cent."""
    ax.set_ylabel(label)
    ax.yaxis.set_major_formatter(PercentFormatter(1))


def _label(name: str) -> str:
    return _LABELS.get(name, name.replace("_", " "))
