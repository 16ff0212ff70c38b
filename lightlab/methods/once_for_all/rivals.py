"""What specialised sub-networks are compared with: scaled families, and what a device costs."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lightlab import latency, train
from lightlab.data import DataSet, Split
from lightlab.measure.threads import torch_threads
from lightlab.methods.once_for_all import subnets
from lightlab.nets.elastic import ElasticNetwork
from lightlab.search import pareto
from lightlab.space.arch import Arch, decode, encode, scale
from lightlab.space.spaces import OfaSpace, Skeleton, like_mobilenet_v2, like_mobilenet_v3

MOBILENET_V2, MOBILENET_V3 = "MobileNetV2's design", "MobileNetV3's design"


def families(
    space: OfaSpace, widths: Sequence[float], depth: int | None = None
) -> list[tuple[str, Arch]]:
    """The two designs in the skeleton of `space`, of each width and resolution, with at most
    `depth` layers a stage.

    MobileNetV2's: the largest expansion and kernel 3 everywhere, ReLU6; MobileNetV3's: that with
    squeeze-excite and h-swish, and kernel 5 wherever it squeezes, as in its large network.
    """
    plain = like_mobilenet_v2(space.skeleton)
    designs = {MOBILENET_V2: plain, MOBILENET_V3: like_mobilenet_v3(plain)}
    found = []
    for name, frame in designs.items():
        whole = frame.arch(_blocks(frame, space.expands[-1], depth))
        scaled = [
            scale(whole, width_mult=w, resolution=px) for w in widths for px in space.resolutions
        ]
        found += [(name, arch) for arch in dict.fromkeys(scaled)]
    return found


def _blocks(frame: Skeleton, expand: float, depth: int | None) -> list:
    return [
        frame.mbconv(i, j, 5 if stage.se_ratio else 3, expand)
        for i, stage in enumerate(frame.stages)
        for j in range(stage.layers)[:depth]
    ]


def everywhere(archs: Sequence[Arch], settings: Sequence[str], plan: latency.Plan) -> pd.DataFrame:
    """Networks timed in turn in every setting: rows arch (as text), setting, latency_ms."""
    distinct = {encode(arch): arch for arch in archs}
    return latency.measure_settings(distinct, settings, plan).rename(columns={"network": "arch"})


def fine_tuned(
    networks: Mapping[int, ElasticNetwork],
    served: pd.DataFrame,
    images: DataSet,
    recipe: train.Recipe,
) -> pd.DataFrame:
    """For every seed the first of `served`, cut out and trained on by itself on one thread: rows
    seed, before and after (test accuracy, %), cut_s (cutting out and calibration) and tuning_s, in
    seconds of one core.
    """
    rows = []
    for row in served.drop_duplicates("seed").sort_values("seed").itertuples():
        with torch_threads(1):
            begin = time.process_time()
            net = subnets.specialise(networks[row.seed], row.point, images.train.x)
            cut_s, px = time.process_time() - begin, net.arch.resolution
            learnt, test = subnets.split_at(images.train, px), subnets.split_at(images.test, px)
            before, begin = train.evaluate(net, test)["accuracy"], time.process_time()
            train.fit(net, learnt, recipe, seed=row.seed, progress=False)
            tuning_s = time.process_time() - begin
        after = train.evaluate(net, test)["accuracy"]
        rows.append((row.seed, 100 * before, 100 * after, cut_s, tuning_s))
    return pd.DataFrame(rows, columns=["seed", "before", "after", "cut_s", "tuning_s"])


def trained(
    entries: Sequence[tuple[str, Arch]],
    images: DataSet,
    recipe: train.Recipe,
    seeds: Sequence[int],
    **how: Any,
) -> pd.DataFrame:
    """Every network trained with every seed and tested once: rows family, arch (as text), seed,
    validated and accuracy (validation, test; %). `how` goes to `train.fit_many`.
    """
    keys = [(name, encode(arch), seed) for name, arch in entries for seed in seeds]
    sizes = {arch.resolution for _, arch in entries}
    parts = {px: [subnets.split_at(s, px) for s in _splits(images)] for px in sizes}
    jobs = []
    for _, text, seed in keys:
        arch = decode(text)
        learnt, val, test = parts[arch.resolution]
        name, rare = f"{text} {seed}", train.recipe.plan(recipe, len(learnt)).n_steps
        jobs.append(
            train.Job(arch, learnt, recipe, seed, val=val, test=test, name=name, eval_every=rare)
        )
    found = [one.metrics for one in train.fit_many(jobs, **how)]
    table = pd.DataFrame(keys, columns=["family", "arch", "seed"])
    marks = {"validated": "val_accuracy", "accuracy": "test_accuracy"}
    return table.assign(**{k: [100 * m[v] for m in found] for k, v in marks.items()})


def _splits(images: DataSet) -> tuple[Split, Split, Split]:
    return images.train, images.val, images.test


def at_latency(front: pd.DataFrame, latency_ms: float) -> float:
    """Accuracy that a family has at that latency: of the networks that no faster one equals on the
    validation images, between the two next to it in a straight line over the logarithm; beyond the
    slowest that of the slowest; NaN where none is as fast. Columns latency_ms, validated, accuracy.
    """
    values = np.column_stack([-front["latency_ms"], front["validated"]])
    rows = front[pareto.is_non_dominated(values)].sort_values("latency_ms")
    x = np.log(rows["latency_ms"].to_numpy())
    if np.log(latency_ms) < x[0]:
        return float("nan")
    return float(np.interp(np.log(latency_ms), x, rows["accuracy"]))


def against(served: pd.DataFrame, rivals: pd.DataFrame) -> pd.DataFrame:
    """Each served network against each family at its measured latency in the same setting.

    `served`: setting, latency_ms, accuracy, seed. `rivals`: family, setting, seed, latency_ms,
    validated, accuracy. Rows seed, setting, latency_ms, family, gap (in points); none where a
    family has no network as fast.
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
