"""Values for a notebook's parameters: defaults, then the profile's file, then the command line.

Everything is checked before a kernel starts, and all faults are told at once.
"""

import math
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    create_model,
)

from lightlab.workbook.project import Fault, Project, WorkbookError, nearest
from lightlab.workbook.schema import TYPES, Parameter, bad_name, read


@dataclass(frozen=True)
class Resolved:
    """The values of one notebook and, by name, where each comes from."""

    notebook: str
    schema: dict[str, Parameter]
    values: dict[str, Any]
    sources: dict[str, str]


_INT = "tag:yaml.org,2002:int"


class _Values(yaml.SafeLoader):
    """YAML's safe loader, but a key written twice is an error, and 010 and 1:30 are not the eight
    and the ninety that YAML 1.1 makes of them: integers are decimal."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, regexp) for tag, regexp in found if tag != _INT]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [self.construct_object(k, deep=True) for k, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


_Values.add_implicit_resolver(_INT, re.compile(r"[-+]?[0-9]+$"), list("-+0123456789"))
_Values.add_constructor(_INT, lambda loader, node: int(loader.construct_scalar(node)))


def load_file(path: Path, shown: str) -> dict[str, Any]:
    """A flat YAML mapping; WorkbookError where the file is missing or does not parse."""
    try:
        loaded = _Values(path.read_text(encoding="utf-8")).get_single_data()
    except FileNotFoundError as e:
        raise WorkbookError(Fault(shown, "there is no such file")) from e
    except (yaml.YAMLError, ValueError, RecursionError) as e:  # ValueError: 2026-99-99, say
        reason = " ".join(str(e).split())
        raise WorkbookError(Fault(shown, f"does not parse: {reason}")) from e
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise WorkbookError(Fault(shown, "has to be `name: value` lines"))
    return loaded


def resolve(
    project: Project, notebook: str, profile: str | None, overrides: Mapping[str, str] | None = None
) -> Resolved:
    """The values for one run of a notebook; `overrides` are texts as typed after -p.

    Raises WorkbookError with every fault of the cell, the file and the overrides.
    """
    schema = read(project.notebooks[notebook])
    cell = f"notebooks/{notebook}.ipynb"
    values = {p.name: p.default for p in schema.values()}
    sources = dict.fromkeys(values, "default")
    faults = check(schema, values, cell)[1]
    if profile is not None:
        path = project.params_file(profile, notebook)
        shown = project.relative(path)
        try:
            filed = load_file(path, shown)
            good, found = check(schema, filed, shown)
            faults += found
            values |= good
            sources |= dict.fromkeys(good, shown)
        except WorkbookError as e:
            faults += e.faults
    typed = {n: from_text(schema[n], t) if n in schema else t for n, t in (overrides or {}).items()}
    good, found = check(schema, typed, f"-p ({notebook})")
    values |= good
    sources |= dict.fromkeys(good, "-p")
    if faults + found:
        raise WorkbookError(faults + found)
    return Resolved(notebook, schema, values, sources)


def from_text(parameter: Parameter, text: str) -> Any:
    """What was typed on the command line, read as the declared type asks."""
    if parameter.type == "str":
        return text
    if parameter.is_list and not text.lstrip().startswith("["):
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
    faults = []
    for name in (n for n in values if n not in schema):
        reason = bad_name(name) or "unknown parameter"
        faults.append(Fault(where, f"{name!r}: {reason}", nearest(str(name), schema)))
    known = {n: v for n, v in values.items() if n in schema}
    try:
        good = _model(schema, known)(**known).model_dump(include=set(known))
    except ValidationError as e:
        wrong: dict[str, str] = {}
        for error in e.errors():
            wrong.setdefault(str(error["loc"][0]), _reason(error, schema))
        for name, reason in wrong.items():
            faults.append(Fault(where, f"{name} = {reprlib.repr(known[name])}: {reason}"))
        right = {n: v for n, v in known.items() if n not in wrong}
        good = _model(schema, right)(**right).model_dump(include=set(right))
    return good, faults


def _model(schema: dict[str, Parameter], names: Mapping[str, Any]) -> type[BaseModel]:
    fields: dict[str, Any] = {n: (_annotation(schema[n]), ...) for n in names}
    config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())
    return create_model("Parameters", __config__=config, **fields)


def _annotation(p: Parameter) -> Any:
    item: Any = TYPES[p.item_type]
    if p.item_type == "float":
        item = Annotated[item, BeforeValidator(_float_from_text)]
    item = Annotated[item, AfterValidator(_allowed_by(p))]
    return list[item] if p.is_list else item


def _float_from_text(value: Any) -> Any:
    """YAML reads 1e-3 as text; where a float is declared it is taken for the float it means."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _allowed_by(p: Parameter) -> Any:
    """A validator for the range or choices that the cell states."""

    def check_value(value: Any) -> Any:
        if p.choices and str(value) not in p.choices:
            raise ValueError(f"not one of {p.allowed}; {nearest(str(value), p.choices)}")
        finite = not isinstance(value, float) or math.isfinite(value)
        if not (finite or (math.isinf(value) and p.allows_inf)):
            raise ValueError("NaN and infinity are not allowed")
        if (p.low is not None and (value < p.low or (p.low_open and value == p.low))) or (
            p.high is not None and (value > p.high or (p.high_open and value == p.high))
        ):
            raise ValueError(f"out of range {p.allowed}")
        return value

    return check_value


def _reason(error: Mapping[str, Any], schema: dict[str, Parameter]) -> str:
    p = schema[str(error["loc"][0])]
    kind = error["type"]
    item = f"item {error['loc'][1]}: " if len(error["loc"]) > 1 else ""
    if kind == "value_error":
        return item + str(error["ctx"]["error"])
    return f"{item}wrong type: has to be {p.type}"
