"""Controls that redraw a figure.

Not `ipywidgets.interact`: its Output widget makes the client of an executed notebook write to the
kernel while it waits for the reply, and now and then the reply is never seen (papermill#723,
nbclient#312). An Image widget needs no answer from the client.
"""

import base64
import io
from collections.abc import Callable
from typing import Any

from ipywidgets import Image, VBox, interactive
from matplotlib import pyplot as plt
from matplotlib.figure import Figure


class Knob(VBox):
    """Controls above the picture that they redraw; pages without a kernel show the picture."""

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        picture = base64.b64encode(self.children[-1].value).decode()
        return super()._repr_mimebundle_(**kwargs) | {"image/png": picture}


def knob(draw: Callable[..., Figure], **controls: Any) -> Knob:
    """The figure that `draw` returns, below a control for each of its arguments.

    A control is a widget, or short for one as in `ipywidgets.interact`: `(0.0, 1.0, 0.1)` for a
    slider, a list for a choice. Every change draws anew; an executed notebook shows the figure
    at the controls' first values.
    """
    widgets = {n: interactive.widget_from_abbrev(c) for n, c in controls.items()}
    image = Image(format="png", layout={"max_width": "100%", "align_self": "flex-start"})

    def redraw(*_: Any) -> None:
        fig, picture = draw(**{n: w.value for n, w in widgets.items()}), io.BytesIO()
        fig.savefig(picture, format="png", dpi=110)
        plt.close(fig)
        image.value = picture.getvalue()

    for name, widget in widgets.items():
        if widget is None:
            control = controls[name]
            raise ValueError(f"{control!r} is no control for {name!r}: a widget, a tuple or a list")
        widget.description = widget.description or name.replace("_", " ")
        widget.continuous_update = False  # a drag would draw a figure for every step on its way
        widget.observe(redraw, "value")
    redraw()
    return Knob([*widgets.values(), image])
