"""A run's folder: who holds it, how an attempt becomes the result, what to execute again of it."""

import contextlib
import fcntl
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightlab import disk
from lightlab.workbook import manifest, params
from lightlab.workbook.project import FAILED_SUFFIX, Fault, Project, WorkbookError, alone
from lightlab.workbook.running.executor import end_processes
from lightlab.workbook.running.plan import Unit

_MIN_FREE_BYTES = 50 * 2**20
_UNFINISHED = ".unfinished"


@contextlib.contextmanager
def held(run_folder: Path, to_write: bool = True) -> Iterator[None]:
    """Hold the run's folder; WorkbookError where another runner does or it cannot be written."""
    where = str(run_folder)
    with contextlib.ExitStack() as stack:
        try:
            (run_folder / ".attempts").mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context((run_folder / ".lock").open("a+"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if to_write:  # else a full disk could not be cleaned
                if shutil.disk_usage(run_folder).free < _MIN_FREE_BYTES:
                    what = f"less than {_MIN_FREE_BYTES // 2**20} MiB are free on this disk"
                    raise WorkbookError(Fault(where, what, "free some space and run again"))
                lock.truncate(0)
                me = f"process {os.getpid()} on {socket.gethostname()} since {manifest.now()}"
                lock.write(me)
                lock.flush()
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            hint = "wait for it, or give this run another name with --name"
            raise WorkbookError(Fault(where, f"is held by {holder}", hint)) from None
        except OSError as e:
            raise WorkbookError(Fault(where, f"cannot be written: {e.strerror}")) from e
        yield


def empty(run_folder: Path) -> None:
    """Remove all that a run's folder holds; WorkbookError where a runner is at work in it."""
    with held(run_folder, to_write=False):
        recover(run_folder)
        for path in run_folder.iterdir():
            if path.name not in (".lock", ".attempts"):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def recover(run_folder: Path) -> None:
    """Clear what a killed runner left: its processes and half-done attempts. A result that it had
    set aside comes back where no other is in its place."""
    for folder in (run_folder / ".attempts").iterdir():
        end_processes(folder.name)
        unit, _, kind = folder.name.rpartition("~")
        place = run_folder / unit
        if kind == "old" and not place.exists():
            folder.rename(place)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def unfinished(run_folder: Path, unit: str, hashes: Mapping[str, str]) -> Path:
    """Where a unit's long work is kept until it has a result; it begins anew where `hashes` change.
    For the notebook's text the record decides that."""
    decisive = {k: v for k, v in hashes.items() if k != "source"}
    return run_folder / _UNFINISHED / f"{unit}~{disk.digest(decisive)[:12]}"


def publish(attempt: Path, run_folder: Path, unit: str, ok: bool) -> None:
    """Rename the attempt to the unit's result, or a failed one to `<unit>.failed` beside it."""
    place = run_folder / unit if ok else failed(run_folder, unit)
    aside = run_folder / ".attempts" / f"{place.name}~old"
    shutil.rmtree(aside, ignore_errors=True)
    if place.exists():
        place.rename(aside)
    attempt.rename(place)
    shutil.rmtree(aside, ignore_errors=True)
    if ok:
        overtaken = (run_folder / _UNFINISHED).glob(f"{unit}~*")
        for folder in [failed(run_folder, unit), *overtaken]:
            shutil.rmtree(folder, ignore_errors=True)
    disk.sync(run_folder)


def failed(run_folder: Path, unit: str) -> Path:
    """Where a unit's last failed attempt lies, until there is a good result of the same unit."""
    return run_folder / (unit + FAILED_SUFFIX)


def recorded(folder: Path) -> dict | None:
    """The manifest of a unit's result; None: there is none that can be read."""
    return disk.read_json(folder / "manifest.json")


def took_s(run_folder: Path, unit: str) -> float:
    """Seconds that a unit took last in this run, else in the reference; 0: neither knows."""
    places = run_folder / unit, run_folder.parent / "reference" / unit
    facts = recorded(places[0]) or recorded(places[1]) or {}
    return float(facts.get("seconds") or 0)


def units_of(project: Project, run: Path, wanted: list[str]) -> list[Unit]:
    """The run's units, those wanted and what they need, with their recorded values, profiles and
    compute threads (on which the order of sums depends); without those of other runs.

    WorkbookError where the run has no finished result, or a recorded notebook or value is gone.
    """
    units, faults, known = [], [], _recorded(run)
    names = known.keys() - of_other_runs(run)
    if wanted:
        names &= _with_needs(known, set(project.select(wanted)))
    for name, facts in known.items():
        if name not in names or facts.get("status") != "ok" or "hashes" not in facts:
            continue
        notebook = facts["notebook"]
        if notebook not in project.notebooks:
            what = f"there is no notebooks/{notebook}.ipynb any more"
            faults.append(Fault(str(run / name), what))
            continue
        schema = params.read(project.notebooks[notebook])
        values, wrong = params.check(schema, facts["params"], f"{name}/manifest.json")
        faults += wrong
        needs, single = tuple(facts.get("needs", ())), alone(project.notebooks[notebook])
        how = {"profile": facts["profile"], "threads": facts["provenance"]["threads"]}
        units.append(Unit(name, notebook, values, needs, alone=single, **how))
    if not units and not faults:
        faults.append(Fault(str(run), "has no finished results to verify"))
    if faults:
        raise WorkbookError(faults)
    present = {u.name for u in units}
    return [replace(u, needs=tuple(n for n in u.needs if n in present)) for u in units]


def of_other_runs(run: Path) -> list[str]:
    """Units that a reference has of runs besides its own; what they needed is not there."""
    return sorted(p.parent.name for p in run.glob("*@run=*/manifest.json"))


def other_machines(recorded: Path, fresh: Path) -> str:
    """What to make of differences where another processor recorded the run; empty: it was this."""
    old, new = _recorded(recorded), _recorded(fresh)
    before, now = (
        {run[name].get("provenance", {}).get("cpu", "an unknown one") for name in old.keys() & new}
        for run in (old, new)
    )
    if before <= now:
        return ""
    return (
        f"recorded on {', '.join(sorted(before))}, executed on {', '.join(sorted(now))}: another "
        "processor adds up in another order, and trainings end elsewhere; these differences need "
        "not be faults"
    )


def _recorded(run: Path) -> dict[str, dict[str, Any]]:
    """The manifests of a run's units by name; one that cannot be read is empty."""
    folders = sorted(path.parent for path in run.glob("*/manifest.json"))
    return {folder.name: recorded(folder) or {} for folder in folders}


def _with_needs(recorded: dict[str, dict[str, Any]], notebooks: set[str]) -> set[str]:
    """The recorded units of these notebooks and, in turn, those that they read."""
    found = set[str]()
    ahead = [n for n, facts in recorded.items() if facts.get("notebook") in notebooks]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += recorded.get(name, {}).get("needs", ())
    return found
