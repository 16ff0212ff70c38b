"""What was measured, kept line by line: a kill loses at most the line that was being written."""

import json
import os
from pathlib import Path
from typing import Any


class Journal:
    """Rows of plain values, each in the file at `path` as soon as it is added.

    What a file holds already is there at the beginning; a last line that was cut off is dropped.
    Without `path` nothing is kept. ValueError for a file that holds anything else.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path, self.rows = path and Path(path), []
        if self.path is None or not self.path.exists():
            return
        text = self.path.read_bytes().decode("utf-8", errors="replace")
        whole, _, cut = text.rpartition("\n")
        for number, line in enumerate(filter(None, whole.split("\n")), 1):
            try:
                self.rows.append(dict(json.loads(line)))
            except (TypeError, ValueError):
                raise ValueError(f"{self.path}, line {number}: no JSON; remove the file") from None
        if cut:
            os.truncate(self.path, self.path.read_bytes().rfind(b"\n") + 1)

    def add(self, **row: Any) -> None:
        """One more row, on the disk when this returns."""
        self.rows.append(row)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
                file.flush()
                os.fsync(file.fileno())

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The rows whose `kind` is that."""
        return [row for row in self.rows if row.get("kind") == kind]
