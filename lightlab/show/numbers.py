"""How numbers and verdicts are written: significant digits, thin spaces, a true minus, a sign."""

import math
import re
from decimal import Decimal
from typing import Any

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
    if re.fullmatch(r"[+-]?\d+", text):
        return _integer(text, digits)
    return _float(float(value), digits)


def number_like(text: str) -> bool:
    """True for text that is a number or stands for a missing one: such columns align right."""
    return text in ("", "nan", "inf", "-inf") or bool(_NUMBER.fullmatch(text))


def _integer(text: str, digits: int) -> str:
    n_digits = len(text.lstrip("+-"))
    if n_digits > 15:
        return _power_of_ten(f"{Decimal(text):.{digits - 1}e}")
    grouped = f"{Decimal(text):,}".replace(",", "\u202f")
    return (grouped if n_digits > 4 else text).replace("-", "−")


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
