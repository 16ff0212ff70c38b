"""`lightlab list`: every notebook with its needs and its last results."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lightlab.workbook import params
from lightlab.workbook.faults import WorkbookError
from lightlab.workbook.project import Project, needs
from lightlab.workbook.running import freshness, store
from lightlab.workbook.running.plan import Unit


def rows(project: Project) -> list[tuple[str, str, str, str, str, str]]:
    """(notebook, needs, last run, state, age, time) for each notebook; states are up to date,
    stale (with what changed), failed, never run."""
    found = []
    for name, path in project.notebooks.items():
        wants = ", ".join(n.split("_")[0] for n in needs(path)) or "–"
        last = _last(project, name)
        if last is None:
            found.append((name, wants, "–", "never run", "", ""))
            continue
        folder, facts = last
        seconds = f"{facts['seconds']:.0f} s" if facts.get("seconds") else ""
        state = _state(project, folder, facts)
        found.append((name, wants, folder.parent.name, state, _age(facts["ended"]), seconds))
    return found


def _last(project: Project, notebook: str) -> tuple[Path, dict[str, Any]] | None:
    """The newest result of a notebook in any run, failed ones too."""
    found = []
    for manifest in project.results.glob(f"*/{notebook}*/manifest.json"):
        if manifest.parents[1].name == "reference":  # holds only parts of what was recorded
            continue
        facts = store.recorded(manifest.parent)
        if facts and facts.get("notebook") == notebook and facts.get("ended"):
            found.append((facts["ended"], manifest.parent, facts))
    return max(found, key=lambda f: f[0])[1:] if found else None


def _state(project: Project, folder: Path, facts: dict[str, Any]) -> str:
    if facts["status"] != "ok":
        return f"failed: {facts['cause']}"
    if "hashes" not in facts:
        return "interactive"
    try:
        values = params.resolve(project, facts["notebook"], facts["profile"], facts["typed"]).values
    except WorkbookError as e:
        return f"stale ({e.faults[0]})"
    unit = Unit(facts["unit"], facts["notebook"], values, tuple(facts["needs"]))
    why = freshness.stale(facts, freshness.hashes(project, unit, folder.parent), folder)
    return f"stale ({why})" if why else "up to date"


def _age(then: str) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(then)).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
