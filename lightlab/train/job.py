"""A training as a value: what is trained, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from torch import Tensor, nn

from lightlab.data import Split
from lightlab.nets.build import build
from lightlab.space.arch import Arch
from lightlab.train.recipe import Recipe


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
