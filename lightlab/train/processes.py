"""Where trainings run: here, one after another, or in processes of one thread each."""

import math
import os
import warnings
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from safetensors.torch import save
from torch import Tensor

from lightlab.data import Split
from lightlab.measure import cost
from lightlab.measure.threads import torch_threads
from lightlab.train.checks import check_test
from lightlab.train.device import accelerator
from lightlab.train.evaluate import evaluate
from lightlab.train.history import Callback
from lightlab.train.job import Job, JobError
from lightlab.train.loop import fit
from lightlab.train.recipe import MEND, DivergedError

# Whoever closes the generator of results knows that he gives trainings up.
warnings.filterwarnings("ignore", ".* tasks which were still being processed", module="joblib")
_LEAST_BYTES = 2**16  # arrays from this size on lie in a file that all processes map
_NICENESS = 10  # of processes in the background: a core asked for by another they leave to it

# number of the job, history, weights as safetensors, metrics, where it diverged if it did
Done = tuple[int, pd.DataFrame, bytes, dict[str, float], str]


def here(jobs: list[Job], macs: list[int], device: str | None) -> Iterator[Done]:
    """One after another in this process, on one thread as in the others."""
    with torch_threads(1):
        for i, job in enumerate(jobs):
            yield _train(i, job, macs[i], device)


def pool(workers: int, **how: Any) -> joblib.Parallel:
    """Processes of one thread each, with more of `joblib.Parallel`'s arguments in `how`.

    All work beside the notebook goes through here: joblib hands on the processes that it has only
    to a call with the same arguments, and a new one takes seconds to import torch.
    """
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        return joblib.Parallel(n_jobs=workers, max_nbytes=_LEAST_BYTES, mmap_mode="c", **how)


def beside(
    jobs: list[Job], macs: list[int], device: str | None, workers: int, background: bool
) -> Iterator[Done]:
    """As they are done, by `workers` processes of one thread, which begin at once."""
    lent: dict[int, np.ndarray] = {}
    how = {"initializer": _give_way} if background else {}
    parallel = pool(workers, batch_size=1, return_as="generator_unordered", **how)
    here = os.getpid()
    tasks = (
        joblib.delayed(_borrow)(i, _lend(job, lent), macs[i], device, here)
        for i, job in enumerate(jobs)
    )
    return _received(parallel(tasks))


def _give_way() -> None:
    if hasattr(os, "nice"):  # not on Windows
        os.nice(_NICENESS)


def _received(done: Iterator[Done]) -> Iterator[Done]:
    try:
        yield from done
    except BrokenProcessPool:
        raise JobError(
            "a training process died, killed by the system or by hand; if memory ran out, give "
            "fewer workers or smaller batches"
        ) from None


def _lend(job: Job, lent: dict[int, np.ndarray]) -> dict[str, Any]:
    """The job with NumPy arrays for tensors, the same array for the same tensor: joblib writes each
    to a file once, and processes map it.
    """

    def array(tensor: Tensor) -> np.ndarray:
        return lent.setdefault(id(tensor), tensor.detach().cpu().numpy())

    fields = dict(vars(job))
    for name in ("split", "val", "test"):
        if (part := fields[name]) is not None:
            fields[name] = [array(t) for t in (part.x, part.y, part.groups)]
    if isinstance(job.teacher, Tensor):
        fields["teacher"] = array(job.teacher)
    return fields


def _borrow(i: int, fields: dict[str, Any], macs: int, device: str | None, parent: int) -> Done:
    """In another process: the job with tensors over the mapped arrays, trained.

    It ends with the next row of the history if `parent` was killed: nobody waits for it any more.
    """

    def leave(*_: Any) -> None:
        if os.getppid() != parent:
            os._exit(1)

    for name in ("split", "val", "test"):
        if fields[name] is not None:
            fields[name] = Split(*map(torch.from_numpy, fields[name]))
    if isinstance(fields["teacher"], np.ndarray):
        fields["teacher"] = torch.from_numpy(fields["teacher"])
    with torch_threads(1):
        return _train(i, Job(**fields), macs, device, leave)


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
