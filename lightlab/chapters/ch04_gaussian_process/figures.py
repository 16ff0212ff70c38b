"""Pictures of Gaussian processes and of searches that use them."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lightlab.show import marks, style

BLUE, NEXT, GREEN, PINK, *_, TRUTH = style.COLOURS
NAMES = {
    "ours": "ours",
    "no-warp": "ours, no warp",
    "botorch": "BoTorch's defaults",
    "optuna-gp": "Optuna GP",
    "tpe": "Optuna TPE",
    "random": "random",
    "grid": "grid",
}


def kernels(samples: pd.DataFrame) -> Figure:
    """Curves drawn from priors, one panel per kernel."""
    groups = samples.groupby("kernel", sort=False)
    fig, axes = marks.panels(list(groups.groups), height=2.0, labels=("x", "f(x)"), sharey=True)
    for ax, (_, group) in zip(axes, groups, strict=True):
        ax.axhspan(-2, 2, color=style.LIGHT, alpha=0.5, lw=0)
        for _, curve in group.groupby("sample"):
            ax.plot(curve["x"], curve["value"], lw=1.2)
    return fig


def posteriors(
    bands: pd.DataFrame,
    points: pd.DataFrame,
    truth: pd.DataFrame | None = None,
    ncols: int = 3,
    labels: tuple[str, str] = ("x", "f(x)"),
) -> Figure:
    """Posteriors, one panel per `panel`, with the points seen by then (with their sd, if known)."""
    groups = bands.groupby("panel", sort=False)
    shape = {"height": 1.75, "extra": 0.3, "ncols": ncols, "sharex": True, "sharey": True}
    fig, axes = marks.panels(list(groups.groups), labels=labels, **shape)
    for ax, (panel, group) in zip(axes, groups, strict=True):
        _belief(ax, group, points[points["panel"] == panel], truth)
    _key(fig, truth is not None)
    return fig


def evidence(
    bands: pd.DataFrame, points: pd.DataFrame, curve: pd.DataFrame, truth: pd.DataFrame
) -> Figure:
    """Above, posteriors at three length scales; below, log evidence and its two parts."""
    groups = list(bands.groupby("panel", sort=False))
    fig, axes = style.subplots(2, len(groups), height=4.3, height_ratios=[1, 1.2])
    grid = axes[1, 0].get_gridspec()
    for ax in axes[1]:
        ax.remove()
    for i, (panel, group) in enumerate(groups):
        _belief(axes[0, i], group, points, truth)
        axes[0, i].set(title=panel, xlabel="x", ylim=(-2.6, 2.6))
    axes[0, 0].set_ylabel("f(x)")
    ax = fig.add_subplot(grid[1, :])
    parts = {
        "fit": (GREEN, "fit: are these values likely?"),
        "simplicity": (PINK, "simplicity: are few other values likely?"),
        "log_evidence": (BLUE, "log evidence: their sum, less a constant"),
    }
    for column, (colour, text) in parts.items():
        width = 2.4 if column == "log_evidence" else 1.3
        ax.plot(curve["length"], curve[column], color=colour, lw=width, label=text)
    for length in bands["length"].unique():
        ax.axvline(length, color=style.GREY, ls=":", lw=1)
    top = curve["log_evidence"].max()
    ax.set(xscale="log", xlabel="length scale", ylabel="nats", ylim=(top - 45, None))
    ax.legend(loc="lower left")
    return fig


def acquisitions(places: pd.DataFrame, points: pd.DataFrame, truth: pd.DataFrame) -> Figure:
    """Posterior above, acquisition function below with its maximum: a column per `judge`.

    `points` have a judge where they differ.
    """
    groups = list(places.groupby("judge", sort=False))
    fig, axes = style.subplots(
        2, len(groups), height=3.4, sharex=True, sharey="row", height_ratios=[2, 1], squeeze=False
    )
    for (upper, lower), (name, group) in zip(axes.T, groups, strict=True):
        seen = points[points["judge"] == name] if "judge" in points else points
        _belief(upper, group, seen, truth)
        _next(upper, lower, group)
        upper.set_title(name)
        lower.set_xlabel("x")
    axes[0, 0].set_ylabel("f(x)")
    axes[1, 0].set_ylabel("acquisition\n(scaled)")
    axes[1, 0].set_yticks([])
    _key(fig, truth=True, chosen=True)
    return fig


def plane(places: pd.DataFrame, best_f: float) -> Figure:
    """Mean against standard deviation of every place, and which one each judge takes."""
    fig, ax = style.subplots(height=3.3, width=5.6)
    one = places[places["judge"] == places["judge"].iloc[0]]
    ax.plot(one["sd"], one["mean"], ".", color=style.LIGHT, ms=4, zorder=1)
    front = _front(one)
    ax.plot(front["sd"], front["mean"], ".", color=BLUE, ms=5, zorder=2)
    ax.axhline(best_f, color=style.GREY, ls=":", lw=1)
    look = {"xycoords": ("axes fraction", "data"), "ha": "right", "color": style.GREY}
    marks.note(ax, "best value seen", (1, best_f), (0, 3), fontsize=9, **look)
    taken = places[places["chosen"]].groupby(["sd", "mean"])["judge"].agg("\n".join)
    line = {"arrowstyle": "-", "color": NEXT, "lw": 0.8, "shrinkA": 0, "shrinkB": 5}
    look = {"ha": "center", "color": NEXT, "fontsize": 8.5, "arrowprops": line}
    for i, ((sd, mean), names) in enumerate(taken.items()):
        ax.plot(sd, mean, "o", mfc="none", mec=NEXT, ms=9, mew=1.5, zorder=3)
        up, va = (20, "bottom") if i % 2 == 0 else (-20, "top")
        marks.note(ax, names, (sd, mean), (0, up), va=va, **look)
    ax.margins(x=0.12, y=0.17)
    ax.set(xlabel="standard deviation: how little is known", ylabel="mean: how good it looks")
    return fig


def _front(places: pd.DataFrame) -> pd.DataFrame:
    """Places that no other beats in both mean and standard deviation."""
    ordered = places.sort_values(["sd", "mean"], ascending=False)
    return ordered[ordered["mean"] > ordered["mean"].shift(fill_value=-np.inf).cummax()]


def regret(curves: pd.DataFrame, n_initial: int) -> Figure:
    """log10 regret against trials, a panel per problem; right of it the interval at the end."""
    groups, labels = curves.groupby("problem", sort=False), ("trials", "log10 regret")
    shape = {"height": 2.6, "extra": 0.6, "ncols": 3, "sharex": True}
    fig, axes = marks.panels(list(groups.groups), labels=labels, **shape)
    last = curves["trial"].max()
    for ax, (_, group) in zip(axes, groups, strict=True):
        ax.axvspan(0, n_initial, color=style.LIGHT, alpha=0.5, lw=0)
        for i, (method, line) in enumerate(group.groupby("method", sort=False), 1):
            look = style.method(str(method), marker="", label=NAMES[str(method)])
            ax.plot(line["trial"], line["mean"], **look)
            end = line[-1:].assign(x=last * (1 + 0.025 * i))
            look = {"fmt": ".", "color": look["color"], "capsize": 2, "lw": 1.2}
            ax.errorbar(end["x"], end["mean"], marks.whiskers(end), **look)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(xlim=(1, last * 1.2))
    marks.legend_above(fig, axes[0], ncols=4)
    return fig


def _belief(ax: Axes, band: pd.DataFrame, points: pd.DataFrame, truth: pd.DataFrame | None) -> None:
    """Mean, ±2 standard deviations, and the points seen; dashed the truth, if it is known."""
    marks.belief(ax, band, "x")
    if truth is not None:
        ax.plot(truth["x"], truth["value"], color=TRUTH, ls="--", lw=1)
    error = 2 * points["sd"] if "sd" in points else None
    ax.errorbar(points["x"], points["value"], error, fmt="o", color=TRUTH, ms=4.5, capsize=3)


def _next(upper: Axes, lower: Axes, group: pd.DataFrame) -> None:
    """The acquisition function scaled to 0..1, its maximum marked in both panels."""
    values = group["acqf"].to_numpy()
    scaled = (values - values.min()) / max(np.ptp(values), 1e-300)
    lower.fill_between(group["x"], scaled, color=GREEN, alpha=0.25, lw=0)
    lower.plot(group["x"], scaled, color=GREEN, lw=1.2)
    x = float(group.loc[group["chosen"], "x"].iloc[0])
    lower.plot(x, 1.0, "v", color=NEXT, ms=6, clip_on=False)
    for ax in (upper, lower):
        ax.axvline(x, color=NEXT, lw=1.2, alpha=0.8)


def _key(fig: Figure, truth: bool, chosen: bool = False) -> None:
    handles = [
        marks.key("mean", BLUE),
        marks.key("±2 standard deviations", BLUE, alpha=0.25, lw=7),
        marks.key("seen", TRUTH, marker="o", ls=""),
    ]
    if truth:
        handles.append(marks.key("truth", TRUTH, ls="--", lw=1))
    if chosen:
        handles.append(marks.key("next point", NEXT, marker="v"))
    marks.legend_above(fig, handles)
