"""One look for every figure: colours that colour-blind readers tell apart, text fit for print."""

import sys
from collections.abc import Callable, Iterable
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from lightlab.show import tables

# Okabe & Ito (2008), darkened where thin lines on white need it.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#444444"]
SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"
GREY = "#8A8A8A"
LIGHT = "#D9D9D9"
WIDTH_IN = 7.2

# One look per method (colour, marker, dash), the same in every notebook. What people designed is
# dark or purple, what a search finds is bright.
METHODS = {
    "random search": (GREY, "s", "--"),
    "grid": (COLOURS[4], "D", ":"),
    "hand": (COLOURS[6], "*", "-"),
    "Bayesian optimisation": (COLOURS[0], "o", "-"),
    "no-warp": (COLOURS[5], "h", ":"),
    "bo-cost": (COLOURS[3], "p", "--"),
    "botorch": (COLOURS[3], "X", "-"),
    "tpe": (COLOURS[2], "^", "-."),
    "optuna-gp": (COLOURS[1], "v", "-"),
    "evolution": (COLOURS[3], "^", "-"),
    "MnasNet": (COLOURS[1], "P", "-"),
    "ProxylessNAS": (COLOURS[4], "d", "-"),
    "ProxylessNAS, REINFORCE": (COLOURS[5], "p", "-"),
    "Once-for-All": (COLOURS[2], "D", "-"),
    "compression": (COLOURS[6], "<", "-"),
    "uniform pruning": (COLOURS[7], "D", ":"),
    "full convolutions": (COLOURS[3], "s", "-"),
    "MobileNetV1": ("#6B3E1E", "o", "-"),
    "MobileNetV2": (COLOURS[7], "v", "--"),
    "MobileNetV3": ("#332288", ">", ":"),
}
_ALSO_CALLED = {"random": "random search", "OFA": "Once-for-All", "NSGA-II": "evolution"}
_ALSO_CALLED |= dict.fromkeys(("bo", "ours", "qLogNEHVI"), "Bayesian optimisation")

_RC = {
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": mpl.cycler(color=COLOURS),
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "svg.hashsalt": "lightlab",  # equal data, equal bytes
    "svg.fonttype": "path",
}


def use() -> None:
    """Make the workbook's look matplotlib's default in this process."""
    mpl.rcParams.update(_RC)


def subplots(
    nrows: int = 1, ncols: int = 1, *, height: float = 3.2, width: float = WIDTH_IN, **kwargs: Any
) -> tuple[Figure, Any]:
    """Figure and axes, sizes in inches, in the workbook's look whoever calls.

    The figure's `drawn_by` is the code of this package's function that was called from outside.
    """
    with mpl.rc_context(_RC):
        fig, axes = plt.subplots(nrows, ncols, figsize=(width, height), **kwargs)
    frame = sys._getframe(1)
    while (back := frame.f_back) and back.f_globals.get("__name__", "").startswith("lightlab."):
        frame = back
    fig.drawn_by = frame.f_code
    return fig, axes


def method(name: str, **look: Any) -> dict[str, Any]:
    """Keyword arguments for a line of the method `name`, `look` in place of some of them.

    "MobileNetV2 by hand" and "MobileNetV2's design" are MobileNetV2. KeyError: it has no look yet.
    """
    known = name.partition("'s ")[0].removesuffix(" by hand")
    colour, marker, dash = METHODS[_ALSO_CALLED.get(known, known)]
    return {"color": colour, "marker": marker, "ls": dash, "label": name} | look


def literal(text: str) -> str:
    """A name from outside, in which no sign starts a formula."""
    return text.replace("$", r"\$")


def decades(
    axis: Axis, steps: tuple[int, ...] = (1, 2, 5), words: Callable[[float], str] = "{:g}".format
) -> None:
    """Numbers written out on a logarithmic axis, at `steps` of each decade, and none between."""
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(lambda x, _: words(x))
    axis.set_minor_formatter(NullFormatter())


def log_counts(ax: Axes, steps: tuple[int, ...] = (1, 3)) -> None:
    """A logarithmic horizontal axis of large counts: 1M, 3M, 10M, or other steps in a decade."""
    ax.set_xscale("log")
    decades(ax.xaxis, steps, tables.short)


def only_ticks(axis: Axis, values: Iterable[float]) -> None:
    """Ticks at these values and nowhere between, their numbers written out."""
    values = list(values)
    axis.set_ticks(values, [f"{v:g}" for v in values])
    axis.set_minor_locator(NullLocator())
