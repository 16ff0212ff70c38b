"""What there is to run: units (a notebook with its values), their needs, which are out of date."""

import ast
import contextlib
import functools
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from lightlab import disk
from lightlab.workbook import manifest, params
from lightlab.workbook.project import (
    Fault,
    Project,
    WorkbookError,
    alone,
    nearest,
    needs,
    read_notebook,
    settings,
)

_MAGIC = re.compile(r"(?m)^(\s*)[%!].*$")  # lines of IPython's, not Python's


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
    overrides: Mapping[str, str] = {},
    sweep: Mapping[str, list[str]] = {},
) -> list[Unit]:
    """The units for the notebooks asked for and all that they need, in a runnable order.

    Raises WorkbookError with the faults of all notebooks at once.
    """
    project.check_profile(profile)
    names, wants = _with_needs(project, project.select(wanted))
    units, declared = dict[str, Unit](), set[str]()
    faults = [Fault("-p / --sweep", f"{n!r} is given to both") for n in overrides if n in sweep]
    for name in names:
        try:
            schema = params.read(project.notebooks[name])
            single = alone(project.notebooks[name])
            declared |= set(schema)
            own = {k: v for k, v in overrides.items() if k in schema}
            axes = {k: v for k, v in sweep.items() if k in schema}
            for choice in itertools.product(*axes.values()):
                point = dict(zip(axes, choice, strict=True))
                values = params.resolve(project, name, profile, own | point).values
                unit = Unit(_unit_name(name, point), name, values, (), point, own | point, single)
                units[unit.name] = unit
        except WorkbookError as e:
            faults += e.faults
    for name in sorted({*overrides, *sweep} - declared):
        what = params.bad_name(name) or "no notebook that runs has this parameter"
        faults.append(Fault("-p / --sweep", f"{name!r}: {what}", nearest(name, sorted(declared))))
    if faults:
        raise WorkbookError(dict.fromkeys(faults))
    return [_linked(u, units.values(), wants[u.notebook]) for u in units.values()]


def _with_needs(project: Project, wanted: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """The wanted notebooks after all those that they need; WorkbookError for a circle."""
    wants, order = dict[str, list[str]](), list[str]()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise WorkbookError(Fault("needs", f"in a circle: {' → '.join((*path, name))}"))
        if name not in project.notebooks:
            what = f"needs {name!r}, which is not there"
            raise WorkbookError(Fault(f"notebooks/{path[-1]}.ipynb", what))
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
    return f"{notebook}@{short}" + ("" if short == text else f"_{disk.digest(text)[:6]}")


def _linked(unit: Unit, units: Iterable[Unit], wants: list[str]) -> Unit:
    """`unit` with the names of the units it needs: those that agree with it on shared axes."""
    read = (u for u in units if u.notebook in wants)
    fit = (u for u in read if all(unit.sweep.get(k, v) == v for k, v in u.sweep.items()))
    return replace(unit, needs=tuple(u.name for u in fit))


def hashes(project: Project, unit: Unit, run_folder: Path) -> dict[str, str]:
    """What the results of `unit` depend on, each as a hash."""
    notebook = project.notebooks[unit.notebook]
    whole = settings(notebook).get("whole") is True
    source = [  # what a reader wrote: no outputs, ids and execution counts
        [c["cell_type"], "".join(c["source"]), c.get("metadata", {}).get("tags", [])]
        for c in read_notebook(notebook)["cells"]
    ]
    return {
        "source": disk.digest(source),
        "params": disk.digest(unit.values),
        "package": _package_hash(project, unit.notebook),
        "pins": _pins_hash(project.root),
        "data": disk.digest(_outside_data(project.root, unit.values)),
        "inputs": disk.digest({n: _result_hash(run_folder / n, whole) for n in unit.needs}),
    }


def stale(recorded: Mapping[str, Any] | None, now: Mapping[str, str], folder: Path) -> str | None:
    """Why the results in `folder` are not those that a run would give now; None: up to date."""
    if recorded is None or recorded.get("status") != "ok" or "hashes" not in recorded:
        return "never run"
    changed = [k for k, v in now.items() if recorded["hashes"].get(k) != v]
    return f"changed: {', '.join(changed)}" if changed else manifest.damage(folder, recorded)


def _imported_names(notebook: Path) -> set[str]:
    """What the code cells import; the names of modules are among them."""
    found = set[str]()
    for cell in read_notebook(notebook)["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = _parsed("".join(cell["source"]))
        if tree is None:  # not known what it imports: all counts
            return _graph().modules
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {a.name for a in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
    return found


def _parsed(source: str) -> ast.Module | None:
    """A cell as Python, magics taken out where there are some; None where it is none."""
    for text in (source, _MAGIC.sub(r"\1pass", source)):
        with contextlib.suppress(SyntaxError):
            return ast.parse(text)
    return None


@functools.cache
def _graph() -> Any:
    """Who imports whom; each module the package around it, too, for that runs first."""
    import grimp  # not for each command

    graph = grimp.build_graph("lightlab", cache_dir=None)
    for module in graph.modules - {"lightlab"}:
        graph.add_import(importer=module, imported=module.rpartition(".")[0])
    return graph


def _package_hash(project: Project, notebook: str) -> str:
    """A hash of the modules that the notebook reaches and of the data files beside them."""
    root = Path(str(resources.files("lightlab")))
    others = project.notebooks.keys() - {notebook}  # data files of their names are theirs alone
    imported = _graph().modules & _imported_names(project.notebooks[notebook])
    paths = set()
    for module in imported.union(*map(_graph().find_upstream_modules, imported)):
        path = root.joinpath(*module.split(".")[1:])
        paths.add(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))
    for folder in {p.parent for p in paths}:
        paths |= {p for p in _data_files(folder) if p.stem not in others}
    return disk.digest({p.relative_to(root).as_posix(): disk.sha256(p) for p in sorted(paths)})


def _data_files(folder: Path) -> list[Path]:
    """Data beside the modules of `folder`, as far as they are not another package's."""
    found = [*folder.iterdir()]
    for sub in folder.iterdir():
        if sub.is_dir() and not (sub / "__init__.py").exists():
            found += sub.rglob("*")
    return [p for p in found if p.suffix in (".yaml", ".csv") and p.is_file()]


@functools.cache
def _pins_hash(root: Path) -> str:
    pins = root / "constraints.txt"
    return disk.digest([disk.sha256(pins) if pins.is_file() else None, manifest.versions()])


def _outside_data(root: Path, values: Mapping[str, Any]) -> list[list[Any]]:
    """Name, size and time of every file of the data that values name."""
    found = []
    for name, value in values.items():
        scheme, colon, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
        if scheme in ("parquet", "imagefolder", "csv") and rest:
            place = root / Path(rest).expanduser()
            columns = root / Path(rest.rpartition("?")[0] or rest).expanduser()
            found += sorted(_files_below(place if place.exists() else columns))
        elif name == "dataset" and scheme and not colon:
            found += sorted(_files_below(root / scheme))
    return found


def _files_below(place: Path | os.DirEntry) -> Iterator[list[Any]]:
    """Name, size and time of a file, or of all below a folder; by scandir, for there are many."""
    if place.is_dir():
        with os.scandir(place) as entries:
            for entry in entries:
                yield from _files_below(entry)
    elif place.is_file():
        stat = place.stat()
        yield [Path(place).as_posix(), stat.st_size, stat.st_mtime_ns]


def _result_hash(folder: Path, whole: bool) -> str | None:
    """A hash of what another notebook can read of a unit's results; `whole`: of its log, pictures
    and timings too, so that it is another one after each execution."""
    path = folder / "manifest.json"
    recorded = disk.read_json(path)
    if whole or recorded is None:
        return disk.sha256(path) if recorded else None
    read = ("tables/", "artifacts/", "trials", "claims")
    return disk.digest({n: h for n, h in recorded["files"].items() if n.startswith(read)})
