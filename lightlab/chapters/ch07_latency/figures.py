"""Counting against timing, and what stands behind a latency. Times in ms.

A setting is written "runtime threads", e.g. "onnxruntime-int8 1"; `noisy` ones are called so.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from lightlab.show import style

_RUNTIMES = {
    "onnxruntime": "ONNX Runtime",
    "onnxruntime-int8": "ONNX Runtime int8",
    "torch": "PyTorch eager",
    "torch-compile": "PyTorch compiled",
    "cuda": "PyTorch on GPU",
}
_PREDICTIONS = {
    "sum": "sum of blocks",
    "corrected": "sum, less overheads",
    "calibrated": "sum, calibrated",
    "macs": "MACs only, calibrated",
    "counts": "MACs+weights, calibrated",
    "repeat": "the same timed again",
}
_OPERATORS = {
    "conv": "full convolutions",
    "pointwise": "1×1 convolutions",
    "depthwise": "depthwise convolutions",
    "se": "squeeze-excite",
    "fc": "classifier",
    "other": "all else",
}
_PROTOCOLS = {"interleaved": "in turn, round after round", "back to back": "one after another"}
_NOISY, _MARKERS = " (noisy)", "osD^vPX*"
_POINTS = {"textcoords": "offset points", "fontsize": 8}


def setting_name(setting: str) -> str:
    """ "onnxruntime 2" as a reader sees it; "macs" stands for the count."""
    if setting == "macs":
        return "MACs"
    runtime, _, threads = setting.rpartition(" ")
    return f"{_RUNTIMES.get(runtime, runtime)}, {threads} thread{'s' if threads != '1' else ''}"


def _two_lines(setting: str) -> str:
    name = setting_name(setting)
    return name.replace(" int8", "\nint8") if " int8" in name else name.replace(", ", "\n")


def _family(name: str) -> dict:
    """How the networks of a family are marked."""
    if name == "other":
        return {"color": style.GREY, "marker": "o", "ls": "", "label": name}
    return style.method(name, ls="")


def _looks(first: str | None = None):
    """Colour and marker of one thing after another."""
    colours = [first] * (first is not None) + style.COLOURS
    return ({"color": c, "marker": m} for c, m in zip(colours, _MARKERS, strict=False))


def against_macs(
    points: pd.DataFrame, ranks: pd.DataFrame, named: dict[str, str], noisy: Collection[str] = ()
) -> Figure:
    """Latency against MACs, one panel per setting, one colour per family.

    `points`: name, setting, family, macs, latency_ms; `ranks`: rho, ci_low, ci_high of a "macs" and
    setting b; `named`: what to write at some networks. The dashed line is a constant rate of MACs.
    """
    settings = list(dict.fromkeys(points["setting"]))
    nrows, ncols = -(-len(settings) // 2), min(len(settings), 2)
    shape = {"height": 2.75 * nrows + 0.6, "squeeze": False, "sharex": True, "sharey": True}
    fig, axes = style.subplots(nrows, ncols, **shape)
    for ax, setting in zip(axes.flat, settings, strict=False):
        part = points[points["setting"] == setting]
        for kind in dict.fromkeys(points["family"]):
            own = part[part["family"] == kind]
            ax.plot(own["macs"] / 1e6, own["latency_ms"], **_family(kind))
        for p in part[part["name"].isin(named)].itertuples():
            ax.annotate(named[p.name], (p.macs / 1e6, p.latency_ms), xytext=(6, -12), **_POINTS)
        macs = np.array([part["macs"].min(), part["macs"].max()])
        rate = (part["latency_ms"] / part["macs"]).median()
        line = {"color": style.GREY, "linestyle": "--", "linewidth": 1.2, "zorder": 0}
        ax.plot(macs / 1e6, macs * rate, **line)
        r = ranks[(ranks["a"] == "macs") & (ranks["b"] == setting)].iloc[0]
        said = f"rank correlation {r['rho']:.2f} [{r['ci_low']:.2f}, {r['ci_high']:.2f}]"
        said = "too few networks for a rank correlation" if np.isnan(r["rho"]) else said
        ax.set_title(f"{setting_name(setting)}{_NOISY * (setting in noisy)}\n{said}")
        _plain_log(ax)
    for ax in axes.flat[len(settings) :]:
        ax.axis("off")
    for ax in axes[-1]:
        ax.set_xlabel("million MACs")
    for ax in axes[:, 0]:
        ax.set_ylabel("latency (ms)")
    fig.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return fig


def _plain_log(ax: Axes) -> None:
    """Logarithmic axes with plain numbers."""
    ax.set(xscale="log", yscale="log")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axis.set_minor_formatter(FuncFormatter(lambda *_: ""))


def price_of_a_mac(points: pd.DataFrame, noisy: Collection[str] = ()) -> Figure:
    """µs per million MACs, a row per family, a dot per network, a panel per setting (`points` as in
    `against_macs`). If counting told the time, all dots of a panel would lie on one line.
    """
    settings = list(dict.fromkeys(points["setting"]))
    families = list(dict.fromkeys(points["family"]))
    height = 0.9 + 0.3 * len(families)
    fig, axes = style.subplots(1, len(settings), height=height, sharey=True, squeeze=False)
    for ax, setting in zip(axes[0], settings, strict=True):
        part = points[points["setting"] == setting]
        price = 1e3 * part["latency_ms"] / (part["macs"] / 1e6)
        ax.axvline(price.median(), color=style.GREY, linestyle="--", linewidth=1.2)
        for row, family in enumerate(families):
            own = price[part["family"] == family]
            ax.plot(own, np.full(len(own), row), alpha=0.8, **_family(family))
        ax.set_title(_two_lines(setting) + _NOISY * (setting in noisy))
        ax.set_xlim(0, price.max() * 1.08)
    axes[0, 0].set(yticks=range(len(families)), yticklabels=families)
    axes[0, 0].set_ylim(len(families) - 0.5, -0.5)
    fig.supxlabel("µs per million MACs", fontsize=9)
    return fig


def ranks(correlations: pd.DataFrame) -> Figure:
    """Rank correlation of every two settings, with its interval: a, b, rho, ci_low, ci_high.

    Pairs without a value are left out; the shade runs from 0.5 (and below) to 1.
    """
    correlations = correlations.dropna()
    names = list(dict.fromkeys([*correlations["a"], *correlations["b"]]))
    size = len(names) - 1
    fig, ax = style.subplots(height=0.9 + 0.55 * size)
    grid = np.full((size, size), np.nan)
    for _, r in correlations.iterrows():
        i, j = sorted((names.index(r["a"]), names.index(r["b"])))
        grid[j - 1, i] = r["rho"]
        interval = f"[{r['ci_low']:.2f}, {r['ci_high']:.2f}]"
        look = {"ha": "center", "color": "white" if r["rho"] < 0.8 else "black"}
        ax.text(i, j - 1, f"{r['rho']:.2f}", va="bottom", weight="bold", **look)
        ax.text(i, j - 0.95, interval, va="top", fontsize=8, **look)
    ax.imshow(grid, cmap=style.SEQUENTIAL, vmin=0.5, vmax=1, aspect="auto")
    ax.set(xticks=range(size), xticklabels=[_two_lines(n) for n in names[:-1]])
    ax.set(yticks=range(size), yticklabels=[_two_lines(n) for n in names[1:]])
    ax.grid(visible=False)
    return fig


def relative(points: pd.DataFrame, reference: str, noisy: Collection[str] = ()) -> Figure:
    """Multiples of the cost of `reference`, a row per network: name, kind, ratio, ci_low, ci_high.

    `kind` is "macs", the name of a published measurement, or a setting measured here; the first two
    have no interval (NaN). A whisker that leaves the picture ends in an arrow.
    """
    names, kinds = (list(dict.fromkeys(points[column])) for column in ("name", "kind"))
    fig, ax = style.subplots(height=1.2 + 0.5 * len(names))
    step, right = 0.7 / max(1, len(kinds) - 1), 1.1 * points["ratio"].max()
    for k, (kind, look) in enumerate(zip(kinds, _looks(first="black"), strict=False)):
        part = points[points["kind"] == kind]
        rows = np.array([names.index(n) for n in part["name"]]) + k * step - 0.35
        label = setting_name(kind) if kind == "macs" or kind[-1].isdigit() else kind
        label, alpha = (label + _NOISY, 0.4) if kind in noisy else (label, 1)
        look |= {"linestyle": "", "label": label, "alpha": alpha}
        ax.errorbar(part["ratio"], rows, xerr=_whiskers(part), capsize=2, **look)
        cut = (part["ci_high"] > right).to_numpy()
        arrow = {"color": look["color"], "alpha": alpha, "clip_on": False}
        ax.plot([right] * cut.sum(), rows[cut], ">", **arrow)
    for row in range(1, len(names)):
        ax.axhline(row - 0.5, color=style.LIGHT, linewidth=0.8)
    ax.axvline(1, color=style.GREY, linewidth=1)
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.45, -0.55))
    ax.set(xlim=(0, right), xlabel=f"times {reference}")
    ax.grid(axis="y", visible=False)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def _whiskers(points: pd.DataFrame) -> pd.DataFrame:
    """Distances of the interval's ends from `ratio`, (2, n); 0 where there is none."""
    return np.abs(points[["ci_low", "ci_high"]].sub(points["ratio"], axis=0)).fillna(0).T


def predictions(networks: pd.DataFrame, errors: pd.DataFrame) -> Figure:
    """Predicted against measured ms, a panel per way of predicting, the diagonal for exactness.

    `networks`: latency_ms, and a column for each `prediction` of `errors` (rmse_pct) but "repeat".
    """
    kinds = [p for p in errors["prediction"] if p in networks]
    shape = {"height": 2.6, "sharex": True, "sharey": True, "squeeze": False}
    fig, axes = style.subplots(1, len(kinds), subplot_kw={"aspect": 1}, **shape)
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
    """Error in per cent, a bar per way of predicting (prediction, rmse_pct, rmse_low, rmse_high),
    and named lines (`marks`, in per cent).
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
    _rows(ax, [_PREDICTIONS[p] for p in table["prediction"]])
    ax.set_xlim(0, 1.15 * table["rmse_high"].max())
    ax.set_xlabel("error (root mean square, % of the latency)")
    ax.grid(axis="y", visible=False)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return fig


def _rows(ax: Axes, names: list[str]) -> None:
    """One row for each of `names`, from above."""
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))


def shares(parts: pd.DataFrame) -> Figure:
    """Share of the time beside share of the MACs, a panel per network.

    `parts`: network, operator, time_share, macs_share in 0..1; operators that are no layers with
    weights come together as "all else".
    """
    networks, kinds = list(dict.fromkeys(parts["network"])), list(_OPERATORS.values())
    parts = parts.assign(kind=parts["operator"].map(_OPERATORS).fillna(kinds[-1]))
    sums = parts.groupby(["network", "kind"])[["macs_share", "time_share"]].sum()
    kinds = [k for k in kinds if k in sums.index.get_level_values("kind")]
    height = 1.1 + 0.42 * len(kinds)
    fig, axes = style.subplots(1, len(networks), height=height, sharey=True, squeeze=False)
    for ax, network in zip(axes[0], networks, strict=True):
        own = 100 * sums.loc[network].reindex(kinds).fillna(0)
        _share_bars(ax, own["macs_share"], -0.19, style.GREY, "share of the MACs")
        _share_bars(ax, own["time_share"], 0.19, style.COLOURS[1], "share of the time")
        ax.set(title=network, xlim=(0, 115), xlabel="%")
        ax.grid(axis="y", visible=False)
    _rows(axes[0, 0], kinds)
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
    look = {"fmt": "o", "capsize": 3, "color": style.COLOURS[0]}
    ax.errorbar(points["ratio"], range(len(points)), xerr=_whiskers(points), **look)
    _rows(ax, list(points["name"]))
    ax.set_xlim(0, max(band[1], points["ratio"].max()) * 1.05)
    ax.set_xlabel("latency in float32 / latency in int8")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return fig


def disagreement(curves: pd.DataFrame) -> Figure:
    """How far two measurements of the same networks differ: protocol, n_visits, percent, and the
    interval ci_low, ci_high as a band.
    """
    fig, ax = style.subplots(height=2.8)
    parts = curves.groupby("protocol", sort=False)
    for (protocol, part), look in zip(parts, _looks(), strict=False):
        ax.plot(part["n_visits"], part["percent"], label=_PROTOCOLS[protocol], **look)
        band = (part["n_visits"], part["ci_low"], part["ci_high"])
        ax.fill_between(*band, color=look["color"], alpha=0.15, linewidth=0)
    ax.set(xscale="log", ylim=(0, None), xlabel="visits to each network")
    ax.set_xticks(sorted(set(curves["n_visits"])))
    ax.minorticks_off()
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.set_ylabel("difference between two\nrepetitions (%)")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return fig
