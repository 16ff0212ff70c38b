"""Two results of the same notebook cell by cell, and two runs side by side as one page."""

import math
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from lightlab import disk
from lightlab.show import tables
from lightlab.workbook.review import html, results
from lightlab.workbook.review.results import Run, Unit

IDENTICAL, WITHIN, MOVED = "identical", "within tolerance", "moved"
MISSING, ADDED = "missing", "added"
_RELATIVE = 1e-6
_CELLS_SHOWN = 300


@dataclass(frozen=True)
class Difference:
    """One cell of a table, or one claim, in two results; `verdict` says how they agree."""

    unit: str
    place: str
    recorded: str | None
    fresh: str | None
    verdict: str
    tolerance: float | None = None

    @property
    def relative(self) -> float | None:
        """(fresh − recorded) / |recorded|; None where one of them is no number, or zero."""
        a, b = _number(self.recorded), _number(self.fresh)
        return (b - a) / abs(a) if a and b is not None and math.isfinite(a + b) else None

    def __str__(self) -> str:
        if self.verdict in (MISSING, ADDED):
            return f"{self.unit}: {self.place}: {self.verdict}"
        by = "" if self.relative is None else f" by {self.relative:+.2%}"
        allowed = "" if self.tolerance is None else f", allowed ± {self.tolerance:g}"
        values = f"{self.recorded} → {self.fresh}"
        return f"{self.unit}: {self.place}: {values}, {self.verdict}{by}{allowed}"


def verify(recorded: Path, fresh: Path) -> list[Difference]:
    """What of a unit's tables and claims did not come out again; both are folders of units.

    Volatile columns are not compared; a tolerance is absolute, else it is a relative 1e-6.
    """
    return [d for d in cells(_unit(recorded), _unit(fresh)) if d.verdict not in (IDENTICAL, WITHIN)]


def _unit(folder: Path) -> Unit:
    return Unit(folder.name, folder.name.partition("@")[0], folder, "ok")


def cells(a: Unit, b: Unit) -> Iterator[Difference]:
    """Every compared cell and claim of two results of a unit, the equal ones too."""
    if not a.record and not b.record:  # a notebook that saves nothing
        return
    if not (a.record and b.record):
        yield _in_one(a, "record.json", recorded=bool(a.record))
        return
    ours, theirs = a.tables(), b.tables()
    for name in ours | theirs:
        if name in ours and name in theirs:
            yield from _table(a, b, name)
        else:
            yield _in_one(a, f"table {name}", recorded=name in ours)
    yield from _claims(a, b)


def _in_one(unit: Unit, place: str, recorded: bool) -> Difference:
    """What only one result has: the recorded one, or else the fresh one."""
    return Difference(unit.name, place, None, None, MISSING if recorded else ADDED)


def _table(a: Unit, b: Unit, name: str) -> Iterator[Difference]:
    entry = a.tables()[name]
    paths = [unit.path(unit.tables()[name], "csv") for unit in (a, b)]
    if None in paths:
        yield _in_one(a, f"table {name}, its CSV", recorded=paths[0] is not None)
        return
    (columns, rows), (new_columns, new_rows) = map(results.read_csv, paths)
    volatile = set(entry.get("volatile", ()))
    for column in dict.fromkeys(columns + new_columns):
        if (column in columns) != (column in new_columns) and column not in volatile:
            yield _in_one(a, f"table {name}, column {column}", recorded=column in columns)
    shared = [c for c in columns if c in new_columns and c not in volatile]
    old = [{c: row[columns.index(c)] for c in shared} for row in rows]
    new = [{c: row[new_columns.index(c)] for c in shared} for row in new_rows]
    for label, left, right in _aligned(old, new):
        place = f"table {name}, {label}"
        if left is None or right is None:
            yield _in_one(a, place, recorded=left is not None)
            continue
        for column in shared:
            allowed = entry.get("tolerance", {}).get(column)
            verdict = agree(left[column], right[column], allowed)
            where = f"{place}, {column}"
            yield Difference(a.name, where, left[column], right[column], verdict, allowed)


Row = dict[str, str]


def _aligned(old: list[Row], new: list[Row]) -> Iterator[tuple[str, Row | None, Row | None]]:
    """(label, old row, new row) of rows that belong together.

    Rows belong together by their text (a method's name), else by text and integers, where that
    tells the rows of both tables apart; else by their order.
    """
    for keys in _key_columns(old + new):
        before, after = ({tuple(r[k] for k in keys): r for r in rows} for rows in (old, new))
        unique = len(before) == len(old) and len(after) == len(new)
        if unique and (before.keys() == after.keys() or len(old) != len(new)):
            for key in before | after:
                label = ", ".join(f"{k}={v}" for k, v in zip(keys, key, strict=True))
                yield label, before.get(key), after.get(key)
            return
    for i in range(max(len(old), len(new))):
        yield f"row {i + 1}", *(rows[i] if i < len(rows) else None for rows in (old, new))


def _key_columns(rows: list[Row]) -> Iterator[list[str]]:
    """Columns that may name a row, fewest first: texts, then texts and integers."""

    def hold(test: Callable[[str], bool]) -> list[str]:
        return [c for c in (rows[0] if rows else ()) if all(test(row[c]) for row in rows)]

    texts = hold(lambda cell: not tables.number_like(cell))
    both = hold(lambda cell: not tables.number_like(cell) or cell.lstrip("+-").isdigit())
    for columns in (texts, texts + [c for c in both if c not in texts]):
        yield from (columns[:i] for i in range(1, len(columns) + 1))


def agree(a: str, b: str, allowed: float | None) -> str:
    """How two cells agree: identical, within tolerance (`allowed` is absolute), or moved."""
    if a == b:
        return IDENTICAL
    x, y = _number(a), _number(b)
    if x is None or y is None:
        return MOVED
    if Decimal(a) == Decimal(b):  # 3 and 3.0; long integers compare to the last digit
        return IDENTICAL
    if math.isinf(x) or math.isinf(y):  # infinite, or too long an integer for a float
        return MOVED
    close = math.isclose(x, y, rel_tol=_RELATIVE, abs_tol=0.0)
    if allowed is not None:
        close = close or abs(x - y) <= allowed * (1 + 1e-9)
    return WITHIN if close else MOVED


def _number(text: str | None) -> float | None:
    """The number that a cell holds; NaN and text are none."""
    try:
        x = float(text or "")
    except ValueError:
        return None
    return None if math.isnan(x) else x


def _claims(a: Unit, b: Unit) -> Iterator[Difference]:
    """Verdicts have to be equal; so has the value where it carries no chance (no interval)."""
    before, after = ({c["id"]: c for c in unit.claims} for unit in (a, b))
    for name in before | after:
        if name not in before or name not in after:
            yield _in_one(a, f"claim {name}", recorded=name in before)
            continue
        old, new = before[name], after[name]
        same = IDENTICAL if old["verdict"] == new["verdict"] else MOVED
        yield Difference(a.name, f"claim {name}, verdict", old["verdict"], new["verdict"], same)
        if old["ci_low"] == old["ci_high"] == old["value"]:
            x, y = ("" if c["value"] is None else repr(c["value"]) for c in (old, new))
            yield Difference(a.name, f"claim {name}, value", x, y, agree(x, y, None))


@dataclass(frozen=True)
class Changes:
    """What differs between two runs; `unchanged` counts what does not."""

    provenance: list[tuple[str, str, str]]
    params: list[tuple[str, str, Any, Any]]
    cells: list[Difference]
    claims: list[tuple[Unit, dict[str, Any], dict[str, Any]]]
    figures: list[dict[str, Any]]
    only_in: list[tuple[str, str]]
    unchanged: Counter = field(default_factory=Counter)


def differences(run_a: Path, run_b: Path) -> Changes:
    """Changed provenance, parameters, table cells, claims and figures of the units of both runs."""
    a, b = results.read(Path(run_a)), results.read(Path(run_b))
    units = [{u.name: u for u in run.units if u.has_results} for run in (a, b)]
    only = [(n, a.name if n in units[0] else b.name) for n in sorted(units[0].keys() ^ units[1])]
    pairs = [(u, units[1][n]) for n, u in units[0].items() if n in units[1]]
    found = Changes(_provenance(pairs), [], [], [], [], only)
    for old, new in pairs:
        for name, x, y in _dict_changes(old.manifest.get("params"), new.manifest.get("params")):
            found.params.append((old.name, name, x, y))
        for cell in cells(old, new):
            if cell.verdict == IDENTICAL:
                found.unchanged["cells"] += not cell.place.startswith("claim ")
            elif not cell.place.startswith("claim "):
                found.cells.append(cell)
        _compare_claims(old, new, found)
        _compare_figures(old, new, found)
    found.cells.sort(key=lambda d: d.verdict == WITHIN)
    found.claims.sort(key=lambda c: c[1].get("verdict") == c[2].get("verdict"))
    return found


def _provenance(pairs: list[tuple[Unit, Unit]]) -> list[tuple[str, str, str]]:
    """Facts of machine and versions that differ, each with all its values over the units."""
    sides: list[dict[str, set[str]]] = [{}, {}]
    for pair in pairs:
        for facts, unit in zip(sides, pair, strict=True):
            told = dict(unit.manifest.get("provenance", {}))
            for name, value in (told | told.pop("packages", {})).items():
                facts.setdefault(name, set()).add(str(value))
    a, b = ({k: ", ".join(sorted(v)) for k, v in side.items()} for side in sides)
    return [(k.replace("_", " "), x, y) for k, x, y in _dict_changes(a, b)]


def _dict_changes(a: dict | None, b: dict | None) -> Iterator[tuple[str, Any, Any]]:
    a, b = a or {}, b or {}
    for name in a | b:
        if a.get(name) != b.get(name):
            yield name, a.get(name), b.get(name)


def _compare_claims(a: Unit, b: Unit, found: Changes) -> None:
    before, after = ({c["id"]: c for c in unit.claims} for unit in (a, b))
    for name in before | after:
        old, new = before.get(name, {}), after.get(name, {})
        shown = ("verdict", "value", "ci_low", "ci_high", "n")
        if [old.get(k) for k in shown] == [new.get(k) for k in shown]:
            found.unchanged["claims"] += 1
        else:
            found.claims.append((a, old, new))


def _compare_figures(a: Unit, b: Unit, found: Changes) -> None:
    before, after = a.figures(), b.figures()
    for name in before | after:
        old, new = (
            next((p for e in ("svg", "png") if name in fs and (p := u.path(fs[name], e))), None)
            for u, fs in ((a, before), (b, after))
        )
        if old and new and disk.sha256(old) == disk.sha256(new):
            found.unchanged["figures"] += 1
        else:
            captions = [fs[name]["caption"] if name in fs else None for fs in (before, after)]
            pair = {"unit": a.name, "name": name, "captions": captions, "a": old, "b": new}
            found.figures.append(pair)


def build(run_a: Path, run_b: Path, out: Path | None = None) -> Path:
    """Write the page that shows two runs side by side, by default beside the folder of `run_b`;
    returns its path. Figures are linked, not copied.
    """
    run_a, run_b = Path(run_a).resolve(), Path(run_b).resolve()
    out = Path(out or run_b.parent / f"compare-{run_a.name}-{run_b.name}.html").resolve()
    found = differences(run_a, run_b)
    for figure in found.figures:
        for side in ("a", "b"):
            path = figure[side]
            figure[side] = path and Path(os.path.relpath(path, out.parent)).as_posix()
    sides = [_side(results.read(folder), out) for folder in (run_a, run_b)]
    counts = {
        "moved": Counter(d.verdict for d in found.cells),
        "n_verdicts": sum(x.get("verdict") != y.get("verdict") for _, x, y in found.claims),
        "shown": _CELLS_SHOWN,
    }
    disk.write_text(out, html.page("compare.html.j2", sides=sides, found=found, **counts))
    return out


def _side(run: Run, out: Path) -> dict[str, Any]:
    index = Path(os.path.relpath(run.folder / "index.html", out.parent)).as_posix()
    return {"run": run, "index": index if (run.folder / "index.html").is_file() else None}
