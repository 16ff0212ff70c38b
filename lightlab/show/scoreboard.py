"""Verdicts at a glance: a square for each claim, a line of squares for each notebook."""

from collections.abc import Callable, Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from lightlab.show import numbers, style

VERDICTS = {
    "reproduced": style.COLOURS[2],
    "not reproduced": style.COLOURS[1],
    "inconclusive": style.LIGHT,
}


def draw(claims: pd.DataFrame) -> Figure:
    """A square per claim, its colour and sign the verdict; columns notebook, verdict."""

    def held(line: pd.DataFrame) -> str:
        return f"{(line['verdict'] == 'reproduced').sum()} of {len(line)} hold"

    return squares(claims, "verdict", VERDICTS, held)


def squares(
    table: pd.DataFrame,
    column: str,
    colours: Mapping[str, str],
    behind: Callable[[pd.DataFrame], str],
) -> Figure:
    """A line of squares per notebook, coloured by the value of `column` in the order of `colours`;
    `behind` words what stands behind a line, the legend counts the values. Columns notebook, and
    `column`.
    """
    lines = dict(list(table.groupby("notebook", sort=False)))
    fig, ax = style.subplots(height=0.9 + 0.27 * len(lines))
    for y, rows in enumerate(lines.values()):
        for x, value in enumerate(sorted(rows[column], key=list(colours).index)):
            colour = colours[value]
            ax.add_patch(Rectangle((x + 0.05, y - 0.45), 0.9, 0.9, color=colour, lw=0))
            look = {"ha": "center", "va": "center_baseline"}
            look["color"] = "black" if colour == style.LIGHT else "white"
            ax.text(x + 0.5, y, numbers.SIGNS.get(value, ""), **look)
    longest = max(map(len, lines.values()), default=1)
    ax.set(xlim=(0, 1.25 * longest), ylim=(max(len(lines), 1) - 0.4, -0.6), xticks=[])
    ax.set_yticks(range(len(lines)), list(lines))
    ax.tick_params(left=False)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    for y, rows in enumerate(lines.values()):
        look = {"textcoords": "offset points", "va": "center_baseline", "fontsize": 8.5}
        ax.annotate(behind(rows), (len(rows), y), (5, 0), **look)
    fig.legend(handles=_counts(table[column], colours), loc="outside upper center", ncols=3,
               fontsize=10)  # fmt: skip
    return fig


def _counts(values: pd.Series, colours: Mapping[str, str]) -> list[Patch]:
    """The legend: each colour, the sign of its verdict, how often it comes and what it means."""
    n, words = values.value_counts(), {"inconclusive": "open (inconclusive)"}
    texts = {v: f"{numbers.SIGNS.get(v, '')} {n.get(v, 0)} {words.get(v, v)}" for v in colours}
    return [Patch(color=colour, label=texts[v].strip()) for v, colour in colours.items()]
