"""Several ProxylessNAS searches side by side."""

from collections.abc import Mapping
from pathlib import Path

import joblib

from lightlab.measure import cost, train
from lightlab.measure.additive import Additive
from lightlab.measure.threads import torch_threads
from lightlab.measure.train.many import SHORT_MACS
from lightlab.search.proxyless_run import Found, search


def search_many(
    jobs: Mapping[str, tuple], workers: int | None = None, resume: Path | None = None
) -> dict[str, Found]:
    """`search` with each of these arguments, one process a core and one thread each, or in this one
    where all together are short; results do not depend on it. `resume` is a folder for their
    checkpoints.
    """
    if workers is None:
        workers = 1 if sum(map(_macs, jobs.values())) < SHORT_MACS else joblib.cpu_count()
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        found = joblib.Parallel(n_jobs=min(workers, len(jobs)))(
            joblib.delayed(_one)(args, resume and Path(resume) / f"{i:04d}.safetensors")
            for i, args in enumerate(jobs.values())
        )
    return dict(zip(jobs, found, strict=True))


def _one(args: tuple, checkpoint: Path | None) -> Found:
    with torch_threads(1):
        return search(*args, checkpoint=checkpoint)


def _macs(args: tuple) -> float:
    """What the weights' steps of a search compute with even chances."""
    space, images, _, _, settings, *_ = args
    macs = Additive.macs(space)
    typical = macs.fixed + sum(sum(row) / len(row) for row in macs.candidates)
    seen = train.samples(settings.recipe, len(images.train))
    return seen * typical * cost.PASSES_PER_TRAINING_STEP
