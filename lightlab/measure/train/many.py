"""Many small networks side by side: one process per core, one thread each."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from tqdm.auto import tqdm

from lightlab.measure import cost
from lightlab.measure.data import Split
from lightlab.measure.train.checks import check_test
from lightlab.measure.train.evaluate import evaluate
from lightlab.measure.train.history import Callback, bar_options
from lightlab.measure.train.loop import fit
from lightlab.measure.train.recipe import MEND, DivergedError, Recipe, TrainError, samples
from lightlab.nets.build import build
from lightlab.space.arch import Arch

# Below so many MACs in all, about six seconds of one core, starting processes (three seconds, the
# first time) does not pay.
SHORT_MACS = 5e10
_LEAST_BYTES = 2**16  # arrays from this size on lie in a file that all processes map


class JobError(RuntimeError):
    """A job failed, or a process with it; the message names the job."""


@dataclass(frozen=True, eq=False)
class Job:
    """One training: `train.fit`'s arguments, and the network as what makes it.

    `network`: an `Arch`, or a function called with `seed=…`, such as
    `functools.partial(build, arch, dropout=0.2)`, that gives the same layers for every seed.
    `test` images are used once, at the end. `name` stands in messages. `checkpoint` is a file of
    its own for each job.
    """

    network: Arch | Callable[..., nn.Module]
    split: Split
    recipe: Recipe
    seed: int = 0
    val: Split | None = None
    test: Split | None = None
    name: str = ""
    eval_every: int | None = None
    teacher: nn.Module | Tensor | None = None
    checkpoint: Path | str | None = None

    def make(self) -> nn.Module:
        """The network before training."""
        if isinstance(self.network, Arch):
            return build(self.network, seed=self.seed)
        return self.network(seed=self.seed)


@dataclass(frozen=True, eq=False)
class Trained:
    """What came of a job: the history of `train.fit`, the weights, and `metrics` at the end
    (val_loss, val_accuracy, test_loss, test_accuracy, as far as there are such images).
    """

    job: Job
    history: pd.DataFrame
    weights: dict[str, Tensor] = field(repr=False)
    metrics: dict[str, float]

    def network(self) -> nn.Module:
        """The trained network, on the CPU, in evaluation mode."""
        network = self.job.make()
        network.load_state_dict(self.weights)
        return network.eval()


def fit_many(
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    device: str = "cpu",
    resume: Path | None = None,
    progress: bool = True,
) -> list[Trained]:
    """Train every job on one thread each; results in the order of the jobs.

    `workers` processes train side by side; None takes the cores that this process may use, but
    trains in this process what is only one job or under SHORT_MACS in all, as 1 does. Results do
    not depend on it. Processes stay for the next call (for five minutes), and map the images
    rather than copy them. With `device` "cuda" they share the GPU, each with its own context and
    images: how much that gains was not measured. `resume` is a folder of this call's own, where
    every job without a checkpoint keeps one: what was killed goes on from there, and what had ended
    is not trained again.

    JobError names the first job that failed: the others' results are lost, unless they keep
    checkpoints. TrainError on workers < 1 or two jobs with one checkpoint.
    """
    jobs = [_completed(job, i, resume) for i, job in enumerate(jobs)]
    _check(jobs, workers)
    prices: dict[Any, int] = {}  # counting takes a tenth of a second: once for all seeds
    macs = [_priced(job, prices) for job in jobs]
    if workers is None:
        total = sum(
            m * cost.PASSES_PER_TRAINING_STEP * samples(j.recipe, max(1, len(j.split)))
            for j, m in zip(jobs, macs, strict=True)
        )
        workers = 1 if total < SHORT_MACS else joblib.cpu_count()
    workers = min(workers, len(jobs))
    found: dict[int, Trained] = {}
    with tqdm(total=len(jobs), unit="network", **bar_options(progress)) as bar:
        for i, history, weights, metrics in (
            _beside(jobs, macs, device, workers) if workers > 1 else _here(jobs, macs, device)
        ):
            found[i] = Trained(jobs[i], history, load(weights), metrics)
            bar.update()
    return [found[i] for i in range(len(jobs))]


_Done = tuple[int, pd.DataFrame, bytes, dict[str, float]]


def _here(jobs: list[Job], macs: list[int], device: str) -> Iterator[_Done]:
    """One after another in this process, on one thread as in the others."""
    with _one_thread():
        for i, job in enumerate(jobs):
            yield _train(i, job, macs[i], device)


def _beside(jobs: list[Job], macs: list[int], device: str, workers: int) -> Iterator[_Done]:
    """As they are done, by `workers` processes of one thread."""
    lent: dict[int, np.ndarray] = {}
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        parallel = joblib.Parallel(
            n_jobs=workers,
            batch_size=1,
            return_as="generator_unordered",
            max_nbytes=_LEAST_BYTES,
            mmap_mode="c",
        )
    here = os.getpid()
    tasks = (
        joblib.delayed(_borrow)(i, _lend(job, lent), macs[i], device, here)
        for i, job in enumerate(jobs)
    )
    try:
        yield from parallel(tasks)
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


def _borrow(i: int, fields: dict[str, Any], macs: int, device: str, parent: int) -> _Done:
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
    with _one_thread():
        return _train(i, Job(**fields), macs, device, leave)


def _train(i: int, job: Job, macs: int, device: str, callback: Callback | None = None) -> _Done:
    try:
        network = job.make().to(device)
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
    except Exception as error:
        raise JobError(f"{job.name}: {type(error).__name__}: {error}") from error
    weights = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    return i, history, save(weights), metrics


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _priced(job: Job, known: dict[Any, int]) -> int:
    """MACs of one image; JobError where the network cannot be made or cannot take it."""
    shape = tuple(job.split.x.shape[1:])
    key = (job.network, shape)
    try:
        if key not in known:
            known[key] = cost.count_macs(job.make(), shape)
        return known[key]
    except Exception as error:
        raise JobError(f"{job.name}: {type(error).__name__}: {error}") from error


def _completed(job: Job, i: int, resume: Path | None) -> Job:
    """The job with a name, and with a checkpoint where there is a folder for such."""
    checkpoint = job.checkpoint
    if checkpoint is None and resume is not None:
        checkpoint = Path(resume) / f"{i:04d}.safetensors"
    return replace(job, name=job.name or f"job {i}", checkpoint=checkpoint)


def _check(jobs: Sequence[Job], workers: int | None) -> None:
    if workers is not None and workers < 1:
        raise TrainError(f"workers must be at least 1, got {workers}")
    paths = [Path(job.checkpoint).resolve() for job in jobs if job.checkpoint is not None]
    if len(set(paths)) < len(paths):
        raise TrainError("two jobs would write one checkpoint: give each its own file")
