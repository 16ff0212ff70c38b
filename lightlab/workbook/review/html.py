"""Pages: their templates, how numbers and verdicts are written in them, and executed notebooks.

Every page stands alone: its style and script are inside it, and its content security policy
forbids it to load or run anything else, whatever a notebook's output holds. Code is folded,
formulas are MathML.
"""

import base64
import functools
import hashlib
import html
import operator
import re
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import latex2mathml.converter
import nbformat
from markupsafe import Markup, escape
from nbconvert.filters.ansi import ansi2html, strip_ansi
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from lightlab import disk
from lightlab.show.tables import SIGNS, measured, number

_REVIEW = resources.files("lightlab.workbook.review")
_TEMPLATES = _REVIEW / "templates"


def page(template: str, **values: Any) -> str:
    """The page that `template` makes of `values`; all text is escaped."""
    return _environment().get_template(template).render(**values)


@functools.cache
def fingerprint() -> str:
    """Changes when a template or this module does."""
    sources = [p for p in sorted(_TEMPLATES.iterdir(), key=str) if p.is_file()]
    sources.append(_REVIEW / "html.py")
    return disk.sha256(b"\0".join(p.read_bytes() for p in sources))[:16]


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
        "signs": SIGNS,
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
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def when(stamp: str | None) -> str:
    """An ISO time as `2026-11-23 19:04 UTC`."""
    text = str(stamp or "")
    utc = " UTC" if text.endswith(("+00:00", "Z")) else ""
    return text[:16].replace("T", " ") + utc if text else "–"


_HIGHLIGHT = Highlight2HTML(pygments_lexer="ipython3")
_NOTEBOOK_LINK = re.compile(r"(?:\./)?(\d\d_\w+)\.ipynb(?:#.*)?")
# The richest form that needs no script; widgets and JavaScript cannot live in a static page.
_SHOWN = ("text/html", "image/svg+xml", "image/png", "image/jpeg", "text/markdown", "text/latex")
_SHOWN += ("text/plain",)
_EXCERPT_LINES = 14


def convert(source: Path, context: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The page of an executed notebook, and what the index tells of it: title and traceback.

    `context` is for the frame: unit, run, papers, is_partial. ValueError: not a notebook.
    """
    nb = nbformat.read(source, as_version=4)
    cells = [_cell(cell, index) for index, cell in enumerate(nb.cells)]
    failed = next((i for i, c in enumerate(cells) if c["error"]), None)
    found = {
        "title": _title(nb.cells) or context["unit"],
        "traceback": cells[failed]["error"] if failed is not None else None,
        "cell": failed,
    }
    return page("notebook.html.j2", cells=cells, **context, **found), found


def _title(cells: list[Any]) -> str | None:
    for cell in cells:
        if cell.cell_type == "markdown":
            heading = re.search(r"^# +(.+?)#* *$", cell.source, re.MULTILINE)
            if heading:
                return re.sub(r"[*_`$]", "", heading[1]).strip()
    return None


def _cell(cell: Any, index: int) -> dict[str, Any]:
    """A cell as the template shows it."""
    tags = cell.metadata.get("tags", [])
    shown = {"index": index, "type": cell.cell_type, "error": None, "outputs": [], "body": ""}
    if cell.cell_type == "markdown":
        return shown | {"body": Markup(markdown(cell.source, cell.get("attachments")))}
    if cell.cell_type != "code":
        return shown | {"body": cell.source}
    errors = [o for o in cell.outputs if o.output_type == "error"]
    return shown | {
        "body": Markup(_HIGHLIGHT(cell.source)),
        "label": _label(tags, cell.source),
        "ran": cell.execution_count is not None,
        "open": "teach" in tags or bool(errors),
        "empty": not cell.source.strip() or "papermill-error-cell-tag" in tags,
        "outputs": [o for o in map(_output, cell.outputs) if o],
        "error": _excerpt(errors[0]) if errors else None,
    }


def _label(tags: list[str], source: str) -> str:
    names = {
        "parameters": "Parameters: the defaults",
        "injected-parameters": "Parameters of this run",
        "setup": "Set-up",
    }
    lines = source.count("\n") + 1
    name = next((names[t] for t in tags if t in names), "Code")
    return f"{name}, {lines} line{'s' * (lines > 1)}"


def _output(output: Any) -> Markup | None:
    """An output as HTML; None for what only a live page could show, such as a progress bar."""
    if output.output_type == "stream":
        return Markup(f'<pre class="stream {output.name}">{ansi2html(output.text)}</pre>')
    if output.output_type == "error":
        lines = "\n".join(output.traceback) or f"{output.ename}: {output.evalue}"
        return Markup(f'<pre class="error">{ansi2html(lines)}</pre>')
    data = output.data
    if "application/vnd.jupyter.widget-view+json" in data:
        if "image/png" not in data:
            return None
        still = _rich("image/png", data["image/png"])
        note = "A control to play with: open the notebook in JupyterLab."
        return Markup(f'{still}<p class="aside">{note}</p>')
    kind = next((k for k in _SHOWN if k in data), None)
    return None if kind is None else Markup(_rich(kind, data[kind]))


def _rich(kind: str, value: str) -> str:
    if kind == "text/html":
        return f'<div class="rich">{value}</div>'
    if kind == "text/markdown":
        return markdown(value)
    if kind == "text/latex":
        return formula(value.strip().strip("$"), display=True)
    if kind == "text/plain":
        return f"<pre>{ansi2html(value)}</pre>"
    if kind == "image/svg+xml":
        value = base64.b64encode(value.encode()).decode()
    return f'<img class="plot" alt="Output of this cell" src="data:{kind};base64,{value.strip()}">'


def _excerpt(error: Any) -> str:
    """The end of a traceback as plain text."""
    text = strip_ansi("\n".join(error.traceback)) or f"{error.ename}: {error.evalue}"
    lines = text.rstrip().splitlines()
    return "\n".join((["…"] if len(lines) > _EXCERPT_LINES else []) + lines[-_EXCERPT_LINES:])


def markdown(source: str, attachments: dict[str, Any] | None = None) -> str:
    """Notebook Markdown as HTML, formulas as MathML."""
    renderer = _Renderer(escape=False, attachments=attachments)
    return MarkdownWithMath(renderer=renderer).render(source)


class _Renderer(IPythonRenderer):
    """nbconvert's renderer, but with formulas that need no script to be read."""

    def block_math(self, body: str) -> str:
        return formula(body, display=True)

    def inline_math(self, body: str) -> str:
        return formula(body, display=False)

    def latex_environment(self, name: str, body: str) -> str:
        return formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """Links to other notebooks lead to their place in this run's index."""
        other = _NOTEBOOK_LINK.fullmatch(url)
        return super().link(text, f"../index.html#nb-{other[1]}" if other else url, title)


def formula(latex: str, *, display: bool) -> str:
    """LaTeX as MathML; what the converter does not know is shown as it was written."""
    # What latex2mathml lacks: aligned, \\arg, limits below; and signs that it would not escape.
    known = re.sub(r"\{(aligned|align|equation|gather)\*?\}", "{align*}", latex.strip())
    known = re.sub(r"\\arg(?![a-zA-Z])", r"\\operatorname{arg}\\,", known)
    if display:
        known = re.sub(r"\\(max|min|sup|inf|lim)(?=\s*_)", r"\\\1\\limits", known)
    known = known.replace("<", r"\lt ").replace(">", r"\gt ")
    try:
        math = latex2mathml.converter.convert(known, display="block" if display else "inline")
    except Exception:  # its errors share no base class and some are bare KeyErrors
        math = "\\"
    if re.search(r">\s*\\", math) or math == "\\":
        return f'<code class="math-source">{html.escape(latex)}</code>'
    return math if not display else f'<div class="math">{math}</div>'
