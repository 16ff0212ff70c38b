"""Train a network: checks, then steps, rows and checkpoints in turn."""

import ctypes
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from lightlab.data import Split
from lightlab.measure import cost
from lightlab.train.checkpoint import Keeper, identity
from lightlab.train.evaluate import check
from lightlab.train.recipe import Recipe, plan, whole
from lightlab.train.training import Callback, History, Training, bar_options

_BAR_AFTER_S = 2.0


def fit(
    model: nn.Module,
    split: Split,
    recipe: Recipe,
    *,
    seed: int = 0,
    val: Split | None = None,
    eval_every: int | None = None,
    callback: Callback | None = None,
    macs_per_image: int | None = None,
    teacher: nn.Module | Tensor | None = None,
    checkpoint: Path | str | None = None,
    every: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train `model` in place; returns its history, one row every `eval_every` steps (one epoch).

    Columns: step, epoch, samples, macs (spent so far, backward passes included, a teacher's not),
    loss (mean since the last row), val_loss and val_accuracy where there is `val`, seconds (of
    training only); `attrs["precision"]` is the one used. With `val` the first row is the untrained
    network. `callback(model, row)` sees every row. `seed` decides batch order, augmentation and
    dropout; `macs_per_image` spares counting them.

    `teacher`: a network on the same device, or its logits (N, classes) for the images in order.
    `checkpoint`: a file written every `every` steps (one epoch) and at the end. Where it exists the
    training goes on from it, with equal results on the same machine and number of threads; one
    that had ended gives its results at once.

    DivergedError when a loss, or at the end a weight, is NaN or infinite; TrainError where network,
    images, labels, teacher, recipe and numbers do not fit, or a checkpoint is of another training
    or cannot be written.
    """
    seed = whole("seed", seed, least=0)
    check(model, split, recipe, val, teacher)
    _keep_large_buffers()
    planned = plan(recipe, len(split))
    eval_every = whole("eval_every", eval_every or planned.per_epoch, least=1)
    every = whole("every", every or planned.per_epoch, least=1)
    if macs_per_image is None:
        macs_per_image = cost.count_macs(model, tuple(split.x.shape[1:]))
    macs_per_image = whole("macs_per_image", macs_per_image)
    keeper = None
    if checkpoint is not None:
        rest = {"seed": seed, "eval_every": eval_every, "macs_per_image": macs_per_image}
        keeper = Keeper(checkpoint, identity(model, split, val, recipe, teacher, **rest))
    history = History(planned, macs_per_image, val, callback)
    generator = torch.Generator().manual_seed(seed)
    run = Training(model, split, recipe, planned, generator, teacher, history)
    with _own_randomness(run.device, seed):
        if keeper is not None and keeper.path.exists():
            run.restore(*keeper.read())
        elif val is not None:
            run.report()
        for step in _bar(run, planned.n_steps, progress):
            last = run.ended
            if step % eval_every == 0 or last:
                run.report()
            if keeper is not None and (step % every == 0 or last):
                keeper.write(*run.state())
    return run.finish()


def _bar(run: Training, n_steps: int, progress: bool) -> Iterator[int]:
    """The steps of `run` with a bar if it takes some time, unless TQDM_DISABLE is set."""
    look = {"unit": "step", "leave": False, "delay": _BAR_AFTER_S}
    with tqdm(total=n_steps, initial=run.step, **look, **bar_options(progress)) as bar:
        for step in run:
            yield step
            bar.update()


@contextmanager
def _own_randomness(device: torch.device, seed: int) -> Iterator[None]:
    """Dropout takes its numbers from the global state: seeded in here, restored after."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


@functools.cache
def _keep_large_buffers() -> None:
    """Tell glibc, where it is used, to keep freed memory: giving activations back costs page faults
    at every step, up to a third of the time of a large network.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
    mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
