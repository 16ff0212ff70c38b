"""How a notebook shows what it saved: figures with who drew them, tables, verdicts. The site links
to their ids.
"""

import base64
import inspect
import linecache
import tokenize
from html import escape
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pandas as pd
from IPython.display import HTML

from lightlab.show import tables
from lightlab.workbook.project import PACKAGE, WorkbookError, read_notebook

_INLINE_SVG_BYTES = 400_000
# JupyterLab sets tables flush right, which suits numbers but not sentences
_LEFT = 'style="text-align:left;vertical-align:top"'


class Shown(HTML):
    """HTML for the notebook, plain lines for the log."""

    def __init__(self, data: str, line: str):
        super().__init__(data)
        self._line = line

    def __repr__(self) -> str:
        return self._line


def figure(name: str, caption: str, svg: Path, png: Path, drawn: dict[str, Any]) -> Shown:
    """The saved figure with its caption: sharp where that is small, else as pixels. Folded beneath
    it, the function that drew it, see `drawn_by`.
    """
    shown = svg if svg.stat().st_size <= _INLINE_SVG_BYTES else png
    kind = "svg+xml" if shown is svg else "png"
    image = base64.b64encode(shown.read_bytes()).decode()
    return Shown(
        f'<figure id="fig-{name}" style="margin:0"><img alt="{escape(caption)}" '
        f'src="data:image/{kind};base64,{image}" style="max-width:100%;background:#fff"/>'
        f"<figcaption>{escape(caption)}</figcaption>{_folded(drawn)}</figure>",
        f"figure {name}: {caption}",
    )


def _folded(drawn: dict[str, Any]) -> str:
    if not drawn:
        return ""
    where = f"<code>{escape(drawn['function'])}</code>, {escape(drawn['file'])}:{drawn['line']}"
    if not drawn["source"]:
        return f'<p class="drawn">drawn by {where}</p>'
    text = f"<pre>{escape(drawn['source'])}</pre>"
    return f'<details class="drawn"><summary>drawn by {where}</summary>{text}</details>'


def table(df: pd.DataFrame, name: str, caption: str, digits: int) -> Shown:
    return Shown(
        f'<div id="tab-{name}" style="overflow-x:auto">{tables.html(df, digits)}'
        f'<p class="caption">{escape(caption)}</p></div>',
        f"table {name} ({len(df)} rows): {caption}",
    )


def claims(checked: list[dict[str, Any]]) -> Shown:
    """The checked claims, one row each: sentence, published, ours, verdict."""
    if not checked:
        return Shown("<p>This notebook checks no published claim.</p>", "no claims")
    head = "".join(f"<th {_LEFT}>{t}</th>" for t in ("claim", "published", "ours", "verdict"))
    rows = "".join(_row(claim) for claim in checked)
    return Shown(
        f'<table class="claims"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>',
        "\n".join(f"{c['verdict']}: {c['id']}, {' '.join(ours(c))}" for c in checked),
    )


def _row(claim: dict[str, Any]) -> str:
    value, interval = ours(claim)
    verdict = f"{tables.SIGNS[claim['verdict']]} {claim['verdict']}"
    details = "<br>".join(escape(text) for text in (interval, claim["measured"]) if text)
    cells = (
        f"{escape(claim['sentence'])}<br><small>{escape(claim['source'])}</small>",
        escape(tables.number(claim["published"])),
        f"{escape(value)}<br><small>{details}</small>",
        f"<strong>{verdict}</strong><br><small>{escape(claim['note'])}</small>",
    )
    row = "".join(f"<td {_LEFT}>{cell}</td>" for cell in cells)
    return f'<tr id="claim-{escape(claim["id"])}">{row}</tr>'


def ours(claim: dict[str, Any]) -> tuple[str, str]:
    """Our value with its unit; its interval with n."""
    value, interval = tables.measured(claim)
    unit = claim.get("unit", "") if claim["value"] is not None else ""
    return f"{value} {unit}".strip(), interval


def drawn_by(code: CodeType | None) -> dict[str, Any]:
    """The function that drew a figure: its function, file, line and source, which is empty where
    the file was changed while the kernel ran. Nothing for code outside this package.
    """
    path = Path(code.co_filename) if code else Path()
    if not path.is_relative_to(PACKAGE):
        return {}
    try:
        text = inspect.getsource(code)
    except (OSError, SyntaxError, tokenize.TokenError):
        text = ""
    return {
        "function": f"{path.stem}.{code.co_qualname}",
        "file": path.relative_to(PACKAGE.parent).as_posix(),
        "line": code.co_firstlineno,
        "source": text if f"def {code.co_name}(" in text else "",
    }


def cell_of(frame: FrameType | None, notebook: Path) -> int | None:
    """The number of the cell that runs among `notebook`'s code cells, from 1; None: not saved."""
    while frame and frame.f_globals.get("__name__") != "__main__":
        frame = frame.f_back
    text = "".join(linecache.getlines(frame.f_code.co_filename)).strip() if frame else ""
    try:
        saved = cells(notebook)
    except (OSError, KeyError, WorkbookError):  # moved, or being written just now
        return None
    return next((i for i, cell in enumerate(saved, 1) if cell.strip() == text), None)


def cells(notebook: Path) -> list[str]:
    """The texts of a notebook's code cells."""
    found = read_notebook(notebook)["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]
