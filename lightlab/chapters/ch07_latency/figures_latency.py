"""Pictures of latency: counting against timing. Data frames in, figures out; times in ms.

A setting is written "runtime threads", e.g. "onnxruntime-int8 1".
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
# how names of networks begin, longest first, and the family that readers know
_FAMILIES = {
    "mobilenet_v1_full": "full convolutions",
    "mobilenet_v1": "MobileNetV1",
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v3": "MobileNetV3",
    "mnasnet": "MnasNet",
    "proxyless": "ProxylessNAS",
    "ofa": "OFA",
}
_NOISY = " (noisy)"
_MARKERS = "osD^vPX*"


def setting_name(setting: str) -> str:
    """ "onnxruntime 2" as a reader sees it; "macs" stands for the count."""
    if setting == "macs":
        return "MACs"
    runtime, _, threads = setting.rpartition(" ")
    return f"{_RUNTIMES.get(runtime, runtime)}, {threads} thread{'s' if threads != '1' else ''}"


def family(name: str) -> str:
    """The family of a network of the catalog; "other" for a name that it does not know."""
    return next((f for start, f in _FAMILIES.items() if name.startswith(start)), "other")


def _two_lines(setting: str) -> str:
    name = setting_name(setting)
    return name.replace(" int8", "\nint8") if " int8" in name else name.replace(", ", "\n")


def against_macs(
    points: pd.DataFrame,
    ranks: pd.DataFrame,
    named: dict[str, str],
    noisy: Collection[str] = (),
) -> Figure:
    """Latency against MACs, one panel per setting, one colour per family.

    `points`: name, setting, family, macs, latency_ms; `ranks`: rho, ci_low, ci_high of a "macs" and
    setting b; `named`: what to write at some networks; `noisy` settings are called so. The dashed
    line is what a constant rate of MACs would give.
    """
    settings = list(dict.fromkeys(points["setting"]))
    fig, axes = _panels(len(settings), height=2.75, sharex=True, sharey=True)
    families = list(dict.fromkeys(points["family"]))
    for ax, setting in zip(axes.flat, settings, strict=False):
        part = points[points["setting"] == setting]
        for family, look in zip(families, looks(), strict=False):
            own = part[part["family"] == family]
            ax.plot(own["macs"] / 1e6, own["latency_ms"], linestyle="", label=family, **look)
        for p in part[part["name"].isin(named)].itertuples():
            place = {"xytext": (6, -12), "textcoords": "offset points", "fontsize": 8}
            ax.annotate(named[p.name], (p.macs / 1e6, p.latency_ms), **place)
        _constant_rate(ax, part)
        r = ranks[(ranks["a"] == "macs") & (ranks["b"] == setting)].iloc[0]
        said = f"rank correlation {r['rho']:.2f} [{r['ci_low']:.2f}, {r['ci_high']:.2f}]"
        said = "too few networks for a rank correlation" if np.isnan(r["rho"]) else said
        ax.set_title(f"{setting_name(setting)}{_NOISY * (setting in noisy)}\n{said}")
        _plain_log(ax)
    for ax in axes[-1]:
        ax.set_xlabel("million MACs")
    for ax in axes[:, 0]:
        ax.set_ylabel("latency (ms)")
    handles = axes.flat[0].get_legend_handles_labels()
    fig.legend(*handles, loc="outside lower center", ncols=4)
    return fig


def price_of_a_mac(points: pd.DataFrame, noisy: Collection[str] = ()) -> Figure:
    """µs per million MACs, a row per family, a dot per network, a panel per setting (columns as in
    `against_macs`). If counting told the time, all dots of a panel would lie on one line."""
    settings = list(dict.fromkeys(points["setting"]))
    families = list(dict.fromkeys(points["family"]))
    fig, axes = style.subplots(
        1, len(settings), height=0.9 + 0.3 * len(families), sharey=True, squeeze=False
    )
    for ax, setting in zip(axes[0], settings, strict=True):
        part = points[points["setting"] == setting]
        price = 1e3 * part["latency_ms"] / (part["macs"] / 1e6)
        ax.axvline(price.median(), color=style.GREY, linestyle="--", linewidth=1.2)
        for row, look in zip(range(len(families)), looks(), strict=False):
            own = price[part["family"] == families[row]]
            ax.plot(own, np.full(len(own), row), linestyle="", alpha=0.8, **look)
        ax.set_title(_two_lines(setting) + _NOISY * (setting in noisy))
        ax.set_xlim(0, price.max() * 1.08)
    axes[0, 0].set(yticks=range(len(families)), yticklabels=families)
    axes[0, 0].set_ylim(len(families) - 0.5, -0.5)
    fig.supxlabel("µs per million MACs", fontsize=9)
    return fig


def ranks(correlations: pd.DataFrame) -> Figure:
    """Rank correlation of every two of the settings, with its interval: a, b, rho, ci_low, ci_high.

    Both orders of a pair may be given or one, and pairs without a value are left out; a shade runs
    from 0.5 (and below) to 1.
    """
    correlations = correlations.dropna()
    names = list(dict.fromkeys([*correlations["a"], *correlations["b"]]))
    size = len(names) - 1
    fig, ax = style.subplots(height=0.9 + 0.55 * size, width=style.WIDTH_IN)
    grid = np.full((size, size), np.nan)
    for _, r in correlations.iterrows():
        i, j = sorted((names.index(r["a"]), names.index(r["b"])))
        grid[j - 1, i] = r["rho"]
        interval = f"[{r['ci_low']:.2f}, {r['ci_high']:.2f}]"
        colour = "white" if r["rho"] < 0.8 else "black"
        ax.text(i, j - 1, f"{r['rho']:.2f}", ha="center", va="bottom", color=colour, weight="bold")
        ax.text(i, j - 0.95, interval, ha="center", va="top", color=colour, fontsize=8)
    ax.imshow(grid, cmap=style.SEQUENTIAL, vmin=0.5, vmax=1, aspect="auto")
    ax.set(xticks=range(size), yticks=range(size))
    ax.set_xticklabels([_two_lines(n) for n in names[:-1]])
    ax.set_yticklabels([_two_lines(n) for n in names[1:]])
    ax.grid(visible=False)
    return fig


def relative(points: pd.DataFrame, reference: str, noisy: Collection[str] = ()) -> Figure:
    """Multiples of the cost of `reference`, a row per network: name, kind, ratio, ci_low, ci_high.

    `kind` is "macs", the name of a published measurement, or a setting measured here; the first two
    have no interval (NaN), `noisy` ones of the last are drawn faintly and called so. A whisker that
    leaves the picture ends in an arrow.
    """
    names = list(dict.fromkeys(points["name"]))
    kinds = list(dict.fromkeys(points["kind"]))
    fig, ax = style.subplots(height=1.2 + 0.5 * len(names))
    step, right = 0.7 / max(1, len(kinds) - 1), 1.1 * points["ratio"].max()
    for k, (kind, look) in enumerate(zip(kinds, looks(first="black"), strict=False)):
        part = points[points["kind"] == kind]
        rows = np.array([names.index(n) for n in part["name"]]) + k * step - 0.35
        ends = np.abs(part[["ci_low", "ci_high"]].sub(part["ratio"], axis=0)).fillna(0).T
        label = setting_name(kind) if kind == "macs" or kind[-1].isdigit() else kind
        label, alpha = (label + _NOISY, 0.4) if kind in noisy else (label, 1)
        look |= {"linestyle": "", "label": label, "alpha": alpha}
        ax.errorbar(part["ratio"], rows, xerr=ends, capsize=2, **look)
        cut = (part["ci_high"] > right).to_numpy()
        ax.plot(
            [right] * cut.sum(), rows[cut], ">", color=look["color"], alpha=alpha, clip_on=False
        )
    for row in range(len(names) - 1):
        ax.axhline(row + 0.5, color=style.LIGHT, linewidth=0.8)
    ax.axvline(1, color=style.GREY, linewidth=1)
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.45, -0.55))
    ax.set(xlim=(0, right), xlabel=f"times {reference}")
    ax.grid(axis="y", visible=False)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def _panels(n: int, height: float, **kwargs) -> tuple[Figure, np.ndarray]:
    """`n` panels, two in a row; what is left over is empty."""
    ncols = min(n, 2)
    nrows = -(-n // ncols)
    fig, axes = style.subplots(nrows, ncols, height=height * nrows + 0.6, squeeze=False, **kwargs)
    for ax in axes.flat[n:]:
        ax.axis("off")
    return fig, axes


def looks(first: str | None = None):
    """Colour and marker of one thing after another."""
    colours = [first] * (first is not None) + style.COLOURS
    return ({"color": c, "marker": m} for c, m in zip(colours, _MARKERS, strict=False))


def _constant_rate(ax: Axes, points: pd.DataFrame) -> None:
    macs = np.array([points["macs"].min(), points["macs"].max()])
    price = (points["latency_ms"] / points["macs"]).median()
    ax.plot(macs / 1e6, macs * price, color=style.GREY, linestyle="--", linewidth=1.2, zorder=0)


def _plain_log(ax: Axes) -> None:
    """Logarithmic axes with plain numbers."""
    ax.set(xscale="log", yscale="log")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axis.set_minor_formatter(FuncFormatter(lambda *_: ""))
