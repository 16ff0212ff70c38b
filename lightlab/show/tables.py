"""How numbers, verdicts and tables are written: significant digits, thin spaces, a true minus."""

import math
import re
from collections.abc import Iterable
from decimal import Decimal
from html import escape
from numbers import Number
from pathlib import Path
from typing import Any

import pandas as pd

SIGNS = {"reproduced": "✓", "not reproduced": "✗", "inconclusive": "?"}
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def number(value: Any, digits: int = 4) -> str:
    """A value as a reader sees it: `digits` significant digits, thin spaces, a true minus.

    Text that is a number is written as one; other text stays as it is, None is an en dash.
    """
    if value is None or value == "":
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(number(v, digits) for v in value)
    if isinstance(value, bool) or (isinstance(value, str) and not _NUMBER.fullmatch(value)):
        return str(value)
    text = str(value)
    if re.fullmatch(r"[+-]?0\d+", text):  # an identifier: a number has no leading zero
        return text
    if not re.fullmatch(r"[+-]?\d+", text):
        return _float(float(value), digits)
    n_digits = len(text.lstrip("+-"))
    if n_digits > 15:
        return _power_of_ten(f"{Decimal(text):.{digits - 1}e}")
    grouped = f"{Decimal(text):,}".replace(",", "\u202f")
    return (grouped if n_digits > 4 else text).replace("-", "−")


def number_like(text: str) -> bool:
    """True for text that is a number or stands for a missing one: such columns align right."""
    return text in ("", "nan", "inf", "-inf") or bool(_NUMBER.fullmatch(text))


def _float(x: float, digits: int) -> str:
    if not math.isfinite(x):
        return {math.inf: "∞", -math.inf: "−∞"}.get(x, "NaN")
    if x and not 1e-4 <= abs(x) < 1e6:
        return _power_of_ten(f"{x:.{digits - 1}e}")
    if abs(x) >= 10**digits:
        return f"{x:,.0f}".replace(",", "\u202f").replace("-", "−")
    return f"{x:.{digits}g}".replace("-", "−")


def _power_of_ten(text: str) -> str:
    mantissa, exponent = text.split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}".replace("-", "−")


def measured(claim: dict[str, Any]) -> tuple[str, str]:
    """Our value of a claim, and its interval with n as a second text ("" where there is none)."""
    value, low, high = (claim.get(k) for k in ("value", "ci_low", "ci_high"))
    n = f"n\u00a0=\u00a0{claim.get('n')}"
    if value is None:
        return "not measured", ""
    if claim.get("kind") == "exact" and float(value).is_integer():
        value = int(value)  # all digits: they are what is claimed
    if low is None or high is None:
        return number(value), f"{n}, no interval"
    half = max(high - value, value - low)
    if half == 0:
        return number(value), n if (claim.get("n") or 1) > 1 else ""
    if not 1e-5 <= half < 1e4:
        return number(value), f"[{number(low)}, {number(high)}], {n}"
    places = max(0, 1 - math.floor(math.log10(half)))  # two digits of the half-width
    value, low, high = (f"{x:.{places}f}".replace("-", "−") for x in (value, low, high))
    return value, f"[{low}, {high}], {n}"


def short(number: float) -> str:
    """568.7M, 41M, 1.3G: three digits and a unit."""
    for size, unit in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size * 0.9995:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


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
        return number(value, digits) if isinstance(value, Number) else str(value)

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
    plain = {digit: chr(c) for c, digit in _SUPERSCRIPT.items()}
    return re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda m: f"$^{{{m[0].translate(plain)}}}$", escaped)
