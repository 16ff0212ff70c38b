"""Pictures of what nests in a once-for-all network: layers, kernels, channels in order.

Data frames in, figures out; accuracies in per cent.
"""

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from lightlab.show import style


def layers(table: pd.DataFrame) -> Figure:
    """What can be cut from every layer: nested widths, kernels as words, optional layers pale.

    Columns layer, unit, expand, channels, optional, kernels.
    """
    fig, ax = style.subplots(height=2.6)
    expands = sorted(table["expand"].unique(), reverse=True)
    shades = np.linspace(0.25, 0.85, len(expands))
    for expand, shade in zip(expands, shades, strict=True):
        part = table[table["expand"] == expand]
        at = part["layer"] + 0.5 * (part["unit"] - 1)
        for x, row in zip(at, part.itertuples(), strict=True):
            look = {"ls": ":" if row.optional else "-", "edgecolor": "black", "lw": 1}
            face = to_rgba(style.COLOURS[0], shade * (0.5 if row.optional else 1))
            ax.bar(x, row.channels, 0.86, facecolor=face, **look)
            ax.annotate(f"{row.channels}", (x, row.channels), ha="center", va="top", fontsize=7,
                        xytext=(0, -1.5), textcoords="offset points")  # fmt: skip
            if expand == expands[0]:
                ax.annotate(f"kernel {row.kernels}", (x, row.channels), ha="center", va="bottom",
                            fontsize=7)  # fmt: skip
    ax.set(xticks=[], ylabel="hidden channels", ylim=(0, 1.12 * table["channels"].max()))
    ax.set_xlabel("layers in order, a gap between units; dotted: only in deeper networks")
    ax.grid(axis="x", visible=False)
    return fig


def kernels(values: pd.DataFrame) -> Figure:
    """One channel's kernel at each size, the centre that it was made from framed.

    Columns kernel, row, column, value.
    """
    sizes = sorted(values["kernel"].unique(), reverse=True)
    fig, axes = style.subplots(1, len(sizes), height=2.5, width=0.75 * style.WIDTH_IN)
    limit = values["value"].abs().max()
    for ax, size, smaller in zip(axes, sizes, [*sizes[1:], None], strict=True):
        part = values[values["kernel"] == size]
        grid = part.pivot(index="row", columns="column", values="value")
        ax.imshow(grid, cmap=style.DIVERGING, vmin=-limit, vmax=limit)
        if smaller is not None:
            rim = (size - smaller) / 2 - 0.5
            box = [rim, rim + smaller, rim + smaller, rim, rim]
            ax.plot(box, [rim, rim, rim + smaller, rim + smaller, rim], color="black", lw=2)
        ax.set(title=f"{size}×{size}", xticks=[], yticks=[])
        ax.grid(False)
    fig.supxlabel("the frame, times a learnt matrix, is the kernel to the right", fontsize=9)
    return fig


def ordered(importance: pd.DataFrame, cut: pd.DataFrame) -> Figure:
    """Importance of a layer's channels before and after sorting, and accuracy of narrower networks
    by the order of their channels.

    `importance`: order, channel, value. `cut`: order, expand, mean, ci_low, ci_high.
    """
    fig, (left, right) = style.subplots(1, 2, height=3.0)
    for order, colour in (("as trained", style.GREY), ("by importance", style.COLOURS[0])):
        part = importance[importance["order"] == order]
        left.step(part["channel"], part["value"], where="mid", color=colour, label=order)
    left.set(xlabel="channel", ylabel="L1 norm of its projection", title="one layer")
    left.legend()
    looks = {"by importance": 0, "as trained": None, "random": 1}
    widths = sorted(cut["expand"].unique())
    for k, (order, colour) in enumerate(looks.items()):
        part = cut[cut["order"] == order].sort_values("expand")
        at = np.arange(len(widths)) + 0.26 * (k - 1)
        bars = [part["mean"] - part["ci_low"], part["ci_high"] - part["mean"]]
        shade = style.GREY if colour is None else style.COLOURS[colour]
        right.bar(at, part["mean"], 0.24, yerr=bars, color=shade, label=order, ecolor="black")
    right.set_ylabel("validation accuracy, %")
    right.set_xticks(range(len(widths)), [f"expansion {w:g}" for w in widths])
    right.grid(axis="x", visible=False)
    right.set_title("cut, not yet trained for it", pad=22)
    right.legend(loc="lower left", bbox_to_anchor=(-0.02, 0.99), ncols=3, columnspacing=0.9)
    return fig
