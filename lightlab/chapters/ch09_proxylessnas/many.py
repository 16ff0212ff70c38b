"""Several ProxylessNAS searches side by side."""

from collections.abc import Mapping
from pathlib import Path

from lightlab import train
from lightlab.methods.proxyless.run import Found, search, training_macs
from lightlab.search.beside import Key, run_beside


def search_many(
    jobs: Mapping[Key, tuple], workers: int | None = None, resume: Path | None = None
) -> dict[Key, Found]:
    """`search` with each of these arguments, see `run_beside`."""
    return run_beside(search, jobs, sum(map(_macs, jobs.values())), workers, resume)


def _macs(args: tuple) -> float:
    """What the weights' steps of a search compute with even chances."""
    space, images, _, _, settings, *_ = args
    return train.samples(settings.recipe, len(images.train)) * training_macs(space)
