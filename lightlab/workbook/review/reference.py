"""The reference: the small parts of a run that is kept in git, itself a run to compare with."""

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from lightlab.workbook import files
from lightlab.workbook.project import Fault, WorkbookError
from lightlab.workbook.review import results

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
    runs = [results.read(folder) for folder in run_folders]
    taken = [(run, u) for run in runs for u in run.units if not only or u.notebook in only]
    faults = [
        Fault(str(run.folder), "is the reference itself")
        for run in runs
        if run.folder.resolve() == reference.resolve()
    ]
    faults += _unfinished(taken)
    held = {unit.notebook for _, unit in taken}
    faults += [Fault(name, "is in none of these runs") for name in only if name not in held]
    if faults:
        raise WorkbookError(faults)
    new = reference.with_name(f".{reference.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    about, entries = runs[0].about, {}
    if only:
        before = results.read(reference).about
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
        entries[name] = _entry(run, unit) | {"unit": name}
        shutil.rmtree(new / name, ignore_errors=True)
        left_out += _copy(unit, new / name)
    about |= {"run": reference.name, "units": list(entries.values())}
    files.write_json(new / "run.json", about)
    shutil.rmtree(reference, ignore_errors=True)
    new.rename(reference)
    return left_out


def _entry(run: results.Run, unit: results.Unit) -> dict[str, Any]:
    return next(entry for entry in run.about["units"] if entry["unit"] == unit.name)


def _unfinished(taken: list[tuple[results.Run, results.Unit]]) -> list[Fault]:
    bad = [unit.name for _, unit in taken if unit.state not in results.FINISHED]
    folders = {str(run.folder) for run, unit in taken if unit.name in bad}
    return [Fault(", ".join(sorted(folders)), f"not finished: {', '.join(bad)}")] if bad else []


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
