"""MnasNet: a search whose reward weighs accuracy against measured latency (Tan et al. 2019).

The paper trains every sampled network for five epochs and measures its latency on a phone (section
4.2); here the epochs are a recipe's and the device is the one that this runs on.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lightlab import latency, train
from lightlab.data import DataSet
from lightlab.disk import Journal
from lightlab.measure import cost
from lightlab.search.searcher import Searcher, SearchError
from lightlab.space.arch import Arch, encode
from lightlab.space.decisions import DecisionSpace

HARD, SOFT = (0.0, -1.0), (-0.07, -0.07)  # alpha, beta: section 3 and figure 3

Evaluate = Callable[[Sequence[Arch]], pd.DataFrame]


def reward(
    accuracy: ArrayLike,
    latency_ms: ArrayLike,
    target_ms: float,
    alpha: float = SOFT[0],
    beta: float = SOFT[1],
) -> np.ndarray:
    """accuracy · (latency / target)^w, w = `alpha` up to the target and `beta` above it (eq. 2, 3).

    In the units of `accuracy`, of any equal shapes.
    """
    accuracy, latency_ms = np.asarray(accuracy, dtype=float), np.asarray(latency_ms, dtype=float)
    if not 0 < target_ms < np.inf:
        raise ValueError(f"the target latency has to be above 0 ms, got {target_ms}")
    if not np.all((latency_ms > 0) & (latency_ms < np.inf)):
        raise ValueError(f"latencies have to be above 0 ms, got {np.min(latency_ms)}")
    if np.isnan(accuracy).any():
        raise ValueError("an accuracy is NaN: a network that failed has no reward, tell NaN for it")
    ratio = latency_ms / target_ms
    return accuracy * ratio ** np.where(ratio <= 1, alpha, beta)


def exponent(times_slower: float, relative_gain: float) -> float:
    """β of (1 + gain) · times^β = 1: so much slower and better is worth the same (section 3)."""
    if not (times_slower > 0 and times_slower != 1 and relative_gain > -1):
        raise ValueError(f"no exponent makes {times_slower} times as slow worth {relative_gain}")
    return float(-np.log1p(relative_gain) / np.log(times_slower))


def search(
    searcher: Searcher,
    space: DecisionSpace,
    evaluate: Evaluate,
    objective: Callable[[pd.DataFrame], ArrayLike],
    n_trials: int,
    batch_size: int,
) -> pd.DataFrame:
    """Sample, evaluate, tell, until `n_trials` networks were tried, or all that there are.

    The rows of `evaluate` in the order asked, and trial, point, value (what `objective` makes of
    those that did not fail, else NaN), entropy (of a controller's policy, nats).
    """
    if min(n_trials, batch_size) < 1:
        raise ValueError(f"n_trials and batch_size start at 1, got {n_trials} and {batch_size}")
    if space.size() < 2:
        raise SearchError(f"there is nothing to search in {space!r}: every decision has one option")
    parts: list[pd.DataFrame] = []
    while (left := n_trials - len(searcher.trials)) > 0:
        points = searcher.ask(min(batch_size, left))
        if not points:
            break
        rows = evaluate([space.decode(point) for point in points])
        fine = rows["accuracy"].notna().to_numpy()
        values = np.full(len(rows), np.nan)
        values[fine] = objective(rows[fine])
        entropy = getattr(searcher, "entropy", np.nan)  # of the policy that these points are from
        searcher.tell(points, values)
        first = len(searcher.trials) - len(rows) + 1
        parts.append(
            rows.assign(
                trial=range(first, first + len(rows)),
                point=["-".join(map(str, p)) for p in points],
                value=values,
                entropy=entropy,
            )
        )
    if not parts:
        raise SearchError(f"{len(searcher.trials)} trials were told before: no more are wanted")
    return pd.concat(parts, ignore_index=True)


def check_target(
    space: DecisionSpace, time: Callable[[Sequence[Arch]], ArrayLike], target_ms: float
) -> None:
    """SearchError where even a network that no single other decision would make cheaper in MACs
    takes longer than `target_ms`, by `time`.
    """
    if not target_ms > 0:
        raise ValueError(f"the target latency has to be above 0 ms, got {target_ms}")
    price = cost.Prices()
    point = space.unrank(0)
    while True:
        macs = {p: price(space.decode(p))[0] for p in [point, *space.neighbors(point)]}
        cheapest = min(macs, key=macs.__getitem__)
        if macs[cheapest] == macs[point]:
            break
        point = cheapest
    (least,) = np.asarray(time([space.decode(point)]))
    if least > target_ms:
        raise SearchError(
            f"the target of {target_ms:.4g} ms is out of reach: a network of as few MACs as "
            f"can be takes {least:.4g} ms; raise the target, or make the space's networks smaller"
        )


COLUMNS = ("arch", "macs", "params", "latency_ms", "accuracy", "samples", "train_macs", "seconds")
SETTING = latency.Setting()
PLAN = latency.Plan.brief(5)


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
    """Evaluates networks: latency by `meter`, accuracy on the validation images after `recipe`.

    A network is evaluated once: what `journal` holds is not measured again, so that a search which
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
        if new := self._new("training", archs):
            self._train(new)
        trained = {row["arch"]: row for row in self.journal.of("training")}
        table = pd.DataFrame([trained[encode(arch)] for arch in archs], columns=list(COLUMNS))
        return table.assign(latency_ms=found).astype({"accuracy": float})

    def latency_ms(self, archs: Sequence[Arch]) -> np.ndarray:
        """Latencies alone, (n,)."""
        if new := self._new("latency", archs):
            found = self.meter(list(new.values()))
            if wrong := [ms for ms in found if not 0 < ms < np.inf]:
                raise ValueError(f"a latency of {wrong[0]} ms was measured: it cannot be")
            for text, ms in zip(new, found, strict=True):
                self.journal.add(kind="latency", arch=text, latency_ms=float(ms))
        known = {row["arch"]: row["latency_ms"] for row in self.journal.of("latency")}
        return np.array([known[encode(arch)] for arch in archs])

    def _new(self, kind: str, archs: Sequence[Arch]) -> dict[str, Arch]:
        """Those of which the journal has no row of that kind, by their text."""
        known = {row["arch"] for row in self.journal.of(kind)}
        return {text: arch for arch in archs if (text := encode(arch)) not in known}

    def _train(self, archs: dict[str, Arch]) -> None:
        images, recipe, seed = self.images, self.recipe, self.seed
        jobs = {  # validation images as `test`: looked at once, after training, not every epoch
            text: train.Job(arch, images.train, recipe, seed, test=images.val)
            for text, arch in archs.items()
        }
        samples = train.samples(recipe, len(images.train))
        for text, done in train.start(jobs, workers=self.workers, progress=False):
            macs, params = cost.macs(archs[text]), cost.param_count(archs[text])
            if done.diverged:  # where is not recorded: at most this
                most = samples * macs * cost.PASSES_PER_TRAINING_STEP
                spent = {"accuracy": None, "train_macs": most, "seconds": 0.0}
            else:
                last = done.history.iloc[-1]
                spent = {
                    "accuracy": 100 * done.metrics["test_accuracy"],
                    "train_macs": int(last["macs"]),
                    "seconds": float(last["seconds"]),
                }
            counts = {"macs": macs, "params": params, "samples": samples}
            self.journal.add(kind="training", arch=text, **counts, **spent)
