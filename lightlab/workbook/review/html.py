"""Pages: the templates, and how numbers, times and verdicts are written in them.

Every page stands alone: its style and script are inside it, and its content security policy
forbids it to load or run anything else, whatever a notebook's output holds.
"""

import base64
import functools
import hashlib
import operator
import re
from importlib import resources
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from lightlab.show import numbers
from lightlab.show.numbers import measured, number

_REVIEW = resources.files("lightlab.workbook.review")
_TEMPLATES = _REVIEW / "templates"


def page(template: str, **values: Any) -> str:
    """The page that `template` makes of `values`; all text is escaped."""
    return _environment().get_template(template).render(**values)


@functools.cache
def fingerprint() -> str:
    """Changes when a template or this package's way of writing pages does."""
    sources = [p for p in sorted(_TEMPLATES.iterdir(), key=str) if p.is_file()]
    sources += [_REVIEW / n for n in ("html.py", "notebook_html.py")]
    return hashlib.sha256(b"\0".join(p.read_bytes() for p in sources)).hexdigest()[:16]


@functools.cache
def _environment() -> jinja2.Environment:
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("lightlab.workbook.review"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    style, script = (
        (_TEMPLATES / name).read_text(encoding="utf-8") for name in ("site.css", "site.js")
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    env.globals |= {
        "style": Markup(style),
        "script": Markup(script),
        "policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
        "img-src 'self' file: data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'",
        "signs": numbers.SIGNS,
        "measured": measured,
        "interval_mark": interval_mark,
    }
    env.filters |= {"number": number, "href": href, "duration": duration, "when": when}
    env.filters["soft"] = lambda name: Markup(re.sub(r"([._@])", r"\1<wbr>", str(escape(name))))
    env.filters["combine"] = operator.or_
    env.filters["slug"] = lambda verdict: str(verdict).replace(" ", "-")
    return env


def href(path: Any) -> str:
    """A relative path as a link: a name can neither leave HTML nor turn into another scheme."""
    return quote(str(path), safe="/")


def interval_mark(claim: dict[str, Any]) -> dict[str, float] | None:
    """Where a claim's range and our interval lie on a line from 0 to 100; None: nothing to draw."""
    value, band = claim.get("value"), claim.get("holds_in")
    if value is None or not band:
        return None
    ours = [value if x is None else x for x in (claim.get("ci_low"), value, claim.get("ci_high"))]
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
