"""The timing protocol: several networks visited in turn, round after round, in changing order.

Networks timed one after another inherit the machine's drift (clock rate, neighbours) as if it were
theirs; visited in turn, they share it. A visit warms up untimed, since the network before has taken
the caches, then takes the median of several samples of several runs each.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from tqdm.auto import tqdm

_LEAST_WARM_UP, _MOST_WARM_UP = 3, 10_000  # runs
_CLOCK_S = 1e-7  # what the clock resolves


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
class Sessions:
    """The same model made ready several times: round i is timed on number i modulo their number."""

    runners: tuple[Runner, ...]

    def time(self, n: int) -> tuple[float, float]:
        """As the first of them."""
        return self.runners[0].time(n)


@dataclass(frozen=True)
class Plan:
    """How long and how often. A sample lasts at least `sample_ms`, a visit has `samples` of them.

    A visit in which the process had the processor for less than `min_busy` of the time was
    disturbed and is made again, at most `rounds` times a network. With `settle` a network is
    visited on after `rounds`, up to `max_rounds`, until the fastest samples of its two best rounds
    agree to that share: one lucky sample on a busy machine is no measurement. `seed` orders the
    networks.
    """

    rounds: int = 10
    samples: int = 5
    sample_ms: float = 1.0
    warmup_ms: float = 10.0
    min_busy: float = 0.95
    settle: float | None = None
    max_rounds: int = 100
    seed: int = 0

    def enough(self, fastest: Sequence[float]) -> bool:
        """Whether the rounds with these fastest samples will do."""
        if len(fastest) < self.rounds:
            return False
        if self.settle is None or len(fastest) >= self.max_rounds:
            return True
        best, second = sorted(fastest)[:2]
        return second <= (1 + self.settle) * best


MEDIAN = Plan()
FASTEST = Plan(rounds=24, samples=10, sample_ms=0.2, min_busy=0, settle=0.02)


@dataclass
class Visits:
    """What the rounds gave: for every network a value in ms per run and round, and the counts."""

    names: list[str]
    ms: list[list[float]]  # median of a visit's samples
    fastest: list[list[float]]  # least of them
    runs: np.ndarray  # timed runs per network
    disturbed: np.ndarray  # visits that were kept although disturbed, per network
    repeated: np.ndarray  # visits that were made again, per network


def interleave(runners: Mapping[str, Runner], plan: Plan, bar: str = "timing") -> Visits:
    """All rounds of `plan` over `runners`; `bar` labels the progress bar."""
    counts = (np.zeros(len(runners), int) for _ in range(3))
    visits = Visits(list(runners), [[] for _ in runners], [[] for _ in runners], *counts)
    turns = [r.runners if isinstance(r, Sessions) else (r,) for r in runners.values()]
    numbers = [max(warm_up(runner, plan) for runner in own) for own in turns]
    rng = np.random.default_rng(plan.seed)
    with tqdm(total=plan.rounds * len(turns), desc=bar, unit="visit") as progress:
        while active := [i for i, got in enumerate(visits.fastest) if not plan.enough(got)]:
            progress.total = max(progress.total, progress.n + len(active))
            for i in rng.permutation(active):
                runner = turns[i][len(visits.fastest[i]) % len(turns[i])]
                samples = _settled_visit(runner, numbers[i], plan, visits, i)
                visits.ms[i].append(float(np.median(samples)))
                visits.fastest[i].append(float(samples.min()))
                progress.update()
    return visits


def warm_up(runner: Runner, plan: Plan) -> int:
    """Run untimed for `warmup_ms`, at least three times; how many runs make up a sample."""
    spent, once, n = 0.0, math.inf, 0
    while n < _LEAST_WARM_UP or (spent * 1e3 < plan.warmup_ms and n < _MOST_WARM_UP):
        seconds, _ = runner.time(1)
        spent, once, n = spent + seconds, min(once, seconds), n + 1
    return max(1, math.ceil(plan.sample_ms / 1e3 / max(once, _CLOCK_S)))


def _settled_visit(runner: Runner, number: int, plan: Plan, visits: Visits, i: int) -> np.ndarray:
    """Samples of one visit, ms per run, made again while it is disturbed and repeats are left."""
    while True:
        ms, busy = visit(runner, number, plan.samples)
        visits.runs[i] += number * plan.samples
        if not busy < plan.min_busy:  # NaN: not known, taken as it is
            return ms
        if visits.repeated[i] == plan.rounds:
            visits.disturbed[i] += 1
            return ms
        visits.repeated[i] += 1


def visit(runner: Runner, number: int, samples: int) -> tuple[np.ndarray, float]:
    """Samples of `number` runs each, in ms per run; the share of time on the processor."""
    runner.time(number)
    walls, cpus = np.array([runner.time(number) for _ in range(samples)]).T
    return walls * 1e3 / number, float(cpus.sum() / max(walls.sum(), _CLOCK_S))
