"""What specialised sub-networks are compared with: scaled families, and what a device costs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lightlab.measure import latency, subnets, train
from lightlab.measure.data import DataSet
from lightlab.nets.elastic import ElasticNetwork
from lightlab.space.arch import Arch, decode, encode, scale
from lightlab.space.spaces import OfaSpace, Skeleton, like_mobilenet_v3

MOBILENET_V2, MOBILENET_V3 = "MobileNetV2's design", "MobileNetV3's design"


def families(space: OfaSpace, widths: Sequence[float]) -> list[tuple[str, Arch]]:
    """The two designs in the skeleton of `space`, of each width and resolution.

    MobileNetV2's: expansion 6 (or the largest) and kernel 3 everywhere; MobileNetV3's: that with
    squeeze-excite and h-swish, and kernel 5 wherever it squeezes, as in its large network.
    """
    designs = {MOBILENET_V2: space.skeleton, MOBILENET_V3: like_mobilenet_v3(space.skeleton)}
    found = []
    for name, frame in designs.items():
        whole = frame.arch(_blocks(frame, space.expands[-1]))
        scaled = [
            scale(whole, width_mult=w, resolution=px) for w in widths for px in space.resolutions
        ]
        found += [(name, arch) for arch in dict.fromkeys(scaled)]
    return found


def _blocks(frame: Skeleton, expand: float) -> list:
    return [
        frame.mbconv(i, j, 5 if stage.se_ratio else 3, expand)
        for i, stage in enumerate(frame.stages)
        for j in range(stage.layers)
    ]


def everywhere(archs: Sequence[Arch], settings: Sequence[str], plan: latency.Plan) -> pd.DataFrame:
    """Networks timed in turn in every setting: rows arch (as text), setting, latency_ms."""
    distinct = {encode(arch): arch for arch in archs}
    rows = []
    for name in settings:
        how = latency.Setting.of(name)
        timed = latency.measure_many(
            distinct, how.runtime, how.threads, how.batch, plan=plan, estimate="fastest"
        )
        rows += [(text, name, timed.latency_ms[text]) for text in distinct]
    return pd.DataFrame(rows, columns=["arch", "setting", "latency_ms"])


def fine_tuned(
    networks: Mapping[int, ElasticNetwork],
    served: pd.DataFrame,
    images: DataSet,
    recipe: train.Recipe,
) -> pd.DataFrame:
    """For every seed the first of `served`, cut out and trained on by itself: rows seed, before and
    after (test accuracy, %), seconds (of one core).
    """
    rows = []
    for row in served.drop_duplicates("seed").itertuples():
        net = subnets.specialise(networks[row.seed], row.point, images.train.x)
        px = net.arch.resolution
        learnt, test = subnets.split_at(images.train, px), subnets.split_at(images.test, px)
        before = 100 * train.evaluate(net, test)["accuracy"]
        history = train.fit(net, learnt, recipe, seed=row.seed, progress=False)
        after = 100 * train.evaluate(net, test)["accuracy"]
        rows.append((row.seed, before, after, history["seconds"].iloc[-1]))
    return pd.DataFrame(rows, columns=["seed", "before", "after", "seconds"])


def trained(
    entries: Sequence[tuple[str, Arch]],
    images: DataSet,
    recipe: train.Recipe,
    seeds: Sequence[int],
    **how: Any,
) -> pd.DataFrame:
    """Every network trained with every seed and tested once: rows family, arch (as text), seed,
    accuracy (%). `how` goes to `train.fit_many`.
    """
    keys = [(name, encode(arch), seed) for name, arch in entries for seed in seeds]
    sizes = {arch.resolution for _, arch in entries}
    learnt = {px: subnets.split_at(images.train, px) for px in sizes}
    test = {px: subnets.split_at(images.test, px) for px in sizes}
    jobs = []
    for _, text, seed in keys:
        arch = decode(text)
        at = arch.resolution
        jobs.append(train.Job(arch, learnt[at], recipe, seed, test=test[at], name=f"{text} {seed}"))
    found = [100 * one.metrics["test_accuracy"] for one in train.fit_many(jobs, **how)]
    table = pd.DataFrame(keys, columns=["family", "arch", "seed"])
    return table.assign(accuracy=np.array(found))


def at_latency(front: pd.DataFrame, latency_ms: float) -> float:
    """Accuracy that networks of several sizes have at that latency: between the two next to it, in
    a straight line over the logarithm; NaN beyond their range. Columns latency_ms, accuracy.
    """
    rows = front.sort_values("latency_ms")
    x = np.log(rows["latency_ms"].to_numpy())
    inside = x[0] <= np.log(latency_ms) <= x[-1]
    found = np.interp(np.log(latency_ms), x, rows["accuracy"])
    return float(found) if inside else float("nan")


def against(served: pd.DataFrame, rivals: pd.DataFrame) -> pd.DataFrame:
    """Each served network against each family at its measured latency in the same setting.

    `served`: setting, latency_ms, accuracy, seed. `rivals`: family, setting, seed, latency_ms,
    accuracy. Rows seed, setting, latency_ms, family, gap (in points); none where a family has no
    network on both sides.
    """
    rows = []
    for row in served.itertuples():
        there = rivals[(rivals["setting"] == row.setting) & (rivals["seed"] == row.seed)]
        for family, front in there.groupby("family", sort=False):
            gap = row.accuracy - at_latency(front, row.latency_ms)
            rows.append((row.seed, row.setting, row.latency_ms, family, gap))
    columns = ["seed", "setting", "latency_ms", "family", "gap"]
    return pd.DataFrame(rows, columns=columns).dropna()


def mean_gap(served: pd.DataFrame, rivals: pd.DataFrame, family: str) -> np.ndarray:
    """The mean of `against` that family over settings and targets, by seed, (n,); empty where there
    is nothing to compare.
    """
    rows = against(served, rivals)
    return rows[rows["family"] == family].groupby("seed")["gap"].mean().to_numpy()
