"""A network's time by its parts: the sum of its blocks, and the share of each kind of operator."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lightlab import deploy
from lightlab.latency import LookupTable, Setting, Timings, agreement, onnx_model
from lightlab.latency.runtimes import random_images
from lightlab.measure import cost, stats
from lightlab.space.arch import Arch, Head, layers
from lightlab.space.blocks import Block

MIN_HELD_OUT = 10
_WIDTHS, _STRIDES = (16, 24, 40, 80, 96), (1, 2, 2, 1, 2)
# what an operator's name says of its kind, the first that fits; else "other"
_KINDS = {
    "fc": ("gemm", "matmul"),
    "pool": ("pool", "mean"),
    "layout": ("reorder", "transpose"),
    "elementwise": ("relu", "sigmoid", "swish", "clip", "add", "mul", "div"),
}


def random_networks(n: int, seed: int = 0) -> dict[str, Arch]:
    """`n` different MBConv networks for 32 px by name, drawn uniformly from one small space.

    Widths 16, 24, 40, 80, 96 at strides 1, 2, 2, 1, 2 behind a stem of 16 at stride 2; every stage
    one to three blocks of kernel 3, 5 or 7 and expansion 3 or 6; 256 features. ValueError where
    so many different ones are not found.
    """
    rng, found = np.random.default_rng(seed), {}
    stem, head = Block("conv", _WIDTHS[0], 3, 2), Head(256)
    for _ in range(100 + 10 * n):
        if len(found) == n:
            break
        stages = zip(_WIDTHS, _STRIDES, strict=True)
        blocks = [block for width, stride in stages for block in _stage(width, stride, rng)]
        found[Arch(32, stem, tuple(blocks), head, n_classes=10)] = None
    if len(found) < n:
        raise ValueError(f"{n} different networks were asked for, {len(found)} were found")
    return {f"net{i:03d}": arch for i, arch in enumerate(found)}


def _stage(width: int, stride: int, rng: np.random.Generator) -> list[Block]:
    strides = [stride, 1, 1][: rng.integers(1, 4)]
    return [
        Block("mb", width, int(rng.choice((3, 5, 7))), s, int(rng.choice((3, 6)))) for s in strides
    ]


def predictions(
    table: LookupTable, archs: Mapping[str, Arch], timings: Timings, n_calibration: int
) -> pd.DataFrame:
    """Latencies of networks as predicted and as measured, in ms, a row per network.

    Columns name, calibration (the first `n_calibration` networks fit what is fitted), latency_ms,
    macs_m (millions), the plain sum of pieces (sum), less what joining saves (corrected), that with
    the weights fitted (calibrated); the baselines macs, a line through multiply-accumulates, and
    counts, these and the weights fitted. ValueError for another setting than the table's.
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
    """How well `predictions` fit the networks that were held out, a row for each way of predicting
    and "repeat", the same networks timed `again`; columns as in `latency.agreement`.

    "repeat" is less the factor by which the calibration networks say that the machine was slower as
    a whole. It has the noise of two measurements, sqrt(2) times that of one; a perfect prediction
    would be off by 1 / sqrt(2) of it. ValueError with fewer than ten networks held out.
    """
    few, held_out = (predicted[predicted["calibration"] == fitted] for fitted in (True, False))
    if len(held_out) < MIN_HELD_OUT:
        raise ValueError(
            f"{len(predicted)} networks, {len(few)} of them for calibration: fewer than "
            f"{MIN_HELD_OUT} are held out"
        )
    shift = few["latency_ms"] / few["name"].map(again.latency_ms)
    repeat = held_out["name"].map(again.latency_ms) * np.exp(np.log(shift).mean())
    ways = ["sum", "corrected", "calibrated", "macs", "counts"]
    rows = [
        {"prediction": name, **agreement(values, held_out["latency_ms"])}
        for name, values in held_out[ways].assign(repeat=repeat).items()
    ]
    return pd.DataFrame(rows)


def profile(archs: Mapping[str, Arch], runs: int) -> pd.DataFrame:
    """Time and multiply-accumulates of one image through each network by kind of operator.

    Rows network (its name), operator, calls, ms, time_share, macs, macs_share (0..1), the slowest
    operator first; ONNX Runtime on one thread. Kinds are the roles of convolutions ("conv",
    "depthwise", "pointwise", "se"), "fc", "pool", "layout" (maps rearranged for a kernel) and
    "elementwise". The runtime's own profiler counts whole microseconds and slows small operators
    down: read shares, not sums. A time is the mean of the quicker half of the `runs`.
    """
    parts = [_profile(arch, runs).assign(network=name) for name, arch in archs.items()]
    return pd.concat(parts, ignore_index=True)


def _profile(arch: Arch, runs: int) -> pd.DataFrame:
    nodes = _nodes(arch, runs)
    ms = np.sort([[node["dur"] / 1e3 for node in one] for one in nodes], axis=0)
    undisturbed = ms[: -(-runs // 2)].mean(axis=0)
    times = pd.DataFrame({"operator": [_kind(node) for node in nodes[0]], "ms": undisturbed})
    found = times.groupby("operator")["ms"].agg(calls="size", ms="sum")
    counts = pd.DataFrame([(x.role, x.macs) for x in layers(arch)], columns=["operator", "macs"])
    macs = counts.groupby("operator")["macs"].sum()
    found = found.join(macs, how="outer").fillna(0).astype({"calls": int, "macs": int})
    found["time_share"] = found["ms"] / found["ms"].sum()
    found["macs_share"] = found["macs"] / found["macs"].sum()
    columns = ["operator", "calls", "ms", "time_share", "macs", "macs_share"]
    return found.reset_index().sort_values("ms", ascending=False, ignore_index=True)[columns]


def _nodes(arch: Arch, runs: int) -> list[list[dict[str, Any]]]:
    """The graph's operators in each of `runs` runs, as ONNX Runtime's profiler tells of them; they
    come in the same order every time.
    """
    images, setting = random_images(1, arch.input_shape).numpy(), Setting()
    with tempfile.TemporaryDirectory() as folder:
        model = onnx_model(arch, arch.input_shape, setting)
        session = deploy.session(model, batch=1, profile_prefix=str(Path(folder, "profile")))
        for _ in range(runs):
            session.run(None, {"input": images})
        events = json.loads(Path(session.end_profiling()).read_text())
    nodes = [event for event in events if event.get("cat") == "Node"]
    n = len(nodes) // runs
    return [nodes[n * i : n * (i + 1)] for i in range(runs)]


def _kind(node: Mapping[str, Any]) -> str:
    """The role of a convolution by its name, or by its weights, for a fused one has no name; of
    other operators what their type says.
    """
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
