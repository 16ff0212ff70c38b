"""What a method is given, what it finds in its share of the budget, and what of it is delivered."""

import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import joblib
import numpy as np
import pandas as pd
import scipy
import torch

from lightlab import train
from lightlab.data import DataSet, Split
from lightlab.deploy import session
from lightlab.deploy.export import run
from lightlab.fit.budget import Again, Clock, Meter
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


N_AGAIN = 4  # measurements of a file, of which one has to keep to the target
PAUSE_S = 0.8  # between those of the best: a shared machine is slow for a second or two at a time
LEAST_SAVED = 0.1  # share of the file, that 8-bit integers have to save
FREE_DROP = 1.0  # points of validation accuracy that 8-bit integers may always cost
MOST_DROP = 3.0  # and at most, where the difference may be luck


@dataclass(frozen=True, eq=False)
class Delivered:
    """What leaves: the `model` in float32 and that in 8-bit integers, whether these are kept and
    why; whether the target was `met` when measured `again`, the last of so many `measurements`, and
    the names of the finalists that missed it before.
    """

    finalist: Finalist
    model: bytes
    int8: bytes
    keeps_int8: bool
    int8_note: str
    met: bool
    again: Again
    measurements: int
    missed: tuple[str, ...]


def deliver(finalists: Sequence[Finalist], meter: Meter, val: Split) -> Delivered:
    """The first finalist whose file keeps to the target when measured again, else the nearest to
    it.

    After a miss only such are tried as cost less of what was missed, timed in turn.
    """
    tries: list[Delivered] = []
    known: list[dict[str, float]] = []
    last = -1
    for i, one in enumerate(finalists):
        if tries:
            known = known or meter.costs([x.network.arch for x in finalists])
            missed = tries[-1].again.costs
            over = [k for k, most in meter.target.limits.items() if missed[k] > most]
            if any(known[i][k] >= known[last][k] for k in over):
                continue
        last = i
        pause = 0.0 if tries else PAUSE_S
        made = _made(one, meter, val, tuple(t.finalist.name for t in tries), pause)
        if made.met:
            return made
        tries.append(made)
    return min(tries, key=lambda made: meter.target.largest_share(made.again.costs))


def _made(
    one: Finalist, meter: Meter, val: Split, missed: tuple[str, ...], pause: float
) -> Delivered:
    exact = meter.exact_file(one.network)
    small = meter.integers(exact)
    keeps, note = keeps_accuracy(exact, small, val)
    if meter.target.integers and not keeps:
        keeps, note = True, f"{note}, but the target asks for it"
    met, file = False, small if meter.target.integers else exact
    for n in range(1, N_AGAIN + 1):  # other processes only ever add time
        if n > 1:
            time.sleep(pause)
        again = meter.again(one.network, file)
        if met := meter.target.kept_by(again.costs):
            break
    note = f"{note}; {len(small) / 1000:.1f} kB instead of {len(exact) / 1000:.1f}."
    return Delivered(one, exact, small, keeps, note, met, again, n, missed)


def keeps_accuracy(exact: bytes, small: bytes, val: Split) -> tuple[bool, str]:
    """Whether the integers save LEAST_SAVED and keep the validation accuracy, and why in words.

    A drop of FREE_DROP points is allowed, up to MOST_DROP where an exact McNemar test (5 %) calls
    it luck, and MOST_DROP in the mean over the classes.
    """
    if len(small) > (1 - LEAST_SAVED) * len(exact):
        return False, "8-bit integers are not kept: they save hardly anything"
    a, b = (right(model, val) for model in (exact, small))
    lost, won = int((a & ~b).sum()), int((b & ~a).sum())
    drop = 100 * (lost - won) / len(val)
    words = f"they change accuracy by {0 - drop:+.1f} points on {len(val)} validation images"
    labels = val.y.numpy()
    even = 100 * np.mean([(a[labels == c].mean() - b[labels == c].mean()) for c in set(labels)])
    if even > MOST_DROP:
        return False, f"8-bit integers are not kept: {words}, by {-even:+.1f} balanced over classes"
    if drop <= FREE_DROP:
        return True, f"8-bit integers are kept: {words}"
    luck = scipy.stats.binomtest(lost, lost + won).pvalue > 0.05
    if luck and drop <= MOST_DROP:
        return True, f"8-bit integers are kept: {words}, within noise ({lost} lost, {won} won)"
    return False, f"8-bit integers are not kept: {words} ({lost} lost, {won} won)"


def right(model: bytes, split: Split) -> np.ndarray:
    """Which images the ONNX model recognises, (n,) of bool."""
    said = torch.from_numpy(run(session(model), split.x)).argmax(1)
    return (said == split.y).numpy()
