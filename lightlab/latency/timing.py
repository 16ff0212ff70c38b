"""Timing networks in turn, round after round, in changing order.

Networks timed one after another inherit the machine's drift (clock rate, neighbours) as if it were
theirs; visited in turn, they share it. A visit warms up untimed, since the network before has taken
the caches, then takes the median of several samples of several runs each.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn
from tqdm.auto import tqdm

from lightlab.data import Split
from lightlab.deploy.export import difference, run
from lightlab.deploy.model import read_bytes, session
from lightlab.latency.latencies import Timings, Visits, check_estimate
from lightlab.latency.runtimes import SESSIONS, Runner, Sessions, onnx_runner, runner
from lightlab.latency.setting import Setting, device, load
from lightlab.space.arch import Arch

_LEAST_WARM_UP, _MOST_WARM_UP = 3, 10_000  # runs
_CLOCK_S = 1e-7  # what the clock resolves


@dataclass(frozen=True)
class Plan:
    """How long and how often: `samples` a visit, of at least `sample_ms` each.

    A visit that had the processor for less than `min_busy` of its time is made again, at most
    `rounds` times a network. With `settle` a network is visited up to `max_rounds` times, until the
    fastest samples of its two best rounds agree to that share. `seed` orders the networks.
    """

    rounds: int = 10
    samples: int = 5
    sample_ms: float = 1.0
    warmup_ms: float = 10.0
    min_busy: float = 0.95
    settle: float | None = None
    max_rounds: int = 100
    seed: int = 0

    @classmethod
    def brief(cls, rounds: int, warmup_ms: float = 3.0) -> "Plan":
        """For many small networks by their fastest samples, of which no visit is made again."""
        return cls(rounds, sample_ms=0.3, warmup_ms=warmup_ms, min_busy=0)

    def enough(self, fastest: Sequence[float]) -> bool:
        if self.settle is None or not self.rounds <= len(fastest) < self.max_rounds:
            return len(fastest) >= self.rounds
        best, second = sorted(fastest)[:2]
        return second <= (1 + self.settle) * best


FASTEST = Plan(rounds=24, samples=10, sample_ms=0.2, min_busy=0, settle=0.02)


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
                samples = _visit(runner, numbers[i], plan, visits, i)
                visits.ms[i].append(float(np.median(samples)))
                visits.fastest[i].append(float(samples.min()))
                progress.update()
    return visits


def warm_up(runner: Runner, plan: Plan) -> int:
    """Run untimed for `warmup_ms`; how many runs make up a sample."""
    spent, once, n = 0.0, math.inf, 0
    while n < _LEAST_WARM_UP or (spent * 1e3 < plan.warmup_ms and n < _MOST_WARM_UP):
        seconds, _ = runner.time(1)
        spent, once, n = spent + seconds, min(once, seconds), n + 1
    return max(1, math.ceil(plan.sample_ms / 1e3 / max(once, _CLOCK_S)))


def _visit(runner: Runner, number: int, plan: Plan, visits: Visits, i: int) -> np.ndarray:
    """Samples of `number` runs each, in ms per run, made again while the visit is disturbed."""
    while True:
        runner.time(number)
        walls, cpus = np.array([runner.time(number) for _ in range(plan.samples)]).T
        visits.runs[i] += number * plan.samples
        disturbed = cpus.sum() / max(walls.sum(), _CLOCK_S) < plan.min_busy  # NaN: not known
        if not disturbed or visits.repeated[i] == plan.rounds:
            visits.disturbed[i] += disturbed
            return walls * 1e3 / number
        visits.repeated[i] += 1


def measure_many(
    models: Mapping[str, Arch | nn.Module],
    setting: Setting = Setting(),  # noqa: B008  a frozen value
    input_shape: tuple[int, ...] | None = None,
    *,
    plan: Plan | None = None,
    estimate: str = "median",
    sessions: int = SESSIONS,
) -> Timings:
    """Latencies of `models` by name, timed in turn so that drift touches all alike.

    `estimate` as in `Timings`, `input_shape` and `sessions` as in `runner`.
    """
    check_estimate(estimate)  # before minutes are spent
    ready = tqdm(models.items(), desc="making ready", unit="network", leave=False, delay=1)
    runners = {name: runner(m, setting, input_shape, sessions=sessions) for name, m in ready}
    return time_runners(runners, setting, plan=plan, estimate=estimate)


def measure_settings(
    models: Mapping[str, Arch | nn.Module], settings: Iterable[str], plan: Plan | None = None
) -> pd.DataFrame:
    """`models` in each setting ("runtime/threads/batch"): rows network, setting, latency_ms."""
    rows = []
    for text in settings:
        timed = measure_many(models, Setting.of(text), plan=plan, estimate="fastest")
        rows += [(name, text, ms) for name, ms in timed.latency_ms.items()]
    return pd.DataFrame(rows, columns=["network", "setting", "latency_ms"])


def time_runners(
    runners: Mapping[str, Runner],
    setting: Setting,
    *,
    plan: Plan | None = None,
    estimate: str = "median",
) -> Timings:
    """Latencies of what is ready to run. Where the fastest sample counts it is settled as in
    FASTEST unless `plan` says how: else some networks have a fast moment and others none.
    """
    check_estimate(estimate)
    if not runners:
        raise ValueError("there is no network to time")
    plan = plan or (FASTEST if estimate == "fastest" else Plan())
    if estimate == "fastest" and plan.settle is None:
        plan = replace(plan, settle=FASTEST.settle)
    about = device(setting.runtime)
    visits = interleave(runners, plan)
    return Timings(visits, setting, about | {"load_end": load()}, estimate)


def compare_files(path: str | Path, int8_path: str | Path, split: Split) -> pd.DataFrame:
    """What 8-bit integers did to a network, on `split` and here: model ("fp32", "int8"), accuracy,
    top1_agreement and max_abs_diff (of logits, with the first), size_bytes, latency_ms and iqr_ms
    (batch 1, one thread, in turn). ValueError without images, or on logits that are not finite.
    """
    if not len(split):
        raise ValueError("comparing needs at least one image")
    setting, image, labels = Setting(), split.x[:1].float().contiguous(), split.y.numpy()
    models = {"fp32": read_bytes(path), "int8": read_bytes(int8_path)}
    outputs = {name: run(session(model), split.x) for name, model in models.items()}
    runners = {name: onnx_runner(m, setting, image, SESSIONS) for name, m in models.items()}
    timings = time_runners(runners, setting)
    found = pd.DataFrame(
        {
            "model": name,
            "accuracy": float((outputs[name].argmax(1) == labels).mean()),
            **difference(outputs["fp32"], outputs[name]),
            "size_bytes": len(model),
        }
        for name, model in models.items()
    )
    found[["latency_ms", "iqr_ms"]] = timings.table[["latency_ms", "iqr_ms"]]  # in that order too
    found.attrs["device"] = timings.device
    return found
