"""A found network against others: of one layer type, of equal latency, trained to the end."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lightlab import latency, train
from lightlab.data import DataSet
from lightlab.measure import cost, stats
from lightlab.space.arch import Arch, decode, encode, scale
from lightlab.space.spaces import MnasNetSpace

# MnasNet table 6: the layer types that stand throughout, each with its options.
LAYER_TYPES = {
    "MBConv3 3×3 only": {"op": "mb_e3", "kernel": 3},
    "MBConv3 5×5 only": {"op": "mb_e3", "kernel": 5},
    "MBConv6 3×3 only": {"op": "mb_e6", "kernel": 3},
    "MBConv6 5×5 only": {"op": "mb_e6", "kernel": 5},
}
_PLAN = latency.Plan(rounds=12, sample_ms=0.3, min_busy=0)
WIDTHS = np.round(np.geomspace(0.2, 3.0, 48), 3)


def single_layer_variants(space: MnasNetSpace, arch: Arch) -> dict[str, Arch]:
    """Networks as deep and wide as `arch`, of one layer type throughout (MnasNet table 6), without
    squeeze-excite, with residuals; SpaceError where `arch` is not of `space`.
    """
    options = space.options(space.find(arch))
    found = {}
    for name, layer in LAYER_TYPES.items():
        everywhere = layer | {"se": 0, "skip": "identity"}
        parts = {decision: decision.partition(".")[2] for decision in options}
        new = {d: everywhere.get(part, options[d]) for d, part in parts.items()}
        found[name] = space.decode(space.point(new))
    return found


def as_fast(
    arch: Arch, latency_ms: float, time: Callable[[Sequence[Arch]], Sequence[float]]
) -> tuple[Arch, float]:
    """`arch` of the width whose latency, by `time`, is nearest to `latency_ms`, and its latency.

    Of WIDTHS by halving: wider networks are taken to be slower.
    """
    texts = dict.fromkeys(encode(scale(arch, width_mult=float(w))) for w in WIDTHS)
    candidates, known = [decode(text) for text in texts], {}
    low, high = 0, len(candidates) - 1
    while low <= high:
        middle = (low + high) // 2
        (known[middle],) = map(float, time([candidates[middle]]))
        low, high = (middle + 1, high) if known[middle] < latency_ms else (low, middle - 1)
    best = min(known, key=lambda i: abs(np.log(known[i] / latency_ms)))
    return candidates[best], known[best]


def train_and_time(
    archs: Mapping[str, Arch],
    images: DataSet,
    recipe: train.Recipe,
    seeds: Sequence[int],
    **how: Any,
) -> pd.DataFrame:
    """Every network trained with every seed; see `train_each`."""
    rows = [(name, seed, arch) for name, arch in archs.items() for seed in seeds]
    return train_each(rows, images, recipe, **how)


def train_each(
    entries: Sequence[tuple[str, int, Arch]],
    images: DataSet,
    recipe: train.Recipe,
    time: Callable[[Sequence[Arch]], Sequence[float]] | None = None,
    **how: Any,
) -> pd.DataFrame:
    """Networks trained with their seeds and tested once, and all of them timed in turn; what stands
    there twice is trained once.

    Entries are name, seed, network. Rows name, seed, accuracy (test, %), latency_ms, macs, params,
    arch (as text). `time` tells the latencies (without one: ONNX Runtime's, one thread, now); `how`
    goes to `train.fit_many`.
    """
    distinct = {encode(arch): arch for _, _, arch in entries}
    if time is None:
        timed = latency.measure_many(distinct, plan=_PLAN, estimate="fastest").latency_ms
    else:
        timed = dict(zip(distinct, time(list(distinct.values())), strict=True))
    pairs = list(dict.fromkeys((encode(arch), seed) for _, seed, arch in entries))
    jobs = [
        train.Job(
            distinct[text], images.train, recipe, seed, test=images.test, name=f"{text} {seed}"
        )
        for text, seed in pairs
    ]
    done = dict(zip(pairs, train.fit_many(jobs, **how), strict=True))
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


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy with its interval over the seeds, and the costs, by network."""
    table = stats.grouped_ci(results, ["name", "latency_ms", "macs", "params"], "accuracy")
    return table.rename(columns={"mean": "accuracy"})


def comparable(trained: pd.DataFrame, name: str, to: str, off: float = 0.1) -> bool:
    """Whether the accuracies of `name` and of `to` say which is better at equal latency.

    They do where, with every seed, `name` is as fast, up to the share `off`, or could not be made
    so but is slower and less accurate all the same, or faster and more accurate: then the
    difference is at least what it would be.
    """
    ratio = stats.paired(trained, "latency_ms", "name", name, to, ratio=True)
    gap = stats.paired(trained, "accuracy", "name", name, to)
    beyond = ((ratio > 1) & (gap < 0)) | ((ratio < 1) & (gap > 0))
    return bool(((np.abs(ratio - 1) < off) | beyond).all())


def layer_rows(archs: Mapping[str, Arch], fixed: int = 2) -> pd.DataFrame:
    """One row per block: network, op (as a reader calls it), kernel, channels, stride, se.

    The first `fixed` blocks, stem included, are called so: no search decides about them.
    """
    words = {"conv": "convolution", "sep": "separable", "mb": "MBConv"}
    return pd.DataFrame(
        {
            "network": name,
            "op": words[b.op] + (f"{b.expand_ratio:g}" if b.op == "mb" else "")
            if i >= fixed
            else "fixed",
            "kernel": b.kernel_size,
            "channels": b.out_channels,
            "stride": b.stride,
            "se": b.se_ratio > 0,
        }
        for name, arch in archs.items()
        for i, b in enumerate((arch.stem, *arch.blocks))
    )
