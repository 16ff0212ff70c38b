"""Where a figure comes from: the function that drew it, and the cell that asked for it."""

import inspect
import linecache
import tokenize
from importlib import resources
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from lightlab.workbook.project import WorkbookError, read_notebook

PACKAGE = Path(str(resources.files("lightlab")))


def drawn_by(code: CodeType | None) -> dict[str, Any]:
    """Where the function stands that drew a figure, and its source; empty: not in this package."""
    path = Path(code.co_filename) if code else Path()
    if not path.is_relative_to(PACKAGE):
        return {}
    return {
        "function": f"{path.stem}.{code.co_qualname}",
        "file": path.relative_to(PACKAGE.parent).as_posix(),
        "line": code.co_firstlineno,
        "source": _source(code),
    }


def _source(code: CodeType) -> str:
    """The text of a function; empty where its file was changed while the kernel ran."""
    try:
        text = inspect.getsource(code)
    except (OSError, SyntaxError, tokenize.TokenError):
        return ""
    return text if f"def {code.co_name}(" in text else ""


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
    """The text of a notebook's code cells."""
    found = read_notebook(notebook)["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]
