"""The review site of a run: index.html, and each executed notebook as notebook.html."""

from pathlib import Path
from typing import Any

from lightlab import disk
from lightlab.show import tables
from lightlab.workbook.review import html, results
from lightlab.workbook.review.results import Run, Unit

_ROWS_SHOWN = 60
_LOG_LINES = 14
_NOTE = ".site.json"  # beside notebook.html: what it was made from, and what the index tells of it


def build(run_dir: Path) -> Path:
    """Write the site of the run in `run_dir` and return its index.html; what did not change is
    not rendered again. WorkbookError without a run.json.
    """
    run = results.read(Path(run_dir))
    cards = [_card(run, unit) for unit in run.units]
    claims = [c for card in cards for c in card["claims"]]
    counts = {v: sum(c["verdict"] == v for c in claims) for v in tables.SIGNS}
    text = html.page("index.html.j2", run=run, cards=cards, claims=claims, counts=counts)
    index = run.folder / "index.html"
    if not index.is_file() or index.read_text(encoding="utf-8") != text:
        disk.write_text(index, text)
    return index


def _card(run: Run, unit: Unit) -> dict[str, Any]:
    """Everything that the index shows of one unit."""
    page = _render(run, unit, unit.folder) if unit.has_results else None
    tried = _render(run, unit, unit.failed_folder) if unit.state in results.TRIED else None
    first = page or tried
    return {
        "unit": unit,
        "seconds": unit.manifest.get("seconds") if unit.seconds is None else unit.seconds,
        "title": first["title"] if first else unit.notebook,
        "page": page,
        "tried": tried,
        "trouble": _trouble(unit, tried),
        "claims": [claim | {"home": unit, "link": _link_of(claim, page)} for claim in unit.claims],
        "figures": [_saved(unit, f, ("svg", "png", "csv")) for f in unit.figures().values()],
        "tables": [_table(unit, t) for t in unit.tables().values()],
        "artifacts": [_saved(unit, a) for a in unit.record.get("artifacts", [])],
        "trials": _link(unit, unit.record.get("trials")),
        "papers": _papers(unit.folder),
    }


def _render(run: Run, unit: Unit, folder: Path) -> dict[str, Any] | None:
    """The page of folder/notebook.ipynb, made anew unless the one there was made from the same:
    link from the index, folder, papers, title, and where it failed if it did. None: no such.
    """
    source, target = folder / "notebook.ipynb", folder / "notebook.html"
    if not source.is_file():
        return None
    papers = _papers(folder)
    key = disk.digest([disk.sha256(source), html.fingerprint(), papers])
    note = disk.read_json(folder / _NOTE)
    if not (target.is_file() and isinstance(note, dict) and note.get("made_from") == key):
        note = {"made_from": key} | _convert(run, unit, source, papers)
        disk.write_json(folder / _NOTE, note)
    return note | {"link": f"{folder.name}/{target.name}", "folder": folder.name, "papers": papers}


def _convert(run: Run, unit: Unit, source: Path, papers: tuple) -> dict[str, Any]:
    is_partial = source.parent == unit.failed_folder
    context = {"unit": unit.name, "run": run.name, "papers": papers, "is_partial": is_partial}
    text, found = html.convert(source, context)
    disk.write_text(source.with_suffix(".html"), text)
    return found


def _papers(folder: Path) -> tuple[str, ...]:
    """The run's own files of a unit that a reviewer may want."""
    names = ("notebook.ipynb", "params.yaml", "log.txt", "manifest.json")
    return tuple(n for n in names if (folder / n).is_file())


def _trouble(unit: Unit, tried: dict[str, Any] | None) -> str | None:
    """What a failed attempt left behind: the end of its traceback, else the end of its log."""
    if unit.state not in results.TRIED:
        return None
    if tried and tried["traceback"]:
        return tried["traceback"]
    log = unit.failed_folder / "log.txt"
    if not log.is_file():
        return None
    lines = log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
    return "\n".join(lines[-_LOG_LINES:]) or None


def _link_of(claim: dict[str, Any], page: dict[str, Any] | None) -> str | None:
    return f"{html.href(page['link'])}#claim-{html.href(claim['id'])}" if page else None


def _link(unit: Unit, name: str | None) -> str | None:
    """A file of the unit as a path from the index; None where it is not there."""
    if not name or not (unit.folder / name).is_file():
        return None
    return f"{unit.name}/{name}"


def _saved(unit: Unit, entry: dict[str, Any], endings: tuple[str, ...] = ()) -> dict[str, Any]:
    """A recorded figure, table or artifact with links to those of its files that are there."""
    links = {Path(n).suffix.lstrip(".") or n: _link(unit, n) for n in entry["files"]}
    missing = [n for n in entry["files"] if not _link(unit, n)]
    order = {e: i for i, e in enumerate(endings)}
    there = sorted((kv for kv in links.items() if kv[1]), key=lambda kv: order.get(kv[0], 9))
    return entry | {"links": dict(there), "missing": missing}


def _table(unit: Unit, entry: dict[str, Any]) -> dict[str, Any]:
    """A recorded table with its first rows."""
    path = unit.path(entry, "csv")
    header, rows = results.read_csv(path) if path else ([], [])
    numeric = [all(tables.number_like(r[i]) for r in rows) for i in range(len(header))]
    shown = {"header": header, "rows": rows[:_ROWS_SHOWN], "n_rows": len(rows), "numeric": numeric}
    return _saved(unit, entry, ("csv", "tex", "md")) | shown
