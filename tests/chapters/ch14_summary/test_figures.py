"""Figures of notebook 14 say what their frames say."""

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from lightlab.chapters.ch14_summary import figures
from lightlab.show import style


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_the_contact_sheet_keeps_pictures_and_words_apart(columns, words, tmp_path):
    """In the workbook's look, too, where savefig likes to arrange what has no layout."""
    pages = pd.DataFrame({"notebook": ["01 A", "02 B"], "question": ["Why? " * 18, "How?"]})
    images = [np.zeros((40, 100, 3), np.uint8), np.full((90, 100, 3), 255, np.uint8)]
    with mpl.rc_context():
        style.use()
        fig = figures.contact(pages, images, columns)
        before = [ax.get_position(original=True).bounds for ax in fig.axes]
        fig.savefig(tmp_path / "sheet.png")
    assert [ax.get_position(original=True).bounds for ax in fig.axes] == before
    assert fig.axes[0].get_window_extent().width > 0.9 * fig.bbox.width / columns
    assert {"01 A", "02 B", "How?"} <= set(words(fig))
    boxes = []
    for ax in fig.axes[: len(pages)]:
        ax.apply_aspect()
        boxes += [text.get_window_extent() for text in ax.texts] + [ax.get_window_extent()]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    assert all(box.x0 >= 0 and box.y1 <= fig.bbox.height for box in boxes)


def test_costs_and_open_claims_are_told(words):
    table = pd.DataFrame({"notebook": ["01 A", "02 B"], "seconds": [60.0, 30.0]})
    table = table.assign(readers_s=[30.0, 0.0], peak_gib=[0.5, 1.25])
    told = words(figures.costs(table))
    assert {"1.0 + 0.5 min", "0.5 min", "0.5 GiB", "1.2 GiB"} <= set(told)
    nothing = table.head(1).assign(seconds=np.nan, readers_s=0.0, peak_gib=np.nan)
    assert words(figures.costs(nothing)).count("not recorded") == 2
    claims = table.assign(decided_by=["the profile paper", "more samples"])
    fig = figures.undecided(claims)
    assert {"1 the profile paper", "1 more samples", "1 open"} <= set(words(fig))
    assert len({patch.get_facecolor() for patch in fig.axes[0].patches}) == 2
    assert not figures.undecided(claims.head(0)).axes[0].patches
