"""A control redraws the figure, without an Output widget."""

import base64

import ipywidgets
import pytest
from matplotlib import pyplot as plt

from lightlab.show import style
from lightlab.show.knob import knob


def drawer(calls):
    def draw(power, kind="a"):
        calls.append((power, kind))
        fig, ax = style.subplots()
        ax.plot([1, 2**power])
        return fig

    return draw


def test_every_change_draws_the_figure_anew():
    calls = []
    box = knob(drawer(calls), power=(0.0, 4.0, 0.5), kind=["a", "b"])
    slider, choice, image = box.children
    before = bytes(image.value)
    assert before.startswith(b"\x89PNG")
    slider.value = 3.0
    choice.value = "b"
    assert calls[1:] == [(3.0, "a"), (3.0, "b")]
    assert bytes(image.value) != before
    assert plt.get_fignums() == []


def test_a_page_without_a_kernel_shows_the_picture():
    bundle = knob(drawer([]), power=(0, 4))._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_no_output_widget_that_could_hang_an_executed_notebook():
    box = knob(drawer([]), power=ipywidgets.IntSlider(value=2, max=5))
    assert not any(isinstance(w, ipywidgets.Output) for w in box.children)
    assert box.children[0].description == "power"


def test_what_is_no_control_is_refused():
    with pytest.raises(ValueError, match="is no control for 'power'"):
        knob(drawer([]), power=object())
