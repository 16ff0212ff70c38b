"""Timing networks: one, or several against each other."""

from collections.abc import Mapping

from torch import nn

from lightlab.measure.latency.device import device, load
from lightlab.measure.latency.runtimes import runner
from lightlab.measure.latency.setting import LatencyError, Setting
from lightlab.measure.latency.timing import FASTEST, MEDIAN, Plan, Runner, interleave
from lightlab.measure.latency.timings import Latency, Timings
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
) -> Latency:
    """How long one run of `model` takes here: median ms over the rounds, spread and interval.

    Time with another network's only by `measure_many`, which visits them in turn. `input_shape` as
    in `runner`; LatencyError for what cannot be run.
    """
    timings = measure_many({"network": model}, runtime, threads, batch, input_shape, plan=plan)
    return timings["network"]


def measure_many(
    models: Mapping[str, Arch | nn.Module],
    runtime: str = "onnxruntime",
    threads: int = 1,
    batch: int = 1,
    input_shape: tuple[int, ...] | None = None,
    *,
    plan: Plan | None = None,
    estimate: str = "median",
) -> Timings:
    """Latencies of `models` by name, timed interleaved so that drift touches all alike.

    `estimate` "median" or "fastest", see `Timings`. The result gives single numbers with their
    intervals; a ranking or a ratio only where the noise does not drown it.
    """
    setting = Setting(runtime, threads, batch)
    runners = {name: runner(model, setting, input_shape) for name, model in models.items()}
    return time_runners(runners, setting, plan=plan, estimate=estimate)


def time_runners(
    runners: Mapping[str, Runner],
    setting: Setting,
    *,
    plan: Plan | None = None,
    estimate: str = "median",
    bar: str = "timing",
) -> Timings:
    """Latencies of what is ready to run, e.g. of the same network in several settings."""
    if not runners:
        raise LatencyError("there is no network to time")
    plan = plan or PLANS.get(estimate, MEDIAN)
    about = device(setting.runtime)
    visits = interleave(runners, plan, bar)
    return Timings(visits, setting, about | {"load_end": load()}, estimate)
