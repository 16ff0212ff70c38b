"""Pages: the templates, and how numbers, times and verdicts are written in them.

Every page stands alone: its style and script are inside it, and its content security policy
forbids it to load or run anything else, whatever a notebook's output holds.
"""

import base64
import functools
import hashlib
import math
import operator
import re
from decimal import Decimal
from importlib import resources
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

_TEMPLATES = resources.files("lightlab.workbook") / "templates"
SIGNS = {"reproduced": "✓", "not reproduced": "✗", "inconclusive": "?"}
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def page(template: str, **values: Any) -> str:
    """The page that `template` makes of `values`; all text is escaped."""
    return _environment().get_template(template).render(**values)


def fingerprint() -> str:
    """Changes when a template or this package's way of writing pages does."""
    return _environment().globals["fingerprint"]


@functools.cache
def _environment() -> jinja2.Environment:
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("lightlab.workbook"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    style, script = (_read(n) for n in ("site.css", "site.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    env.globals |= {
        "style": Markup(style),
        "script": Markup(script),
        "policy": "default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'",
        "fingerprint": _fingerprint(),
        "signs": SIGNS,
        "measured": measured,
        "interval_mark": interval_mark,
    }
    env.filters |= {"number": number, "href": href, "duration": duration, "when": when}
    env.filters["soft"] = lambda name: Markup(re.sub(r"([._@])", r"\1<wbr>", str(escape(name))))
    env.filters["combine"] = operator.or_
    env.filters["slug"] = lambda verdict: str(verdict).replace(" ", "-")
    return env


def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _fingerprint() -> str:
    sources = [p for p in sorted(_TEMPLATES.iterdir(), key=str) if p.is_file()]
    sources += [resources.files("lightlab.workbook") / n for n in ("html.py", "notebook_html.py")]
    return hashlib.sha256(b"\0".join(p.read_bytes() for p in sources)).hexdigest()[:16]


def href(path: Any) -> str:
    """A relative path as a link: a name can neither leave HTML nor turn into another scheme."""
    return quote(str(path), safe="/")


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


def interval_mark(claim: dict[str, Any]) -> dict[str, float] | None:
    """Where a claim's range and our interval lie on a line from 0 to 100; None: nothing to draw."""
    ours = [claim.get(k) for k in ("ci_low", "value", "ci_high")]
    if claim.get("value") is None or not claim.get("holds_in"):
        return None
    ours = [claim["value"] if x is None else x for x in ours]
    band = claim["holds_in"]
    points = [float(x) for x in (*ours, *band) if x is not None]
    span = max(points) - min(points)
    if not span:
        return None
    left, width = min(points) - 0.2 * span, 1.4 * span

    def at(x: float) -> float:
        return round(100 * (x - left) / width, 2)

    low = 0.0 if band[0] is None else at(band[0])
    high = 100.0 if band[1] is None else at(band[1])
    return {
        "low": max(0.0, low - 0.7 * (high - low < 1.4)),
        "width": max(1.4, high - low),
        "ci_low": at(ours[0]),
        "value": at(ours[1]),
        "ci_high": at(ours[2]),
    }


def duration(seconds: float | None) -> str:
    """Seconds as 0.4 s, 12 s, 3 min 20 s or 2 h 5 min."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def when(stamp: str | None) -> str:
    """An ISO time as `2026-11-23 19:04 UTC`."""
    text = str(stamp or "")
    utc = " UTC" if text.endswith(("+00:00", "Z")) else ""
    return text[:16].replace("T", " ") + utc if text else "–"
