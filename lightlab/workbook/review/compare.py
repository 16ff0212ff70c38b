"""Two results of the same notebook cell by cell, and two runs side by side as one page."""

import filecmp
import math
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

from lightlab import disk
from lightlab.show import tables
from lightlab.workbook.review import html, results
from lightlab.workbook.review.results import Run, Unit

IDENTICAL, WITHIN, MOVED = "identical", "within tolerance", "moved"
MISSING, ADDED = "missing", "added"
_RELATIVE = 1e-6
_CELLS_SHOWN = 300
K, T = TypeVar("K"), TypeVar("T")
Row = dict[str, str]
Claim = dict[str, Any]


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
    a, b = (Unit(p.name, p.name.partition("@")[0], p, "ok") for p in (recorded, fresh))
    return [d for d in cells(a, b) if d.verdict not in (IDENTICAL, WITHIN)]


def cells(a: Unit, b: Unit) -> Iterator[Difference]:
    """Every compared cell and claim of two results of a unit, the equal ones too."""
    yield from _tables(a, b)
    if bool(a.record) == bool(b.record):
        yield from _claims(a, b)


def _tables(a: Unit, b: Unit) -> Iterator[Difference]:
    if bool(a.record) != bool(b.record):
        yield _in_one(a, "record.json", recorded=bool(a.record))
        return
    for name, old, new in _both(a.tables(), b.tables()):
        if old and new:
            yield from _table(a, b, old, new)
        else:
            yield _in_one(a, f"table {name}", recorded=bool(old))


def _both(a: dict[K, T], b: dict[K, T]) -> Iterator[tuple[K, T | None, T | None]]:
    """Every key with what both sides have for it; None where one has nothing."""
    return ((name, a.get(name), b.get(name)) for name in a | b)


def _in_one(unit: Unit, place: str, recorded: bool) -> Difference:
    """What only one result has: the recorded one, or else the fresh one."""
    return Difference(unit.name, place, None, None, MISSING if recorded else ADDED)


def _table(a: Unit, b: Unit, entry: dict, new_entry: dict) -> Iterator[Difference]:
    name, paths = entry["name"], [a.path(entry, "csv"), b.path(new_entry, "csv")]
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


def _aligned(old: list[Row], new: list[Row]) -> Iterator[tuple[str, Row | None, Row | None]]:
    """(label, old row, new row) of rows that belong together.

    Rows belong together by their text (a method's name), else by text and integers, where that
    tells the rows of both tables apart; else by their order.
    """
    for keys in _key_columns(old + new):
        before, after = ({tuple(r[k] for k in keys): r for r in rows} for rows in (old, new))
        unique = len(before) == len(old) and len(after) == len(new)
        if unique and (before.keys() == after.keys() or len(old) != len(new)):
            for values, *pair in _both(before, after):
                yield ", ".join(f"{k}={v}" for k, v in zip(keys, values, strict=True)), *pair
            return
    yield from ((f"row {i}", *pair) for i, pair in enumerate(zip_longest(old, new), 1))


def _key_columns(rows: list[Row]) -> Iterator[list[str]]:
    """Columns that may name a row, fewest first: texts, then integers, too."""
    texts, integers = [], []
    for column in rows[0] if rows else ():
        counted = [row[column] for row in rows if tables.number_like(row[column])]
        if all(cell.lstrip("+-").isdigit() for cell in counted):
            (integers if counted else texts).append(column)
    names = texts + integers
    return (names[:i] for i in range(1, len(names) + 1))


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
    close = math.isclose(x, y, rel_tol=_RELATIVE, abs_tol=(allowed or 0.0) * (1 + 1e-9))
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
    for name, old, new in _pairs_of_claims(a, b):
        if not (old and new):
            yield _in_one(a, f"claim {name}", recorded=bool(old))
            continue
        same = IDENTICAL if old["verdict"] == new["verdict"] else MOVED
        yield Difference(a.name, f"claim {name}, verdict", old["verdict"], new["verdict"], same)
        if old["ci_low"] == old["ci_high"] == old["value"]:
            x, y = ("" if c["value"] is None else repr(c["value"]) for c in (old, new))
            yield Difference(a.name, f"claim {name}, value", x, y, agree(x, y, None))


def _pairs_of_claims(a: Unit, b: Unit) -> Iterator[tuple[str, Claim | None, Claim | None]]:
    return _both(*({claim["id"]: claim for claim in unit.claims} for unit in (a, b)))


@dataclass(frozen=True)
class Changes:
    """What differs between two runs; `unchanged` counts what does not."""

    provenance: list[tuple[str, str, str]]
    params: list[tuple[str, str, Any, Any]]
    cells: list[Difference]
    claims: list[tuple[Unit, Claim, Claim]]
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
        params = (unit.manifest.get("params") or {} for unit in (old, new))
        changed = ((old.name, *change) for change in _both(*params) if change[1] != change[2])
        found.params.extend(changed)
        compared = list(_tables(old, new))
        found.cells.extend(cell for cell in compared if cell.verdict != IDENTICAL)
        found.unchanged["cells"] += sum(cell.verdict == IDENTICAL for cell in compared)
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
    return [(name.replace("_", " "), x, y) for name, x, y in _both(a, b) if x != y]


def _compare_claims(a: Unit, b: Unit, found: Changes) -> None:
    shown = ("verdict", "value", "ci_low", "ci_high", "n")
    for _, old, new in _pairs_of_claims(a, b):
        old, new = old or {}, new or {}
        if [old.get(k) for k in shown] == [new.get(k) for k in shown]:
            found.unchanged["claims"] += 1
        else:
            found.claims.append((a, old, new))


def _compare_figures(a: Unit, b: Unit, found: Changes) -> None:
    for name, *entries in _both(a.figures(), b.figures()):
        paths = [e and u.path(e, "svg", "png") for u, e in zip((a, b), entries, strict=True)]
        if all(paths) and filecmp.cmp(*paths, shallow=False):
            found.unchanged["figures"] += 1
        else:
            captions = [entry and entry["caption"] for entry in entries]
            pair = {"unit": a.name, "name": name, "captions": captions}
            found.figures.append(pair | dict(zip("ab", paths, strict=True)))


def build(run_a: Path, run_b: Path, out: Path | None = None) -> Path:
    """Write the page that shows two runs side by side, by default beside the folder of `run_b`;
    returns its path. Figures are linked, not copied.
    """
    run_a, run_b = Path(run_a).resolve(), Path(run_b).resolve()
    out = Path(out or run_b.parent / f"compare-{run_a.name}-{run_b.name}.html").resolve()
    found = differences(run_a, run_b)
    for figure in found.figures:
        for side in ("a", "b"):
            figure[side] = figure[side] and _relative(figure[side], out)
    sides = [_side(results.read(folder), out) for folder in (run_a, run_b)]
    counts = {
        "moved": Counter(d.verdict for d in found.cells),
        "n_verdicts": sum(x.get("verdict") != y.get("verdict") for _, x, y in found.claims),
        "shown": _CELLS_SHOWN,
    }
    disk.write_text(out, html.page("compare.html.j2", sides=sides, found=found, **counts))
    return out


def _side(run: Run, out: Path) -> dict[str, Any]:
    index = run.folder / "index.html"
    return {"run": run, "index": _relative(index, out) if index.is_file() else None}


def _relative(path: Path, page: Path) -> str:
    return Path(os.path.relpath(path, page.parent)).as_posix()
