"""Which units `lightlab verify` executes again: those of the run, with the recorded values."""

from dataclasses import replace
from pathlib import Path

from lightlab.workbook import params
from lightlab.workbook.faults import Fault, WorkbookError
from lightlab.workbook.project import Project, alone
from lightlab.workbook.running import store
from lightlab.workbook.running.plan import Unit


def units_of(project: Project, run: Path, wanted: list[str]) -> list[Unit]:
    """The run's units with their recorded values, profiles and compute threads (sums come out in
    another order with another number of threads). What the wanted ones need comes along; what a
    reference has of other runs (`of_other_runs`) does not, for what those needed is not there.

    WorkbookError where the run has no finished result, or where a notebook or a value that was
    recorded does not exist any more.
    """
    names = _with_needs(run, set(project.select(wanted))) if wanted else None
    units, faults, others = [], [], of_other_runs(run)
    for folder in sorted(p.parent for p in run.glob("*/manifest.json")):
        facts = store.recorded(folder)
        if not facts or facts["status"] != "ok" or "hashes" not in facts:
            continue
        notebook = facts["notebook"]
        if (names is not None and folder.name not in names) or folder.name in others:
            continue
        if notebook not in project.notebooks:
            faults.append(Fault(str(folder), f"there is no notebooks/{notebook}.ipynb any more"))
            continue
        schema = params.read(project.notebooks[notebook])
        values, wrong = params.check(schema, facts["params"], f"{folder.name}/manifest.json")
        faults += wrong
        needs, single = tuple(facts.get("needs", ())), alone(project.notebooks[notebook])
        how = {"profile": facts["profile"], "threads": facts["provenance"]["threads"]}
        units.append(Unit(folder.name, notebook, values, needs, alone=single, **how))
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
    before, now = (
        {facts["provenance"]["cpu"] for p in run.glob("*/manifest.json")
         if (facts := store.recorded(p.parent)) and "provenance" in facts}
        for run in (recorded, fresh)
    )  # fmt: skip
    if before <= now:
        return ""
    return (
        f"recorded on {', '.join(sorted(before))}, executed on {', '.join(sorted(now))}: another "
        "processor adds up in another order, and trainings end elsewhere; these differences need "
        "not be faults"
    )


def _with_needs(run: Path, notebooks: set[str]) -> set[str]:
    """The recorded units of these notebooks and, in turn, those that they read."""
    recorded = {p.parent.name: store.recorded(p.parent) or {} for p in run.glob("*/manifest.json")}
    found: set[str] = set()
    ahead = [n for n, facts in recorded.items() if facts.get("notebook") in notebooks]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += recorded.get(name, {}).get("needs", ())
    return found
