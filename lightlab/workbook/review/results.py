"""The folder of a run read back, as the review site and the comparison see it.

The reference is the small parts of a run, kept in git, itself a run to compare with.
"""

import csv
import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lightlab import disk
from lightlab.workbook.project import FAILED_SUFFIX, Fault, WorkbookError

FINISHED = ("ok", "up-to-date")  # states whose results are those of this run
TRIED = ("failed", "cancelled")  # states of an attempt that may have left partial results


@dataclass(frozen=True)
class Unit:
    """One notebook of a run: its last good results, and its last failed attempt if there is one."""

    name: str
    notebook: str
    folder: Path
    state: str
    seconds: float | None = None
    cause: str | None = None

    @property
    def failed_folder(self) -> Path:
        """Where the partial results of a failed attempt lie, if there are any."""
        return self.folder.with_name(self.name + FAILED_SUFFIX)

    @property
    def has_results(self) -> bool:
        return (self.folder / "manifest.json").is_file()

    @property
    def is_stale(self) -> bool:
        """True where the results shown are older than the attempt that run.json tells of."""
        return self.has_results and self.state not in FINISHED

    @cached_property
    def manifest(self) -> dict[str, Any]:
        return disk.read_json(self.folder / "manifest.json") or {}

    @cached_property
    def record(self) -> dict[str, Any]:
        return disk.read_json(self.folder / "record.json") or {}

    @cached_property
    def claims(self) -> list[dict[str, Any]]:
        checked = disk.read_json(self.folder / "claims.json") or []
        return [{"unit": ""} | claim for claim in checked]  # a ratio has no unit

    @property
    def unreadable(self) -> list[str]:
        """Recorded files that are there and cannot be read."""
        paths = [self.folder / f"{name}.json" for name in ("manifest", "record", "claims")]
        return [p.name for p in paths if p.exists() and disk.read_json(p) is None]

    def path(self, entry: dict[str, Any], *endings: str) -> Path | None:
        """The file of a recorded figure or table that is there and has the first of the endings."""
        paths = [
            self.folder / name
            for ending in endings
            for name in entry["files"]
            if name.endswith(f".{ending}")
        ]
        return next((path for path in paths if path.is_file()), None)

    def tables(self) -> dict[str, dict[str, Any]]:
        return {t["name"]: t for t in self.record.get("tables", [])}

    def figures(self) -> dict[str, dict[str, Any]]:
        """The recorded figures by name. Earlier versions did not say who drew them."""
        unsaid = {"drawn_by": {}, "cell": None}
        return {f["name"]: unsaid | f for f in self.record.get("figures", [])}


@dataclass(frozen=True)
class Run:
    """A run: what run.json says, and its units in the order of their notebooks."""

    folder: Path
    about: dict[str, Any]
    units: list[Unit]

    @property
    def name(self) -> str:
        return self.folder.resolve().name


def read(folder: Path) -> Run:
    """The run in `folder`; WorkbookError where there is no readable run.json."""
    about = disk.read_json(folder / "run.json")
    if not isinstance(about, dict):
        raise WorkbookError(Fault(str(folder), "is no finished run: run.json cannot be read"))
    units = [
        Unit(name, u["notebook"], folder / name, u["state"], u.get("seconds"), u.get("cause"))
        for u in about.get("units", [])
        for name in [u["unit"]]
    ]
    return Run(folder, about, sorted(units, key=lambda u: _natural(u.name)))


def _natural(name: str) -> list[Any]:
    """Sort key that puts seed=2 before seed=10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def read_csv(path: Path) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a CSV file as text, a short row filled up with empty cells."""
    with path.open(newline="", encoding="utf-8") as f:
        header, *rows = [*csv.reader(f)] or [[]]
    return header, [row + [""] * (len(header) - len(row)) for row in rows]


_PAPERS = ("manifest.json", "claims.json", "params.yaml")
_KEPT = (".svg", ".csv", ".md", ".tex")
_MAX_BYTES = 600_000


def keep(run_folders: list[Path], reference: Path, only: Collection[str] = ()) -> list[str]:
    """Copy tables, SVG figures, claims and provenance of runs to `reference`, which is replaced;
    with `only` just these notebooks of the runs, beside what the reference holds already.

    A notebook that an earlier run holds already, or in `only` one of another profile than the
    reference's, stands beside it as `<notebook>@run=<run>`. Returns the files left out as too
    large. WorkbookError where a notebook is not in a good state, where no run holds one of `only`,
    or where there is no reference to add it to.
    """
    runs = [read(folder) for folder in run_folders]
    taken = [(run, u) for run in runs for u in run.units if not only or u.notebook in only]
    own = [run.folder for run in runs if run.folder.resolve() == reference.resolve()]
    faults = [Fault(str(folder), "is the reference itself") for folder in own]
    if bad := [(run, unit) for run, unit in taken if unit.state not in FINISHED]:
        folders = ", ".join(sorted({str(run.folder) for run, _ in bad}))
        faults.append(Fault(folders, f"not finished: {', '.join(unit.name for _, unit in bad)}"))
    missing = [name for name in only if name not in {unit.notebook for _, unit in taken}]
    faults += [Fault(name, "is in none of these runs") for name in missing]
    if faults:
        raise WorkbookError(faults)
    new = reference.with_name(f".{reference.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    about, entries = runs[0].about, {}
    if only:
        before = read(reference).about
        shutil.copytree(reference, new)
        entries = {entry["unit"]: entry for entry in before["units"]}
        own = {name for name in entries if "@run=" not in name}
        whole = own <= {unit.name for run, unit in taken if run is runs[0]}
        about = about if whole and about["profile"] == before["profile"] else before
    left_out, fresh = [], set()
    for run, unit in taken:
        first = unit.name not in fresh
        if only:
            first &= unit.manifest.get("profile", run.about["profile"]) == about["profile"]
        name = unit.name if first else f"{unit.name}@run={run.name}"
        fresh.add(name)
        entry = next(entry for entry in run.about["units"] if entry["unit"] == unit.name)
        entries[name] = entry | {"unit": name}
        shutil.rmtree(new / name, ignore_errors=True)
        left_out += _copy(unit, new / name)
    about |= {"run": reference.name, "units": list(entries.values())}
    disk.write_json(new / "run.json", about)
    shutil.rmtree(reference, ignore_errors=True)
    new.rename(reference)
    return left_out


def _copy(unit: Unit, to: Path) -> list[str]:
    """Copy what is kept of a unit; returns the files left out as too large."""
    left_out = []

    def keeps(name: str) -> bool:
        path = unit.folder / name
        if path.suffix not in _KEPT or (name.startswith("figures/") and path.suffix == ".csv"):
            return False
        if large := path.stat().st_size > _MAX_BYTES:
            left_out.append(f"{unit.name}/{name}")
        return not large

    record = unit.record | {"artifacts": [], "trials": None}
    names = [name for name in _PAPERS if (unit.folder / name).is_file()]
    for kind in ("figures", "tables"):
        kept = [e | {"files": [*filter(keeps, e["files"])]} for e in record.get(kind, [])]
        record[kind] = [entry for entry in kept if entry["files"]]
        names += [name for entry in record[kind] for name in entry["files"]]
    disk.write_json(to / "record.json", record)
    for name in names:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(unit.folder / name, to / name)
    return left_out
