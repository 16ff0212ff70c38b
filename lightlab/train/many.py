"""Many small networks side by side: one process per core, one thread each."""

import hashlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
from safetensors.torch import load
from tqdm.auto import tqdm

from lightlab.measure import cost
from lightlab.space.arch import Arch, encode
from lightlab.train import processes
from lightlab.train.history import bar_options
from lightlab.train.job import Job, JobError, Trained
from lightlab.train.recipe import TrainError, samples

# Below so many MACs in all, about six seconds of one core, starting processes (three seconds, the
# first time) does not pay.
SHORT_MACS = 5e10


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
        done = processes.beside(jobs, macs, device, max(workers, 2), background)
    else:
        done = processes.here(jobs, macs, device)
    return _told(jobs, done, progress)


def _told(
    jobs: Sequence[Job], done: Iterator[processes.Done], progress: bool
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
        what = hashlib.sha256(f"{network} {job.seed} {job.recipe}".encode()).hexdigest()[:8]
        checkpoint = Path(resume) / f"{i:04d}-{what}.safetensors"
    return replace(job, name=job.name or f"job {i}", checkpoint=checkpoint)


def _check(jobs: Sequence[Job], workers: int | None) -> None:
    if workers is not None and workers < 1:
        raise TrainError(f"workers must be at least 1, got {workers}")
    paths = [Path(job.checkpoint).resolve() for job in jobs if job.checkpoint is not None]
    if len(set(paths)) < len(paths):
        raise TrainError("two jobs would write one checkpoint: give each its own file")
