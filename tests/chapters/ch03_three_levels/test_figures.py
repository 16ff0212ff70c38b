"""Figures of notebook 03 say what their data say."""

from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.text import Text

from lightlab.chapters.ch03_three_levels import figures

TITLES = ["1 Parameters", "2 Hyperparameters", "3 Architecture"]


def test_names_of_networks_of_equal_size_do_not_overlap(words):
    hand = ["conv3-8", "conv3-8 conv3-16", "conv3-16 dense-32", "dense-32", "dense-64"]
    trials = pd.DataFrame({"network": [*hand, "conv3-4"], "way": ["hand"] * 5 + ["random"]})
    trials["macs_image"] = [5000, 5100, 5200, 5000, 5100, 900]
    trials["val_accuracy"] = [0.9, 0.91, 0.92, 0.85, 0.86, 0.5]
    fig = figures.networks(trials)
    names = {n.replace(" ", "\n") for n in hand}
    assert names <= set(words(fig))
    texts = [t for t in fig.findobj(Text) if t.get_text() in names]
    boxes = map(Text.get_window_extent, texts)  # without an arrow
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_accuracy_and_cost_writes_both(words):
    ways = {"way": ["drawn", "random"], "finder": ["hand", "machine"]}
    rows = pd.DataFrame({"level": [1, 2], **ways})
    rows = rows.assign(mean=[0.543, 0.912], ci_low=[0.5, 0.9], ci_high=[0.6, 0.93], macs=[0, 5e8])
    written = words(figures.accuracy_and_cost(rows, TITLES))
    assert {"54.3%", "91.2%", "0", "500M", *TITLES[:2]} <= set(written)


def test_clouds_name_every_digit_in_the_last_epoch(words):
    rng = np.random.default_rng(0)
    points = pd.DataFrame({"x": rng.normal(size=80), "y": rng.normal(size=80)})
    points = points.assign(digit=np.tile(range(10), 8), epoch=np.repeat([0, 3], 40))
    written = words(figures.clouds(points.assign(layer="layer 1")))
    assert {"before training", "epoch 3", "layer 1", *"0123456789"} <= set(written)
    assert sum(w in "0123456789" for w in written) == 10
