"""One supernet serves many devices: predictor, tables, chosen networks, and what that costs."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import scipy

from lightlab import latency
from lightlab.data import DataSet
from lightlab.methods.once_for_all import predict, subnets
from lightlab.methods.once_for_all.elastic_cost import ElasticCosts, elastic_table
from lightlab.methods.once_for_all.evolve import Evolution, Limits, Score, evolve, random_search
from lightlab.methods.once_for_all.study import evaluated
from lightlab.nets.elastic import ElasticNetwork
from lightlab.search.beside import run_beside
from lightlab.space.arch import encode
from lightlab.space.spaces import OfaSpace

N_TARGETS = 5


@dataclass(frozen=True, eq=False)
class Samples:
    """Sub-networks that were really evaluated: `points` (n, decisions), `accuracy` (n,) in % on the
    validation images, `macs` (n,), and the `seconds` of one core that this took.
    """

    points: np.ndarray
    accuracy: np.ndarray
    macs: np.ndarray
    seconds: float

    def codes(self, space: OfaSpace) -> np.ndarray:
        """One-hot codes (n, options)."""
        return space.encode(self.points)


def sample(
    supernet: ElasticNetwork,
    images: DataSet,
    n: int,
    seed: int = 0,
    workers: int | None = None,
    **how: Any,
) -> Samples:
    """`n` random sub-networks, no two alike where the space has as many, evaluated side by side by
    so many `workers`, see `run_beside`.
    """
    space = supernet.space
    drawn = space.canonical(space.sample(np.random.default_rng(seed), 4 * n))
    points = np.array(list(dict.fromkeys(map(tuple, drawn.tolist())))[:n])
    parts = np.array_split(points, max(1, len(points) // 10))
    task = {"supernet": supernet, "images": images.train.x, "split": images.val, **how}
    jobs = {i: task | {"points": part.tolist()} for i, part in enumerate(parts)}
    macs = ElasticCosts.macs(space).of(points)
    found = run_beside(_timed, jobs, macs.sum() * 2 * len(images.val), workers)
    accuracy = np.concatenate([values for values, _ in found.values()])
    return Samples(points, accuracy, macs, sum(seconds for _, seconds in found.values()))


def _timed(**job: Any) -> tuple[np.ndarray, float]:
    begin = time.process_time()
    return subnets.accuracies(**job), time.process_time() - begin


def scorer(space: OfaSpace, model: predict.Predictor) -> Score:
    """What evolution asks: the accuracies that `model` predicts for points."""
    macs = ElasticCosts.macs(space)
    return lambda points: model(space.encode(points), macs.of(points))


@dataclass(frozen=True, eq=False)
class Priced:
    """What sub-networks cost in a setting, and the seconds of one core that finding it out took."""

    costs: ElasticCosts
    seconds: float


def priced(space: OfaSpace, where: str, plan: latency.Plan, seed: int = 0, n: int = 12) -> Priced:
    """Latencies of all sub-networks in a setting ("onnxruntime/1/1"): a look-up table measured now,
    calibrated on `n` networks of the space: the smallest, the largest, and random ones. Without the
    ends the line through a busy machine's times can lead below zero where networks are small.
    """
    begin, how = time.process_time(), latency.Setting.of(where)
    table = elastic_table(space, plan, runtime=how.runtime, threads=how.threads, batch=how.batch)
    drawn = space.sample(np.random.default_rng([seed, 1]), n - 2)
    points = [space.smallest(), space.corner(), *drawn]
    table = table.calibrated_on([space.decode(point) for point in points], plan)
    return Priced(ElasticCosts.latency_ms(space, table), time.process_time() - begin)


def targets(price: ElasticCosts, n: int) -> np.ndarray:
    """`n` latencies in equal ratios between that of the smallest and the largest network, (n,) ms;
    the smallest itself is not among them.
    """
    space = price.space
    least, most = price.of([space.smallest(), space.corner()])
    return np.geomspace(least, most, n + 1)[1:]


def serve(
    scores: Mapping[int, Score],
    prices: Mapping[str, Priced],
    settings: Evolution,
    n_targets: int = N_TARGETS,
) -> pd.DataFrame:
    """A network for every seed's predictor, setting and target: rows seed, setting, target_ms,
    predicted (accuracy, %), predicted_ms, point, arch (as text), seconds.
    """
    rows = []
    for (seed, score), (name, price) in product(scores.items(), prices.items()):
        costs = price.costs
        for target in targets(costs, n_targets):
            begin = time.process_time()
            limits = Limits({"latency in ms": (costs, target)})
            chosen = evolve(costs.space, score, limits, settings, _seed(seed))
            seconds, ms = time.process_time() - begin, float(costs.of([chosen.point])[0])
            arch = encode(costs.space.decode(chosen.point))
            rows.append((seed, name, target, chosen.score, ms, chosen.point, arch, seconds))
    columns = ["seed", "setting", "target_ms", "predicted", "predicted_ms", "point", "arch"]
    return pd.DataFrame(rows, columns=[*columns, "seconds"])


EVOLUTION, CHANCE = "evolution", "random search"


def contest(
    scores: Mapping[int, Score], prices: Mapping[str, Priced], settings: Evolution
) -> pd.DataFrame:
    """What evolution and as many random draws choose, halfway between the fastest and the slowest:
    rows seed, setting, kind, point, predicted.
    """
    rows = []
    for (seed, score), (name, price) in product(scores.items(), prices.items()):
        costs = price.costs
        limits = Limits({"latency in ms": (costs, targets(costs, 2)[0])})
        found = {
            EVOLUTION: evolve(costs.space, score, limits, settings, _seed(seed)),
            CHANCE: random_search(costs.space, score, limits, settings.calls, _seed(seed)),
        }
        rows += [(seed, name, kind, one.point, one.score) for kind, one in found.items()]
    return pd.DataFrame(rows, columns=["seed", "setting", "kind", "point", "predicted"])


def contest_gain(contested: pd.DataFrame, column: str) -> np.ndarray:
    """Evolution's networks minus those of random search, mean over the settings, by seed, (n,)."""
    wide = contested.groupby(["seed", "kind"])[column].mean().unstack()
    return (wide[EVOLUTION] - wide[CHANCE]).to_numpy()


def _seed(seed: int) -> int:
    """Another stream than that of the samples that the predictor learnt from."""
    return 7919 * (seed + 1)


def examine(
    networks: Mapping[int, ElasticNetwork],
    models: Mapping[int, predict.MLP],
    chosen: pd.DataFrame,
    images: DataSet,
    n_random: int = 20,
) -> pd.DataFrame:
    """The `chosen` networks (seed, point) and some new random ones of each seed, tested once: rows
    seed, kind ("chosen" or "random"), point, predicted, spread (of the predictor's members),
    accuracy (test), excess (predicted minus that).
    """
    jobs, tables = {}, []
    for seed, network in networks.items():
        space = network.space
        ours = list(dict.fromkeys(chosen[chosen["seed"] == seed]["point"]))
        drawn = space.canonical(space.sample(np.random.default_rng([seed, 2]), n_random))
        points = [*ours, *map(tuple, drawn.tolist())]
        parts = {"supernet": network, "images": images.train.x, "split": images.test}
        jobs[seed] = parts | {"points": points}
        said = models[seed].each(space.encode(points))
        rows = {
            "seed": seed,
            "kind": ["chosen"] * len(ours) + ["random"] * len(drawn),
            "point": points,
            "predicted": said.mean(0),
            "spread": said.std(0, ddof=1),
        }
        tables.append(pd.DataFrame(rows))
    found = np.concatenate(list(evaluated(jobs).values()))
    table = pd.concat(tables, ignore_index=True).assign(accuracy=found)
    return table.assign(excess=table["predicted"] - table["accuracy"])


def with_accuracy(rows: pd.DataFrame, examined: pd.DataFrame) -> pd.DataFrame:
    """`rows` (seed, point, …) with the test accuracy of each."""
    tests = examined.drop_duplicates(["seed", "point"])[["seed", "point", "accuracy"]]
    return rows.merge(tests, on=["seed", "point"])


def trust(served: pd.DataFrame) -> pd.DataFrame:
    """How good the tables were, by setting: predicted over measured (median, least, most),
    Kendall's tau between them, and the share of networks that keep to their target as measured.
    """
    rows = []
    for name, part in served.groupby("setting", sort=False):
        ratio = part["predicted_ms"] / part["latency_ms"]
        tau = scipy.stats.kendalltau(part["predicted_ms"], part["latency_ms"]).statistic
        within = (part["latency_ms"] <= 1.02 * part["target_ms"]).mean()
        rows.append((name, ratio.median(), ratio.min(), ratio.max(), tau, within))
    words = ["predicted / measured", "least", "most", "Kendall's τ", "within target + 2 %"]
    return pd.DataFrame(rows, columns=["setting", *words])


def curse(examined: pd.DataFrame) -> np.ndarray:
    """Excess of the chosen networks over that of the random ones, by seed, (n,)."""
    wide = examined.groupby(["seed", "kind"])["excess"].mean().unstack()
    return (wide["chosen"] - wide["random"]).to_numpy()
