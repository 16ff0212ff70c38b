"""The scoreboard shows every claim once, in the order of the verdicts."""

import matplotlib as mpl
import pandas as pd
from matplotlib.patches import Rectangle

from lightlab.show import scoreboard, style

CLAIMS = pd.DataFrame(
    {
        "notebook": ["01 A", "01 A", "02 B", "02 B", "02 B"],
        "verdict": ["inconclusive", "reproduced", "not reproduced", "inconclusive", "reproduced"],
    }
)


def squares(fig) -> list[tuple[int, str]]:
    """(line, colour) of every square, from left to right."""
    found = [p for p in fig.axes[0].patches if isinstance(p, Rectangle)]
    found = sorted((round(p.get_y() + 0.45), p.get_x(), p.get_facecolor()) for p in found)
    return [(y, mpl.colors.to_hex(colour).upper()) for y, _, colour in found]


def test_there_is_a_square_for_each_claim(words):
    fig = scoreboard.draw(CLAIMS)
    held, failed, left_open = style.COLOURS[2], style.COLOURS[1], style.LIGHT
    lines = [(0, held), (0, left_open), (1, held), (1, failed), (1, left_open)]
    assert squares(fig) == lines
    told = words(fig)
    assert {"✓ 2 reproduced", "✗ 1 not reproduced", "? 2 open (inconclusive)"} <= set(told)
    assert {"1 of 2 hold", "1 of 3 hold", "01 A", "02 B"} <= set(told)
    assert [told.count(sign) for sign in "✓✗?"] == [2, 1, 2]


def test_a_verdict_that_nobody_got_is_told_with_zero(words):
    told = words(scoreboard.draw(CLAIMS[CLAIMS["verdict"] == "reproduced"]))
    assert {"✗ 0 not reproduced", "1 of 1 hold"} <= set(told)
