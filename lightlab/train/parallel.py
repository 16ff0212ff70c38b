"""Where work is done: side by side, one process per core and one thread each, or on a GPU."""

import math
import os
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import joblib
import numpy as np
import pandas as pd
import torch
from safetensors.torch import save
from torch import Tensor

from lightlab import disk
from lightlab.data import Split
from lightlab.measure import cost
from lightlab.measure.machine import torch_threads
from lightlab.train.descent import MEND, DivergedError
from lightlab.train.evaluate import check_test, evaluate
from lightlab.train.training import Callback, Job, JobError, fit

# Whoever closes the generator of results knows that he gives trainings up.
warnings.filterwarnings("ignore", ".* tasks which were still being processed", module="joblib")
_NICENESS = 10  # of processes in the background: a core asked for by another they leave to it
_LEAST_BYTES = 2**16  # arrays from this size on lie in a file that all processes map

# A GPU takes 10 ms for the launches of a step of any small network, in which a core computes so
# many multiply-accumulates; and all cores train at once. Measured: benchmarks/gpu.md.
LEAST_MACS_PER_CORE = 1.5e8

# Below so many MACs in all, about six seconds of one core, starting processes (three seconds, the
# first time) does not pay.
SHORT_MACS = 5e10

Key = TypeVar("Key", bound=Hashable)
# number of the job, history, weights as safetensors, metrics, where it diverged if it did
Done = tuple[int, pd.DataFrame, bytes, dict[str, float], str]


def pool(workers: int, **how: Any) -> joblib.Parallel:
    """Processes of one thread each.

    All work beside the notebook goes through here: joblib hands on its processes only to a call
    with the same arguments, and a new one takes seconds to import torch.
    """
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        return joblib.Parallel(n_jobs=workers, max_nbytes=_LEAST_BYTES, mmap_mode="c", **how)


def accelerator(macs: float) -> str:
    """The device for training steps of so many `macs`, backward pass included: "cuda" or "cpu".

    cuDNN is told to give equal results for equal seeds. An empty CUDA_VISIBLE_DEVICES keeps all on
    the processor.
    """
    if not torch.cuda.is_available() or macs < LEAST_MACS_PER_CORE * joblib.cpu_count():
        return "cpu"
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    return "cuda"


def run_beside(
    function: Callable[..., Any],
    jobs: Mapping[Key, tuple | dict],
    macs: float,
    workers: int | None = None,
    resume: Path | None = None,
    kept: Path | None = None,
) -> dict[Key, Any]:
    """`function` with each of these arguments, one process a core and one thread each, or in this
    process where all take few `macs`; results do not depend on it.

    In the folder `resume` each is given a `checkpoint`; in `kept` each one's data frame is written
    (Parquet), and read when the same jobs run again.
    """
    if workers is None:
        workers = 1 if macs < SHORT_MACS else joblib.cpu_count()
    found = pool(max(1, min(workers, len(jobs))))(
        joblib.delayed(_one)(
            kept and Path(kept) / f"{i:04d}.parquet",
            function,
            args,
            resume and Path(resume) / f"{i:04d}.pt",
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


def train_here(jobs: list[Job], macs: list[int], device: str | None) -> Iterator[Done]:
    """One after another in this process, on one thread as in the others."""
    with torch_threads(1):
        for i, job in enumerate(jobs):
            yield _train(i, job, macs[i], device)


def train_beside(
    jobs: list[Job], macs: list[int], device: str | None, workers: int, background: bool
) -> Iterator[Done]:
    """As they are done, by `workers` processes of one thread, which begin at once."""
    lent: dict[int, np.ndarray] = {}

    def lend(tensor: Tensor) -> np.ndarray:
        """The same array for the same: joblib writes it to a file once, and processes map it."""
        return lent.setdefault(id(tensor), tensor.detach().cpu().numpy())

    polite = background and hasattr(os, "nice")
    how = {"initializer": os.nice, "initargs": (_NICENESS,)} if polite else {}
    parallel = pool(workers, batch_size=1, return_as="generator_unordered", **how)
    return parallel(
        joblib.delayed(_borrow)(i, _convert(job, lend), macs[i], device, os.getpid())
        for i, job in enumerate(jobs)
    )


def _convert(job: Job, tensor: Callable[[Any], Any]) -> Job:
    new = {
        name: Split(*map(tensor, (part.x, part.y, part.groups)))
        for name in ("split", "val", "test")
        if (part := getattr(job, name)) is not None
    }
    if isinstance(job.teacher, Tensor | np.ndarray):
        new["teacher"] = tensor(job.teacher)
    return replace(job, **new)


def _borrow(i: int, job: Job, macs: int, device: str | None, parent: int) -> Done:
    """Train in another process, which ends with the next row if `parent` was killed."""

    def leave(*_: Any) -> None:
        if os.getppid() != parent:
            os._exit(1)

    with torch_threads(1):
        return _train(i, _convert(job, torch.from_numpy), macs, device, leave)


def _train(
    i: int, job: Job, macs: int, device: str | None, callback: Callback | None = None
) -> Done:
    try:
        step = cost.PASSES_PER_TRAINING_STEP * job.recipe.batch_size * macs
        network = job.make().to(device or accelerator(step))
        if job.test is not None:  # what is wrong with it is said before the training, not after
            check_test(network, job.split, job.test)
        history = fit(
            network,
            job.split,
            job.recipe,
            seed=job.seed,
            val=job.val,
            eval_every=job.eval_every,
            callback=callback,
            macs_per_image=macs,
            teacher=job.teacher,
            checkpoint=job.checkpoint,
            progress=False,
        )
        metrics = {
            f"{name}_{k}": v
            for name, part in (("val", job.val), ("test", job.test))
            if part is not None
            for k, v in evaluate(network, part).items()
        }
        if wrong := [name for name, value in metrics.items() if not math.isfinite(value)]:
            raise DivergedError(f"{wrong[0]} is {metrics[wrong[0]]} after the last step: {MEND}")
    except DivergedError as error:
        return i, pd.DataFrame(), save({}), {}, f"{job.name}: DivergedError: {error}"
    except Exception as error:
        raise JobError(f"{job.name}: {type(error).__name__}: {error}") from error
    weights = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    return i, history, save(weights), metrics, ""
