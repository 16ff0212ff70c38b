"""Pictures of trainings that are compared: by length, by loss, by seed.

Data frames in, figures out; accuracies in per cent, multiply-accumulates (MACs) as they are.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from lightlab.show import style

# One look per network, the same in every figure.
_LOOKS = {
    "full": (style.COLOURS[1], "s"),
    "separable": (style.COLOURS[0], "o"),
    "separable, as many MACs": (style.COLOURS[2], "^"),
    "thin": (style.COLOURS[6], "D"),
    "shallow": (style.COLOURS[4], "v"),
}


def lengths(curves: pd.DataFrame, chance: float) -> Figure:
    """Test accuracy against the MACs that training took, one line a network; dots of one size were
    trained for as many epochs, larger ones for longer.

    Columns: network, epochs, train_macs, mean, ci_low, ci_high. `chance`: accuracy of guessing.
    """
    fig, ax = style.subplots(height=3.8)
    every = sorted(curves["epochs"].unique())
    sizes = {epochs: 5 + 3 * i for i, epochs in enumerate(every)}
    ax.axhline(chance, color=style.GREY, linestyle=":", linewidth=1)
    ax.annotate("guessing", (1, chance), xycoords=("axes fraction", "data"), xytext=(0, 3),
                textcoords="offset points", ha="right", color=style.GREY)  # fmt: skip
    for place, (name, line) in enumerate(curves.groupby("network", sort=False)):
        colour, marker = _LOOKS[name]
        x = line["train_macs"] * 1.04 ** (place - 1)  # equal costs side by side, not on top
        ax.plot(x, line["mean"], color=colour)
        for at, p in zip(x, line.itertuples(), strict=True):
            interval = np.clip([p.ci_low, p.ci_high], 0, 100)
            ax.plot([at] * 2, interval, color=colour, alpha=0.35, linewidth=3)
            ax.plot(at, p.mean, marker, color=colour, ms=sizes[p.epochs])
    ax.set(xlabel="MACs spent on training (log)", ylabel="test accuracy, %")
    style.log_counts(ax)
    ax.margins(x=0.08, y=0.08)
    ax.set_ylim(max(0, ax.get_ylim()[0]), min(101, ax.get_ylim()[1]))
    handles = [
        Line2D([], [], color=c, marker=m, ms=6.5, label=n)
        for n, (c, m) in _LOOKS.items() if n in set(curves["network"])
    ]  # fmt: skip
    handles += [
        Line2D([], [], color="black", marker="o", ls="", ms=sizes[e], label=_epochs(e))
        for e in every
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=3)
    return fig


def learning(results: pd.DataFrame) -> Figure:
    """Test accuracy against the training loss of the last epoch, a dot per training.

    Columns: name, loss, accuracy. Networks that differ only in how fast they learn lie on one
    curve.
    """
    fig, ax = style.subplots(height=3.4)
    for name, part in results.groupby("name", sort=False):
        colour, marker = _LOOKS[name]
        ax.plot(part["loss"], part["accuracy"], marker, color=colour, ms=5.5, label=name)
    ax.set(xscale="log", xlabel="training loss of the last epoch (log)", ylabel="test accuracy, %")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.invert_xaxis()
    fig.legend(loc="outside right upper")
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


def _epochs(number: float) -> str:
    return f"{number:.3g} epoch{'s' if number != 1 else ''}"
