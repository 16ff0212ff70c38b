"""Many trainings by name: side by side, results in order or as they come, and a table."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from safetensors.torch import load
from tqdm.auto import tqdm

from lightlab import disk
from lightlab.measure import cost
from lightlab.space.arch import Arch, encode
from lightlab.train.descent import samples
from lightlab.train.loop import HIDDEN
from lightlab.train.parallel import SHORT_MACS, Done, Key, train_beside, train_here
from lightlab.train.training import Job, JobError, Trained


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


def tabulate(trained: Mapping[tuple, Trained], *by: str) -> pd.DataFrame:
    """A row per training: its key in the columns `by`; samples, macs, seconds and loss of the last
    row of its history; validated and accuracy (validation, test; %).
    """
    marks = {"validated": "val_accuracy", "accuracy": "test_accuracy"}
    return pd.DataFrame(
        dict(zip(by, key, strict=True))
        | {k: one.history[k].iloc[-1] for k in ("samples", "macs", "seconds", "loss")}
        | {k: 100 * one.metrics[v] for k, v in marks.items() if v in one.metrics}
        for key, one in trained.items()
    )


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

    `workers` processes train side by side; None takes all cores, or this process alone for one job
    or less than SHORT_MACS in all. Results do not depend on it. Processes begin with this call, and
    stay for the next; in the `background` whoever else wants a core has it first. Closing what is
    returned gives the trainings up.

    `device` is "cpu" or "cuda", None decides by `accelerator`. `resume` is a folder of this call's
    own for the jobs' checkpoints: what was killed goes on, what had ended is not trained again.

    A training that diverges is a result: `Trained.diverged`. JobError names a job that failed
    otherwise; ValueError on workers < 1 or two jobs with one checkpoint.
    """
    listed = [_complete(i, *item, resume) for i, item in enumerate(jobs.items())]
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    paths = [Path(job.checkpoint).resolve() for job in listed if job.checkpoint is not None]
    if len(set(paths)) < len(paths):
        raise ValueError("two jobs would write one checkpoint: give each its own file")
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
        done = train_beside(listed, macs, device, max(workers, 2), background)
    else:
        done = train_here(listed, macs, device)
    return _tell(list(jobs), listed, done, progress)


def _tell(
    keys: Sequence[Key], jobs: Sequence[Job], done: Iterator[Done], progress: bool
) -> Generator[tuple[Key, Trained], None, None]:
    hidden = {} if progress else HIDDEN
    with tqdm(total=len(jobs), unit="network", **hidden) as bar:
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
    """The job with a name and, in a folder for such, a checkpoint of its own network, seed and
    recipe: networks chosen by measured time are others after a kill, and begin anew.
    """
    checkpoint = job.checkpoint
    if checkpoint is None and resume is not None:
        network = encode(job.network) if isinstance(job.network, Arch) else ""
        what = disk.sha256(f"{network} {job.seed} {job.recipe}")[:8]
        checkpoint = Path(resume) / f"{i:04d}-{what}.pt"
    name = f"job {key}" if isinstance(key, int) else key
    name = " ".join(map(str, key)) if isinstance(key, tuple) else name
    return replace(job, name=job.name or name, checkpoint=checkpoint)
