"""Which units `lightlab verify` executes again: those of the run, with the recorded values."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from lightlab.workbook import params
from lightlab.workbook.faults import Fault, WorkbookError
from lightlab.workbook.project import Project, alone
from lightlab.workbook.running import store
from lightlab.workbook.running.plan import Unit


def units_of(project: Project, run: Path, wanted: list[str]) -> list[Unit]:
    """The run's units with their recorded values, profiles and compute threads (on which the order
    of sums depends). What the wanted ones need comes along; what a reference has of other runs
    (`of_other_runs`) does not, for what those needed is not there.

    WorkbookError where the run has no finished result, or a recorded notebook or value is gone.
    """
    names = _with_needs(run, set(project.select(wanted))) if wanted else None
    units, faults, others = [], [], of_other_runs(run)
    for name, facts in _recorded(run).items():
        if facts.get("status") != "ok" or "hashes" not in facts:
            continue
        if (names is not None and name not in names) or name in others:
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
    """Units that a reference has of runs besides its own."""
    return sorted(p.parent.name for p in run.glob("*@run=*/manifest.json"))


def other_machines(recorded: Path, fresh: Path) -> str:
    """What to make of differences where another processor recorded the run; empty: it was this."""
    old, new = _recorded(recorded), _recorded(fresh)
    both = old.keys() & new
    before, now = (
        {facts[name].get("provenance", {}).get("cpu", "an unknown one") for name in both}
        for facts in (old, new)
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
    return {folder.name: store.recorded(folder) or {} for folder in folders}


def _with_needs(run: Path, notebooks: set[str]) -> set[str]:
    """The recorded units of these notebooks and, in turn, those that they read."""
    recorded, found = _recorded(run), set[str]()
    ahead = [n for n, facts in recorded.items() if facts.get("notebook") in notebooks]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += recorded.get(name, {}).get("needs", ())
    return found
