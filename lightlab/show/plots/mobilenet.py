"""Pictures of MobileNets: what they cost, how well they do, beside what was published.

Data frames in, figures out; accuracies in per cent, multiply-accumulates (MACs) as they are.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from lightlab.show import style

# One look per network or kernel, the same in every figure.
_LOOKS = {
    "full": (style.COLOURS[1], "s"),
    "separable": (style.COLOURS[0], "o"),
    "separable, as many MACs": (style.COLOURS[2], "^"),
}
_WIDTHS = [style.COLOURS[i] for i in (6, 4, 2, 0, 5, 3)]  # from the thinnest network on
_MARKERS = ["o", "s", "^", "D", "v", "P"]  # from the largest images on
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
    jump: float,
) -> Figure:
    """Accuracy against MACs of all widths and resolutions, and the line that all but the thinnest
    define.

    `points`: width_mult, resolution, macs, mean and, with several seeds, ci_low and ci_high.
    `line`: macs, mean. Dashes lead from the points of width `thinnest` to the line; `jump` is how
    far these lie under it on average, in % points.
    """
    fig, ax = style.subplots(height=3.9)
    ax.plot(line["macs"], line["mean"], color=style.GREY, linewidth=1.2)
    for p in points[points["width_mult"] == thinnest].itertuples():
        on_line = np.interp(np.log(p.macs), np.log(line["macs"]), line["mean"])
        ax.plot([p.macs] * 2, [p.mean, on_line], color=_WIDTHS[0], linestyle="--", linewidth=1)
    marks = _marks(points)
    for p in points.itertuples():
        colour, marker = marks[p.width_mult, p.resolution]
        if hasattr(p, "ci_low"):
            ax.plot([p.macs] * 2, [p.ci_low, p.ci_high], color=colour, alpha=0.35, linewidth=2.5)
        ax.plot(p.macs, p.mean, marker, color=colour, ms=6.5)
    where = f"{abs(jump):.1f} points\n{'under' if jump >= 0 else 'above'} the line of the others"
    look = {"transform": ax.transAxes, "va": "top", "color": _WIDTHS[0]}
    ax.text(0.03, 0.96, f"width × {thinnest:g}: {where}", **look)
    ax.set(xlabel="MACs of one image (log)", ylabel=ylabel)
    _log_macs(ax)
    low, high = points["mean"].min(), points["mean"].max()
    ax.set_ylim(low - 0.12 * (high - low) - 1, min(100, high + 0.25 * (high - low) + 1))
    _legends(fig, points)
    return fig


def costs(shares: pd.DataFrame, points: pd.DataFrame, width_mult: float, resolution: int) -> Figure:
    """What a network costs by type of layer, and where it stands among the published ones.

    `shares`: role, macs, weights of the network of `width_mult` for `resolution` px; `points`:
    width_mult, resolution, macs, mean (accuracy).
    """
    fig, (left, middle, right) = style.subplots(1, 3, height=3.2, width_ratios=[1, 1, 1.1])
    for ax, column, title in ((left, "macs", "MACs"), (middle, "weights", "weights")):
        colours = [style.COLOURS[_ROLES[role]] for role in shares["role"]]
        ax.barh(shares["role"], shares[column], color=colours, height=0.6)
        total = shares[column].sum()
        for row, value in enumerate(shares[column]):
            words = f"{short(value)} ({value / total:.1%})"
            look = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
            ax.annotate(words, (value, row), **look)
        ax.set_title(f"{short(total)} {title}")
        ax.set_xlim(0, shares[column].max() * 1.75)
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda m, _: short(m)))
        ax.locator_params(axis="x", nbins=4)
    middle.set_yticklabels([])
    right.plot(points["macs"], points["mean"], "o", color=style.LIGHT, ms=6)
    own = points["resolution"].eq(resolution) & np.isclose(points["width_mult"], width_mult)
    right.axvline(shares["macs"].sum(), color=style.COLOURS[1], linestyle="--")
    right.plot(points.loc[own, "macs"], points.loc[own, "mean"], "o", color=style.COLOURS[1], ms=8)
    right.set(xlabel="MACs (log)", ylabel="published top-1, %")
    _log_macs(right)
    return fig


def lengths(curves: pd.DataFrame) -> Figure:
    """Test accuracy against the MACs that training took, one line a network; dots join what was
    trained for as many epochs.

    Columns: network, epochs, train_macs, mean, ci_low, ci_high.
    """
    fig, ax = style.subplots(height=3.6)
    for epochs, same in curves.sort_values("train_macs").groupby("epochs"):
        ax.plot(same["train_macs"], same["mean"], ":", color=style.GREY, linewidth=1.2)
        first = same.iloc[0]
        ax.annotate(
            f"{epochs:.3g} epoch{'s' if epochs != 1 else ''}", (first["train_macs"], first["mean"]),
            xytext=(0, 14), textcoords="offset points", ha="center",
        )  # fmt: skip
    for name, line in curves.groupby("network", sort=False):
        colour, marker = _LOOKS[name]
        ax.plot(line["train_macs"], line["mean"], marker=marker, color=colour, ms=6.5, label=name)
        for p in line.itertuples():
            interval = [np.clip(p.ci_low, 0, 100), np.clip(p.ci_high, 0, 100)]
            ax.plot([p.train_macs] * 2, interval, color=colour, alpha=0.35, linewidth=3)
    ax.set(xlabel="MACs spent on training (log)", ylabel="test accuracy, %")
    _log_macs(ax)
    ax.margins(x=0.12, y=0.18)
    ax.set_ylim(max(0, ax.get_ylim()[0]), min(105, ax.get_ylim()[1]))
    fig.legend(loc="outside upper center", ncols=3)
    return fig


def gaps(pairs: pd.DataFrame, xlabel: str) -> Figure:
    """Differences within seeds, a row per comparison and length of training, longest last.

    Columns: comparison, length (text), difference (one row a seed), mean, ci_low, ci_high and
    published (NaN where the paper has none).
    """
    groups = list(pairs.groupby(["comparison", "length"], sort=False))
    fig, ax = style.subplots(height=1.2 + 0.42 * len(groups))
    at, labels, before = [], [], None
    for (comparison, length), part in groups:
        step = 1.0 if comparison == before else 1.7
        y = at[-1] + step if at else 0.0
        if comparison != before:
            ax.text(
                0, y - 0.62, comparison, transform=ax.get_yaxis_transform(), weight="bold",
                va="center",
            )  # fmt: skip
        at.append(y)
        labels.append(length)
        before = comparison
        _difference(ax, y, part)
    ax.axvline(0, color="black", linewidth=1)
    ax.set(yticks=at, yticklabels=labels, ylim=(at[-1] + 0.6, -1.1), xlabel=xlabel)
    ax.grid(axis="y", visible=False)
    ax.margins(x=0.08)
    marks = [
        Line2D([], [], marker="D", color=style.COLOURS[0], lw=3, label="mean, 95 % interval"),
        Line2D([], [], marker="o", ls="", mfc="none", color="black", label="one seed"),
        Line2D([], [], marker="*", ls="", ms=10, color=style.COLOURS[1], label="paper (ImageNet)"),
    ]
    shown = marks if pairs["published"].notna().any() else marks[:2]
    fig.legend(handles=shown, loc="outside upper center", ncols=3)
    return fig


def _difference(ax: Axes, y: float, part: pd.DataFrame) -> None:
    """One row: seeds, mean, interval, what the paper has."""
    row, blue = part.iloc[0], style.COLOURS[0]
    ax.plot([row["ci_low"], row["ci_high"]], [y, y], color=blue, linewidth=3)
    ax.plot(part["difference"], np.full(len(part), y), "o", mfc="none", color="black", ms=4)
    ax.plot(row["mean"], y, "D", color=blue, ms=6.5)
    if np.isfinite(row["published"]):
        ax.plot(row["published"], y, "*", color=style.COLOURS[1], ms=11, zorder=3)


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
        ax.annotate(p.name, (p.macs, p.latency_ms), xytext=(7, 4), textcoords="offset points")
    ax.set(yscale="log", xlabel="MACs of one image (log)", ylabel="latency, ms (log)")
    _log_macs(ax)
    ms = pd.concat([points["latency_ms"], others["latency_ms"]])
    ax.set_ylim(ms.min() / 1.8, ms.max() * 1.8)  # a quartile near zero would need all the room
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.margins(x=0.12)
    _legends(fig, points)
    return fig


def _log_macs(ax: Axes) -> None:
    """A logarithmic axis of multiply-accumulates: 1M, 3M, 10M."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda m, _: short(m)))
    ax.xaxis.set_minor_formatter(NullFormatter())


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


def short(number: float) -> str:
    """568.7M, 41M, 1.3G: three digits and a unit."""
    for size, unit in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size * 0.9995:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"
