"""Three sides of one search: compress a network, search from scratch, cut from a supernet."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lightlab import deploy, train
from lightlab.chapters.ch11_compression.evaluate import N_CALIBRATE, Compressor
from lightlab.chapters.ch11_compression.space import Compressed, CompressionSpace
from lightlab.data import DataSet
from lightlab.measure import cost
from lightlab.methods.once_for_all import study, subnets
from lightlab.methods.once_for_all.many import shrink_many
from lightlab.methods.once_for_all.phases import progressive
from lightlab.methods.once_for_all.shrinking import Shrunk
from lightlab.nets.build import Network
from lightlab.search import pareto
from lightlab.space.spaces import OfaSpace

COMPRESS, SCRATCH = "compressing one network", "searching from scratch"
CUT = "cutting from one supernet"


def trained(
    space: CompressionSpace,
    images: DataSet,
    recipe: train.Recipe,
    seeds: Sequence[int],
    **how: Any,
) -> dict[int, Network]:
    """The network that is compressed, for each seed; `how` goes to `train.fit_many`."""
    jobs = [train.Job(space.trained, images.train, recipe, seed) for seed in seeds]
    found = train.fit_many(jobs, **how)
    return {seed: one.network() for seed, one in zip(seeds, found, strict=True)}


def from_scratch(
    compressors: Mapping[int, Compressor], whole: train.Recipe
) -> dict[int, Compressor]:
    """The same space searched with new weights for every candidate, trained as long as a compressed
    one and its predecessor (`whole`) together.
    """
    return {
        seed: replace(one, scratch=True, recipe=replace(whole, epochs=_both(one, whole)))
        for seed, one in compressors.items()
    }


def _both(one: Compressor, whole: train.Recipe) -> float:
    return whole.epochs + one.recipe.epochs


def supernets(
    space: CompressionSpace,
    expands: Sequence[float],
    images: DataSet,
    recipe: train.Recipe,
    seeds: Sequence[int],
    passes: float,
    resume: Path,
) -> tuple[dict[int, Shrunk], dict[int, Shrunk]]:
    """Progressive shrinking of the network that is compressed, at equal rates, for each seed: after
    its first phase, and at its end.
    """
    frame = space.skeleton
    depths = range(1, max(stage.layers for stage in frame.stages) + 1)
    elastic = OfaSpace(frame, space.kernels, expands, depths, space.resolutions)
    task = {"space": elastic, "images": images, "recipe": recipe, "n_rows": 0}
    full = study.begin(task, passes, seeds, resume=resume / "full")
    rest = progressive(passes, fall=0)[1:]
    jobs = {
        seed: {**task, "phases": rest, "seed": seed, "start": one.network, "teacher": one.network}
        for seed, one in full.items()
    }
    return full, shrink_many(jobs, resume=resume / "shrunk")


def macs(compressors: Mapping[int, Compressor], n_trials: int) -> float:
    """Of so many candidates for each seed, at most."""
    return sum(
        n_trials
        * cost.PASSES_PER_TRAINING_STEP
        * train.recipe.samples(one.recipe, len(one.images.train))
        * cost.macs(one.space.trained)
        for one in compressors.values()
    )


def passes_of(*parts: Mapping[int, Shrunk]) -> int:
    """Images times sub-networks of trainings one after another, mean over the seeds."""
    ends = [[one.history["passes"].iloc[-1] for one in part.values()] for part in parts]
    return round(np.mean(ends, axis=1).sum())


def fronts(trials: Mapping[str, pd.DataFrame], before: Mapping[str, int]) -> pd.DataFrame:
    """What the sides found: rows side, seed, tested (%), latency, size, front (whether none of the
    same side, of whatever seed, is as fast and as accurate on the validation images and better in
    one), spent (images trained on in all, those `before` the search included), hypervolume.
    """
    parts = []
    for side, table in trials.items():
        best = pareto.is_non_dominated(np.column_stack([table["accuracy"], -table["latency"]]))
        spent = before[side] + table.groupby("seed")["samples"].cumsum()
        parts.append(table.assign(side=side, front=best, spent=spent))
    return pd.concat(parts, ignore_index=True).drop(columns="point")


def leading(fronts: pd.DataFrame) -> pd.DataFrame:
    """Whose front is the most accurate on the validation images, of networks that take at most a
    given time: rows side, from_time, to_time (% of the trained network's), tested (%, of its best
    there). Where the side changes, the fronts meet.
    """
    best = fronts[fronts["front"]].sort_values("latency")
    top = best["accuracy"].cummax()
    ahead = best[best["accuracy"].eq(top) & ~top.duplicated()]
    stretch = ahead["side"].ne(ahead["side"].shift()).cumsum()
    rows = ahead.groupby(stretch).agg(
        side=("side", "first"), from_time=("latency", "first"), tested=("tested", "last")
    )
    rows["from_time"] *= 100
    rows["to_time"] = rows["from_time"].shift(-1)  # none: for all that is slower
    return rows[["side", "from_time", "to_time", "tested"]].reset_index(drop=True)


def smallest(trials: pd.DataFrame, one: Compressor, loss: float) -> pd.Series:
    """Of the networks tried the smallest file that loses at most `loss` points on the validation
    images against the trained network; where none keeps so much, the most accurate.
    """
    good = trials[trials["accuracy"] >= one.before - loss]
    if good.empty:
        return trials.loc[trials["accuracy"].idxmax()]
    return good.loc[good["size"].idxmin()]


def deliver(network: Network, form: Compressed, images: DataSet, path: Path) -> None:
    """Write the compressed network as an ONNX file in its bits."""
    subnets.deliver(network, images, path)
    if form.bits == 8:
        shown = subnets.at_resolution(images.train.x[:N_CALIBRATE], form.arch.resolution)
        deploy.quantize_int8(path, path, shown)
