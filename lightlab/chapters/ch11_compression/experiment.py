"""What pruning takes, what inherited weights and eight bits are worth, and one search over all."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lightlab import deploy, train
from lightlab.chapters.ch11_compression import search
from lightlab.chapters.ch11_compression.search import BO, EVOLUTION, Compressor, Cutter
from lightlab.chapters.ch11_compression.space import CompressionSpace
from lightlab.data import DataSet
from lightlab.measure import cost, stats
from lightlab.methods import shrinking, subnets
from lightlab.methods.phases import progressive
from lightlab.methods.shrinking import Shrunk
from lightlab.nets.build import Network
from lightlab.nets.compress import IMPORTANCES
from lightlab.search import RandomSearch, pareto
from lightlab.space.decisions import Point
from lightlab.space.once_for_all import OfaSpace
from lightlab.train.parallel import run_beside

TAUGHT, LABELS = "pruned, taught", "pruned, labels only"
SHORT, LONG = "from scratch, as long", "from scratch, the whole length"
COMPRESS, SCRATCH = "compressing one network", "searching from scratch"
SUPERNET = "cutting from one supernet"
CUT, EACH, ONCE = "cut, no training", "each trained on", "shrunk together"


def compressors(
    space: CompressionSpace,
    images: DataSet,
    recipe: train.Recipe,
    tuning: train.Recipe,
    seeds: Sequence[int],
    **how: Any,
) -> dict[int, Compressor]:
    """For each seed what compresses the largest network of `space`; `how`: see `train.start`."""
    jobs = {seed: train.Job(space.trained, images.train, recipe, seed) for seed in seeds}
    networks = {seed: done.network() for seed, done in train.train_each(jobs, **how).items()}
    shape = space.trained.input_shape
    return {
        seed: Compressor(space, network, images, tuning, deploy.onnx_bytes(network, shape))
        for seed, network in networks.items()
    }


def criteria(compressors: Mapping[int, Compressor]) -> pd.DataFrame:
    """Accuracy (validation, %) of evenly pruned networks, untrained."""
    jobs = {
        (seed, importance, keep): (one, importance, keep, seed)
        for (seed, one), importance in product(compressors.items(), IMPORTANCES)
        for keep in one.space.keeps
    }
    one = next(iter(compressors.values()))
    macs = len(jobs) * cost.macs(one.trained.arch) * (len(one.images.train) + len(one.images.val))
    rows = [(*key, accuracy) for key, accuracy in run_beside(_pruned_accuracy, jobs, macs).items()]
    return pd.DataFrame(rows, columns=["seed", "importance", "keep", "accuracy"])


def _pruned_accuracy(one: Compressor, importance: str, keep: float, seed: int) -> float:
    network = one.pruned(one.space.evenly(keep), seed, importance)
    return 100 * train.evaluate(network, one.images.val)["accuracy"]


def arms(
    compressors: Mapping[int, Compressor], keep: float, whole: train.Recipe, **how: Any
) -> pd.DataFrame:
    """An evenly pruned network trained on, and its architecture from new weights by the recipe
    `whole`, for as long, and for as long as both trainings: accuracy in %, by arm and seed.
    """
    jobs = {}
    for seed, one in compressors.items():
        form, images, short = one.space.evenly(keep), one.images, one.recipe
        pruned = partial(_copy, one.pruned(form, seed))
        answers = train.logits(one.trained, images.train)
        for arm, network, recipe, teacher in (
            (TAUGHT, pruned, short, answers),
            (LABELS, pruned, short, None),
            (SHORT, form.arch, replace(whole, epochs=short.epochs), None),
            (LONG, form.arch, one.from_scratch(whole).recipe, None),
        ):
            job = train.Job(network, images.train, recipe, seed, test=images.test, teacher=teacher)
            jobs[arm, seed] = job
    table = train.tabulate(train.train_each(jobs, **how), "arm", "seed")
    return table[["arm", "seed", "accuracy", "samples"]]


def _copy(network: Network, seed: int) -> Network:  # noqa: ARG001  its weights are there
    return copy.deepcopy(network)  # several trainings begin with them


def gaps(arms: pd.DataFrame) -> dict[str, pd.Series]:
    """Differences in accuracy between the arms, by seed."""
    gap = partial(stats.paired, arms, "accuracy", "arm")
    return {
        "taught − labels only": gap(TAUGHT, LABELS),
        "pruned − from scratch, as long": gap(LABELS, SHORT),
        "pruned − from scratch, the whole length": gap(LABELS, LONG),
    }


def integers(compressors: Mapping[int, Compressor]) -> pd.DataFrame:
    """The trained networks in 32 and in 8 bits: tested in %, latency and size in shares."""
    rows = []
    for (seed, one), bits in product(compressors.items(), (32, 8)):
        found = search.evaluate(one.trained, bits, one.images, one.reference)
        rows.append((seed, bits, found.tested, found.latency, found.size))
    return pd.DataFrame(rows, columns=["seed", "bits", "tested", "latency", "size"])


def contest(
    candidates: Mapping[int, Compressor | Cutter],
    methods: Sequence[str] = search.METHODS,
    kept: Path | None = None,
    *,
    n_trials: int,
    n_initial: int,
    chance: float,
) -> pd.DataFrame:
    """A search by every method for every seed (`run_search`); their first points, which the methods
    share, are evaluated once, and count for each what they took. `kept`: see `run_beside`.
    """
    macs = n_trials * sum(one.macs for one in candidates.values()) * len(methods)
    shared = {
        (seed, point): (one, point, seed)
        for seed, one in candidates.items()
        for point in RandomSearch(one.space, seed).ask(n_initial)
    }
    rows = run_beside(_evaluate, shared, macs, kept=kept and kept / "first")
    worths = {key: search.Worth(**row.to_dict("records")[0]) for key, row in rows.items()}
    known = {s: {p: w for (of, p), w in worths.items() if of == s} for s in candidates}
    jobs = {
        (method, seed): (method, one, seed, n_trials, n_initial, chance, known[seed])
        for seed, one in candidates.items()
        for method in methods
    }
    tables = run_beside(search.run_search, jobs, macs, kept=kept).values()
    trials = pd.concat(tables, ignore_index=True)
    return trials.assign(point=[tuple(map(int, point)) for point in trials["point"]])


def _evaluate(one: Compressor | Cutter, point: Point, seed: int) -> pd.DataFrame:
    return pd.DataFrame([vars(one(point, seed))])


def ahead(trials: pd.DataFrame) -> dict[str, pd.Series]:
    """Hypervolume of BO at its end minus that of every other method, by seed."""
    ends = trials.groupby(["method", "seed"]).tail(1)
    return {
        f"{BO} − {other}": stats.paired(ends, "hypervolume", "method", BO, other)
        for other in search.METHODS
        if other != BO
    }


def supernets(
    compressors: Mapping[int, Compressor],
    expands: Sequence[float],
    recipe: train.Recipe,
    passes: float,
    resume: Path,
) -> tuple[dict[int, Shrunk], dict[int, Shrunk]]:
    """Progressive shrinking at equal rates by seed: after its first phase, and at its end."""
    one = next(iter(compressors.values()))
    space, frame = one.space, one.space.skeleton
    depths = range(1, max(stage.layers for stage in frame.stages) + 1)
    elastic = OfaSpace(frame, space.kernels, expands, depths, space.resolutions)
    task = {"space": elastic, "images": one.images, "recipe": recipe, "n_rows": 0}
    full = shrinking.begin(task, passes, list(compressors), resume=resume / "full")
    rest = progressive(passes, fall=0)[1:]
    jobs = {
        seed: {**task, "phases": rest, "seed": seed, "start": one.network, "teacher": one.network}
        for seed, one in full.items()
    }
    return full, shrinking.shrink_many(jobs, resume=resume / "shrunk")


def passes_of(*parts: Mapping[int, Shrunk]) -> int:
    """Images times sub-networks of trainings one after another, mean over the seeds."""
    ends = [[one.history["passes"].iloc[-1] for one in part.values()] for part in parts]
    return round(np.mean(ends, axis=1).sum())


def sides(
    compressors: Mapping[int, Compressor],
    trials: pd.DataFrame,
    whole: train.Recipe,
    supernets: Sequence[Mapping[int, Shrunk]],
    kept: Path,
    **how: Any,
) -> pd.DataFrame:
    """What evolution found from three sides: in the `trials` of the compressors; with new weights
    for every candidate (`whole` was the first training); cut from the last of `supernets`.
    """
    one = next(iter(compressors.values()))
    scratch = {seed: one.from_scratch(whole) for seed, one in compressors.items()}
    cutters = {
        seed: Cutter(shrunk.network, one.images, compressors[seed].reference)
        for seed, shrunk in supernets[-1].items()
    }
    found = {
        COMPRESS: trials[trials["method"] == EVOLUTION],
        SCRATCH: contest(scratch, [EVOLUTION], kept / "scratch", **how),
        SUPERNET: contest(cutters, [EVOLUTION], kept / "supernet", **how),
    }
    seen = train.samples(whole, len(one.images.train))
    return fronts(found, {COMPRESS: seen, SCRATCH: 0, SUPERNET: passes_of(*supernets)})


def fronts(trials: Mapping[str, pd.DataFrame], before: Mapping[str, int]) -> pd.DataFrame:
    """What the sides found. front: no other of the side dominates it (validation accuracy, time);
    spent: images trained on so far, with those `before` the search.
    """
    parts = []
    for side, table in trials.items():
        best = pareto.is_non_dominated(np.column_stack([table["accuracy"], -table["latency"]]))
        spent = before[side] + table.groupby("seed")["samples"].cumsum()
        parts.append(table.assign(side=side, front=best, spent=spent))
    return pd.concat(parts, ignore_index=True).drop(columns="point")


def leading(fronts: pd.DataFrame) -> pd.DataFrame:
    """Whose front is the most accurate on the validation images among networks of at most so much
    time (% of the trained network's); tested: of its best there.
    """
    best = fronts[fronts["front"]].sort_values("latency")
    top = best["accuracy"].cummax()
    lead = best[best["accuracy"].eq(top) & ~top.duplicated()]
    stretch = lead["side"].ne(lead["side"].shift()).cumsum()
    rows = lead.groupby(stretch).agg(
        side=("side", "first"), from_time=("latency", "first"), tested=("tested", "last")
    )
    rows["from_time"] *= 100
    rows["to_time"] = rows["from_time"].shift(-1)  # none: for all that is slower
    return rows[["side", "from_time", "to_time", "tested"]].reset_index(drop=True)


def ways(
    full: Mapping[int, Shrunk],
    shrunk: Mapping[int, Shrunk],
    images: DataSet,
    recipe: train.Recipe,
    **how: Any,
) -> pd.DataFrame:
    """Corners (test accuracy, %) of the full network as cut, each trained on by `recipe` and taught
    by the full network, and of the network that learnt all together.
    """
    whole = {seed: copy.deepcopy(one.network) for seed, one in full.items()}
    for net in whole.values():
        net.sort_channels()
    cut = {(CUT, seed): net for seed, net in whole.items()}
    once = {(ONCE, seed): one.network for seed, one in shrunk.items()}
    table = subnets.evaluate_corners(cut | once, images).rename(columns={"arm": "way"})
    recipe = replace(recipe, temperature=1.0, teacher_weight=0.5)
    answers, jobs = subnets.largest(whole, images), {}
    for seed, net in whole.items():
        for corner, point in subnets.corners(net.space).items():
            network = subnets.specialise(net, point, images.train.x)
            px = network.arch.resolution
            learnt, test = (subnets.split_at(part, px) for part in (images.train, images.test))
            job = train.Job(partial(_copy, network), learnt, recipe, seed, test=test)
            jobs[corner, seed] = replace(job, teacher=answers[seed])
    each = train.tabulate(train.train_each(jobs, **how), "corner", "seed").assign(way=EACH)
    return pd.concat([table, each[table.columns]], ignore_index=True)
