"""Figures of networks seen as moving clouds of points."""

from collections.abc import Sequence

import matplotlib.patheffects as effects
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, PercentFormatter

from lightlab.show import style

# Ten classes need two colours more than the workbook's eight (both from Tol's muted set).
DIGITS = [*style.COLOURS, "#882255", "#999933"]


def clouds(points: pd.DataFrame, epochs: Sequence[int] | None = None) -> Figure:
    """Small multiples: rows are epochs, columns layers, axes equal within a column.

    Columns: epoch, layer, x, y, digit. `epochs` picks rows (None: all); axes fit all of them.
    """
    layers = points.layer.unique()
    epochs = list(points.epoch.unique() if epochs is None else epochs)
    width = style.WIDTH_IN
    fig, axes = style.subplots(
        len(epochs),
        len(layers),
        height=(width / len(layers)) * len(epochs) + 0.55,
        squeeze=False,
    )
    limits = {layer: _limits(group) for layer, group in points.groupby("layer")}
    shown = points[points.epoch.isin(epochs)]
    for (epoch, layer), cloud in shown.groupby(["epoch", "layer"], sort=False):
        row, column = epochs.index(epoch), list(layers).index(layer)
        ax = axes[row, column]
        colours = [DIGITS[d] for d in cloud.digit]
        ax.scatter(cloud.x, cloud.y, s=3.5, c=colours, lw=0, alpha=0.75, rasterized=True)
        ax.set(xticks=[], yticks=[], xlim=limits[layer][0], ylim=limits[layer][1])
        ax.spines[:].set(visible=True, color=style.LIGHT)
        if row == len(epochs) - 1:
            _name_clusters(ax, cloud)
        if row == 0:
            ax.set_title(layer, loc="center")
        if column == 0:
            ax.set_ylabel("before training" if epoch == 0 else f"epoch {epoch}")
    return fig


def _limits(group: pd.DataFrame) -> tuple[tuple[float, float], tuple[float, float]]:
    """A square window around all epochs of one layer."""
    centre = np.array([(group[a].min() + group[a].max()) / 2 for a in ("x", "y")])
    half = max(np.ptp(group.x), np.ptp(group.y)) / 2 * 1.06
    return tuple((float(c - half), float(c + half)) for c in centre)


def _name_clusters(ax: Axes, cloud: pd.DataFrame) -> None:
    """Each digit written where most of its points are, or beside another that stands there."""
    centres = cloud.groupby("digit")[["x", "y"]].median()
    places = _apart(centres.to_numpy(), 0.085 * np.ptp(ax.get_xlim()))
    for digit, (x, y) in zip(centres.index, places, strict=True):
        text = ax.text(
            x,
            y,
            str(digit),
            color=DIGITS[digit],
            fontsize=10,
            weight="bold",
            ha="center",
            va="center",
        )
        text.set_path_effects([effects.withStroke(linewidth=2, foreground="white")])


def _apart(places: np.ndarray, gap: float, rounds: int = 50) -> np.ndarray:
    """Places (n, 2) pushed apart until none is nearer than `gap` to another, or rounds are over."""
    places = places.copy()
    for _ in range(rounds):
        away = places[:, None] - places[None]
        distance = np.linalg.norm(away, axis=2) + np.eye(len(places)) * gap
        push = np.clip(gap - distance, 0, None) / np.maximum(distance, 1e-9)
        if not push.any():
            break
        places += (away * push[:, :, None]).sum(axis=1) / 2
    return places


def separation(by_layer: pd.DataFrame) -> Figure:
    """Probe accuracy, separation and fuzziness from input to output, one line per epoch.

    Columns: quantity, epoch, depth, layer, mean, ci_low, ci_high.
    """
    panels = {
        "probe": ("Linear probe", "test accuracy", "linear"),
        "separation": ("Fisher's criterion", "variance between / within classes", "log"),
        "fuzziness": ("Fuzziness", "D on training images", "log"),
    }
    fig, axes = style.subplots(1, 3, height=3.3)
    epochs = sorted(by_layer.epoch.unique())
    shades = dict(
        zip(epochs, colormaps[style.SEQUENTIAL](np.linspace(0.9, 0, len(epochs))), strict=True)
    )
    for ax, (quantity, (title, label, scale)) in zip(axes, panels.items(), strict=True):
        for epoch, line in by_layer[by_layer.quantity == quantity].groupby("epoch"):
            name = "before training" if epoch == 0 else f"epoch {epoch}"
            ax.plot(line.depth, line["mean"], "o-", color=shades[epoch], label=name)
            ax.fill_between(
                line.depth, line.ci_low, line.ci_high, color=shades[epoch], alpha=0.18, lw=0
            )
        if scale == "log":
            means = by_layer[by_layer.quantity == quantity]["mean"]
            ax.set_yscale("log")
            ax.set_ylim(means.min() / 1.6, means.max() * 1.6)
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
            ax.yaxis.set_major_formatter(lambda v, _: f"{v:g}")
            ax.yaxis.set_minor_locator(NullLocator())
        names = by_layer.drop_duplicates("depth").sort_values("depth")
        short = [n.removeprefix("layer ") for n in names.layer]
        ax.set_xticks(names.depth, short, fontsize=8)
        ax.set_title(title)
        ax.set_ylabel(label)
    axes[1].set_xlabel("from input through the hidden layers to the output")
    axes[0].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(epochs))
    return fig
