"""Several once-for-all networks trained side by side."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightlab.methods.once_for_all.phases import expected_macs
from lightlab.methods.once_for_all.shrinking import Shrunk, shrink
from lightlab.search.beside import Key, run_beside


def shrink_many(
    jobs: Mapping[Key, dict[str, Any]], workers: int | None = None, resume: Path | None = None
) -> dict[Key, Shrunk]:
    """`shrink` with each of these arguments by name, see `run_beside`."""
    return run_beside(shrink, jobs, sum(map(_macs, jobs.values())), workers, resume)


def _macs(job: dict[str, Any]) -> float:
    taught = job.get("teacher") is not None
    return len(job["images"].train) * expected_macs(job["space"], job["phases"], taught, n=20)
