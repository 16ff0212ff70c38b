"""Where a network's time goes, by kind of operator, beside where its multiply-accumulates go."""

import json
import re
import tempfile
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.profiler import ProfilerActivity, profile, record_function

from lightlab.latency.engines import onnx_session
from lightlab.latency.pieces import pieces
from lightlab.latency.runtimes import onnx_model, random_images
from lightlab.latency.setting import LatencyError, Setting
from lightlab.measure.threads import torch_threads
from lightlab.nets.build import build
from lightlab.space.arch import Arch, layers

_RUN, _ATEN = "lightlab run", "aten::"
# what a name says of an operator's kind, the first that fits; else "other"
_KINDS = {
    "quantise": ("quantizelinear",),
    "fc": ("gemm", "matmul", "addmm", "::linear"),
    "pool": ("pool", "mean"),
    "layout": ("reorder", "transpose", "copy_", "clone", "contiguous"),
    "normalise": ("norm",),
    "elementwise": ("relu", "sigmoid", "swish", "clamp", "clip", "hardtanh", "add", "mul", "div"),
}
_POINTWISE = ("/expand/", "/project/", "/conv_k1_")


@dataclass(frozen=True)
class _Call:
    """One call of an operator: its type and name, its time, the shapes of its inputs."""

    op: str
    name: str
    ms: float
    shapes: list[list[int]]


def where_time_goes(
    arch: Arch, runtime: str = "onnxruntime", threads: int = 1, runs: int = 200
) -> pd.DataFrame:
    """Time and multiply-accumulates of one image through `arch` by kind of operator.

    Columns: operator, calls, ms, time_share, macs, macs_share (0..1), the slowest first. Kinds are
    the roles of convolutions ("conv", "depthwise", "pointwise", "se"), "fc", "pool", "layout"
    (maps rearranged for a kernel), "quantise", "normalise" and "elementwise". With "torch" one
    layer is several calls: PyTorch's operators call each other, each counted with the time that is
    its own. The runtimes' own profilers count whole microseconds and slow small operators down:
    read shares, not sums. An operator's time is the mean of the quicker half of its `runs`.
    LatencyError for a runtime without profiler here.
    """
    setting = Setting(runtime, threads)
    if runtime not in _PROFILERS:
        raise LatencyError(f"{runtime} has no profiler here: take one of {', '.join(_PROFILERS)}")
    if runs < 1:
        raise LatencyError(f"runs must be a whole number from 1 on, got {runs}")
    setting.check_here()
    passes = _PROFILERS[runtime](arch, setting, runs)
    calls = passes[-1]  # a graph's operators come in the same order every time
    ms = np.sort([[c.ms for c in one] for one in passes if len(one) == len(calls)], axis=0)
    undisturbed = ms[: -(-len(ms) // 2)].mean(axis=0)
    times = pd.DataFrame({"operator": [_kind(call) for call in calls], "ms": undisturbed})
    found = times.groupby("operator")["ms"].agg(calls="size", ms="sum")
    found = found.join(_macs(arch), how="outer").fillna(0).astype({"calls": int, "macs": int})
    found["time_share"] = found["ms"] / found["ms"].sum()
    found["macs_share"] = found["macs"] / found["macs"].sum()
    columns = ["operator", "calls", "ms", "time_share", "macs", "macs_share"]
    return found.reset_index().sort_values("ms", ascending=False, ignore_index=True)[columns]


def _macs(arch: Arch) -> pd.Series:
    """Multiply-accumulates by role of layer."""
    rows = pd.DataFrame([(x.role, x.macs) for x in layers(arch)], columns=["operator", "macs"])
    return rows.groupby("operator")["macs"].sum()


def _kind(call: _Call) -> str:
    """The role of a convolution by its name or its weights, else what the operator's name says."""
    op = call.op.lower()
    if "conv" in op:
        return _role(call)
    for kind, words in _KINDS.items():
        if any(word in op for word in words):
            return kind
    return "other"


def _role(call: _Call) -> str:
    """By its name, else by its weights: a quantised one hides their shape, a fused one its name."""
    for part, role in (("/se/", "se"), ("/depthwise/", "depthwise")):
        if part in call.name:
            return role
    if len(call.shapes) > 1 and len(call.shapes[1]) == 4:
        out, per_group, kernel, _ = call.shapes[1]
        if per_group == 1 and out > 1:
            return "depthwise"
        if kernel > 1:
            return "conv"
        # PyTorch's profiler names no layer, but there only squeeze-excite has a bias
        return "se" if call.name.startswith(_ATEN) and any(call.shapes[2:3]) else "pointwise"
    return "pointwise" if any(x in call.name for x in _POINTWISE) else "conv"


def _onnx_passes(arch: Arch, setting: Setting, runs: int) -> list[list[_Call]]:
    """The operators of each of `runs` runs, by ONNX Runtime's own profiler."""
    images = random_images(1, arch.input_shape).numpy()
    with tempfile.TemporaryDirectory() as folder:
        model = onnx_model(arch, arch.input_shape, setting)
        session = onnx_session(model, setting, profile_prefix=str(Path(folder, "profile")))
        for _ in range(runs):
            session.run(None, {"input": images})
        events = json.loads(Path(session.end_profiling()).read_text())
    texts = [piece.text for piece in pieces(arch)]  # nodes are named "3./depthwise/conv/Conv"
    passes: list[list[_Call]] = [[]]
    for event in events:
        if event["name"] == "model_run":
            passes.append([])
        elif event.get("cat") == "Node":
            about = event["args"]
            shapes = [shape for one in about["input_type_shape"] for shape in one.values()]
            name = re.sub(r"^(\d+)\.", lambda m: f"/{texts[int(m[1])]}/", event["name"])
            passes[-1].append(_Call(about["op_name"], name, event["dur"] / 1e3, shapes))
    return passes[:-1]


def _torch_passes(arch: Arch, setting: Setting, runs: int) -> list[list[_Call]]:
    """The operators of each of `runs` runs, by PyTorch's profiler, time of their own only."""
    network = build(arch).eval().to(memory_format=torch.channels_last)
    images = random_images(1, arch.input_shape).to(memory_format=torch.channels_last)
    with torch_threads(setting.threads), torch.inference_mode():
        network(images)
        with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiled:
            for _ in range(runs):
                with record_function(_RUN):
                    network(images)
    events = profiled.events()
    begins = sorted(e.time_range.start for e in events if e.name == _RUN)
    passes: list[list[_Call]] = [[] for _ in begins]
    for e in sorted(events, key=lambda e: e.time_range.start):
        if e.name.startswith(_ATEN):
            i = bisect_right(begins, e.time_range.start) - 1
            passes[i].append(_Call(e.name, e.name, e.self_cpu_time_total / 1e3, e.input_shapes))
    return passes


_PROFILERS = {
    "onnxruntime": _onnx_passes,
    "onnxruntime-int8": _onnx_passes,
    "torch": _torch_passes,
}
