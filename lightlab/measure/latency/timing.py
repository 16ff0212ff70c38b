"""The timing protocol: several networks visited in turn, round after round, in changing order.

Networks timed one after another inherit the machine's drift (clock rate, neighbours) as if it were
theirs; visited in turn, they share it. A visit warms up untimed, since the network before has taken
the caches, then takes the median of several samples of several runs each.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd
from tqdm.auto import tqdm


class Runner(Protocol):
    """Something that can be run and timed."""

    def time(self, n: int) -> tuple[float, float]:
        """Run `n` times; seconds by the wall clock, and on this thread's processor (or NaN)."""


@dataclass
class HostRunner:
    """`run` timed by the wall clock; `inside` is entered around the timing, e.g. to set threads.

    `cpu` False where the work is not this thread's alone, so that its own time tells nothing.
    """

    run: Callable[[], object]
    inside: Callable[[], AbstractContextManager] = nullcontext
    cpu: bool = True

    def time(self, n: int) -> tuple[float, float]:
        run, repeats = self.run, range(n)
        with self.inside():
            cpu = time.thread_time()
            begin = time.perf_counter()
            for _ in repeats:
                run()
            wall = time.perf_counter() - begin
            cpu = time.thread_time() - cpu
        return wall, cpu if self.cpu else math.nan


@dataclass(frozen=True)
class Plan:
    """How long and how often. A sample lasts at least `sample_ms`, a visit has `samples` of them.

    A visit in which the process had the processor for less than `min_busy` of the time was
    disturbed and is made again, at most as many times in all as there are visits. `seed` orders the
    networks.
    """

    rounds: int = 10
    samples: int = 5
    sample_ms: float = 1.0
    warmup_ms: float = 10.0
    min_busy: float = 0.95
    seed: int = 0


@dataclass
class Visits:
    """What the rounds gave: ms per run of shape (networks, rounds), and how it came about."""

    names: list[str]
    ms: np.ndarray
    runs: np.ndarray  # timed runs per network
    disturbed: np.ndarray  # visits that were kept although disturbed, per network
    repeated: int = 0  # visits that were made again
    _left: int = field(default=0, repr=False)

    @classmethod
    def none(cls, names: list[str], rounds: int) -> "Visits":
        n = len(names)
        empty = np.full((n, rounds), np.nan)
        return cls(names, empty, np.zeros(n, int), np.zeros(n, int), _left=n * rounds)

    def frame(self) -> pd.DataFrame:
        """One row per visit: name, round, latency_ms."""
        rounds = range(self.ms.shape[1])
        index = pd.MultiIndex.from_product([self.names, rounds], names=["name", "round"])
        return pd.Series(self.ms.ravel(), index, name="latency_ms").dropna().reset_index()


def interleave(runners: Mapping[str, Runner], plan: Plan, bar: str = "timing") -> Visits:
    """All rounds of `plan` over `runners`; `bar` labels the progress bar."""
    visits = Visits.none(list(runners), plan.rounds)
    for _ in rounds(runners, plan, visits, bar):
        pass
    return visits


def rounds(runners: Mapping[str, Runner], plan: Plan, visits: Visits, bar: str) -> Iterator[int]:
    """Make one round after another into `visits`, and say after each how many are done."""
    todo = list(runners.values())
    numbers = [warm_up(runner, plan) for runner in todo]
    rng = np.random.default_rng(plan.seed)
    with tqdm(total=plan.rounds * len(todo), desc=bar, unit="visit", disable=None) as progress:
        for r in range(plan.rounds):
            for i in rng.permutation(len(todo)):
                visits.ms[i, r] = _settled_visit(todo[i], numbers[i], plan, visits, i)
                progress.update()
            yield r + 1


def warm_up(runner: Runner, plan: Plan) -> int:
    """Run untimed for `warmup_ms`, at least three times; how many runs make up a sample."""
    spent, once = 0.0, math.inf
    n = 0
    while n < 3 or spent * 1e3 < plan.warmup_ms:
        seconds, _ = runner.time(1)
        spent, once, n = spent + seconds, min(once, seconds), n + 1
        if n > 100_000:  # a clock that stands still
            break
    return max(1, math.ceil(plan.sample_ms / 1e3 / max(once, 1e-7)))


def _settled_visit(runner: Runner, number: int, plan: Plan, visits: Visits, i: int) -> float:
    """ms per run of one visit, made again while it is disturbed and repeats are left."""
    while True:
        ms, busy = visit(runner, number, plan.samples)
        visits.runs[i] += number * plan.samples
        if not busy < plan.min_busy:  # NaN: not known, taken as it is
            return ms
        if visits._left == 0:
            visits.disturbed[i] += 1
            return ms
        visits._left -= 1
        visits.repeated += 1


def visit(runner: Runner, number: int, samples: int) -> tuple[float, float]:
    """Median ms per run over samples of `number` runs; the share of time on the processor."""
    runner.time(number)
    walls, cpus = np.array([runner.time(number) for _ in range(samples)]).T
    return float(np.median(walls)) * 1e3 / number, float(cpus.sum() / max(walls.sum(), 1e-12))
