"""What a found network is compared with: others of equal latency, or hand-made designs, all trained
to the end.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lightlab import latency, train
from lightlab.data import DataSet
from lightlab.measure import cost, stats
from lightlab.space import scaling
from lightlab.space.arch import Arch, encode
from lightlab.space.once_for_all import OfaSpace, like_mobilenet_v3

_PLAN = latency.Plan.brief(12, warmup_ms=10.0)
WIDTHS = np.round(np.geomspace(0.2, 3.0, 48), 3)


def match_latency(
    arch: Arch, latency_ms: float, time: Callable[[Sequence[Arch]], Sequence[float]]
) -> tuple[Arch, float]:
    """`arch` of the width whose latency, by `time`, is nearest to `latency_ms`, and its latency.

    Of WIDTHS by halving: wider networks are taken to be slower.
    """
    known: dict[Arch, float] = {}

    def timed(one: Arch) -> float:
        (known[one],) = map(float, time([one]))
        return known[one]

    bisect_left(scaling.widths(arch, WIDTHS), latency_ms, key=timed)
    best = min(known, key=lambda one: abs(np.log(known[one] / latency_ms)))
    return best, known[best]


def train_and_time(
    entries: Sequence[tuple[str, int, Arch]],
    images: DataSet,
    recipe: train.Recipe,
    time: Callable[[Sequence[Arch]], Sequence[float]] | None = None,
    **how: Any,
) -> pd.DataFrame:
    """Entries of name, seed and network, trained and tested once, what stands there twice too, and
    all timed in turn: rows name, seed, accuracy (test, %), latency_ms, macs, params, arch (text).

    `time` tells the latencies (without one: ONNX Runtime's, one thread, now); `how` goes to
    `train.start`.
    """
    distinct = {encode(arch): arch for _, _, arch in entries}
    if time is None:
        timed = latency.measure_many(distinct, plan=_PLAN, estimate="fastest").latency_ms
    else:
        timed = dict(zip(distinct, time(list(distinct.values())), strict=True))
    jobs = {
        (encode(arch), seed): train.Job(arch, images.train, recipe, seed, test=images.test)
        for _, seed, arch in entries
    }
    done = train.train_each(jobs, **how)
    return pd.DataFrame(
        {
            "name": name,
            "seed": seed,
            "accuracy": 100 * done[encode(arch), seed].metrics["test_accuracy"],
            "latency_ms": timed[encode(arch)],
            "macs": cost.macs(arch),
            "params": cost.param_count(arch),
            "arch": encode(arch),
        }
        for name, seed, arch in entries
    )


def comparable(trained: pd.DataFrame, name: str, to: str) -> bool:
    """Whether the accuracies of `name` and of `to` say which is better at equal latency.

    They do where, with every seed, `name` is as fast, up to 10 %, or could not be made so but is
    slower and less accurate all the same, or faster and more accurate: then the difference is at
    least what it would be.
    """
    ratio = stats.paired(trained, "latency_ms", "name", name, to, ratio=True)
    gap = stats.paired(trained, "accuracy", "name", name, to)
    beyond = ((ratio > 1) & (gap < 0)) | ((ratio < 1) & (gap > 0))
    return bool(((np.abs(ratio - 1) < 0.1) | beyond).all())


def layer_rows(archs: Mapping[str, Arch]) -> pd.DataFrame:
    """One row per block: network, op (as a reader calls it), kernel, channels, stride, se.

    The op of the stem and of the first block is "fixed": no search decides about them.
    """
    words = {"conv": "convolution", "sep": "separable", "mb": "MBConv"}
    return pd.DataFrame(
        {
            "network": name,
            "op": words[b.op] + (f"{b.expand_ratio:g}" if b.op == "mb" else "")
            if i >= 2
            else "fixed",
            "kernel": b.kernel_size,
            "channels": b.out_channels,
            "stride": b.stride,
            "se": b.se_ratio > 0,
        }
        for name, arch in archs.items()
        for i, b in enumerate((arch.stem, *arch.blocks))
    )


MOBILENET_V2, MOBILENET_V3 = "MobileNetV2's design", "MobileNetV3's design"


def designs(
    space: OfaSpace, widths: Sequence[float], depth: int | None = None
) -> list[tuple[str, Arch]]:
    """The two designs in the skeleton of `space`, of each width and resolution, with at most
    `depth` layers a stage.

    MobileNetV2's: the largest expansion and kernel 3 everywhere, ReLU6; MobileNetV3's: that with
    squeeze-excite and h-swish, and kernel 5 wherever it squeezes, as in its large network.
    """
    stem, head = (replace(part, act="relu6") for part in (space.skeleton.stem, space.skeleton.head))
    stages = tuple(replace(s, act="relu6", se_ratio=0) for s in space.skeleton.stages)
    first = tuple(replace(block, act="relu6", se_ratio=0) for block in space.skeleton.first)
    plain = replace(space.skeleton, stem=stem, first=first, stages=stages, head=head)
    frames = {MOBILENET_V2: plain, MOBILENET_V3: like_mobilenet_v3(plain)}
    found = []
    for name, frame in frames.items():
        blocks = [
            frame.mbconv(i, j, 5 if stage.se_ratio else 3, space.expands[-1])
            for i, stage in enumerate(frame.stages)
            for j in range(stage.layers)[:depth]
        ]
        whole = frame.arch(blocks)
        scaled = [
            scaling.scale(whole, width_mult=w, resolution=px)
            for w in widths
            for px in space.resolutions
        ]
        found += [(name, arch) for arch in dict.fromkeys(scaled)]
    return found
