"""Pictures of MobileNets: what they cost, how well they do, beside what was published.

Data frames in, figures out; accuracies in per cent, multiply-accumulates (MACs) as they are.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from lightlab.show import numbers, style

# One look in every figure.
_WIDTHS = [style.COLOURS[i] for i in (6, 4, 2, 0, 5, 3)]  # from the thinnest network on
_MARKERS = ["o", "s", "^", "D", "v", "P"]  # from the largest images on
_ROLE_WORDS = {"conv": "first layer", "fc": "classifier"} | {
    role: role for role in ("pointwise", "depthwise")
}
_ROLES = {"pointwise": 0, "depthwise": 2, "conv": 4, "fc": 6}


def savings(formula: pd.DataFrame, counted: pd.DataFrame) -> Figure:
    """How many times cheaper a separable convolution is, by formula (lines) and counted (dots).

    Both frames: kernel_size, out_channels, saving.
    """
    fig, ax = style.subplots(height=3.1)
    for colour, (kernel, line) in zip(style.COLOURS, formula.groupby("kernel_size"), strict=False):
        dots = counted[counted["kernel_size"] == kernel]
        ax.axhline(kernel**2, color=colour, linestyle=":", linewidth=1)
        ax.plot(line["out_channels"], line["saving"], color=colour)
        ax.plot(dots["out_channels"], dots["saving"], "o", color=colour, mfc="white", ms=6)
        end = line.iloc[-1]
        ax.annotate(
            f"{kernel}×{kernel} kernel\n(never over {kernel**2})",
            (end["out_channels"], end["saving"]),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=colour,
        )
    low, high = formula["out_channels"].min(), formula["out_channels"].max()
    ax.set(xscale="log", xlim=(low, high), xlabel="output channels N", ylabel="times fewer MACs")
    ticks = [2**i for i in range(1, 16) if low <= 2**i <= high]
    ax.set_xticks(ticks, [str(t) for t in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_ylim(0, None)
    marks = [Line2D([], [], color="black", label="formula")]
    marks += [Line2D([], [], marker="o", mfc="white", ls="", color="black", label="counted")]
    ax.legend(handles=marks, loc="upper left")
    return fig


def agreement(table: pd.DataFrame) -> Figure:
    """Our count minus the printed number, in units of its last printed digit, one row a network.

    Columns: network, quantity, convention, last_digits. Left of −0.5 and right of 0.5, outside the
    band, rounding does not give the printed number.
    """
    networks = list(dict.fromkeys(table["network"]))
    groups = list(table.groupby("quantity", sort=False))
    fig, axes = style.subplots(
        1, len(groups), height=1.2 + 0.27 * len(networks), sharey=True, squeeze=False
    )
    for ax, (quantity, part) in zip(axes.flat, groups, strict=True):
        ax.axvspan(-0.5, 0.5, color=style.COLOURS[2], alpha=0.15, lw=0)
        looks = ((style.COLOURS[0], "o", 6), (style.COLOURS[1], "D", 5))
        conventions = part.groupby("convention", sort=False)
        for (colour, marker, size), (name, rows) in zip(looks, conventions, strict=False):
            at = [networks.index(n) for n in rows["network"]]
            look = {"ms": size, "color": colour, "mfc": "white", "mew": 1.6, "label": name}
            ax.plot(rows["last_digits"], at, marker, **look)
        ax.annotate(
            "rounds to the\nprinted number", (0, len(networks) - 0.35), ha="center", va="top",
            color=style.COLOURS[2], annotation_clip=False,
        )  # fmt: skip
        ax.set(title=quantity, xlabel="counted − printed\n(units of the last printed digit)")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1.08), ncols=2, handletextpad=0.2)
    axes[0, 0].set(yticks=range(len(networks)), yticklabels=networks)
    axes[0, 0].set_ylim(len(networks) + 0.9, -0.6)
    return fig


def plane(
    points: pd.DataFrame,
    line: pd.DataFrame,
    *,
    ylabel: str,
    thinnest: float,
    jump: tuple[float, ...],
) -> Figure:
    """Accuracy against MACs of all widths and resolutions, the line that all but the thinnest
    define, and below how far each network is from it.

    `points`: width_mult, resolution, macs, mean and, with several seeds, ci_low and ci_high.
    `line`: macs, mean. `jump`: how far the networks of width `thinnest` lie under the line on
    average, in % points, alone or with the ends of its interval.
    """
    fig, (ax, below) = style.subplots(2, 1, height=5.2, sharex=True, height_ratios=[2.2, 1])
    ax.plot(line["macs"], line["mean"], color=style.GREY, linewidth=1.2)
    below.axhline(0, color=style.GREY, linewidth=1.2)
    marks = _marks(points)
    for p in points.itertuples():
        colour, marker = marks[p.width_mult, p.resolution]
        on_line = np.interp(np.log(p.macs), np.log(line["macs"]), line["mean"])
        below.plot([p.macs] * 2, [0, p.mean - on_line], color=colour, linewidth=1)
        for panel, base in ((ax, 0.0), (below, on_line)):
            if hasattr(p, "ci_low"):
                ends = np.clip([p.ci_low, p.ci_high], 0, 100) - base
                panel.plot([p.macs] * 2, ends, color=colour, alpha=0.35, linewidth=2.5)
            panel.plot(p.macs, p.mean - base, marker, color=colour, ms=6.5)
    where = "under" if jump[0] >= 0 else "above"
    ends = sorted(jump[1:] if jump[0] >= 0 else [-end for end in jump[1:]])
    interval = f" [{ends[0]:.1f}, {ends[1]:.1f}]" if ends else ""
    words = f"width × {thinnest:g}: {abs(jump[0]):.1f} points {where} the line{interval}"
    look = {"transform": ax.transAxes, "va": "bottom", "ha": "right", "color": _WIDTHS[0]}
    ax.text(0.99, 0.03, words, **look)
    ax.set(ylabel=ylabel)
    below.set(xlabel="MACs of one image (log)", ylabel="points above\nthe line")
    style.log_counts(below)
    _legends(fig, points)
    return fig


def costs(
    shares: pd.DataFrame,
    points: pd.DataFrame,
    line: pd.DataFrame,
    width_mult: float,
    resolution: int,
) -> Figure:
    """What a network costs by type of layer, and where it stands among the published ones.

    `shares`: role, macs, weights of the network of `width_mult` for `resolution` px; `points`:
    width_mult, resolution, macs, mean (accuracy); `line`: macs, mean, the accuracy it promises.
    """
    fig, (left, middle, right) = style.subplots(1, 3, height=3.2, width_ratios=[1, 1, 1.1])
    for ax, column, title in ((left, "macs", "MACs"), (middle, "weights", "weights")):
        colours = [style.COLOURS[_ROLES[role]] for role in shares["role"]]
        roles = shares["role"].map(_ROLE_WORDS)
        ax.barh(roles, shares[column], color=colours, height=0.6)
        total = shares[column].sum()
        for row, value in enumerate(shares[column]):
            words = f"{numbers.short(value)} ({value / total:.1%})"
            look = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
            ax.annotate(words, (value, row), **look)
        ax.set_title(f"{numbers.short(total)} {title}")
        ax.set_xlim(0, shares[column].max() * 1.75)
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda m, _: numbers.short(m)))
        ax.locator_params(axis="x", nbins=4)
    middle.set_yticklabels([])
    right.plot(points["macs"], points["mean"], "o", color=style.LIGHT, ms=6)
    own = points["resolution"].eq(resolution) & np.isclose(points["width_mult"], width_mult)
    macs = shares["macs"].sum()
    promised = np.interp(np.log(macs), np.log(line["macs"]), line["mean"])
    right.plot(line["macs"], line["mean"], color=style.GREY, linewidth=1)
    right.axvline(macs, color=style.COLOURS[1], linestyle="--")
    right.plot(macs, promised, "x", color=style.COLOURS[1], ms=8, mew=2)
    right.set_title(f"the line promises {promised:.1f} %")
    right.plot(points.loc[own, "macs"], points.loc[own, "mean"], "o", color=style.COLOURS[1], ms=8)
    right.set(xlabel="MACs (log)", ylabel="published top-1, %")
    style.log_counts(right)
    return fig


def latency(points: pd.DataFrame, others: pd.DataFrame) -> Figure:
    """Measured milliseconds against MACs, bars between the quartiles of the rounds.

    `points`, the width and resolution grid, and `others`, named networks: name, width_mult,
    resolution, macs, latency_ms, iqr_ms.
    """
    fig, ax = style.subplots(height=3.8)
    marks = _marks(points)
    for p in points.itertuples():
        colour, marker = marks[p.width_mult, p.resolution]
        ax.errorbar(p.macs, p.latency_ms, p.iqr_ms / 2, fmt=marker, color=colour, ms=6.5)
    for p in others.itertuples():
        ax.errorbar(p.macs, p.latency_ms, p.iqr_ms / 2, fmt="*", color="black", ms=9)
        look = {"xytext": (0, -15), "textcoords": "offset points", "ha": "center"}
        ax.annotate(p.name, (p.macs, p.latency_ms), **look)
    ax.set(yscale="log", xlabel="MACs of one image (log)", ylabel="latency, ms (log)")
    style.log_counts(ax)
    ms = pd.concat([points["latency_ms"], others["latency_ms"]])
    ax.set_ylim(ms.min() / 1.8, ms.max() * 1.8)  # a quartile near zero would need all the room
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.margins(x=0.12)
    _legends(fig, points)
    return fig


def _marks(points: pd.DataFrame) -> dict[tuple[float, float], tuple[str, str]]:
    """Colour by width, marker by resolution."""
    widths = sorted(points["width_mult"].unique())
    sides = sorted(points["resolution"].unique(), reverse=True)
    return {
        (w, r): (_WIDTHS[i % len(_WIDTHS)], _MARKERS[j % len(_MARKERS)])
        for i, w in enumerate(widths)
        for j, r in enumerate(sides)
    }


def _legends(fig: Figure, points: pd.DataFrame) -> None:
    """Widths as colours, resolutions as markers."""
    marks = _marks(points)
    colours = {w: colour for (w, _), (colour, _) in marks.items()}
    markers = {r: marker for (_, r), (_, marker) in marks.items()}
    handles = [
        Line2D([], [], color=c, lw=5, label=f"width × {w:g}")
        for w, c in sorted(colours.items(), reverse=True)
    ]
    handles += [
        Line2D([], [], color="black", marker=m, ls="", label=f"{r:g} px")
        for r, m in markers.items()
    ]
    fig.legend(handles=handles, loc="outside right upper", handlelength=1.2)
