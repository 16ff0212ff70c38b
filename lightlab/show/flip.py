"""A slider that leafs through figures, in the browser alone: no kernel has to run."""

import io
from collections.abc import Mapping

from ipywidgets import HTML, Image, SelectionSlider, Stack, VBox, jslink
from matplotlib import pyplot as plt
from matplotlib.figure import Figure


def flip(figures: Mapping[str, Figure], name: str) -> VBox:
    """A slider called `name` over the keys of `figures`, and the figure it stands at.

    The figures are drawn once, as PNG, and closed. ValueError without a figure.
    """
    if not figures:
        raise ValueError("there is no figure to leaf through")
    pictures = []
    for fig in figures.values():
        buffer = io.BytesIO()
        fig.savefig(buffer, format="png", dpi=110)
        plt.close(fig)
        pictures.append(Image(value=buffer.getvalue(), format="png"))
    last = len(pictures) - 1
    slider = SelectionSlider(options=list(figures), index=last)
    stack = Stack(pictures, selected_index=last)
    jslink((slider, "index"), (stack, "selected_index"))
    return VBox([HTML(f"<b>{name}</b>"), slider, stack])
