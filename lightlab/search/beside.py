"""Several searches side by side."""

from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import joblib
import pandas as pd

from lightlab import disk
from lightlab.measure.threads import torch_threads
from lightlab.train.parallel import SHORT_MACS, pool

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
    process where all together take few `macs`; results do not depend on it.

    In the folder `resume` each is given a `checkpoint` of its own. In the folder `kept` each one's
    data frame is written (Parquet) as soon as it is known, and read when the same jobs run again.
    """
    if workers is None:
        workers = 1 if macs < SHORT_MACS else joblib.cpu_count()
    found = pool(max(1, min(workers, len(jobs))))(
        joblib.delayed(_one)(
            kept and Path(kept) / f"{i:04d}.parquet",
            function,
            args,
            resume and Path(resume) / f"{i:04d}.safetensors",
        )
        for i, args in enumerate(jobs.values())
    )
    return dict(zip(jobs, found, strict=True))


def _one(
    path: Path | None, function: Callable[..., Any], args: tuple | dict, checkpoint: Path | None
) -> Any:
    if path is not None and path.exists():
        return pd.read_parquet(path)
    positional, named = ((), args) if isinstance(args, dict) else (args, {})
    kept = {} if checkpoint is None else {"checkpoint": checkpoint}
    with torch_threads(1):
        found = function(*positional, **named, **kept)
    if path is None:
        return found
    disk.write(path, found.to_parquet)
    return pd.read_parquet(path)
