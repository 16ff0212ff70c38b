"""Train a network on labels, and on a teacher's answers if there is one; a training as a value."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn

from lightlab.data import Split, splits
from lightlab.measure import cost
from lightlab.nets.build import build
from lightlab.nets.weights import not_finite
from lightlab.space.arch import Arch
from lightlab.train import descent
from lightlab.train.descent import MEND, DivergedError, Recipe, plan
from lightlab.train.evaluate import check, evaluate
from lightlab.train.loop import Batches, Keeper, Run, keep_large_buffers

Callback = Callable[[nn.Module, dict[str, float]], None]
_LOOK_EVERY = 25  # steps between looks at a GPU's losses: each look waits for all of them


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

    Columns: step, epoch, samples, macs (so far, backward passes included, a teacher's not), loss
    (mean since the last row), val_loss and val_accuracy where there is `val`, seconds (of
    training). With `val` the first row is the untrained network. `callback(model, row)` sees every
    row. `seed` decides batch order, augmentation and dropout; `macs_per_image` spares counting
    them.

    `teacher`: a network on the same device, or logits (N, classes) for the images in order.
    `checkpoint`: a file written every `every` steps (one epoch) and at the end. Where it exists the
    training goes on from it, with equal results on the same machine and number of threads.

    DivergedError when a loss, or at the end a weight, is no number; ValueError where arguments do
    not fit each other, or a checkpoint is of another training or cannot be written.
    """
    seed = splits.whole("seed", seed, least=0)
    check(model, split, recipe, val, teacher)
    keep_large_buffers()
    per_epoch = plan(recipe, len(split)).per_epoch
    eval_every = splits.whole("eval_every", eval_every or per_epoch, least=1)
    every = splits.whole("every", every or per_epoch, least=1)
    if macs_per_image is None:
        macs_per_image = cost.count_macs(model, tuple(split.x.shape[1:]))
    macs_per_image = splits.whole("macs_per_image", macs_per_image)
    keeper = None
    if checkpoint is not None:
        rest = {"seed": seed, "eval_every": eval_every, "macs_per_image": macs_per_image}
        keeper = Keeper(checkpoint, model, split, val, recipe, teacher, **rest)
    run = Training(
        model, split, recipe, seed, val, teacher, callback, macs_per_image, eval_every, every
    )
    run.go(keeper, first=val is not None, progress=progress)
    return run.finish()


class Training(Run):
    """A network, trained by a recipe."""

    KEPT = ("seconds",)

    def __init__(
        self,
        model: nn.Module,
        split: Split,
        recipe: Recipe,
        seed: int,
        val: Split | None,
        teacher: nn.Module | Tensor | None,
        callback: Callback | None,
        macs_per_image: int,
        rows_every: int,
        keep_every: int,
    ) -> None:
        place = next(model.parameters()).device
        self._plan = plan(recipe, len(split))
        super().__init__(
            model,
            {"train": Batches(split, place)},
            {"sgd": descent.sgd(model.parameters(), recipe)},
            seed,
            self._plan.n_steps,
            rows_every,
            keep_every,
        )
        self._recipe, self._val, self._callback = recipe, val, callback
        self._macs = macs_per_image * cost.PASSES_PER_TRAINING_STEP
        self._masks = set(not_finite(model.state_dict()))  # what holds infinity on purpose
        self._teacher = None if teacher is None else descent.Teacher(teacher, place)
        self._unseen: list[Tensor] = []  # losses not looked at yet
        self.seconds = 0.0  # of steps

    def step(self) -> None:
        begin = time.perf_counter()
        self.steps += 1
        self._descend()
        self.done = self._scheduled(time.perf_counter() - begin) == self.n_steps
        waits = self.device.type == "cuda" and self.steps % _LOOK_EVERY != 0
        if not waits or self.due or self.keeps:
            self._look()
        self.seconds += time.perf_counter() - begin

    def _scheduled(self, more_s: float = 0.0) -> int:
        return descent.scheduled(self.steps, self.n_steps, self.seconds + more_s, self._recipe)

    def _descend(self) -> None:
        images, labels, index = self.batches["train"].next(self._plan.batch, self.generator)
        images = descent.augment(images, self._recipe, self.generator)
        images = images.contiguous(memory_format=torch.channels_last)
        sgd = self.optimizers["sgd"]
        descent.prepare(sgd, self._scheduled(), self.n_steps, self._recipe)
        taught = self._teacher(images, index) if self._teacher else None
        value = descent.loss(self.network(images), labels, taught, self._recipe)
        value.backward()
        sgd.step()
        self._unseen.append(value.detach())

    def _look(self) -> None:
        """Take the losses not seen yet; DivergedError at the first that is no number."""
        found = torch.stack(self._unseen).tolist()
        self._unseen.clear()
        for step, value in enumerate(found, start=self.steps - len(found) + 1):
            if not math.isfinite(value):
                rate = descent.learning_rate(step, self.n_steps, self._recipe)
                raise DivergedError(
                    f"the loss is {value} at step {step} of {self.n_steps} (lr {rate:.3g}): {MEND}"
                )
        self.losses += found

    def report(self) -> None:
        """Add a row to the history and show it to the callback."""
        samples = self.steps * self._plan.batch
        row = {
            "step": self.steps,
            "epoch": self.steps / self._plan.per_epoch,
            "samples": samples,
            "macs": samples * self._macs,
            "loss": sum(self.losses) / len(self.losses) if self.losses else math.nan,
        }
        if self._val is not None:
            row |= {f"val_{k}": v for k, v in evaluate(self.network, self._val).items()}
            if self.steps and not math.isfinite(row["val_loss"]):
                raise DivergedError(
                    f"the validation loss is {row['val_loss']} after step {self.steps} of "
                    f"{self.n_steps}: {MEND}"
                )
        self.rows.append({**row, "seconds": self.seconds})
        self.losses.clear()
        if self._callback is not None:
            self._callback(self.network, self.rows[-1])
        self.network.train()

    def finish(self) -> pd.DataFrame:
        """The history; DivergedError if a weight is no number: the last loss is that before it."""
        if broken := set(not_finite(self.network.state_dict())) - self._masks:
            raise DivergedError(f"{min(broken)} is no number after the last step: {MEND}")
        return pd.DataFrame(self.rows)


class JobError(RuntimeError):
    """A job failed, or a process with it; the message names the job."""


@dataclass(frozen=True, eq=False)
class Job:
    """One training: `train.fit`'s arguments, and the network as what makes it.

    `network`: an `Arch`, or a function called with `seed=…` that gives the same layers for every
    seed, such as `functools.partial(build, arch, dropout=0.2)`. `test` images are used once, at the
    end. `name` stands in messages.
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
    """The history of `train.fit`, the weights, and `metrics` at the end (val_loss, val_accuracy,
    test_loss, test_accuracy, as far as there are such images); of one that diverged only where.
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
