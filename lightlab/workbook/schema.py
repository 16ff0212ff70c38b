"""The parameters cell of a notebook is its schema: read it, and refuse what cannot be read whole.

papermill's inspector reads a line `name: type = literal  # help [range or choices]`. It silently
loses lines that it cannot parse; here each such line is a fault, found by reading the cell a
second time as Python.
"""

import ast
import builtins
import keyword
import logging
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightlab.workbook import quick_imports
from lightlab.workbook.project import Fault, WorkbookError, read_notebook

TYPES = {"int": int, "float": float, "bool": bool, "str": str}  # of a value or a list's items
_DECLARED = (*TYPES, "list[int]", "list[float]", "list[str]")
_LIMITS = re.compile(r"\s*([\[(])([^\[\]()]*)([\])])\s*$")
_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+|inf)"
_RANGE = re.compile(rf"\s*({_NUMBER})?\s*\.\.\s*({_NUMBER})?\s*$")


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell."""

    name: str
    type: str
    default: Any
    help: str = ""
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    choices: tuple[str, ...] = ()

    @property
    def is_list(self) -> bool:
        return self.type.startswith("list")

    @property
    def item_type(self) -> str:
        return self.type[5:-1] if self.is_list else self.type

    @property
    def allowed(self) -> str:
        """The range or the choices, as a reader writes them; empty where anything goes."""
        if self.choices:
            return " | ".join(self.choices)
        if self.low is None and self.high is None:
            return ""
        ends = ["" if v is None else f"{v:g}" for v in (self.low, self.high)]
        return f"{'(' if self.low_open else '['}{'..'.join(ends)}{')' if self.high_open else ']'}"

    @property
    def allows_inf(self) -> bool:
        """Infinity passes only where the range names it."""
        return any(v is not None and math.isinf(v) for v in (self.low, self.high))


def read(notebook: Path) -> dict[str, Parameter]:
    """The schema of a notebook; WorkbookError lists every line that cannot be a parameter."""
    where = f"notebooks/{notebook.name}, parameters cell"
    cells = [
        c
        for c in read_notebook(notebook)["cells"]
        if "parameters" in c.get("metadata", {}).get("tags", [])
    ]
    if len(cells) != 1:
        what = f"needs exactly one cell tagged 'parameters', has {len(cells)}"
        raise WorkbookError(Fault(f"notebooks/{notebook.name}", what))
    source = "".join(cells[0]["source"])
    inspected = _inspect(notebook)
    schema, faults = {}, []
    for line, name, found in _statements(source):
        if name in schema:
            reason = "is declared twice"
        else:
            reason = found if isinstance(found, str) else _unreadable(name, *found, inspected)
        if reason:
            faults.append(Fault(f"{where}, line {line}", f"{name}: {reason}"))
            continue
        try:
            schema[name] = _parameter(name, *found, inspected[name]["help"])
        except ValueError as e:
            faults.append(Fault(f"{where}, line {line}", f"{name}: {e}"))
    if faults:
        raise WorkbookError(faults)
    return schema


def _inspect(notebook: Path) -> dict[str, dict]:
    quick_imports.import_papermill()  # slow: only when a schema is read
    from papermill import inspect_notebook

    logging.getLogger("papermill").setLevel(logging.ERROR)
    return inspect_notebook(str(notebook).replace("{", "{{").replace("}", "}}"))


def _statements(source: str) -> Iterator[tuple[int, str, str | tuple[str, Any]]]:
    """(line, name, (type, default)) for every statement, or a reason in place of the pair."""
    try:
        body = ast.parse(source).body
    except SyntaxError as e:
        yield e.lineno or 1, "cell", f"is not Python: {e.msg}"
        return
    for node in body:
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            yield node.lineno, ast.unparse(node)[:40], "write `name: type = literal  # meaning`"
            continue
        annotation = ast.unparse(node.annotation)
        if annotation not in _DECLARED:
            reason = f"type {annotation}: use one of {', '.join(_DECLARED)}"
            yield node.lineno, node.target.id, reason
            continue
        try:
            yield node.lineno, node.target.id, (annotation, ast.literal_eval(node.value))
        except (ValueError, TypeError):
            yield node.lineno, node.target.id, "the default has to be a literal"


def _unreadable(name: str, kind: str, default: Any, inspected: dict[str, dict]) -> str | None:
    """Why papermill's inspector would read this line otherwise than Python does, or None."""
    if bad := bad_name(name):
        return bad
    seen = inspected.get(name)
    if seen is None:
        return "papermill's inspector loses this line (one '=' a line, no '=' or '#' in the help)"
    try:
        same = ast.literal_eval(seen["default"]) == default
    except (ValueError, SyntaxError):
        same = False
    if not same or seen["inferred_type_name"].replace(" ", "") != kind:
        return f"papermill's inspector reads {seen['default']!r} (is there a '#' in the text?)"
    return None


def bad_name(name: str) -> str | None:
    """Why `name` may not be a parameter (papermill writes names into code), or None."""
    if not (isinstance(name, str) and name.isidentifier() and name.isascii()):
        return "is not a Python identifier"
    if keyword.iskeyword(name):
        return "is a Python keyword"
    return "hides a Python builtin" if hasattr(builtins, name) else None


def _parameter(name: str, kind: str, default: Any, text: str) -> Parameter:
    text = text.strip()
    found = _LIMITS.search(text)
    if not found:
        return Parameter(name, kind, default, text)
    opening, inside, closing = found.groups()
    text = text[: found.start()].strip()
    if bounds := _RANGE.match(inside):
        low, high = (None if v is None else float(v) for v in bounds.groups())
        if low is not None and high is not None and low > high:
            raise ValueError(f"the range [{inside}] is empty")
        if not kind.removeprefix("list[").startswith(("int", "float")):
            raise ValueError(f"a range does not go with the type {kind}")
        return Parameter(name, kind, default, text, low, high, opening == "(", closing == ")")
    if "|" not in inside:
        raise ValueError(f"[{inside}] is neither a range a..b nor choices a|b")
    choices = tuple(c.strip() for c in inside.split("|"))
    return Parameter(name, kind, default, text, choices=choices)
