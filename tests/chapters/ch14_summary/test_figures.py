"""Figures of notebook 14 say what their frames say."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from lightlab.chapters.ch14_summary import figures_summary as plots
from lightlab.show import style

CLAIMS = pd.DataFrame(
    {
        "notebook": ["01 A", "01 A", "02 B", "02 B", "02 B"],
        "verdict": ["inconclusive", "reproduced", "not reproduced", "inconclusive", "reproduced"],
        "decided_by": ["the profile paper", "", "", "a narrower interval", ""],
    }
)


def squares(fig) -> list[tuple[int, str]]:
    """(line, colour) of every square, from left to right."""
    found = [p for p in fig.axes[0].patches if isinstance(p, Rectangle)]
    found = sorted((round(p.get_y() + 0.45), p.get_x(), p.get_facecolor()) for p in found)
    return [(y, mpl.colors.to_hex(colour).upper()) for y, _, colour in found]


def test_the_scoreboard_has_a_square_for_each_claim(words):
    fig = plots.scoreboard(CLAIMS)
    held, failed, left_open = style.COLOURS[2], style.COLOURS[1], style.LIGHT
    lines = [(0, held), (0, left_open), (1, held), (1, failed), (1, left_open)]
    assert squares(fig) == lines
    told = words(fig)
    assert {"✓ 2 reproduced", "✗ 1 not reproduced", "? 2 open (inconclusive)"} <= set(told)
    assert {"1 of 2 hold", "1 of 3 hold", "01 A", "02 B"} <= set(told)
    assert [told.count(sign) for sign in "✓✗?"] == [2, 1, 2]


def test_a_verdict_that_nobody_got_is_told_with_zero(words):
    told = words(plots.scoreboard(CLAIMS[CLAIMS["verdict"] == "reproduced"]))
    assert {"✗ 0 not reproduced", "1 of 1 hold"} <= set(told)


def test_open_claims_are_counted_by_what_could_decide_them(words):
    fig = plots.undecided(CLAIMS[CLAIMS["verdict"] == "inconclusive"])
    told = words(fig)
    assert {"1 the profile paper", "1 a narrower interval", "1 open"} <= set(told)
    assert len({colour for _, colour in squares(fig)}) == 2


def test_where_nothing_is_open_the_figure_is_empty():
    assert squares(plots.undecided(CLAIMS[:0])) == []


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_the_contact_sheet_keeps_pictures_and_words_apart(columns, words, tmp_path):
    """In the workbook's look, too, where savefig likes to arrange what has no layout."""
    pages = pd.DataFrame({"notebook": ["01 A", "02 B"], "question": ["Why? " * 18, "How?"]})
    images = [np.zeros((40, 100, 3), np.uint8), np.full((90, 100, 3), 255, np.uint8)]
    with mpl.rc_context():
        style.use()
        fig = plots.contact(pages, images, columns)
        before = [ax.get_position(original=True).bounds for ax in fig.axes]
        fig.savefig(tmp_path / "sheet.png")
    assert [ax.get_position(original=True).bounds for ax in fig.axes] == before
    assert fig.axes[0].get_window_extent().width > 0.9 * fig.bbox.width / columns
    assert {"01 A", "02 B", "How?"} <= set(words(fig))
    boxes = []
    for ax in fig.axes[: len(pages)]:
        ax.apply_aspect()
        boxes += [text.get_window_extent() for text in ax.texts] + [ax.get_window_extent()]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(box.x0 >= 0 and box.y1 <= fig.bbox.height for box in boxes)


def test_costs_tell_each_notebook_and_those_that_read_it(words):
    table = pd.DataFrame(
        {"notebook": ["01 A", "02 B"], "seconds": [60.0, 30.0], "readers_s": [30.0, 0.0],
         "peak_gib": [0.5, 1.25]}
    )  # fmt: skip
    told = words(plots.costs(table))
    assert {"1.0 + 0.5 min", "0.5 min", "0.5 GiB", "1.2 GiB"} <= set(told)


def test_what_was_not_recorded_is_told(words):
    nothing = {"seconds": np.nan, "readers_s": 0.0, "peak_gib": np.nan}
    told = words(plots.costs(pd.DataFrame([{"notebook": "01 A"} | nothing])))
    assert told.count("not recorded") == 2
