"""Pictures of MobileNets beside what was published: accuracies in per cent, costs as they are."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lightlab.show import marks, style, tables
from lightlab.show.marks import pictures  # noqa: F401  one of its figures

# one look in every figure: by width from the thinnest on, by resolution from the largest on
_WIDTHS = [style.COLOURS[i] for i in (6, 4, 2, 0, 5, 3)]
_MARKERS = ["o", "s", "^", "D", "v", "P"]
_NETWORKS = {
    "full": style.method("full convolutions", label="full"),
    "separable": style.method("MobileNetV1", label="separable"),
    "separable, as many MACs": {"color": style.COLOURS[2], "marker": "^"},
    "thin": {"color": style.COLOURS[6], "marker": "D"},
    "shallow": {"color": style.COLOURS[4], "marker": "v"},
}
_ROLES = {"conv": "first layer", "fc": "classifier"}


def savings(formula: pd.DataFrame, counted: pd.DataFrame) -> Figure:
    """How many times cheaper a separable convolution is, by formula (lines) and counted (dots)."""
    fig, ax = style.subplots(height=3.1)
    for colour, (kernel, line) in zip(style.COLOURS, formula.groupby("kernel_size"), strict=False):
        dots = counted[counted["kernel_size"] == kernel]
        ax.axhline(kernel**2, color=colour, linestyle=":", linewidth=1)
        (drawn,) = ax.plot(line["out_channels"], line["saving"], color=colour)
        ax.plot(dots["out_channels"], dots["saving"], "o", color=colour, mfc="white", ms=6)
        marks.end_label(ax, drawn, f"{kernel}×{kernel} kernel\n(never over {kernel**2})")
    low, high = formula["out_channels"].min(), formula["out_channels"].max()
    ax.set(xscale="log", xlim=(low, high), xlabel="output channels N")
    ax.set(ylim=(0, None), ylabel="times fewer MACs")
    style.only_ticks(ax.xaxis, [2**i for i in range(1, 16) if low <= 2**i <= high])
    counts = marks.key("counted", marker="o", mfc="white", ls="")
    ax.legend(handles=[marks.key("formula"), counts], loc="upper left")
    return fig


def agreement(table: pd.DataFrame) -> Figure:
    """Our count less the printed number, in units of its last digit; a band where it agrees."""
    networks = list(dict.fromkeys(table["network"]))
    quantities = list(table["quantity"].unique())
    fig, axes = marks.panels(quantities, height=1.2 + 0.27 * len(networks), sharey=True)
    marks.name_rows(axes[0], networks)
    axes[0].set_ylim(len(networks) + 0.9, -0.6)
    for ax, (_, part) in zip(axes, table.groupby("quantity", sort=False), strict=True):
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
        ax.set_xlabel("counted − printed\n(units of the last printed digit)")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1.08), ncols=2, handletextpad=0.2)
    return fig


def lengths(curves: pd.DataFrame, chance: float) -> Figure:
    """Test accuracy against the MACs that training took; larger dots were trained for longer."""
    fig, ax = style.subplots(height=3.8)
    sizes = {epochs: 5 + 3 * i for i, epochs in enumerate(sorted(curves["epochs"].unique()))}
    ax.axhline(chance, color=style.GREY, linestyle=":", linewidth=1)
    look = {"xycoords": ("axes fraction", "data"), "ha": "right", "color": style.GREY}
    marks.note(ax, "guessing", (1, chance), (0, 3), **look)
    for place, (name, line) in enumerate(curves.groupby("network", sort=False)):
        look = _NETWORKS[name] | {"label": None}
        bar = {"color": look["color"], "alpha": 0.35, "linewidth": 3}
        x = line["train_macs"] * 1.04 ** (place - 1)  # equal costs side by side, not on top
        ax.plot(x, line["mean"], color=look["color"])
        for at, p in zip(x, line.itertuples(), strict=True):
            ax.plot([at] * 2, np.clip([p.ci_low, p.ci_high], 0, 100), **bar)
            ax.plot(at, p.mean, ms=sizes[p.epochs], **look)
    ax.set(xlabel="MACs spent on training (log)", ylabel="test accuracy, %")
    style.log_counts(ax)
    ax.margins(x=0.08, y=0.08)
    ax.set_ylim(max(0, ax.get_ylim()[0]), min(101, ax.get_ylim()[1]))
    shown = [n for n in _NETWORKS if n in set(curves["network"])]
    handles = [marks.key(**_NETWORKS[n] | {"label": n, "ms": 6.5}) for n in shown]
    for epochs, size in sizes.items():
        words = f"{epochs:.3g} epoch" + "s" * int(epochs != 1)
        handles.append(marks.key(words, marker="o", ls="", ms=size))
    marks.legend_above(fig, handles, 3)
    return fig


def learning(results: pd.DataFrame) -> Figure:
    """Test accuracy against the training loss of the last epoch, a dot per training."""
    fig, ax = style.subplots(height=3.4)
    for name, part in results.groupby("name", sort=False):
        look = _NETWORKS[name] | {"ls": "", "ms": 5.5, "label": name}
        ax.plot(part["loss"], part["accuracy"], **look)
    ax.set(xscale="log", xlabel="training loss of the last epoch (log)", ylabel="test accuracy, %")
    style.decades(ax.xaxis)
    ax.invert_xaxis()
    fig.legend(loc="outside right upper")
    return fig


def gaps(pairs: pd.DataFrame) -> Figure:
    """Differences within seeds, by comparison and length of training, and what the paper has."""
    groups = dict(list(pairs.groupby(["comparison", "length"], sort=False)))
    fig, ax = style.subplots(height=1.2 + 0.42 * len(groups))
    at: dict[tuple[str, str], float] = {}
    y, before = -1.7, None
    bold = {"transform": ax.get_yaxis_transform(), "weight": "bold", "va": "center"}
    for comparison, length in groups:
        y += 1.0 if comparison == before else 1.7
        if comparison != before:
            ax.text(0, y - 0.62, comparison, **bold)
        at[comparison, length], before = y, comparison
    marks.forest(ax, groups.values(), at.values())
    paper = [part["published"].iloc[0] for part in groups.values()]
    ax.plot(paper, [*at.values()], "*", color=style.COLOURS[1], ms=11, zorder=3)
    ax.set(yticks=[*at.values()], yticklabels=[length for _, length in at], ylim=(y + 0.6, -1.1))
    ax.set_xlabel("difference in test accuracy (% points)")
    ax.grid(axis="y", visible=False)
    ax.margins(x=0.08)
    entries = [
        marks.key("mean, 95 % interval", style.COLOURS[0], marker="D", lw=3),
        marks.key("one seed", marker="o", ls="", mfc="none"),
        marks.key("paper (ImageNet)", style.COLOURS[1], marker="*", ls="", ms=10),
    ]
    marks.legend_above(fig, entries if pairs["published"].notna().any() else entries[:2])
    return fig


def plane(
    points: pd.DataFrame, line: pd.DataFrame, jump: tuple[float, float, float], ylabel: str
) -> Figure:
    """Accuracy against MACs of all widths and resolutions, the line that all but the thinnest
    define, and below how far each network is from it; `jump`: the thinnest, in % points.
    """
    fig, (ax, below) = style.subplots(2, 1, height=5.2, sharex=True, height_ratios=[2.2, 1])
    ax.plot(line["macs"], line["mean"], color=style.GREY, linewidth=1.2)
    below.axhline(0, color=style.GREY, linewidth=1.2)
    colours, markers = _grid_legend(fig, points)
    for p in points.itertuples():
        colour, marker = colours[p.width_mult], markers[p.resolution]
        on_line = np.interp(np.log(p.macs), np.log(line["macs"]), line["mean"])
        below.plot([p.macs] * 2, [0, p.mean - on_line], color=colour, linewidth=1)
        for panel, base in ((ax, 0.0), (below, on_line)):
            if hasattr(p, "ci_low"):
                ends = np.clip([p.ci_low, p.ci_high], 0, 100) - base
                panel.plot([p.macs] * 2, ends, color=colour, alpha=0.35, linewidth=2.5)
            panel.plot(p.macs, p.mean - base, marker, color=colour, ms=6.5)
    mean, low, high = jump
    low, high = (low, high) if mean >= 0 else (-high, -low)
    said = f"{abs(mean):.1f} points {'under' if mean >= 0 else 'above'} the line"
    said += "" if np.isnan(low) else f" [{low:.1f}, {high:.1f}]"
    look = {"transform": ax.transAxes, "va": "bottom", "ha": "right", "color": _WIDTHS[0]}
    ax.text(0.99, 0.03, f"width × {points['width_mult'].min():g}: {said}", **look)
    ax.set(ylabel=ylabel)
    below.set(xlabel="MACs of one image (log)", ylabel="points above\nthe line")
    style.log_counts(below)
    return fig


def costs(shares: pd.DataFrame, points: pd.DataFrame, line: pd.DataFrame) -> Figure:
    """What a network costs by type of layer, and where it stands among the published ones."""
    fig, (left, middle, right) = style.subplots(1, 3, height=3.2, width_ratios=[1, 1, 1.1])
    roles = shares["role"].replace(_ROLES)
    for ax, column, title in ((left, "macs", "MACs"), (middle, "weights", "weights")):
        ax.barh(roles, shares[column], color=style.COLOURS[::2], height=0.6)
        total = shares[column].sum()
        for row, value in enumerate(shares[column]):
            words = f"{tables.short(value)} ({value / total:.1%})"
            marks.note(ax, words, (value, row), va="center", fontsize=9)
        ax.set_title(f"{tables.short(total)} {title}")
        ax.set_xlim(0, shares[column].max() * 1.75)
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        ax.xaxis.set_major_formatter(lambda m, _: tables.short(m))
        ax.locator_params(axis="x", nbins=4)
    middle.set_yticklabels([])
    right.plot(points["macs"], points["mean"], "o", color=style.LIGHT, ms=6)
    macs = shares["macs"].sum()
    own = np.isclose(points["macs"], macs, rtol=1e-3)
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
    """Measured milliseconds against MACs, bars between the quartiles of the rounds: the grid of
    widths and resolutions, and `others`, by name."""
    fig, ax = style.subplots(height=3.8)
    colours, markers = _grid_legend(fig, points)
    for p in points.itertuples():
        look = {"fmt": markers[p.resolution], "color": colours[p.width_mult], "ms": 6.5}
        ax.errorbar(p.macs, p.latency_ms, p.iqr_ms / 2, **look)
    for p in others.itertuples():
        ax.errorbar(p.macs, p.latency_ms, p.iqr_ms / 2, fmt="*", color="black", ms=9)
        marks.note(ax, p.name, (p.macs, p.latency_ms), (0, -15), ha="center", fontsize=9)
    ax.set(yscale="log", xlabel="MACs of one image (log)", ylabel="latency, ms (log)")
    style.log_counts(ax)
    ms = pd.concat([points["latency_ms"], others["latency_ms"]])
    ax.set_ylim(ms.min() / 1.8, ms.max() * 1.8)  # a quartile near zero would need all the room
    style.decades(ax.yaxis)
    ax.margins(x=0.12)
    return fig


def _grid_legend(fig: Figure, points: pd.DataFrame) -> tuple[dict[float, str], dict[float, str]]:
    """Colours by width and markers by resolution, which a legend beside the figure tells."""
    widths = sorted(points["width_mult"].unique())
    sides = sorted(points["resolution"].unique(), reverse=True)
    colours = {w: _WIDTHS[i % len(_WIDTHS)] for i, w in enumerate(widths)}
    markers = {r: _MARKERS[i % len(_MARKERS)] for i, r in enumerate(sides)}
    handles = [marks.key(f"width × {w:g}", colours[w], lw=5) for w in reversed(widths)]
    handles += [marks.key(f"{r:g} px", marker=m, ls="") for r, m in markers.items()]
    fig.legend(handles=handles, loc="outside right upper", handlelength=1.2)
    return colours, markers
