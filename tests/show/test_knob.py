"""A control redraws the figure, without an Output widget."""

import base64

import ipywidgets
import pytest
from matplotlib import pyplot as plt

from lightlab.show import style
from lightlab.show.knob import knob


def test_every_change_draws_the_figure_anew_and_pages_without_a_kernel_show_it():
    """There is no Output widget, which could hang an executed notebook."""
    calls = []

    def draw(power, kind="a"):
        calls.append((power, kind))
        fig, ax = style.subplots()
        ax.plot([1, 2**power])
        return fig

    box = knob(draw, power=ipywidgets.IntSlider(value=2, max=5), kind=["a", "b"])
    slider, choice, image = box.children
    assert not any(isinstance(w, ipywidgets.Output) for w in box.children)
    assert slider.description == "power"
    before = bytes(image.value)
    slider.value = 3
    choice.value = "b"
    assert calls == [(2, "a"), (3, "a"), (3, "b")]
    assert bytes(image.value) != before
    assert plt.get_fignums() == []
    bundle = box._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]) == bytes(image.value)
    assert before.startswith(b"\x89PNG")
    assert "application/vnd.jupyter.widget-view+json" in bundle
    with pytest.raises(ValueError, match="is no control for 'power'"):
        knob(draw, power=object())
