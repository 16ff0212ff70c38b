"""A data frame as CSV (full precision), Markdown and LaTeX, and as HTML for the notebook."""

import math
import re
from collections.abc import Iterable
from html import escape
from numbers import Number
from pathlib import Path

import pandas as pd

from lightlab.show import numbers


def write(df: pd.DataFrame, folder: Path, name: str, caption: str, digits: int = 3) -> list[Path]:
    """Write `name`.csv, .md and .tex below `folder`; the index is kept where it has a name."""
    folder.mkdir(parents=True, exist_ok=True)
    flat = _flat(df)
    shown = rounded(flat, digits)
    paths = [folder / f"{name}.{ending}" for ending in ("csv", "md", "tex")]
    flat.to_csv(paths[0], index=False)
    bars = shown.map(lambda text: text.replace("|", r"\|"))
    # as text: tabulate would make 1.1 of the version 1.10
    sides = _sides(flat) if len(flat) else None
    text = bars.to_markdown(index=False, disable_numparse=True, colalign=sides)
    paths[1].write_text(f"{text}\n\n{caption}\n", encoding="utf-8")
    style = shown.map(_latex_escape).rename(columns=_latex_escape).style.hide(axis="index")
    latex = style.to_latex(hrules=True, caption=_latex_escape(caption), label=f"tab:{name}")
    paths[2].write_text(latex, encoding="utf-8")
    return paths


def html(df: pd.DataFrame, digits: int = 3) -> str:
    """The table as plain HTML, values rounded, text escaped; numbers flush right, words left."""
    flat = _flat(df)
    shown = rounded(flat, digits)

    def row(tag: str, values: Iterable[object]) -> str:
        cells = zip(values, _sides(flat), strict=True)
        return "".join(f'<{tag} style="text-align:{s}">{escape(str(v))}</{tag}>' for v, s in cells)

    body = "".join(f"<tr>{row('td', r)}</tr>" for r in shown.itertuples(index=False, name=None))
    head = f"<thead><tr>{row('th', shown.columns)}</tr></thead>"
    return f'<table class="table">{head}<tbody>{body}</tbody></table>'


def rounded(df: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """Every number as a reader sees it, with `digits` significant digits; missing: an en dash."""

    def text(value: object) -> str:
        if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
            return "–"
        return numbers.number(value, digits) if isinstance(value, Number) else str(value)

    return df.astype(object).map(text)


def _flat(df: pd.DataFrame) -> pd.DataFrame:
    return df.reset_index() if any(n is not None for n in df.index.names) else df


def _sides(df: pd.DataFrame) -> list[str]:
    return ["right" if pd.api.types.is_numeric_dtype(d) else "left" for d in df.dtypes]


def _latex_escape(text: object) -> str:
    special = {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}"}
    special |= {"~": r"\textasciitilde{}", "^": r"\^{}", "\\": r"\textbackslash{}"}
    special |= {"−": "$-$", "\u202f": r"\,", "×": r"$\times$", "–": "--", "∞": r"$\infty$"}
    escaped = "".join(special.get(c, c) for c in str(text))
    return re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", _superscript, escaped)


def _superscript(match: re.Match) -> str:
    return f"$^{{{match.group().translate(str.maketrans('⁰¹²³⁴⁵⁶⁷⁸⁹⁻', '0123456789-'))}}}$"
