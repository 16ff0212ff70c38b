"""Pictures of a search among paths say what the data frames say."""

import numpy as np
import pandas as pd

from lightlab.chapters.ch09_proxylessnas import experiment, gates
from lightlab.chapters.ch09_proxylessnas import figures as plots
from lightlab.space.proxyless import ProxylessSpace
from lightlab.space.skeleton import Skeleton

SPACE = ProxylessSpace(Skeleton.small((1, 16, 16), 10, [16, 32]))


def test_gates_are_drawn_beside_the_exact_gradient():
    estimates = gates.estimates(20)
    fig = plots.gates(estimates)
    titles = [ax.get_title() or ax.get_title(loc="left") for ax in fig.axes]
    assert titles == list(gates.LOSSES)
    first = fig.axes[0].lines[0]
    part = estimates[(estimates["loss"] == "linear loss") & (estimates["form"] == "sum")]
    np.testing.assert_allclose(first.get_ydata(orig=False), part["mean"])


def test_blocks_are_bars_and_what_is_left_out_is_a_line():
    layers = experiment.shapes(SPACE, {"a": (0, 6, 5, 6)})
    (ax,) = plots.shapes(layers).axes
    assert [bar.get_height() for bar in ax.patches] == [3, 6]
    assert len(ax.lines) == 2


def test_progress_counts_in_the_target_and_in_per_cent():
    rows = [(n, s, 1 / s, 0.1 * s, 2.0 / s, 10.0 * s) for n in "ab" for s in (1, 2)]
    columns = ["search", "step", "entropy", "latency_weight", "expected_ms", "accuracy"]
    curves = pd.DataFrame(rows, columns=columns)
    fig = plots.progress(curves, 2.0)
    found = [ax.lines[0].get_ydata().tolist() for ax in fig.axes]
    assert found == [[100, 50], [0.1, 0.2], [1, 0.5], [10, 20]]


def test_legends_name_all_networks_and_the_matrix_all_ratios():
    rows = {"name": ["found", "x"], "latency_ms": [1.0, 1.1], "accuracy": [60.0, 61.0]}
    trained = pd.DataFrame(rows)
    swept = trained.replace({"found": "λ = 0", "x": "λ by target"})
    legends = [ax.get_legend() for ax in plots.front(trained, swept, 1.0).axes]
    names = [[t.get_text() for t in legend.texts] for legend in legends]
    assert names == [["λ = 0", "λ by target"], ["found", "x"]]
    published = experiment.published_crossed()
    fig = plots.crossed(published, published)
    assert {"1.00", "1.18", "1.59"} <= {t.get_text() for t in fig.axes[0].texts}
