"""Figures of entropy: what they print is what the tables say."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from lightlab.chapters.ch02_entropy import disorder, experiment, figures, information
from lightlab.show import style


def test_rooms_show_each_room_with_its_title(words) -> None:
    table = disorder.room_table({f"room {i}": np.eye(4) for i in range(5)})
    fig = figures.rooms(table, ncols=3)
    assert [t for t in words(fig) if t.startswith("room")] == [f"room {i}" for i in range(5)]
    image = fig.axes[0].images[0].get_array()
    assert image.mask.sum() == 12  # empty cells are white, not the lowest colour
    assert image.compressed() == pytest.approx([0.25] * 4)


def test_tree_marks_the_way(words) -> None:
    probs = {"a": 0.5, "b": 0.25, " ": 0.25}
    code = information.huffman_code(probs)
    fig = figures.tree(information.tree_table(code, probs), "b", 1.5, 1.5)
    assert {"a", "b", "␣", "entropy: 1.500"} <= set(words(fig))
    marks = [t.get_text() for t in fig.axes[0].texts]
    assert "".join(t for t in marks if t in {"0", "1"}) == code["b"]


def test_film_draws_the_pixel_that_is_asked(words) -> None:
    asked = {"left": 4, "entropy_bits": 2.0, "row": 1, "column": 2, "threshold": 7, "answer": "no"}
    frames = pd.DataFrame([asked, {"left": 1, "entropy_bits": 0.0}])
    fig = figures.film(np.zeros((2, 4, 4)), frames, ncols=2)
    assert fig.axes[0].patches[0].get_xy() == (1.5, 0.5)
    assert not fig.axes[1].patches
    assert "ink ≥ 7? no" in words(fig)


def test_training_has_a_place_for_no_work(words) -> None:
    measures = ["cross_entropy_bits"] * 4 + ["predictive_entropy_bits"] * 4
    curves = pd.DataFrame({"measure": measures, "macs": [0, 1e6, 1e7, 1e8] * 2})
    curves = curves.assign(mean=[3.3, 3.2, 1.0, 0.1] * 2, ci_low=0.1, ci_high=3.4)
    fig = figures.training(curves, 8)
    ax = fig.axes[0]
    assert "knows nothing: log₂ 8 = 3.00 bits" in words(fig)
    assert ax.get_xscale() == "symlog"
    assert 0 in ax.get_xticks()
    assert ax.get_xlim()[0] < 0  # the zero stands inside the picture
    assert not any(0 < t < 1e6 for t in ax.get_xticks())


def test_work_has_one_colour_per_rate(words) -> None:
    runs, _, measured = experiment.work_runs(4, 50, 20, [0.0, 0.5], 2, 0)
    held = experiment.balance([4], [0.1, 0.5])
    fig = figures.balance(runs[runs.repeat == 0], held, measured)
    left, right = fig.axes
    half = {to_hex(line.get_color()) for line in left.lines[2:]}
    assert half == {to_hex(style.COLOURS[1])} == {to_hex(right.lines[-1].get_color())}
    assert {"work 0", "work 0.5", "4 × 4 cells"} <= set(words(fig))


def test_other_figures_draw_their_rows(words) -> None:
    curve = experiment.walk_table(np.ones((5, 2, 2)), np.full((5, 4), 0.25))
    gaps = experiment.boltzmann_gaps(np.full(4, 0.25), [10, 100], np.random.default_rng(0))
    assert "evenly filled: log₂ 4 = 2 bits" in words(figures.growth(curve, gaps, 4))
    assert curve.entropy_bits.tolist() == pytest.approx([2] * 5)
    filled = disorder.log2_arrangements([1] * 4) / 4
    assert curve.arrangements_bits.tolist() == pytest.approx([filled] * 5)
    table = experiment.block_codes({"ab": "ab ba abba"}, 3)
    assert {"letters as they stand", "ab"} <= set(words(figures.blocks(table)))
    wrong = {"belief": "x", "kl_bits": 1.0, "mean": 1.1, "ci_low": 1.0, "ci_high": 1.2}
    assert "x" in words(figures.wrong_codes(pd.DataFrame([wrong])))
