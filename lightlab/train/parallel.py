"""Many small networks side by side: one process per core, one thread each."""

import math
import os
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from safetensors.torch import load, save
from torch import Tensor
from tqdm.auto import tqdm

from lightlab import disk
from lightlab.data import Split
from lightlab.measure import cost
from lightlab.measure.threads import torch_threads
from lightlab.space.arch import Arch, encode
from lightlab.train.device import accelerator
from lightlab.train.evaluate import check_test, evaluate
from lightlab.train.job import Job, JobError, Trained
from lightlab.train.loop import fit
from lightlab.train.recipe import MEND, DivergedError, TrainError, samples
from lightlab.train.training import Callback, bar_options

# Whoever closes the generator of results knows that he gives trainings up.
warnings.filterwarnings("ignore", ".* tasks which were still being processed", module="joblib")
_LEAST_BYTES = 2**16  # arrays from this size on lie in a file that all processes map
_NICENESS = 10  # of processes in the background: a core asked for by another they leave to it

# Below so many MACs in all, about six seconds of one core, starting processes (three seconds, the
# first time) does not pay.
SHORT_MACS = 5e10

# number of the job, history, weights as safetensors, metrics, where it diverged if it did
Done = tuple[int, pd.DataFrame, bytes, dict[str, float], str]


def fit_many(
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    device: str | None = None,
    resume: Path | None = None,
    progress: bool = True,
) -> list[Trained]:
    """As `fit_each`, but results in the order of the jobs, and JobError names the first that failed
    or diverged: the others' results are lost, unless they keep checkpoints.
    """
    how = {"workers": workers, "device": device, "resume": resume, "progress": progress}
    return in_order(fit_each(jobs, **how))


def in_order(results: Iterable[tuple[int, Trained]]) -> list[Trained]:
    """What `fit_each` gives, when all is done, in the order of the jobs; JobError names the first
    that failed or diverged.
    """
    found: dict[int, Trained] = {}
    for i, trained in results:
        if trained.diverged:
            raise JobError(trained.diverged)
        found[i] = trained
    return [found[i] for i in range(len(found))]


def fit_each(
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    device: str | None = None,
    resume: Path | None = None,
    progress: bool = True,
    background: bool = False,
) -> Generator[tuple[int, Trained], None, None]:
    """Train every job on one thread each; number and result of each as soon as it is done.

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
    if workers > 1 or background:  # joblib takes one worker for this process
        done = _beside(jobs, macs, device, max(workers, 2), background)
    else:
        done = _here(jobs, macs, device)
    return _told(jobs, done, progress)


def _told(
    jobs: Sequence[Job], done: Iterator[Done], progress: bool
) -> Generator[tuple[int, Trained], None, None]:
    with tqdm(total=len(jobs), unit="network", **bar_options(progress)) as bar:
        for i, history, weights, metrics, diverged in done:
            yield i, Trained(jobs[i], history, load(weights), metrics, diverged)
            bar.update()


def _priced(job: Job, known: dict[Any, int]) -> int:
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


def _completed(job: Job, i: int, resume: Path | None) -> Job:
    """The job with a name, and with a checkpoint where there is a folder for such: one of its own
    network, seed and recipe. Networks that were chosen by measured time are others after a kill,
    and begin anew where those that stayed go on.
    """
    checkpoint = job.checkpoint
    if checkpoint is None and resume is not None:
        network = encode(job.network) if isinstance(job.network, Arch) else ""
        what = disk.sha256(f"{network} {job.seed} {job.recipe}")[:8]
        checkpoint = Path(resume) / f"{i:04d}-{what}.safetensors"
    return replace(job, name=job.name or f"job {i}", checkpoint=checkpoint)


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


def pool(workers: int, **how: Any) -> joblib.Parallel:
    """Processes of one thread each, with more of `joblib.Parallel`'s arguments in `how`.

    All work beside the notebook goes through here: joblib hands on the processes that it has only
    to a call with the same arguments, and a new one takes seconds to import torch.
    """
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        return joblib.Parallel(n_jobs=workers, max_nbytes=_LEAST_BYTES, mmap_mode="c", **how)


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
