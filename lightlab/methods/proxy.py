"""How a sampled network is judged: trained for a short while, and timed on this device.

MnasNet (Tan et al. 2019, section 4.2) trains every sampled network for five epochs and measures its
latency on a phone; here the epochs are a recipe's and the device is the one that this runs on.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from lightlab import latency, train
from lightlab.data import DataSet
from lightlab.measure import cost
from lightlab.measure.journal import Journal
from lightlab.space.arch import Arch, encode

COLUMNS = ("arch", "macs", "params", "latency_ms", "accuracy", "samples", "train_macs", "seconds")
SETTING = latency.Setting()
PLAN = latency.Plan(rounds=5, samples=5, sample_ms=0.3, min_busy=0, warmup_ms=3.0)


class Meter:
    """Latencies of networks that are timed at different times, made comparable.

    Every call times a `reference` among the networks, in turn with them; where the reference takes
    longer than it did the first time, the machine is slower, and all are corrected by that ratio.
    The fastest sample counts: others that use the machine only ever add time. All times are written
    into `journal`; a meter that goes on after a kill answers from there what was asked before, so
    that choices made by time are the same, and counts from the same first time.
    """

    def __init__(
        self,
        reference: Arch,
        setting: latency.Setting = SETTING,
        plan: latency.Plan = PLAN,
        journal: Journal | None = None,
    ) -> None:
        self.reference, self.setting, self.plan = reference, setting, plan
        self.journal = Journal() if journal is None else journal
        self._before = deque(self.journal.of("timed"))

    def __call__(self, archs: Sequence[Arch]) -> list[float]:
        """Latencies in ms, as on the machine at the first call."""
        texts = [encode(arch) for arch in archs]
        while self._before:  # as long as the same is asked in the same order
            if (row := self._before.popleft())["archs"] == texts:
                return row["ms"]
        asked = {str(i): latency.runner(arch, self.setting) for i, arch in enumerate(archs)}
        runners = {"reference": self._reference, **asked}
        timed = latency.time_runners(runners, self.setting, plan=self.plan, estimate="fastest")
        reference, *found = timed.latency_ms.values()
        if not self.journal.of("reference"):
            self.journal.add(kind="reference", ms=float(reference))
        first = self.journal.of("reference")[0]["ms"]
        corrected = [float(ms * first / reference) for ms in found]
        self.journal.add(kind="timed", archs=texts, ms=corrected)
        return corrected

    @cached_property
    def _reference(self) -> Any:
        """Made ready once: its export is most of what a call for one network takes."""
        return latency.runner(self.reference, self.setting)


@dataclass
class Proxy:
    """Judges networks: latency by `meter`, accuracy on the validation images after `recipe`.

    A network is judged once: what `journal` holds is not measured again, so that a search which
    was killed goes on by being asked anew, and two searches share what both sample. Networks are
    trained side by side (`workers` as in `train.start`), after all of them were timed: a
    training beside a measurement would disturb it.
    """

    images: DataSet
    recipe: train.Recipe
    meter: Callable[[Sequence[Arch]], Sequence[float]]
    journal: Journal = field(default_factory=Journal)
    seed: int = 0
    workers: int | None = None

    def __call__(self, archs: Sequence[Arch]) -> pd.DataFrame:
        """One row per network, in order: arch (as text), macs, params, latency_ms, accuracy (%,
        validation; NaN where training diverged), samples (images seen in training), train_macs,
        seconds (of one core).
        """
        found = self.latency_ms(archs)
        texts = [encode(arch) for arch in archs]
        self._train(dict(zip(texts, archs, strict=True)))
        trained = {row["arch"]: row for row in self.journal.of("training")}
        rows = [trained[t] | {"latency_ms": ms} for t, ms in zip(texts, found, strict=True)]
        table = pd.DataFrame(rows, columns=list(COLUMNS))
        return table.astype({"accuracy": float})

    def latency_ms(self, archs: Sequence[Arch]) -> np.ndarray:
        """Latencies alone, (n,)."""
        texts = [encode(arch) for arch in archs]
        self._time(dict(zip(texts, archs, strict=True)))
        found = {row["arch"]: row["latency_ms"] for row in self.journal.of("latency")}
        return np.array([found[text] for text in texts])

    def _time(self, archs: dict[str, Arch]) -> None:
        known = {row["arch"] for row in self.journal.of("latency")}
        if todo := [text for text in archs if text not in known]:
            found = self.meter([archs[text] for text in todo])
            if wrong := [ms for ms in found if not 0 < ms < np.inf]:
                raise ValueError(f"a latency of {wrong[0]} ms was measured: it cannot be")
            for text, ms in zip(todo, found, strict=True):
                self.journal.add(kind="latency", arch=text, latency_ms=float(ms))

    def _train(self, archs: dict[str, Arch]) -> None:
        known = {row["arch"] for row in self.journal.of("training")}
        todo = [text for text in archs if text not in known]
        val = self.images.val  # as `test`: looked at once, after training, not every epoch
        parts = (self.images.train, self.recipe, self.seed)
        jobs = {text: train.Job(archs[text], *parts, test=val) for text in todo}
        if not jobs:
            return
        samples = train.samples(self.recipe, len(self.images.train))
        for text, done in train.start(jobs, workers=self.workers, progress=False):
            self.journal.add(**_row(text, archs[text], done, samples))


def _row(text: str, arch: Arch, done: train.Trained, samples: int) -> dict[str, Any]:
    macs = cost.macs(arch)
    row = {"kind": "training", "arch": text, "macs": macs, "params": cost.param_count(arch)}
    if done.diverged:
        # where it diverged is not recorded: at most this
        most = samples * macs * cost.PASSES_PER_TRAINING_STEP
        return row | {"accuracy": None, "samples": samples, "train_macs": most, "seconds": 0.0}
    spent = done.history.iloc[-1]
    return row | {
        "accuracy": 100 * done.metrics["test_accuracy"],
        "samples": samples,
        "train_macs": int(spent["macs"]),
        "seconds": float(spent["seconds"]),
    }
