"""The slider over figures."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from lightlab.show import flip, style
from lightlab.show.plots import representation


def test_flip_shows_the_last_and_keeps_no_figure_open():
    before = plt.get_fignums()
    box = flip.flip({str(e): style.subplots(height=1)[0] for e in (0, 1, 5)}, "epoch")
    _, slider, stack = box.children
    assert slider.value == "5"
    assert stack.selected_index == 2
    assert [p.value[:4] for p in stack.children] == [b"\x89PNG"] * 3
    assert plt.get_fignums() == before
    with pytest.raises(ValueError, match="no figure"):
        flip.flip({}, "epoch")


def test_labels_are_pushed_apart_and_stay_near():
    places = np.array([[0.0, 0.0], [0.01, 0.0], [5.0, 5.0]])
    moved = representation._apart(places, 1.0)
    assert np.linalg.norm(moved[0] - moved[1]) >= 0.99
    np.testing.assert_allclose(moved[2], places[2])
    assert np.abs(moved - places).max() < 1
