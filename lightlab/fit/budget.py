"""What the model may cost and the time to find it, and how both are measured here."""

import copy
import math
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from lightlab import deploy, latency, train
from lightlab.data import DataSet, Split
from lightlab.latency import Setting
from lightlab.latency.runtimes import SESSIONS, onnx_runner, random_images
from lightlab.measure import cost
from lightlab.nets.build import Network, build
from lightlab.space.arch import Arch
from lightlab.space.scaling import widths
from lightlab.train.descent import plan

RUNTIMES = ("onnxruntime", "onnxruntime-int8")  # what leaves is ONNX, and is what is timed
LATENCY, MACS, SIZE = "latency in ms", "MACs", "size in kB"


@dataclass(frozen=True)
class Target:
    """The most that the model may cost, 0 where it is no matter: of one image in `runtime`, in
    MACs, and of its file (8-bit in "onnxruntime-int8") in 1,000 bytes. ValueError on impossible
    values.
    """

    latency_ms: float = 0
    max_macs: float = 0
    max_size_kb: float = 0
    runtime: str = "onnxruntime"
    threads: int = 1

    def __post_init__(self) -> None:
        if self.runtime not in RUNTIMES:
            raise ValueError(f"runtime is one of {', '.join(RUNTIMES)}, not {self.runtime!r}")
        for name in ("latency_ms", "max_macs", "max_size_kb"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(
                    f"{name} has to be a number from 0 on (0: no limit), not {value!r}"
                )
        if not self.limits:
            raise ValueError("there is no target: give latency_ms, max_macs or max_size_kb")
        self.setting.check_here()

    @property
    def limits(self) -> dict[str, float]:
        """The most by the name of each cost that is limited."""
        every = {LATENCY: self.latency_ms, MACS: self.max_macs, SIZE: self.max_size_kb}
        return {name: float(most) for name, most in every.items() if most}

    @property
    def setting(self) -> Setting:
        return Setting(self.runtime, self.threads)

    @property
    def integers(self) -> bool:
        return self.runtime == "onnxruntime-int8"

    def kept_by(self, costs: dict[str, float], reserve: float = 0) -> bool:
        """Whether these costs keep to all limits, with a share of the latency in reserve."""
        room = {LATENCY: 1 - reserve}
        return all(costs[k] <= most * room.get(k, 1) for k, most in self.limits.items())

    def largest_share(self, costs: dict[str, float]) -> float:
        """The largest of these costs as a share of its limit; beyond 1 the target is missed."""
        return max(costs[name] / most for name, most in self.limits.items())

    def __str__(self) -> str:
        words = {LATENCY: f"{self.latency_ms:g} ms ({self.where})"}
        words |= {MACS: f"{self.max_macs / 1e6:g}M MACs", SIZE: f"{self.max_size_kb:g} kB"}
        return "at most " + ", ".join(words[name] for name in self.limits)

    @property
    def where(self) -> str:
        return f"{self.runtime}, {self.threads} thread{'s' if self.threads > 1 else ''}"


@dataclass(frozen=True)
class Update:
    """What is done now, for about how many seconds, the best so far in words, the seconds left."""

    phase: str
    expected_s: float
    best: str
    left_s: float


Tell = Callable[[Update], None]
Now = Callable[[], float]  # seconds since whenever


class Clock:
    """Counts `budget_s` down, phase by phase, by wall clock or what `now` counts.

    `best` is the best so far in words; `capped`: a training ended since more would only learn by
    heart.
    """

    def __init__(
        self, budget_s: float, tell: Tell | None = None, now: Now = time.monotonic
    ) -> None:
        self.budget_s, self.best, self.capped, self.now = budget_s, "", False, now
        self._tell, self._begin = tell, now()
        self._phases: list[tuple[str, float]] = []  # and when each began

    @property
    def spent_s(self) -> float:
        """Seconds since the start."""
        return self.now() - self._begin

    @property
    def left_s(self) -> float:
        """Of the budget, 0 where it is spent."""
        return max(0.0, self.budget_s - self.spent_s)

    def enter(self, phase: str, expected_s: float = 0) -> None:
        self._phases.append((phase, self.spent_s))
        if self._tell is not None:
            self._tell(Update(phase, expected_s, self.best, self.left_s))

    def since_s(self, phase: str) -> float:
        """Seconds since that phase began last; infinite where it never did."""
        return self.spent_s - max((t for p, t in self._phases if p == phase), default=-math.inf)

    def table(self) -> pd.DataFrame:
        """Seconds by phase, in their order; the last one lasts until now."""
        ends = [begin for _, begin in self._phases[1:]] + [self.spent_s]
        rows = [(p, end - begin) for (p, begin), end in zip(self._phases, ends, strict=True)]
        table = pd.DataFrame(rows, columns=["phase", "seconds"])
        return table.groupby("phase", sort=False)["seconds"].sum().reset_index()


_FEW, _STEPS = 2, 6
_LEAST = 0.3  # share of a run that its further steps take at least: noise is no gift of time


def step_s(run: Callable[[int], object], now: Now) -> float:
    """Seconds of one more step of `run(steps)`; the first run is a warm-up, and of two short ones
    the faster counts: taken for slow by chance, steps would seem to cost nothing.
    """

    def seconds(steps: int) -> float:
        begin = now()
        run(steps)
        return now() - begin

    run(_FEW)
    few, many = seconds(_FEW), seconds(_FEW + _STEPS)
    few = min(few, seconds(_FEW))
    return max(many - few, _LEAST * many) / _STEPS


def network_step_s(network: Network, split: Split, recipe: train.Recipe, now: Now) -> float:
    each = plan(recipe, len(split)).per_epoch

    def run(steps: int) -> None:
        short = replace(recipe, epochs=steps / each)
        train.fit(copy.deepcopy(network), split, short, macs_per_image=0, progress=False)

    return step_s(run, now)


# Choices compare fastest samples, which others on the machine do not change; the delivered file has
# to keep to its limit in the median, which lies some per cent higher, as two sessions also differ.
RESERVE = 0.06
N_CALIBRATE = 200  # training images that ranges of activations are taken from
N_SINGLE = 300  # runs timed one by one
_BRIEF = latency.Plan.brief(9)
_LONG = latency.Plan(rounds=15, samples=5, sample_ms=1.0)
_WIDTHS = np.round(np.geomspace(0.25, 5.0, 31), 3)


@dataclass(frozen=True, eq=False)
class Again:
    """A delivered model measured again: costs by name, session timings, single runs in ms."""

    costs: dict[str, float]
    timings: latency.Timings
    single_ms: np.ndarray


class Meter:
    """Measures for a `target` and a data set, whose names and numbers the files hold."""

    def __init__(self, target: Target, images: DataSet) -> None:
        self.target, self.images = target, images

    def costs(self, archs: Sequence[Arch], names: Sequence[str] = ()) -> list[dict[str, float]]:
        """Of each network, by name (of what is limited, else); latencies are timed in turn."""

        def latencies(archs: Sequence[Arch]) -> list[float]:
            setting, named = self.target.setting, {str(i): arch for i, arch in enumerate(archs)}
            how = {"plan": _BRIEF, "sessions": 1, "estimate": "fastest"}
            timed = latency.measure_many(named, setting, **how)
            return [timed.latency_ms[name] for name in named]

        how: dict[str, Callable[[Sequence[Arch]], Sequence[float]]] = {
            LATENCY: latencies,
            MACS: lambda archs: [cost.macs(arch) for arch in archs],
            SIZE: lambda archs: [len(self.file(build(arch))) / 1000 for arch in archs],
        }
        columns = {name: how[name](archs) for name in names or self.target.limits}
        return [{name: float(v[i]) for name, v in columns.items()} for i in range(len(archs))]

    def kept_by(self, archs: Sequence[Arch]) -> list[bool]:
        """Which networks keep to the target, a little of the latency in reserve."""
        return [self.target.kept_by(costs, RESERVE) for costs in self.costs(archs)]

    def widest(self, arch: Arch, most_macs: float) -> Arch | None:
        """`arch` of the greatest width within the target and `most_macs`, by halving, or None."""
        archs = [one for one in widths(arch, _WIDTHS) if cost.macs(one) <= most_macs]
        n = bisect_left(archs, True, key=lambda one: not self.kept_by([one])[0])
        return archs[n - 1] if n else None

    def file(self, network: Network) -> bytes:
        """The ONNX model that the target is about: fp32, or in 8-bit integers."""
        exact = self.exact_file(network)
        return self.integers(exact) if self.target.integers else exact

    def exact_file(self, network: Network) -> bytes:
        """The ONNX model in float32, which says class names, mean and std."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.onnx")
            facts = {k: getattr(self.images, k) for k in ("class_names", "mean", "std")}
            return deploy.export_onnx(network.arch, network, path, **facts).read_bytes()

    def integers(self, model: bytes) -> bytes:
        return deploy.int8_bytes(model, self.images.train.x[:N_CALIBRATE])

    def again(self, network: Network, model: bytes) -> Again:
        """The delivered `model` (what `file` gave) measured anew, and timed run by run."""
        setting, image = self.target.setting, random_images(1, network.arch.input_shape)
        runner = onnx_runner(model, setting, image, SESSIONS)
        timed = latency.time_runners({"model": runner}, setting, plan=_LONG)
        single = np.array([runner.time(1)[0] for _ in range(N_SINGLE)]) * 1000
        costs = {
            LATENCY: timed.latency_ms["model"],
            MACS: cost.macs(network.arch),
            SIZE: len(model) / 1000,
        }
        return Again({k: float(v) for k, v in costs.items()}, timed, single)

    def promises(self, network: Network) -> bool:
        """Whether its file, measured as a delivered one, keeps to the target with some reserve."""
        costs = self.again(network, self.file(network)).costs
        return self.target.kept_by(costs, RESERVE / 2)
