"""Compression's experiments in small: which channels, what training on is worth, what bits cost."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from lightlab import train
from lightlab.chapters.ch11_compression.evaluate import Compressor, delivered
from lightlab.chapters.ch11_compression.space import Compressed, CompressionSpace
from lightlab.data import DataSet
from lightlab.measure import cost, stats
from lightlab.methods.once_for_all import study, subnets
from lightlab.nets.build import Network
from lightlab.nets.compress import IMPORTANCES
from lightlab.nets.elastic import ElasticNetwork
from lightlab.search.beside import run_beside

TAUGHT, LABELS = "pruned, taught", "pruned, labels only"
SHORT, LONG = "from scratch, as long", "from scratch, the whole length"
COMPARED = {
    "taught − labels only": (TAUGHT, LABELS),
    "pruned − from scratch, as long": (LABELS, SHORT),
    "pruned − from scratch, the whole length": (LABELS, LONG),
}
CUT, EACH, ONCE = "cut, no training", "each trained on", "shrunk together"


def evenly(space: CompressionSpace, keep: float) -> Compressed:
    """The trained network with that share of the channels of every stage and nothing else gone."""
    options = space.options(space.largest())
    options |= {name: keep for name in options if name.endswith("keep")}
    return space.decode(space.point(options))


def criteria(compressors: Mapping[int, Compressor]) -> pd.DataFrame:
    """Validation accuracy of evenly pruned networks before any training: rows seed, importance,
    keep, accuracy (%).
    """
    jobs = {
        (seed, importance, keep): (one, importance, keep, seed)
        for (seed, one), importance in product(compressors.items(), IMPORTANCES)
        for keep in one.space.keeps
    }
    macs = sum(
        cost.macs(one.trained.arch) * (len(one.images.train) + len(one.images.val))
        for one, *_ in jobs.values()
    )
    found = run_beside(_before_training, jobs, macs)
    rows = [(*key, accuracy) for key, accuracy in found.items()]
    return pd.DataFrame(rows, columns=["seed", "importance", "keep", "accuracy"])


def _before_training(one: Compressor, importance: str, keep: float, seed: int) -> float:
    network = one.pruned(evenly(one.space, keep), seed, importance)
    return 100 * train.evaluate(network, one.images.val)["accuracy"]


def arms(
    compressors: Mapping[int, Compressor], keep: float, whole: train.Recipe, **how: Any
) -> pd.DataFrame:
    """An evenly pruned network trained on by the compressors' recipe, and the same from new weights
    by that of the training before (`whole`), for as long, and for as long as both trainings: rows
    arm, seed, accuracy (test, %), samples. `how` goes to `train.fit_many`.
    """
    keys, jobs = [], []
    for seed, one in compressors.items():
        form, images, short = evenly(one.space, keep), one.images, one.recipe
        pruned = partial(_ready, one.pruned(form, seed))
        new = replace(whole, epochs=short.epochs)
        long = replace(whole, epochs=whole.epochs + short.epochs)
        for arm, network, recipe, teacher in (
            (TAUGHT, pruned, short, one.answers),
            (LABELS, pruned, short, None),
            (SHORT, form.arch, new, None),
            (LONG, form.arch, long, None),
        ):
            keys.append((arm, seed))
            job = train.Job(network, images.train, recipe, seed, teacher=teacher)
            jobs.append(replace(job, test=images.test, name=f"{arm} {seed}"))
    rows = [
        (*key, 100 * done.metrics["test_accuracy"], int(done.history["samples"].iloc[-1]))
        for key, done in zip(keys, train.fit_many(jobs, **how), strict=True)
    ]
    return pd.DataFrame(rows, columns=["arm", "seed", "accuracy", "samples"])


def _ready(network: Network, seed: int) -> Network:  # noqa: ARG001  its weights are there
    return copy.deepcopy(network)  # several trainings begin with them


def gaps(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Differences of what is COMPARED, paired by seed, (n,) each."""
    return {what: stats.paired(table, "accuracy", "arm", *pair) for what, pair in COMPARED.items()}


def integers(compressors: Mapping[int, Compressor]) -> pd.DataFrame:
    """The trained networks in 32 and in 8 bits, nothing else done: rows seed, bits, tested (%),
    latency and size (shares of the 32 bits').
    """
    rows = []
    for (seed, one), bits in product(compressors.items(), (32, 8)):
        found = delivered(one.trained, bits, one.images, one.reference)
        rows.append((seed, bits, found.tested, found.latency, found.size))
    return pd.DataFrame(rows, columns=["seed", "bits", "tested", "latency", "size"])


def generalised(
    full: Mapping[int, ElasticNetwork],
    shrunk: Mapping[int, ElasticNetwork],
    images: DataSet,
    recipe: train.Recipe,
    **how: Any,
) -> pd.DataFrame:
    """Pruning seen as the first step of shrinking: the corners of the full network cut to size by
    importance and not trained, each trained on by `recipe` and taught by the full network, and of
    the network in which all were trained together.

    Rows way, seed, corner, accuracy (test, %). `how` goes to `train.fit_many`.
    """
    full = copy.deepcopy(dict(full))
    for net in full.values():
        net.sort_channels()
    recipe = replace(recipe, temperature=1.0, teacher_weight=0.5)
    cut = {(CUT, seed): net for seed, net in full.items()}
    once = {(ONCE, seed): net for seed, net in shrunk.items()}
    table = study.on_corners(cut | once, images).rename(columns={"arm": "way"})
    keys, jobs = [], []
    space = next(iter(full.values())).space
    answers = study.whole(full, images)
    for (seed, net), (corner, point) in product(full.items(), study.corners(space).items()):
        network = subnets.specialise(net, point, images.train.x)
        px = network.arch.resolution
        learnt, test = (subnets.split_at(part, px) for part in (images.train, images.test))
        keys.append((EACH, seed, corner))
        job = train.Job(partial(_ready, network), learnt, recipe, seed, teacher=answers[seed])
        jobs.append(replace(job, test=test, name=f"{corner} {seed}"))
    rows = [
        (*key, 100 * done.metrics["test_accuracy"])
        for key, done in zip(keys, train.fit_many(jobs, **how), strict=True)
    ]
    return pd.concat([table, pd.DataFrame(rows, columns=table.columns)], ignore_index=True)


def criterion_gain(table: pd.DataFrame, a: str, b: str) -> np.ndarray:
    """Accuracy after pruning by criterion `a` minus that by `b`, mean over the shares that take
    something away, by seed, (n,).
    """
    rows = table[table["keep"] < 1]
    means = rows.groupby(["seed", "importance"])["accuracy"].mean().reset_index()
    return stats.paired(means, "accuracy", "importance", a, b)


def lost(table: pd.DataFrame) -> np.ndarray:
    """Points of test accuracy that 8 bits cost, by seed, (n,)."""
    return stats.paired(table, "tested", "bits", 32, 8)


def times_smaller(table: pd.DataFrame) -> np.ndarray:
    """How many times as large the file of 32 bits is, by seed, (n,)."""
    return 1 / table[table["bits"] == 8]["size"].to_numpy()


def way_gain(table: pd.DataFrame) -> np.ndarray:
    """Corners shrunk together minus each trained on by itself, mean over them, by seed, (n,)."""
    means = table.groupby(["seed", "way"])["accuracy"].mean().reset_index()
    return stats.paired(means, "accuracy", "way", ONCE, EACH)
