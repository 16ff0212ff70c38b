"""Several searches side by side."""

from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import joblib
import pandas as pd

from lightlab.measure.threads import torch_threads
from lightlab.nets import whole_file
from lightlab.train.many import SHORT_MACS
from lightlab.train.processes import pool

Key = TypeVar("Key", bound=Hashable)


def run_beside(
    function: Callable[..., Any],
    jobs: Mapping[Key, tuple | dict],
    macs: float,
    workers: int | None = None,
    resume: Path | None = None,
    kept: Path | None = None,
) -> dict[Key, Any]:
    """`function` with each of these arguments, one process a core and one thread each, or in this
    one where all together take few `macs`; results do not depend on it. With `resume`, a folder,
    each is also given a `checkpoint` in it. With `kept`, a folder, each gives a data frame, which
    is written there (Parquet) as soon as it is known, and read when the same jobs are run again.
    """
    if workers is None:
        workers = 1 if macs < SHORT_MACS else joblib.cpu_count()
    found = pool(max(1, min(workers, len(jobs))))(
        joblib.delayed(_kept)(
            kept and Path(kept) / f"{i:04d}.parquet",
            function,
            args,
            resume and Path(resume) / f"{i:04d}.safetensors",
        )
        for i, args in enumerate(jobs.values())
    )
    return dict(zip(jobs, found, strict=True))


def _kept(path: Path | None, *job: Any) -> Any:
    if path is None:
        return _one(*job)
    if not path.exists():
        rows: pd.DataFrame = _one(*job)
        whole_file.write(path, rows.to_parquet)
    return pd.read_parquet(path)


def _one(function: Callable[..., Any], args: tuple | dict, checkpoint: Path | None) -> Any:
    positional, named = ((), args) if isinstance(args, dict) else (args, {})
    kept = {} if checkpoint is None else {"checkpoint": checkpoint}
    with torch_threads(1):
        return function(*positional, **named, **kept)
