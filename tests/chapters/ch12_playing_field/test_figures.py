"""Pictures of all methods side by side say what the data frames say."""

import pandas as pd
import pytest

from lightlab.chapters.ch12_playing_field import figures as plots


def test_fronts_join_means_by_target():
    rows = {"method": "evolution", "target": [1, 1, 2], "seed": [0, 1, 0],
            "accuracy": [50.0, 60, 70], "latency_ms": [0.01, 0.03, 0.05]}  # fmt: skip
    (ax,) = plots.fronts(pd.DataFrame(rows)).axes
    assert ax.lines[1].get_xdata().tolist() == [20, 50]
    assert ax.lines[1].get_ydata().tolist() == [55, 70]


def test_those_by_hand_are_lines_without_a_cost():
    rows = {"method": ["MobileNetV2 by hand"] + ["evolution"] * 3, "budget": [0, 8.0, 2.0, 2.0],
            "seed": [0, 0, 0, 1], "hypervolume": [0.3, 0.5, 0.4, 0.2],
            "samples": [0, 8000, 1000, 3000], "seconds": [0.0, 80, 10, 30]}  # fmt: skip
    left, _ = plots.search_cost(pd.DataFrame(rows)).axes
    hand, seeds, means = left.lines
    assert list(hand.get_ydata()) == [0.3, 0.3]
    assert seeds.get_xdata().tolist() == [8000, 1000, 3000]
    assert means.get_xdata().tolist() == [2000, 8000]
    assert means.get_ydata() == pytest.approx([0.3, 0.5])


def test_ranks_stand_in_their_order_with_the_band():
    table = pd.DataFrame({"method": ["evolution", "compression"], "rank": [1.2, 1.8]})
    (ax,) = plots.ranks(table, 0.7).axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["evolution", "compression"]
    assert [float(line.get_xdata()[0]) for line in ax.lines] == [1.2, 1.8]
