"""A notebook's parameters: what its cell declares, and the values of a run.

A line of the parameters cell is `name: type = literal  # meaning [range or choices]`. Values are
its defaults, then the profile's file, then the command line. Everything is checked before a kernel
starts, and all faults are told at once.
"""

import ast
import builtins
import contextlib
import keyword
import math
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BeforeValidator, TypeAdapter, ValidationError

from lightlab.workbook.project import Fault, Project, WorkbookError, nearest, read_notebook

_TYPES = {"int": int, "float": float, "bool": bool, "str": str}  # of a value or a list's items
_DECLARED = (*_TYPES, "list[int]", "list[float]", "list[str]")
_LIMITS = re.compile(r"\s*([\[(])([^\[\]()]*)([\])])\s*$")
_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+|inf)"
_RANGE = re.compile(rf"\s*({_NUMBER})?\s*\.\.\s*({_NUMBER})?\s*$")
_INT = "tag:yaml.org,2002:int"


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
    def allowed(self) -> str:
        """The range or the choices, as a reader writes them; empty where anything goes."""
        if self.choices:
            return " | ".join(self.choices)
        if self.low is None and self.high is None:
            return ""
        ends = ["" if v is None else f"{v:g}" for v in (self.low, self.high)]
        return f"{'(' if self.low_open else '['}{'..'.join(ends)}{')' if self.high_open else ']'}"

    def check_item(self, value: Any) -> Any:
        """`value`; ValueError where range or choices do not allow it. Infinity has to be named."""
        if self.choices and str(value) not in self.choices:
            raise ValueError(f"not one of {self.allowed}; {nearest(str(value), self.choices)}")
        if isinstance(value, float) and not math.isfinite(value):
            named = any(math.isinf(end) for end in (self.low, self.high) if end is not None)
            if math.isnan(value) or not named:
                raise ValueError("NaN and infinity are not allowed")
        low, high = self.low, self.high
        below = low is not None and (value < low or (self.low_open and value == low))
        above = high is not None and (value > high or (self.high_open and value == high))
        if below or above:
            raise ValueError(f"out of range {self.allowed}")
        return value


@dataclass(frozen=True)
class Resolved:
    """The values of one notebook and, by name, where each comes from."""

    schema: dict[str, Parameter]
    values: dict[str, Any]
    sources: dict[str, str]


def read(notebook: Path) -> dict[str, Parameter]:
    """What a notebook's cell declares; WorkbookError lists every line that is no parameter."""
    where = f"notebooks/{notebook.name}"
    every = read_notebook(notebook)["cells"]
    cells = [c for c in every if "parameters" in c.get("metadata", {}).get("tags", [])]
    if len(cells) != 1:
        what = f"needs exactly one cell tagged 'parameters', has {len(cells)}"
        raise WorkbookError(Fault(where, what))
    where += ", parameters cell, line"
    lines = "".join(cells[0]["source"]).splitlines()
    try:
        statements = ast.parse("\n".join(lines)).body
    except SyntaxError as e:
        fault = Fault(f"{where} {e.lineno or 1}", f"cell: is not Python: {e.msg}")
        raise WorkbookError(fault) from e
    schema, faults = dict[str, Parameter](), []
    for node in statements:
        last_line = lines[node.end_lineno - 1].encode()  # columns count bytes
        rest = last_line[node.end_col_offset :].decode().strip()
        declares = isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        name = node.target.id if declares else ast.unparse(node)[:40]
        try:
            if not declares or rest[:1] not in ("", "#"):
                raise ValueError("write `name: type = literal  # meaning`")
            if name in schema:
                raise ValueError("is declared twice")
            schema[name] = _parameter(node, name, rest[1:].strip())
        except ValueError as e:
            faults.append(Fault(f"{where} {node.lineno}", f"{name}: {e}"))
    if faults:
        raise WorkbookError(faults)
    return schema


def _parameter(node: ast.AnnAssign, name: str, text: str) -> Parameter:
    kind = ast.unparse(node.annotation)
    if kind not in _DECLARED:
        raise ValueError(f"type {kind}: use one of {', '.join(_DECLARED)}")
    try:
        default = ast.literal_eval(node.value)
    except (ValueError, TypeError):
        raise ValueError("the default has to be a literal") from None
    if bad := bad_name(name):
        raise ValueError(bad)
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


def bad_name(name: Any) -> str | None:
    """Why `name` may not be a parameter (papermill writes names into code), or None."""
    if not (isinstance(name, str) and name.isidentifier() and name.isascii()):
        return "is not a Python identifier"
    if keyword.iskeyword(name):
        return "is a Python keyword"
    return "hides a Python builtin" if hasattr(builtins, name) else None


def resolve(
    project: Project, notebook: str, profile: str | None, overrides: Mapping[str, str] = {}
) -> Resolved:
    """The values for one run of a notebook; `overrides` are texts as typed after -p.

    Raises WorkbookError with every fault of the cell, the file and the overrides.
    """
    schema = read(project.notebooks[notebook])
    values = {p.name: p.default for p in schema.values()}
    sources = dict.fromkeys(values, "default")
    faults = check(schema, values, f"notebooks/{notebook}.ipynb")[1]
    given: list[tuple[str, str, dict[str, Any]]] = []  # where it is told, as a source, the values
    if profile is not None:
        path = project.params_file(profile, notebook)
        shown = project.relative(path)
        try:
            given.append((shown, shown, _load_file(path, shown)))
        except WorkbookError as e:
            faults += e.faults
    typed = {n: _from_text(schema.get(n), text) for n, text in overrides.items()}
    for where, source, asked in [*given, (f"-p ({notebook})", "-p", typed)]:
        good, found = check(schema, asked, where)
        faults += found
        values |= good
        sources |= dict.fromkeys(good, source)
    if faults:
        raise WorkbookError(faults)
    return Resolved(schema, values, sources)


class _Values(yaml.SafeLoader):
    """YAML's safe loader, but no key may stand twice, and 010 and 1:30 are no 8 and no 90."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, regexp) for tag, regexp in found if tag != _INT]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [self.construct_object(k, deep=True) for k, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                what = f"the key {key!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, what, node.start_mark)
        return super().construct_mapping(node, deep)


_Values.add_implicit_resolver(_INT, re.compile(r"[-+]?[0-9]+$"), list("-+0123456789"))
_Values.add_constructor(_INT, lambda loader, node: int(loader.construct_scalar(node)))


def _load_file(path: Path, shown: str) -> dict[str, Any]:
    """A flat YAML mapping; WorkbookError where the file is missing or does not parse."""
    try:
        loaded = _Values(path.read_text(encoding="utf-8")).get_single_data()
    except FileNotFoundError as e:
        raise WorkbookError(Fault(shown, "there is no such file")) from e
    except (yaml.YAMLError, ValueError, RecursionError) as e:  # ValueError: 2026-99-99, say
        reason = " ".join(str(e).split())
        raise WorkbookError(Fault(shown, f"does not parse: {reason}")) from e
    if not isinstance(loaded, dict | None):
        raise WorkbookError(Fault(shown, "has to be `name: value` lines"))
    return loaded or {}


def _from_text(parameter: Parameter | None, text: str) -> Any:
    """What was typed on the command line, read as the declared type asks."""
    if parameter is None or parameter.type == "str":
        return text
    if parameter.type.startswith("list") and not text.lstrip().startswith("["):
        text = f"[{text}]"
    if parameter.type == "list[str]":
        return [item.strip().strip("'\"") for item in text.strip()[1:-1].split(",") if item.strip()]
    try:
        return _Values(text).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError):
        return text


def check(
    schema: dict[str, Parameter], values: Mapping[Any, Any], where: str
) -> tuple[dict[str, Any], list[Fault]]:
    """The values that are right, in their declared types, and a fault for each that is not."""
    good, unknown, wrong = dict[str, Any](), [], []
    for name, value in values.items():
        if name not in schema:
            what = f"{name!r}: {bad_name(name) or 'unknown parameter'}"
            unknown.append(Fault(where, what, nearest(str(name), schema)))
            continue
        try:
            good[name] = _adapter(schema[name]).validate_python(value, strict=True)
        except ValidationError as e:
            error = e.errors()[0]
            item = f"item {error['loc'][0]}: " if error["loc"] else ""
            what = f"wrong type: has to be {schema[name].type}"
            what = error["ctx"]["error"] if error["type"] == "value_error" else what
            wrong.append(Fault(where, f"{name} = {reprlib.repr(value)}: {item}{what}"))
    return good, unknown + wrong


def _adapter(p: Parameter) -> TypeAdapter:
    kind = p.type.removeprefix("list[").removesuffix("]")
    item = Annotated[_TYPES[kind], AfterValidator(p.check_item)]
    if kind == "float":
        item = Annotated[item, BeforeValidator(_float_from_text)]
    return TypeAdapter(item if kind == p.type else list[item])


def _float_from_text(value: Any) -> Any:
    """YAML reads 1e-3 as text; where a float is declared it is taken for the float it means."""
    with contextlib.suppress(ValueError):
        return float(value) if isinstance(value, str) else value
    return value
