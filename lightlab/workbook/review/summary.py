"""What a run's other notebooks recorded, as data frames: verdicts, pictures, costs."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lightlab.published import read_yaml
from lightlab.show import marks, style, tables
from lightlab.workbook import display, manifest
from lightlab.workbook.claims import INCONCLUSIVE
from lightlab.workbook.project import Fault, Project, WorkbookError, needs, read_notebook
from lightlab.workbook.record import Record
from lightlab.workbook.review import results
from lightlab.workbook.review.results import Unit

_SCALE = "means something from the profile"  # how a verdict's note tells that a run is too small
_HINT = "run it first; `lightlab run 14` runs whatever it reads"


def read(run: Record) -> list[Unit]:
    """The results of all notebooks that this one needs, one for each sweep point.

    WorkbookError names every notebook that has none, and every result that is not finished.
    """
    units, faults = [], []
    for notebook in needs(Project.find().notebooks[run.notebook]):
        try:
            folders = run.inputs(notebook)
        except FileNotFoundError:
            faults.append(Fault(notebook, "has no results", _HINT))
            continue
        units += [Unit(folder.name, notebook, folder, "ok") for folder in folders]
    halves = [unit for unit in units if not unit.record.get("finished")]
    faults += [Fault(unit.name, "did not finish", _HINT) for unit in halves]
    if faults:
        raise WorkbookError(faults)
    return units


def _heading(notebook: str) -> tuple[str, str]:
    """A notebook's title and its question: the first two lines of its first cell."""
    first = read_notebook(Project.find().notebooks[notebook])["cells"][0]
    lines = [line for line in "".join(first["source"]).splitlines() if line]
    return lines[0].lstrip("# "), lines[1].strip("*")


def _title(unit: Unit) -> str:
    """`09 ProxylessNAS`; the values of a sweep stand behind it."""
    return " ".join([_heading(unit.notebook)[0], *unit.name.split("@")[1:]])


def claims(units: Sequence[Unit]) -> pd.DataFrame:
    """Every claim with its verdict, as recorded: notebook, paper, claim, published, ours, verdict,
    note, profile (from which on it means something), decided_by (what an open one lacks, else "").
    """
    return pd.DataFrame(
        {
            "notebook": _title(unit),
            "paper": claim["source"],
            "claim": claim["sentence"],
            "published": _published(claim),
            "ours": _ours(claim),
            "verdict": claim["verdict"],
            "note": claim["note"],
            "profile": claim["profile"],
            "decided_by": _decided_by(claim),
        }
        for unit in units
        for claim in unit.claims
    )


def _published(claim: dict[str, Any]) -> str:
    unit = claim["unit"] if tables.number_like(str(claim["published"])) else ""
    return f"{tables.number(claim['published'])} {unit}".strip()


def _ours(claim: dict[str, Any]) -> str:
    value, interval = display.ours(claim)
    return value + (" " if interval.startswith("[") else ", " * bool(interval)) + interval


def _decided_by(claim: dict[str, Any]) -> str:
    if claim["verdict"] != INCONCLUSIVE:
        return ""
    if _SCALE in claim["note"]:
        return f"the profile {claim['profile']}"
    if claim["value"] is None:
        return "a value: none was measured"
    if claim["kind"] == "test":
        return "more samples"
    return "more than one seed" if claim["ci_low"] is None else "a narrower interval"


def headlines(units: Sequence[Unit]) -> pd.DataFrame:
    """The one figure of each notebook that stands for it: notebook, question, figure, caption, path
    of its PNG. ValueError where the chosen one was not saved."""
    chosen = read_yaml("headlines/14_summary.yaml")
    rows = []
    for unit in units:
        figures = unit.figures()
        name = chosen.get(unit.notebook) or next(iter(figures), None)
        path = unit.path(figures[name], "png") if name in figures else None
        if path is None:
            raise ValueError(f"{unit.name} has no PNG of a figure {name!r}")
        entry = {"notebook": _title(unit), "question": _heading(unit.notebook)[1]}
        rows.append(entry | {"figure": name, "caption": figures[name]["caption"], "path": path})
    return pd.DataFrame(rows)


def costs(units: Sequence[Unit]) -> pd.DataFrame:
    """What each notebook took: notebook, seconds, readers_s (of those that read its results and run
    again after it), peak_gib, started, ended; missing where it ran without the runner."""
    seconds = {unit.name: unit.manifest.get("seconds", math.nan) for unit in units}
    return pd.DataFrame(
        {
            "notebook": _title(unit),
            "seconds": seconds[unit.name],
            "readers_s": sum(seconds[name] for name in _readers(unit.name, units)),
            "peak_gib": unit.manifest.get("peak_memory_mib", math.nan) / 1024,
            "started": unit.manifest.get("started"),
            "ended": unit.manifest.get("ended"),
        }
        for unit in units
    )


def _readers(name: str, units: Sequence[Unit]) -> set[str]:
    """The units that read the results of `name`, themselves or through others."""
    direct = {unit.name for unit in units if name in unit.manifest.get("needs", ())}
    return direct.union(*(_readers(reader, units) for reader in direct))


def recheck(units: Sequence[Unit]) -> dict[str, float]:
    """Compare every recorded file with its hash, as a run does that has nothing to do: files, mib,
    damaged, seconds."""
    begun = time.perf_counter()
    damaged = [name for unit in units for name in manifest.damaged(unit.folder, unit.manifest)]
    seconds = time.perf_counter() - begun
    paths = [unit.folder / name for unit in units for name in unit.manifest["files"]]
    size = sum(path.stat().st_size for path in paths if path.is_file())
    counts = {"files": len(paths), "mib": size / 2**20, "damaged": len(damaged)}
    return counts | {"seconds": seconds}


def draw_scoreboard(run_folder: Path) -> None:
    """Draw a run's verdicts, if any, as scoreboard.svg in its folder: a picture for a README."""
    path = run_folder / "scoreboard.svg"
    path.unlink(missing_ok=True)
    units = [u for u in results.read(run_folder).units if "@" not in u.name and u.claims]
    if units:
        style.use()  # equal verdicts, equal bytes
        marks.scoreboard(claims(units)).savefig(path, metadata={"Date": None})
