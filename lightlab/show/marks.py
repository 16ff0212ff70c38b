"""Drawings that several notebooks share. Data frames in, figures out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lightlab.show import style


def pictures(pictures: np.ndarray, titles: Sequence[object], ncols: int = 8) -> Figure:
    """Pictures, grey (N, H, W) or in colour (N, H, W, 3), in rows, each under its title."""
    nrows = -(-len(pictures) // ncols)
    fig, axes = style.subplots(nrows, ncols, height=1.15 * nrows, squeeze=False)
    for ax, picture, title in zip(axes.flat, pictures, titles, strict=False):
        ax.imshow(picture, cmap="gray", interpolation="nearest")
        ax.set_title(title, loc="center")
    for ax in axes.flat:
        ax.axis("off")
    return fig


def networks(layers: pd.DataFrame) -> Figure:
    """Networks as rows of layers: colour the operation, height the channels, hatching 5×5 kernels.

    Columns network, op, kernel, channels, stride, se (bool), in the order of the layers.
    """
    names = list(dict.fromkeys(layers["network"]))
    fig, axes = style.subplots(
        len(names), 1, height=0.5 + 0.95 * len(names), sharex=True, squeeze=False
    )
    ops = list(dict.fromkeys(layers["op"]))
    colours = dict(zip(ops, style.COLOURS, strict=False)) | {"fixed": style.LIGHT}
    most = layers["channels"].max()
    for ax, name in zip(axes[:, 0], names, strict=True):
        part = layers[layers["network"] == name].reset_index(drop=True)
        for i, row in part.iterrows():
            ax.bar(i, row["channels"], width=0.86, edgecolor="white",
                   color=colours[row["op"]],
                   hatch="///" if row["kernel"] == 5 else None)  # fmt: skip
            words = (
                f"{row['channels']}{'↓' if row['stride'] == 2 else ''}{' se' if row['se'] else ''}"
            )
            ax.annotate(words, (i, row["channels"]), ha="center", va="bottom", fontsize=7.5)
        ax.set(ylim=(0, 1.35 * most), yticks=[])
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
        ax.grid(False)
        ax.spines["left"].set_visible(False)
    words = "number: channels, ↓: stride 2, se: squeeze-excite, hatched: 5×5"
    axes[-1, 0].set(xticks=[], xlabel=f"layers in order; {words}")
    handles = [axes[0, 0].bar(0, 0, color=colours[op], label=op) for op in ops]
    fig.legend(handles=handles, loc="outside upper center", ncols=len(ops))
    return fig
