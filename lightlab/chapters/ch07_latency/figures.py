"""Counting against timing, and what stands behind a latency. Times in ms.

A setting is written "runtime threads", e.g. "onnxruntime-int8 1"; `noisy` ones are called so.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lightlab.show import marks, style

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
_DASHED = {"color": style.GREY, "linestyle": "--", "linewidth": 1.2}


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
    if name == "other":
        return {"color": style.GREY, "marker": "o", "ls": "", "label": name}
    return style.method(name, ls="")


def against_macs(
    points: pd.DataFrame, ranks: pd.DataFrame, named: dict[str, str], noisy: Collection[str] = ()
) -> Figure:
    """Latency against MACs, one panel per setting, with the rank correlation of the two, words at
    the `named` networks, and a dashed line at a constant rate of MACs.
    """
    by_setting = points.groupby("setting", sort=False)
    titles = [setting_name(name) + _NOISY * (name in noisy) for name in by_setting.groups]
    shape = {"height": 2.75, "extra": 0.6, "ncols": 2, "sharex": True, "sharey": True}
    fig, axes = marks.panels(titles, labels=("million MACs", "latency (ms)"), **shape)
    for ax, title, (setting, part) in zip(axes, titles, by_setting, strict=True):
        for kind in dict.fromkeys(points["family"]):
            own = part[part["family"] == kind]
            ax.plot(own["macs"] / 1e6, own["latency_ms"], **_family(kind))
        for p in part[part["name"].isin(named)].itertuples():
            marks.note(ax, named[p.name], (p.macs / 1e6, p.latency_ms), (6, -12))
        macs = np.array([part["macs"].min(), part["macs"].max()])
        rate = (part["latency_ms"] / part["macs"]).median()
        ax.plot(macs / 1e6, macs * rate, zorder=0, **_DASHED)
        r = ranks[(ranks["a"] == "macs") & (ranks["b"] == setting)].iloc[0]
        said = f"rank correlation {r['rho']:.2f} [{r['ci_low']:.2f}, {r['ci_high']:.2f}]"
        said = "too few networks for a rank correlation" if np.isnan(r["rho"]) else said
        ax.set(title=f"{title}\n{said}", xscale="log", yscale="log")
        for axis in (ax.xaxis, ax.yaxis):
            style.decades(axis)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return fig


def price_of_a_mac(points: pd.DataFrame, noisy: Collection[str] = ()) -> Figure:
    """µs per million MACs, a row per family, a dot per network, a panel per setting."""
    by_setting = points.groupby("setting", sort=False)
    titles = [_two_lines(name) + _NOISY * (name in noisy) for name in by_setting.groups]
    families = list(dict.fromkeys(points["family"]))
    fig, axes = marks.panels(titles, height=0.9 + 0.3 * len(families), sharey=True)
    marks.name_rows(axes[0], families)
    for ax, (_, part) in zip(axes, by_setting, strict=True):
        price = 1e3 * part["latency_ms"] / (part["macs"] / 1e6)
        ax.axvline(price.median(), **_DASHED)
        for row, family in enumerate(families):
            own = price[part["family"] == family]
            ax.plot(own, np.full(len(own), row), alpha=0.8, **_family(family))
        ax.set_xlim(0, price.max() * 1.08)
    fig.supxlabel("µs per million MACs", fontsize=9)
    return fig


def ranks(correlations: pd.DataFrame) -> Figure:
    """Rank correlation of every two settings that have one; shaded from 0.5 (and below) to 1."""
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
    """Multiples of the cost of `reference`, a row per network. `kind` is "macs", a published
    measurement, or a setting measured here. A whisker that leaves the picture ends in an arrow.
    """
    names, kinds = (list(dict.fromkeys(points[column])) for column in ("name", "kind"))
    fig, ax = style.subplots(height=1.2 + 0.5 * len(names))
    step, right = 0.7 / max(1, len(kinds) - 1), 1.1 * points["ratio"].max()
    looks = zip(["black", *style.COLOURS], _MARKERS, strict=False)
    for k, (kind, (colour, marker)) in enumerate(zip(kinds, looks, strict=False)):
        part = points[points["kind"] == kind]
        rows = np.array([names.index(n) for n in part["name"]]) + k * step - 0.35
        label = setting_name(kind) if kind == "macs" or kind[-1].isdigit() else kind
        label, alpha = (label + _NOISY, 0.4) if kind in noisy else (label, 1)
        look = {"color": colour, "alpha": alpha, "ls": ""}
        bars = {"xerr": marks.whiskers(part, "ratio"), "capsize": 2, "marker": marker}
        ax.errorbar(part["ratio"], rows, label=label, **bars, **look)
        cut = (part["ci_high"] > right).to_numpy()
        ax.plot([right] * cut.sum(), rows[cut], ">", clip_on=False, **look)
    for row in range(1, len(names)):
        ax.axhline(row - 0.5, color=style.LIGHT, linewidth=0.8)
    ax.axvline(1, color=style.GREY, linewidth=1)
    marks.name_rows(ax, names)
    ax.set(ylim=(len(names) - 0.45, -0.55), xlim=(0, right), xlabel=f"times {reference}")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def predictions(networks: pd.DataFrame, errors: pd.DataFrame) -> Figure:
    """Predicted against measured ms and the diagonal, a panel for each `prediction` of `errors`
    that is a column of `networks`.
    """
    percent = errors.set_index("prediction")["rmse_pct"]
    titles = {}
    for kind in (p for p in percent.index if p in networks):
        name = _PREDICTIONS[kind].replace(", ", ",\n")
        titles[kind] = f"{name}{'' if ',' in name else chr(10)}\nerror {percent[kind]:.1f} %"
    shape = {"height": 2.6, "sharex": True, "sharey": True, "subplot_kw": {"aspect": 1}}
    labels = ("measured (ms)", "predicted (ms)")
    fig, axes = marks.panels(list(titles.values()), labels=labels, **shape)
    both = networks[["latency_ms", *titles]].to_numpy()
    ends = [both.min() * 0.95, both.max() * 1.05]
    for ax, kind, colour in zip(axes, titles, style.COLOURS, strict=False):
        ax.plot(ends, ends, color=style.GREY, linewidth=1)
        ax.plot(networks["latency_ms"], networks[kind], ".", color=colour, alpha=0.7)
        ax.set(xlim=ends, ylim=ends)
    return fig


def errors(table: pd.DataFrame, lines: dict[str, float]) -> Figure:
    """Error in per cent, a bar per way of predicting, and named lines."""
    fig, ax = style.subplots(height=1.2 + 0.36 * len(table))
    colours = [style.GREY if p == "repeat" else style.COLOURS[0] for p in table["prediction"]]
    ax.barh(range(len(table)), table["rmse_pct"], color=colours, alpha=0.7, height=0.6)
    for row, found in enumerate(table.itertuples()):
        ax.plot([found.rmse_low, found.rmse_high], [row, row], color="black", linewidth=1)
        at, text = max(found.rmse_pct, found.rmse_high), f"{found.rmse_pct:.1f} %"
        marks.note(ax, text, (at, row), va="center")
    for (name, value), colour in zip(lines.items(), style.COLOURS[1:], strict=False):
        ax.axvline(value, color=colour, linestyle="--", label=name)
    marks.name_rows(ax, [_PREDICTIONS[p] for p in table["prediction"]])
    ax.set_xlim(0, 1.15 * table["rmse_high"].max())
    ax.set_xlabel("error (root mean square, % of the latency)")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return fig


def shares(parts: pd.DataFrame) -> Figure:
    """Share of the time beside share of the MACs, a panel per network."""
    kinds = list(_OPERATORS.values())
    parts = parts.assign(kind=parts["operator"].map(_OPERATORS).fillna(kinds[-1]))
    sums = parts.groupby(["network", "kind"])[["macs_share", "time_share"]].sum()
    kinds = [k for k in kinds if k in sums.index.get_level_values("kind")]
    shape = {"height": 1.1 + 0.42 * len(kinds), "labels": ("%", ""), "sharey": True}
    networks = list(dict.fromkeys(parts["network"]))
    fig, axes = marks.panels(networks, **shape)
    marks.name_rows(axes[0], kinds)
    bars = (("macs", "MACs", -0.19, style.GREY), ("time", "time", 0.19, style.COLOURS[1]))
    for ax, network in zip(axes, networks, strict=True):
        own = 100 * sums.loc[network].reindex(kinds).fillna(0)
        for column, word, shift, colour in bars:
            percent, rows = own[f"{column}_share"], np.arange(len(kinds)) + shift
            ax.barh(rows, percent, height=0.36, color=colour, label=f"share of the {word}")
            for row, value in zip(rows, percent, strict=True):
                text = "<1" if 0 < value < 1 else f"{value:.0f}"
                marks.note(ax, text, (value, row), (3, 0), va="center")
        ax.set_xlim(0, 115)
        ax.grid(axis="y", visible=False)
    marks.legend_above(fig, axes[0])
    return fig


def speedup(points: pd.DataFrame, band: tuple[float, float], band_label: str) -> Figure:
    """How many times faster, a row per network, the most first."""
    points = points.sort_values("ratio", ascending=False)
    fig, ax = style.subplots(height=1.1 + 0.26 * len(points))
    ax.axvspan(*band, color=style.COLOURS[2], alpha=0.15, label=band_label)
    ax.axvline(1, color="black", linewidth=1, label="no gain")
    look = {"fmt": "o", "capsize": 3, "color": style.COLOURS[0]}
    look["xerr"] = marks.whiskers(points, "ratio")
    ax.errorbar(points["ratio"], range(len(points)), **look)
    marks.name_rows(ax, list(points["name"]))
    ax.set_xlim(0, max(band[1], points["ratio"].max()) * 1.05)
    ax.set_xlabel("latency in float32 / latency in int8")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return fig


def disagreement(curves: pd.DataFrame) -> Figure:
    """How far two measurements of the same networks differ, by protocol."""
    fig, ax = style.subplots(height=2.8)
    parts = curves.groupby("protocol", sort=False)
    for (protocol, part), marker in zip(parts, _MARKERS, strict=False):
        label = _PROTOCOLS[protocol]
        marks.band(ax, part, "n_visits", "percent", label=label, marker=marker)
    ax.set(xscale="log", ylim=(0, None), xlabel="visits to each network")
    style.only_ticks(ax.xaxis, sorted(set(curves["n_visits"])))
    ax.set_ylabel("difference between two\nrepetitions (%)")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return fig
