"""The folder of a run read back, as the review site and the comparison see it."""

import csv
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lightlab.workbook import files
from lightlab.workbook.project import Fault, WorkbookError

FINISHED = ("ok", "up-to-date")  # states whose results are those of this run
TRIED = ("failed", "cancelled")  # states of an attempt that may have left partial results
FAILED = ".failed"


@dataclass(frozen=True)
class Unit:
    """One notebook of a run: its last good results, and its last failed attempt if there is one."""

    name: str
    notebook: str
    folder: Path
    state: str
    seconds: float | None = None
    cause: str | None = None

    @property
    def failed_folder(self) -> Path:
        """Where the partial results of a failed attempt lie, if there are any."""
        return self.folder.with_name(self.name + FAILED)

    @property
    def has_results(self) -> bool:
        return (self.folder / "manifest.json").is_file()

    @property
    def is_stale(self) -> bool:
        """True where the results shown are older than the attempt that run.json tells of."""
        return self.has_results and self.state not in FINISHED

    @cached_property
    def manifest(self) -> dict[str, Any]:
        return files.read_json(self.folder / "manifest.json") or {}

    @cached_property
    def record(self) -> dict[str, Any]:
        return files.read_json(self.folder / "record.json") or {}

    @cached_property
    def claims(self) -> list[dict[str, Any]]:
        checked = files.read_json(self.folder / "claims.json") or []
        return [{"unit": ""} | claim for claim in checked]  # a ratio has no unit

    @property
    def unreadable(self) -> list[str]:
        """Recorded files that are there and cannot be read."""
        names = ("manifest.json", "record.json", "claims.json")
        paths = [self.folder / n for n in names]
        return [p.name for p in paths if p.exists() and files.read_json(p) is None]

    def path(self, entry: dict[str, Any], ending: str) -> Path | None:
        """The file of a recorded figure or table that ends so, where it is really there."""
        for name in entry["files"]:
            path = self.folder / name
            if path.suffix == f".{ending}" and path.is_file():
                return path
        return None

    def tables(self) -> dict[str, dict[str, Any]]:
        """The recorded tables by name."""
        return {t["name"]: t for t in self.record.get("tables", [])}

    def figures(self) -> dict[str, dict[str, Any]]:
        """The recorded figures by name. Earlier versions did not say who drew them."""
        unsaid = {"drawn_by": {}, "cell": None}
        return {f["name"]: unsaid | f for f in self.record.get("figures", [])}


@dataclass(frozen=True)
class Run:
    """A run: what run.json says, and its units in the order of their notebooks."""

    folder: Path
    about: dict[str, Any]
    units: list[Unit]

    @property
    def name(self) -> str:
        return self.folder.resolve().name


def read(folder: Path) -> Run:
    """The run in `folder`; WorkbookError where there is no readable run.json."""
    about = files.read_json(folder / "run.json")
    if not isinstance(about, dict):
        raise WorkbookError(Fault(str(folder), "is no finished run: run.json cannot be read"))
    units = [
        Unit(
            name=u["unit"],
            notebook=u["notebook"],
            folder=folder / u["unit"],
            state=u["state"],
            seconds=u.get("seconds"),
            cause=u.get("cause"),
        )
        for u in about.get("units", [])
    ]
    return Run(folder, about, sorted(units, key=lambda u: _natural(u.name)))


def _natural(name: str) -> list[Any]:
    """Sort key that puts seed=2 before seed=10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def read_csv(path: Path) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a CSV file as text, a short row filled up with empty cells."""
    with path.open(newline="", encoding="utf-8") as f:
        header, *rows = [*csv.reader(f)] or [[]]
    return header, [row + [""] * (len(header) - len(row)) for row in rows]
