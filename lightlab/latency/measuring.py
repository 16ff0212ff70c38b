"""Timing networks: one, or several against each other."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pandas as pd
from torch import nn
from tqdm.auto import tqdm

from lightlab.latency.device import device, load
from lightlab.latency.runtimes import runner
from lightlab.latency.setting import LatencyError, Setting
from lightlab.latency.timing import FASTEST, MEDIAN, Plan, Runner, interleave
from lightlab.latency.timings import Latency, Timings, check_estimate
from lightlab.space.arch import Arch

PLANS = {"median": MEDIAN, "fastest": FASTEST}


def measure(
    model: Arch | nn.Module,
    runtime: str = "onnxruntime",
    threads: int = 1,
    batch: int = 1,
    input_shape: tuple[int, ...] | None = None,
    *,
    plan: Plan | None = None,
    sessions: int | None = None,
) -> Latency:
    """How long one run of `model` takes here: median ms over the rounds, spread and interval.

    Time with another network's only by `measure_many`, which visits them in turn. `input_shape` and
    `sessions` as in `runner`; LatencyError for what cannot be run.
    """
    how = {"plan": plan, "sessions": sessions}
    return measure_many({"network": model}, runtime, threads, batch, input_shape, **how)["network"]


def measure_many(
    models: Mapping[str, Arch | nn.Module],
    runtime: str = "onnxruntime",
    threads: int = 1,
    batch: int = 1,
    input_shape: tuple[int, ...] | None = None,
    *,
    plan: Plan | None = None,
    estimate: str = "median",
    sessions: int | None = None,
) -> Timings:
    """Latencies of `models` by name, timed interleaved so that drift touches all alike.

    `estimate` "median" or "fastest", see `Timings`; `sessions` as in `runner`, among which the
    rounds rotate. The result gives single numbers with their intervals; a ranking or a ratio only
    where the noise does not drown it.
    """
    check_estimate(estimate)  # before minutes are spent
    setting = Setting(runtime, threads, batch)
    runners = {
        name: runner(model, setting, input_shape, sessions=sessions)
        for name, model in tqdm(
            models.items(), desc="making ready", unit="network", leave=False, delay=1
        )
    }
    return time_runners(runners, setting, plan=plan, estimate=estimate)


def measure_settings(
    models: Mapping[str, Arch | nn.Module], settings: Iterable[str], plan: Plan | None = None
) -> pd.DataFrame:
    """`models` timed in turn in each of these settings ("runtime/threads/batch"), by their fastest
    samples: rows network, setting, latency_ms.
    """
    rows = []
    for text in settings:
        how = Setting.of(text)
        timed = measure_many(
            models, how.runtime, how.threads, how.batch, plan=plan, estimate="fastest"
        )
        rows += [(name, text, timed.latency_ms[name]) for name in models]
    return pd.DataFrame(rows, columns=["network", "setting", "latency_ms"])


def time_runners(
    runners: Mapping[str, Runner],
    setting: Setting,
    *,
    plan: Plan | None = None,
    estimate: str = "median",
) -> Timings:
    """Latencies of what is ready to run, e.g. of the same network in several settings.

    The rounds of a `Sessions`, as `runner` makes it for ONNX Runtime, go to its members in turn.
    Where the fastest sample counts and `plan` does not say when it is settled, it is as in FASTEST:
    without that, on a busy machine some networks have a fast moment and others none.
    """
    check_estimate(estimate)
    if not runners:
        raise LatencyError("there is no network to time")
    plan = plan or PLANS[estimate]
    if estimate == "fastest" and plan.settle is None:
        plan = replace(plan, settle=FASTEST.settle)
    about = device(setting.runtime)
    visits = interleave(runners, plan)
    return Timings(visits, setting, about | {"load_end": load()}, estimate)
