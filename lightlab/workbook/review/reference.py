"""The reference: the small parts of a run that is kept in git, itself a run to compare with."""

import shutil
from pathlib import Path
from typing import Any

from lightlab.workbook import files
from lightlab.workbook.faults import Fault, WorkbookError
from lightlab.workbook.review import results

_PAPERS = ("manifest.json", "claims.json", "params.yaml")
_KEPT = (".svg", ".csv", ".md", ".tex")
_MAX_BYTES = 600_000


def keep(run_folders: list[Path], reference: Path) -> list[str]:
    """Copy tables, SVG figures, claims and provenance of runs to `reference`, which is replaced.

    A notebook that an earlier run holds already stands beside it as `<notebook>@run=<run>`.
    Returns the names of larger files that were left out. WorkbookError where a notebook of a run
    is not in a good state: a reference has to be whole.
    """
    runs = [results.read(folder) for folder in run_folders]
    faults = [_fault(run, reference) for run in runs]
    if any(faults):
        raise WorkbookError([f for f in faults if f])
    new = reference.with_name(f".{reference.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    names: dict[str, results.Unit] = {}
    for run in runs:
        for unit in run.units:
            free = unit.name not in names
            names[unit.name if free else f"{unit.name}@run={run.name}"] = unit
    about = [
        entry | {"unit": name}
        for name, unit in names.items()
        for entry in files.read_json(unit.folder.parent / "run.json")["units"]
        if entry["unit"] == unit.name
    ]
    files.write_json(new / "run.json", runs[0].about | {"run": reference.name, "units": about})
    left_out = [left for name, unit in names.items() for left in _copy(unit, new / name)]
    shutil.rmtree(reference, ignore_errors=True)
    new.rename(reference)
    return left_out


def _fault(run: results.Run, reference: Path) -> Fault | None:
    if run.folder.resolve() == reference.resolve():
        return Fault(str(run.folder), "is the reference itself")
    bad = [u.name for u in run.units if u.state not in results.FINISHED]
    return Fault(str(run.folder), f"not finished: {', '.join(bad)}") if bad else None


def _copy(unit: results.Unit, to: Path) -> list[str]:
    left_out = []

    def keeps(name: str) -> bool:
        path = unit.folder / name
        if path.suffix not in _KEPT or (name.startswith("figures/") and path.suffix == ".csv"):
            return False
        if path.stat().st_size > _MAX_BYTES:
            left_out.append(f"{unit.name}/{name}")
            return False
        return True

    def entries(kind: str) -> list[dict[str, Any]]:
        found = [
            e | {"files": [n for n in e["files"] if keeps(n)]} for e in unit.record.get(kind, [])
        ]
        return [e for e in found if e["files"]]

    record = unit.record | {"artifacts": [], "trials": None}
    record |= {kind: entries(kind) for kind in ("figures", "tables")}
    files.write_json(to / "record.json", record)
    names = [n for kind in ("figures", "tables") for e in record[kind] for n in e["files"]]
    for name in [*names, *(p for p in _PAPERS if (unit.folder / p).is_file())]:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(unit.folder / name, to / name)
    return left_out
