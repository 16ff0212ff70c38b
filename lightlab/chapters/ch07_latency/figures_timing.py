"""Pictures of what stands behind a latency: the table of blocks, operators, int8, repetitions.

Data frames in, figures out; times in ms.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from lightlab.chapters.ch07_latency.figures_latency import looks
from lightlab.show import style

_PREDICTIONS = {
    "sum": "sum of blocks",
    "corrected": "sum, less overheads",
    "calibrated": "sum, calibrated",
    "macs": "MACs only, calibrated",
    "counts": "MACs+weights, calibrated",
    "repeat": "the same timed again",
}
_KINDS = {
    "conv": "full convolutions",
    "pointwise": "1×1 convolutions",
    "depthwise": "depthwise convolutions",
    "se": "squeeze-excite",
    "fc": "classifier",
    "other": "all else",
}
_PROTOCOLS = {"interleaved": "in turn, round after round", "back to back": "one after another"}
_POINTS = {"textcoords": "offset points", "fontsize": 8}


def predictions(networks: pd.DataFrame, errors: pd.DataFrame) -> Figure:
    """Predicted against measured ms, a panel per way of predicting, the diagonal for exactness.

    `networks`: latency_ms, and a column for each `prediction` of `errors` (rmse_pct) but "repeat".
    """
    kinds = [p for p in errors["prediction"] if p in networks]
    fig, axes = style.subplots(
        1, len(kinds), height=2.6, sharex=True, sharey=True, squeeze=False, subplot_kw={"aspect": 1}
    )
    both = networks[["latency_ms", *kinds]]
    ends = [both.min().min() * 0.95, both.max().max() * 1.05]
    percent = errors.set_index("prediction")["rmse_pct"]
    for ax, kind, colour in zip(axes[0], kinds, style.COLOURS, strict=False):
        ax.plot(ends, ends, color=style.GREY, linewidth=1)
        ax.plot(networks["latency_ms"], networks[kind], ".", color=colour, alpha=0.7)
        name = _PREDICTIONS[kind].replace(", ", ",\n")
        ax.set_title(f"{name}{'' if ',' in name else chr(10)}\nerror {percent[kind]:.1f} %")
        ax.set(xlim=ends, ylim=ends, xlabel="measured (ms)")
    axes[0, 0].set_ylabel("predicted (ms)")
    return fig


def errors(table: pd.DataFrame, marks: dict[str, float]) -> Figure:
    """Error in per cent, a bar per way of predicting (prediction, rmse_pct, with rmse_low and
    rmse_high), and named lines
    (`marks`, in per cent).
    """
    fig, ax = style.subplots(height=1.2 + 0.36 * len(table))
    colours = [style.GREY if p == "repeat" else style.COLOURS[0] for p in table["prediction"]]
    ax.barh(range(len(table)), table["rmse_pct"], color=colours, alpha=0.7, height=0.6)
    for row, found in enumerate(table.itertuples()):
        ax.plot([found.rmse_low, found.rmse_high], [row, row], color="black", linewidth=1)
        at, text = max(found.rmse_pct, found.rmse_high), f"{found.rmse_pct:.1f} %"
        ax.annotate(text, (at, row), xytext=(4, 0), va="center", **_POINTS)
    for (name, value), colour in zip(marks.items(), style.COLOURS[1:], strict=False):
        ax.axvline(value, color=colour, linestyle="--", label=name)
    names = [_PREDICTIONS[p] for p in table["prediction"]]
    ax.set(yticks=range(len(table)), yticklabels=names, ylim=(len(table) - 0.5, -0.5))
    ax.set_xlim(0, 1.15 * table["rmse_high"].max())
    ax.set_xlabel("error (root mean square, % of the latency)")
    ax.grid(axis="y", visible=False)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return fig


def shares(parts: pd.DataFrame) -> Figure:
    """Share of the time beside share of the MACs, a panel per network.

    `parts`: network, operator, time_share, macs_share in 0..1; operators that are no layers with
    weights come together as "all else".
    """
    networks, kinds = list(dict.fromkeys(parts["network"])), list(_KINDS.values())
    parts = parts.assign(kind=parts["operator"].map(_KINDS).fillna(kinds[-1]))
    sums = parts.groupby(["network", "kind"])[["macs_share", "time_share"]].sum()
    kinds = [k for k in kinds if k in sums.index.get_level_values("kind")]
    fig, axes = style.subplots(
        1, len(networks), height=1.1 + 0.42 * len(kinds), sharey=True, squeeze=False
    )
    for ax, network in zip(axes[0], networks, strict=True):
        own = 100 * sums.loc[network].reindex(kinds).fillna(0)
        _share_bars(ax, own["macs_share"], -0.19, style.GREY, "share of the MACs")
        _share_bars(ax, own["time_share"], 0.19, style.COLOURS[1], "share of the time")
        ax.set(title=network, xlim=(0, 115), xlabel="%")
        ax.grid(axis="y", visible=False)
    axes[0, 0].set(yticks=range(len(kinds)), yticklabels=kinds, ylim=(len(kinds) - 0.5, -0.5))
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return fig


def _share_bars(ax: Axes, percent: pd.Series, shift: float, colour: str, label: str) -> None:
    rows = np.arange(len(percent)) + shift
    ax.barh(rows, percent, height=0.36, color=colour, label=label)
    for row, value in zip(rows, percent, strict=True):
        text = "<1" if 0 < value < 1 else f"{value:.0f}"
        ax.annotate(text, (value, row), xytext=(3, 0), va="center", **_POINTS)


def speedup(points: pd.DataFrame, band: tuple[float, float], band_label: str) -> Figure:
    """How many times faster, a row per network (name, ratio, ci_low, ci_high), the most first."""
    points = points.sort_values("ratio", ascending=False)
    fig, ax = style.subplots(height=1.1 + 0.26 * len(points))
    ax.axvspan(*band, color=style.COLOURS[2], alpha=0.15, label=band_label)
    ax.axvline(1, color="black", linewidth=1, label="no gain")
    ends = np.abs(points[["ci_low", "ci_high"]].sub(points["ratio"], axis=0)).fillna(0).T
    rows = range(len(points))
    ax.errorbar(points["ratio"], rows, xerr=ends, fmt="o", capsize=3, color=style.COLOURS[0])
    ax.set(yticks=rows, yticklabels=points["name"], ylim=(len(points) - 0.5, -0.5))
    ax.set_xlim(0, max(band[1], points["ratio"].max()) * 1.05)
    ax.set_xlabel("latency in float32 / latency in int8")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return fig


def disagreement(curves: pd.DataFrame) -> Figure:
    """How far two measurements of the same networks differ: protocol, n_visits, percent, and the
    interval ci_low, ci_high as a band.
    """
    fig, ax = style.subplots(height=2.8)
    for (protocol, part), look in zip(
        curves.groupby("protocol", sort=False), looks(), strict=False
    ):
        ax.plot(part["n_visits"], part["percent"], label=_PROTOCOLS.get(protocol, protocol), **look)
        band = (part["n_visits"], part["ci_low"], part["ci_high"])
        ax.fill_between(*band, color=look["color"], alpha=0.15, linewidth=0)
    ax.set(xscale="log", ylim=(0, None), xlabel="visits to each network")
    ax.set_xticks(sorted(set(curves["n_visits"])))
    ax.minorticks_off()
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.set_ylabel("difference between two\nrepetitions (%)")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return fig
