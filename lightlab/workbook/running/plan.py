"""What there is to run: units (a notebook with its values) and their needs."""

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lightlab.workbook import files, params
from lightlab.workbook.faults import Fault, WorkbookError, nearest
from lightlab.workbook.project import Project, alone, needs


@dataclass(frozen=True)
class Unit:
    """One execution: the notebook, its values, and the units whose results it reads."""

    name: str
    notebook: str
    values: dict[str, Any]
    needs: tuple[str, ...] = ()
    sweep: dict[str, str] = field(default_factory=dict)
    typed: dict[str, str] = field(default_factory=dict)  # values from the command line, as typed
    alone: bool = False  # it measures time: nothing runs beside it
    profile: str | None = None  # where it is not the run's
    threads: int | None = None  # likewise


def make(
    project: Project,
    wanted: list[str],
    profile: str,
    overrides: Mapping[str, str] | None = None,
    sweep: Mapping[str, list[str]] | None = None,
) -> list[Unit]:
    """The units for the notebooks asked for and all that they need, in a runnable order.

    Raises WorkbookError with the faults of all notebooks at once.
    """
    project.check_profile(profile)
    names, wants = _with_needs(project, project.select(wanted))
    overrides, sweep = overrides or {}, sweep or {}
    units: dict[str, Unit] = {}
    unused = {*overrides, *sweep}
    faults = [Fault("-p / --sweep", f"{n!r} is given to both") for n in overrides if n in sweep]
    declared: set[str] = set()
    for name in names:
        try:
            schema = params.read(project.notebooks[name])
            single = alone(project.notebooks[name])
            declared |= set(schema)
            own = {k: v for k, v in overrides.items() if k in schema}
            axes = {k: v for k, v in sweep.items() if k in schema}
            unused -= {*own, *axes}
            for choice in itertools.product(*axes.values()):
                point = dict(zip(axes, choice, strict=True))
                values = params.resolve(project, name, profile, own | point).values
                unit = Unit(_unit_name(name, point), name, values, (), point, own | point, single)
                units[unit.name] = unit
        except WorkbookError as e:
            faults += e.faults
    for name in sorted(unused):
        what = params.bad_name(name) or "no notebook that runs has this parameter"
        faults.append(Fault("-p / --sweep", f"{name!r}: {what}", nearest(name, sorted(declared))))
    if faults:
        raise WorkbookError(dict.fromkeys(faults))
    return [_linked(u, units.values(), wants[u.notebook]) for u in units.values()]


def _with_needs(project: Project, wanted: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """The wanted notebooks after all those that they need; WorkbookError for a circle."""
    wants: dict[str, list[str]] = {}
    order: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise WorkbookError(Fault("needs", f"in a circle: {' → '.join((*path, name))}"))
        if name not in project.notebooks:
            raise WorkbookError(
                Fault(f"notebooks/{path[-1]}.ipynb", f"needs {name!r}, which is not there")
            )
        if name not in wants:
            wants[name] = needs(project.notebooks[name])
            for other in wants[name]:
                visit(other, (*path, name))
            order.append(name)

    for name in wanted:
        visit(name, ())
    return order, wants


def _unit_name(notebook: str, point: Mapping[str, str]) -> str:
    if not point:
        return notebook
    text = ",".join(f"{k}={v}" for k, v in point.items())
    safe = re.sub(r"[^A-Za-z0-9.=,+-]", "_", text)
    short = safe[: 180 - len(notebook)]  # file systems allow 255 bytes, attempts add to it
    return f"{notebook}@{short}" + ("" if short == text else f"_{files.digest(text)[:6]}")


def _linked(unit: Unit, units: Iterable[Unit], wants: list[str]) -> Unit:
    """`unit` with the names of the units it needs: those that agree with it on shared axes."""
    fit = [
        u.name
        for u in units
        if u.notebook in wants
        and all(u.sweep[k] == v for k, v in unit.sweep.items() if k in u.sweep)
    ]
    return replace(unit, needs=tuple(fit))
