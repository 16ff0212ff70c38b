"""Drawings that several notebooks share."""

import numpy as np
import pandas as pd

from lightlab.show import marks


def test_pictures_carry_their_labels():
    fig = marks.pictures(np.random.default_rng(0).random((5, 8, 8)), [3, 1, 4, 1, 5], ncols=3)
    assert len(fig.axes) == 6
    assert [ax.get_title(loc="center") for ax in fig.axes[:5]] == ["3", "1", "4", "1", "5"]


def test_networks_say_what_a_layer_has():
    layers = pd.DataFrame(
        {"network": "n", "op": ["conv", "MBConv6"], "kernel": [3, 5], "channels": [16, 32],
         "stride": [2, 1], "se": [False, True]}
    )  # fmt: skip
    axes = marks.networks(layers).axes
    assert "32 se" in [text.get_text() for text in axes[0].texts]
