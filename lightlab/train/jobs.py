"""Trainings as values, and many of them side by side: one process per core, one thread each."""

import hashlib
import math
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
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

from lightlab.data import Split
from lightlab.measure import cost
from lightlab.measure.threads import torch_threads
from lightlab.nets.build import build
from lightlab.space.arch import Arch, encode
from lightlab.train.device import accelerator
from lightlab.train.evaluate import check_test, evaluate
from lightlab.train.loop import fit
from lightlab.train.parallel import SHORT_MACS, Key, pool
from lightlab.train.recipe import MEND, DivergedError, Recipe, TrainError, samples
from lightlab.train.training import Callback, bar_options

_NICENESS = 10  # of processes in the background: a core asked for by another they leave to it

# number of the job, history, weights as safetensors, metrics, where it diverged if it did
Done = tuple[int, pd.DataFrame, bytes, dict[str, float], str]


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
    (val_loss, val_accuracy, test_loss, test_accuracy, as far as there are such images). Of one that
    diverged there is nothing but where it did.
    """

    job: Job
    history: pd.DataFrame
    weights: dict[str, Tensor] = field(repr=False)
    metrics: dict[str, float]
    diverged: str = ""

    def network(self) -> nn.Module:
        """The trained network, on the CPU, in evaluation mode."""
        network = self.job.make()
        network.load_state_dict(self.weights)
        return network.eval()


def train_each(jobs: Mapping[Key, Job], **how: Any) -> dict[Key, Trained]:
    """Train every job, see `start`; JobError names the first that failed or diverged: the others'
    results are lost, unless they keep checkpoints.
    """
    return collect(start(jobs, **how), jobs)


def collect(running: Iterable[tuple[Key, Trained]], order: Iterable[Key]) -> dict[Key, Trained]:
    """What `start` gives, when all is done; JobError names the first that failed or diverged."""
    found = {}
    for key, trained in running:
        if trained.diverged:
            raise JobError(trained.diverged)
        found[key] = trained
    return {key: found[key] for key in order}


def tabulate(trained: Mapping[Any, Trained], *by: str) -> pd.DataFrame:
    """A row per training: its key in the columns `by`, then samples, macs, seconds and loss as at
    the end of its history, validated and accuracy (validation and test images, %) where there are
    such.
    """
    rows = []
    for key, one in trained.items():
        row = dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True))
        row |= {k: one.history[k].iloc[-1] for k in ("samples", "macs", "seconds", "loss")}
        for name, metric in (("validated", "val_accuracy"), ("accuracy", "test_accuracy")):
            if metric in one.metrics:
                row[name] = 100 * one.metrics[metric]
        rows.append(row)
    return pd.DataFrame(rows)


def start(
    jobs: Mapping[Key, Job],
    *,
    workers: int | None = None,
    device: str | None = None,
    resume: Path | None = None,
    progress: bool = True,
    background: bool = False,
) -> Generator[tuple[Key, Trained], None, None]:
    """Train every job on one thread each; key and result of each as soon as it is done.

    `workers` processes train side by side; None takes the cores that this process may use, but
    trains in this process what is only one job or under SHORT_MACS in all, as 1 does. Results do
    not depend on it. Processes begin with this call, before the first result is asked for; in the
    `background` there always are some, and whoever else wants a core has it first. They stay for
    the next call (for five minutes), and map the images rather than copy them. What is returned can
    be closed: the trainings are given up then.

    `device` is "cpu" or "cuda", None decides for each network by `accelerator`; on a GPU they share
    it, each with its own context and images. `resume` is a folder of this call's own, where every
    job without a checkpoint keeps one: what was killed goes on from there, and what had ended is
    not trained again.

    A training that diverges is a result: `Trained.diverged` says where. JobError names a job that
    failed otherwise; TrainError on workers < 1 or two jobs with one checkpoint.
    """
    listed = [_complete(i, *item, resume) for i, item in enumerate(jobs.items())]
    _check(listed, workers)
    prices: dict[Any, int] = {}  # counting takes a tenth of a second: once for all seeds
    macs = [_price(job, prices) for job in listed]
    if workers is None:
        total = sum(
            m * cost.PASSES_PER_TRAINING_STEP * samples(j.recipe, max(1, len(j.split)))
            for j, m in zip(listed, macs, strict=True)
        )
        workers = 1 if total < SHORT_MACS else joblib.cpu_count()
    workers = min(workers, len(listed))
    if workers > 1 or background:  # joblib takes one worker for this process
        done = _beside(listed, macs, device, max(workers, 2), background)
    else:
        done = _here(listed, macs, device)
    return _tell(list(jobs), listed, done, progress)


def _tell(
    keys: Sequence[Key], jobs: Sequence[Job], done: Iterator[Done], progress: bool
) -> Generator[tuple[Key, Trained], None, None]:
    with tqdm(total=len(jobs), unit="network", **bar_options(progress)) as bar:
        try:
            for i, history, weights, metrics, diverged in done:
                yield keys[i], Trained(jobs[i], history, load(weights), metrics, diverged)
                bar.update()
        except BrokenProcessPool:
            raise JobError(
                "a training process died, killed by the system or by hand; if memory ran out, give "
                "fewer workers or smaller batches"
            ) from None


def _price(job: Job, known: dict[Any, int]) -> int:
    """MACs of one image; JobError where the network cannot be made or cannot take it."""
    shape = tuple(job.split.x.shape[1:])
    key = (job.network, shape)
    try:
        if key not in known:
            arch = job.network
            listed = isinstance(arch, Arch) and arch.input_shape == shape
            known[key] = cost.macs(arch) if listed else cost.count_macs(job.make(), shape)
        return known[key]
    except Exception as error:
        raise JobError(f"{job.name}: {type(error).__name__}: {error}") from error


def _complete(i: int, key: Any, job: Job, resume: Path | None) -> Job:
    """The job with a name, and with a checkpoint where there is a folder for such: one of its own
    network, seed and recipe. Networks that were chosen by measured time are others after a kill,
    and begin anew where those that stayed go on.
    """
    checkpoint = job.checkpoint
    if checkpoint is None and resume is not None:
        network = encode(job.network) if isinstance(job.network, Arch) else ""
        what = hashlib.sha256(f"{network} {job.seed} {job.recipe}".encode()).hexdigest()[:8]
        checkpoint = Path(resume) / f"{i:04d}-{what}.safetensors"
    name = f"job {key}" if isinstance(key, int) else key
    name = " ".join(map(str, key)) if isinstance(key, tuple) else name
    return replace(job, name=job.name or name, checkpoint=checkpoint)


def _check(jobs: Sequence[Job], workers: int | None) -> None:
    if workers is not None and workers < 1:
        raise TrainError(f"workers must be at least 1, got {workers}")
    paths = [Path(job.checkpoint).resolve() for job in jobs if job.checkpoint is not None]
    if len(set(paths)) < len(paths):
        raise TrainError("two jobs would write one checkpoint: give each its own file")


def _here(jobs: list[Job], macs: list[int], device: str | None) -> Iterator[Done]:
    """One after another in this process, on one thread as in the others."""
    with torch_threads(1):
        for i, job in enumerate(jobs):
            yield _train(i, job, macs[i], device)


def _beside(
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
    return parallel(tasks)


def _give_way() -> None:
    if hasattr(os, "nice"):  # not on Windows
        os.nice(_NICENESS)


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
