"""What a method is given and what it gives back; trainings within a share of the budget."""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace

import joblib
import pandas as pd

from lightlab import train
from lightlab.data import DataSet
from lightlab.fit.budget import Clock, Meter
from lightlab.fit.evaluate import on_balance
from lightlab.fit.room import Room
from lightlab.nets.build import Network
from lightlab.space.arch import Arch, encode
from lightlab.train.descent import plan

LEAST_S = 0.05  # of a training, even where no time is left
MOST_EPOCHS = 300  # beyond it small data sets are only learnt by heart
_PROCESSES_S = 20  # of training each, below which starting processes does not pay
_STARTING_S = 5  # that processes need to start where others are at work

Running = Generator[tuple[str, train.Trained], None, None]  # what closing it gives up


@dataclass(frozen=True, eq=False)
class Finalist:
    """A trained network that could be delivered: balanced accuracy (%) and `loss` on the validation
    images, and the seconds of wall clock that its own training took.
    """

    name: str
    network: Network
    accuracy: float
    loss: float
    seconds: float

    @property
    def rank(self) -> tuple[float, float]:
        """The better one has the larger: accuracy, and of equal ones the smaller loss."""
        return self.accuracy, -self.loss


@dataclass(frozen=True, eq=False)
class Found:
    """Finalists, and what was tried: rows stage, arch, accuracy (%), a column per limited cost."""

    finalists: list[Finalist]
    tried: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Task:
    """What all methods share.

    `images` has rarer classes repeated (`evaluate.balanced`), `meter` the images as they are.
    `designs` are MobileNetV2's and V3's, as far as they keep to the target; `workers` processes may
    train.
    """

    images: DataSet
    room: Room
    meter: Meter
    clock: Clock
    recipe: train.Recipe
    seed: int
    designs: Mapping[str, Arch] = field(default_factory=dict)
    workers: int = field(default_factory=joblib.cpu_count)

    def finalist(self, name: str, network: Network, seconds: float) -> Finalist:
        """The network, judged on the validation images; the clock hears of a new best."""
        val = self.meter.images.val
        made = Finalist(name, network, *on_balance(train.logits(network, val), val.y), seconds)
        if not self.clock.best or made.accuracy > float(self.clock.best.split()[0]):
            self.clock.best = f"{made.accuracy:.1f} % ({name})"
        return made

    def lasting(self, seconds: float) -> train.Recipe:
        """The recipe of a training of so many seconds, or MOST_EPOCHS."""
        return replace(self.recipe, epochs=MOST_EPOCHS, most_seconds=max(seconds, LEAST_S))

    def took(self, steps: int) -> None:
        self.clock.capped |= steps == plan(self.lasting(0), len(self.images.train)).n_steps

    def rows(self, stage: str, archs: list[Arch], accuracies: list[float]) -> pd.DataFrame:
        """What was tried, with the costs that the room's tables say."""
        points = [self.room.space.find(arch) for arch in archs]
        costs = {name: table.of(points) for name, (table, _) in self.room.costs.items()}
        known = {"stage": stage, "arch": list(map(encode, archs)), "accuracy": accuracies}
        return pd.DataFrame(known | costs)

    def trained(self, archs: Mapping[str, Arch], seconds: float) -> list[Finalist]:
        """Networks trained from scratch, all in about so many seconds, side by side if it pays."""
        workers = min(len(archs), self.workers) if seconds > _PROCESSES_S else 1
        jobs = self._jobs(archs, seconds, workers)
        return self.finalists(train.start(jobs, workers=workers, progress=False), archs)

    def begun(self, archs: Mapping[str, Arch], seconds: float) -> Running:
        """The same in background processes, one a network: what `finalists` waits for."""
        jobs = self._jobs(archs, seconds - _STARTING_S, len(archs))
        return train.start(jobs, workers=len(jobs), progress=False, background=True)

    def _jobs(
        self, archs: Mapping[str, Arch], seconds: float, workers: int
    ) -> dict[str, train.Job]:
        recipe = self.lasting(seconds * workers / len(archs))
        how = {"split": self.images.train, "recipe": recipe, "seed": self.seed}
        return {name: train.Job(arch, **how) for name, arch in archs.items()}

    def finalists(self, running: Running, names: Iterable[str]) -> list[Finalist]:
        """Networks of trainings that have begun, when all have ended, in the order of `names`."""
        found = []
        for name, one in train.collect(running, names).items():
            steps, seconds = one.history[["step", "seconds"]].iloc[-1]
            self.took(int(steps))
            found.append(self.finalist(name, one.network(), float(seconds)))
        return found
