"""Functions side by side: one process per core, one thread each."""

import warnings
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import joblib
import pandas as pd

from lightlab.measure.threads import torch_threads
from lightlab.nets import whole_file

# Whoever closes the generator of results knows that he gives trainings up.
warnings.filterwarnings("ignore", ".* tasks which were still being processed", module="joblib")
_LEAST_BYTES = 2**16  # arrays from this size on lie in a file that all processes map

# Below so many MACs in all, about six seconds of one core, starting processes (three seconds, the
# first time) does not pay.
SHORT_MACS = 5e10

Key = TypeVar("Key", bound=Hashable)


def pool(workers: int, **how: Any) -> joblib.Parallel:
    """Processes of one thread each, with more of `joblib.Parallel`'s arguments in `how`.

    All work beside the notebook goes through here: joblib hands on the processes that it has only
    to a call with the same arguments, and a new one takes seconds to import torch.
    """
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        return joblib.Parallel(n_jobs=workers, max_nbytes=_LEAST_BYTES, mmap_mode="c", **how)


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
    whole_file.write(path, found.to_parquet)
    return pd.read_parquet(path)
