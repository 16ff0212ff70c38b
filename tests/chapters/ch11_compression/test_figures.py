"""Pictures of compression say what the data frames say."""

import pandas as pd

from lightlab.chapters.ch11_compression import experiment
from lightlab.chapters.ch11_compression import figures as plots


def test_arms_show_seeds_means_and_the_start():
    table = pd.DataFrame({"arm": list("aabb"), "seed": [0, 1] * 2, "accuracy": [1, 3, 5, 7]})
    (ax,) = plots.arms(table, 9.0).axes
    dots, means, _ = ax.lines
    assert dots.get_xdata().tolist() == [1, 3, 5, 7]
    assert means.get_xydata().tolist() == [[2, 0], [6, 1]]
    assert ax.lines[-1].get_xdata() == [9, 9]


def test_sides_join_their_fronts():
    rows = {"side": experiment.COMPRESS, "seed": [0, 0, 0], "tested": [50.0, 60, 40],
            "latency": [0.5, 1.0, 0.8], "size": 1.0, "front": [True, True, False],
            "spent": [1000, 2000, 3000], "hypervolume": [0.1, 0.2, 0.2]}  # fmt: skip
    left, right = plots.sides(pd.DataFrame(rows)).axes
    assert left.lines[1].get_xdata().tolist() == [50, 100]
    assert left.lines[0].get_ydata().tolist() == [40]
    assert right.lines[0].get_xdata().tolist() == [1, 2, 3]
    for_nothing = pd.DataFrame(rows | {"side": experiment.SUPERNET, "spent": 1000})
    (end,) = plots.sides(for_nothing).axes[1].lines
    assert end.get_xydata().tolist() == [[1, 0.2]]


def test_ways_have_a_mark_for_every_corner():
    ways = (experiment.CUT, experiment.EACH, experiment.ONCE)
    rows = [(w, s, c, 10.0 * s) for w in ways for s in (1, 2) for c in ("D1 W2 K3", "D2 W4 K5")]
    table = pd.DataFrame(rows, columns=["way", "seed", "corner", "accuracy"])
    (ax,) = plots.ways(table).axes
    means = [line.get_ydata().tolist() for line in ax.lines if line.get_label() in ways]
    assert means == [[15, 15]] * 3
