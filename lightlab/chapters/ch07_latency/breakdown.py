"""What stands behind a latency: its blocks, its kinds of operators, and its noise."""

import itertools
import json
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import median_abs_deviation

from lightlab import deploy
from lightlab.latency import LookupTable, Setting, Timings, agreement, onnx_model
from lightlab.latency.runtimes import Runner, random_images
from lightlab.latency.timing import Plan, interleave
from lightlab.measure import cost, stats
from lightlab.space.arch import Arch, Head
from lightlab.space.blocks import Block

MIN_HELD_OUT = 10
PROTOCOLS = ("interleaved", "back to back")
_WIDTHS, _STRIDES = (16, 24, 40, 80, 96), (1, 2, 2, 1, 2)
# what an operator's name says of its kind, the first that fits; else "other"
_KINDS = {
    "fc": ("gemm", "matmul"),
    "pool": ("pool", "mean"),
    "layout": ("reorder", "transpose"),
    "elementwise": ("relu", "sigmoid", "swish", "clip", "add", "mul", "div"),
}


def random_networks(n: int, seed: int = 0) -> dict[str, Arch]:
    """`n` different MBConv networks for 32 px by name, drawn uniformly from one small space: behind
    a stem of 16 at stride 2 every stage of _WIDTHS has one to three blocks of kernel 3, 5 or 7 and
    expansion 3 or 6; then 256 features. ValueError where so few different ones are found.
    """
    rng, found = np.random.default_rng(seed), {}
    stem, head = Block("conv", _WIDTHS[0], 3, 2), Head(256)
    for _ in range(100 + 10 * n):
        if len(found) == n:
            break
        blocks = []
        for width, stride in zip(_WIDTHS, _STRIDES, strict=True):
            for s in [stride, 1, 1][: rng.integers(1, 4)]:
                kernel, expand = int(rng.choice((3, 5, 7))), int(rng.choice((3, 6)))
                blocks.append(Block("mb", width, kernel, s, expand))
        found[Arch(32, stem, tuple(blocks), head, n_classes=10)] = None
    if len(found) < n:
        raise ValueError(f"{n} different networks were asked for, {len(found)} were found")
    return {f"net{i:03d}": arch for i, arch in enumerate(found)}


def predictions(
    table: LookupTable, archs: Mapping[str, Arch], timings: Timings, n_calibration: int
) -> pd.DataFrame:
    """Latencies of networks in ms: name, calibration (whether one of the `n_calibration` that fit
    what is fitted), latency_ms, macs_m (millions), the plain sum of pieces (sum), less what joining
    saves (corrected), that with the weights fitted (calibrated); the baselines macs, a line through
    multiply-accumulates, and counts, these and the weights fitted.
    """
    if timings.setting != table.setting:
        raise ValueError(f"the table is for {table.setting}, the timings for {timings.setting}")
    nets = list(archs.values())
    y = np.array([timings.latency_ms[name] for name in archs])
    counts = np.array([(cost.macs(arch), cost.param_count(arch)) for arch in nets]) / 1e6
    few = slice(n_calibration)
    counted = {}
    for name, X in (("macs", counts[:, :1]), ("counts", counts)):
        offset, *slopes = stats.relative_fit(X[few], y[few])
        counted[name] = offset + X @ slopes
    calibrated = table.calibrate(nets[few], y[few])
    return pd.DataFrame(
        {
            "name": list(archs),
            "calibration": np.arange(len(nets)) < n_calibration,
            "latency_ms": y,
            "macs_m": counts[:, 0],
            "sum": [table.predict(arch, "sum") for arch in nets],
            "corrected": [table.predict(arch, "corrected") for arch in nets],
            "calibrated": [calibrated.predict(arch) for arch in nets],
            **counted,
        }
    )


def errors(predicted: pd.DataFrame, again: Timings) -> pd.DataFrame:
    """How well `predictions` fit the networks that were held out, by way of predicting, and the
    same networks timed `again` ("repeat"); columns as in `latency.agreement`.

    "repeat" is less the factor by which the calibration networks say that the machine was slower as
    a whole. It has the noise of two measurements: a perfect prediction would be off by 1 / sqrt(2)
    of it. ValueError with fewer than ten networks held out.
    """
    few, held_out = (predicted[predicted["calibration"] == fitted] for fitted in (True, False))
    if len(held_out) < MIN_HELD_OUT:
        counts = f"{len(predicted)} networks, {len(few)} of them for calibration"
        raise ValueError(f"{counts}: fewer than {MIN_HELD_OUT} are held out")
    shift = few["latency_ms"] / few["name"].map(again.latency_ms)
    repeat = held_out["name"].map(again.latency_ms) * np.exp(np.log(shift).mean())
    ways = ["sum", "corrected", "calibrated", "macs", "counts"]
    rows = [
        {"prediction": name, **agreement(values, held_out["latency_ms"])}
        for name, values in held_out[ways].assign(repeat=repeat).items()
    ]
    return pd.DataFrame(rows)


def profile(archs: Mapping[str, Arch], runs: int) -> pd.DataFrame:
    """Time and multiply-accumulates of one image through each network by kind of operator: network
    (its name), operator, calls, ms, time_share, macs, macs_share (0..1), the slowest first.

    Kinds are the roles of layers, "pool", "layout" (maps rearranged for a kernel), "elementwise"
    and "other". ONNX Runtime's own profiler, on one thread, counts whole microseconds and slows
    small operators down: read shares, not sums. A time is the mean of the quicker half of `runs`.
    """
    parts = []
    for name, arch in archs.items():
        nodes = _nodes(arch, runs)
        ms = np.sort([[node["dur"] / 1e3 for node in one] for one in nodes], axis=0)
        undisturbed = ms[: -(-runs // 2)].mean(axis=0)
        times = pd.DataFrame({"operator": [_kind(node) for node in nodes[0]], "ms": undisturbed})
        found = times.groupby("operator")["ms"].agg(calls="size", ms="sum")
        macs = cost.layer_table(arch).groupby("role")["macs"].sum()
        found = found.join(macs, how="outer").fillna(0).astype({"calls": int, "macs": int})
        found.insert(2, "time_share", found["ms"] / found["ms"].sum())
        found["macs_share"] = found["macs"] / found["macs"].sum()
        found = found.rename_axis("operator").sort_values("ms", ascending=False)
        parts.append(found.reset_index().assign(network=name))
    return pd.concat(parts, ignore_index=True)


def _nodes(arch: Arch, runs: int) -> list[list[dict[str, Any]]]:
    """The graph's operators in each of `runs` runs, always in the same order."""
    images = random_images(1, arch.input_shape).numpy()
    with tempfile.TemporaryDirectory() as folder:
        model = onnx_model(arch, arch.input_shape, Setting())
        session = deploy.session(model, batch=1, profile_prefix=str(Path(folder, "profile")))
        for _ in range(runs):
            session.run(None, {"input": images})
        events = json.loads(Path(session.end_profiling()).read_text())
    nodes = [event for event in events if event.get("cat") == "Node"]
    n = len(nodes) // runs
    return [nodes[n * i : n * (i + 1)] for i in range(runs)]


def _kind(node: Mapping[str, Any]) -> str:
    """The role of a convolution by its name, or by its weights, for a fused one has no name."""
    op = node["args"]["op_name"].lower()
    if "conv" not in op:
        kinds = (kind for kind, words in _KINDS.items() if any(word in op for word in words))
        return next(kinds, "other")
    for part in ("se", "depthwise"):
        if f"/{part}/" in node["name"]:
            return part
    (shape,) = node["args"]["input_type_shape"][1].values()
    out, per_group, kernel, _ = shape
    if per_group == 1 and out > 1:
        return "depthwise"
    return "conv" if kernel > 1 else "pointwise"


def repeat(runners: Mapping[str, Runner], plan: Plan) -> dict[str, list[np.ndarray]]:
    """Times (networks, rounds) in ms of the same networks, measured twice by each protocol, in two
    orders: "interleaved" visits all of them in every round, "back to back" makes all visits to one
    network before it goes on to the next.
    """
    found = {protocol: [] for protocol in PROTOCOLS}
    for repetition, protocol in itertools.product(range(2), PROTOCOLS):
        order = np.random.default_rng([plan.seed, repetition]).permutation(len(runners))
        names = [list(runners)[i] for i in order]
        turns = [names] if protocol == "interleaved" else [[name] for name in names]
        visits = [interleave({n: runners[n] for n in turn}, plan, protocol) for turn in turns]
        ms = np.concatenate([np.array(v.ms) for v in visits])
        found[protocol].append(ms[np.argsort(order)])
    return found


def disagreement(repeated: Mapping[str, list[np.ndarray]]) -> pd.DataFrame:
    """How far two repetitions differ about a network: protocol, n_visits (1, 2, 4, … and all),
    percent: median over the networks of the absolute logarithm of their medians' ratio, less its
    own median, for a machine slower as a whole changes no comparison; and ci_low, ci_high, a
    bootstrap interval over the networks.
    """
    rows, gap = [], partial(median_abs_deviation, axis=-1, scale=0.01)  # in per cent
    for protocol, (a, b) in repeated.items():
        most = a.shape[1]
        for n in [*(2**i for i in range(most.bit_length()) if 2**i < most), most]:
            logs = [np.log(np.median(x[:, :n], axis=1)) for x in (a, b)]
            rows.append((protocol, n, *stats.bootstrap_ci(gap, logs[0] - logs[1])))
    return pd.DataFrame(rows, columns=["protocol", "n_visits", "percent", "ci_low", "ci_high"])


def single_times(cold: np.ndarray, first: np.ndarray, second: np.ndarray) -> pd.DataFrame:
    """How wrong one would have been by the very first run (`cold`, one time per network), by one
    visit (the mean of all), and by all rounds of `first`, compared with the medians of `second`:
    wrong_pairs, the share of pairs of networks in another order; error_pct, the standard deviation
    of the ratio's logarithm over the networks; and times_as_long, its mean.
    """
    truth = np.median(second, axis=1)
    rows = {
        "first run": _error(cold, truth),
        "one visit": pd.DataFrame([_error(ms, truth) for ms in first.T]).mean().to_dict(),
        f"median of {first.shape[1]} visits": _error(np.median(first, axis=1), truth),
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("measurement")


def _error(ms: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    i, j = np.triu_indices(len(truth), 1)
    wrong = np.sign(ms[i] - ms[j]) != np.sign(truth[i] - truth[j])
    logs = np.log(ms / truth)
    return {
        "times_as_long": float(np.exp(logs.mean())),
        "error_pct": float(100 * logs.std()),
        "wrong_pairs": float(wrong.mean()),
    }
