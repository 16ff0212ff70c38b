"""One supernet serves many devices: predictor, tables, chosen networks, and what that costs."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from lightlab.measure import latency, predict, subnets
from lightlab.measure.data import DataSet
from lightlab.measure.elastic_cost import ElasticCosts, elastic_table
from lightlab.nets.elastic import ElasticNetwork
from lightlab.search.beside import run_beside
from lightlab.search.once_for_all.evolve import Evolution, Limits, Score, evolve, random_search
from lightlab.space.arch import encode
from lightlab.space.decisions import Point
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


def sample(supernet: ElasticNetwork, images: DataSet, n: int, seed: int = 0, **how: Any) -> Samples:
    """`n` random sub-networks, no two alike where the space has as many, evaluated side by side."""
    space = supernet.space
    drawn = space.canonical(space.sample(np.random.default_rng(seed), 4 * n))
    points = np.array(list(dict.fromkeys(map(tuple, drawn.tolist())))[:n])
    parts = np.array_split(points, max(1, len(points) // 10))
    task = {"supernet": supernet, "images": images.train.x, "split": images.val, **how}
    jobs = {i: task | {"points": part.tolist()} for i, part in enumerate(parts)}
    macs = ElasticCosts.macs(space).of(points)
    found = run_beside(_timed, jobs, macs.sum() * 2 * len(images.val))
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


def priced(space: OfaSpace, where: str, plan: latency.Plan, seed: int = 0, n: int = 8) -> Priced:
    """Latencies of all sub-networks in a setting ("onnxruntime/1/1"): a look-up table measured now,
    calibrated on `n` random networks of the space.
    """
    begin, how = time.process_time(), latency.Setting.of(where)
    table = elastic_table(space, plan, runtime=how.runtime, threads=how.threads, batch=how.batch)
    drawn = space.sample(np.random.default_rng([seed, 1]), n)
    table = table.calibrated_on([space.decode(point) for point in drawn], plan)
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
            chosen = evolve(costs.space, score, limits, settings, seed)
            seconds, ms = time.process_time() - begin, float(costs.of([chosen.point])[0])
            arch = encode(costs.space.decode(chosen.point))
            rows.append((seed, name, target, chosen.score, ms, chosen.point, arch, seconds))
    columns = ["seed", "setting", "target_ms", "predicted", "predicted_ms", "point", "arch"]
    return pd.DataFrame(rows, columns=[*columns, "seconds"])


def evolution_gain(
    scores: Mapping[int, Score], prices: Mapping[str, Priced], settings: Evolution
) -> np.ndarray:
    """What evolution's network is predicted to have more than the best of as many random ones, at
    half the way between the fastest and the slowest, mean over the settings, by seed, (n,).
    """
    found = []
    for seed, score in scores.items():
        gains = []
        for costs in (price.costs for price in prices.values()):
            limits = Limits({"latency in ms": (costs, targets(costs, 2)[0])})
            best = evolve(costs.space, score, limits, settings, seed)
            by_chance = random_search(costs.space, score, limits, settings.calls, seed)
            gains.append(best.score - by_chance.score)
        found.append(np.mean(gains))
    return np.array(found)


def examine(
    networks: Mapping[int, ElasticNetwork],
    scores: Mapping[int, Score],
    served: pd.DataFrame,
    samples: Mapping[int, Samples],
    images: DataSet,
    n_random: int = 20,
) -> pd.DataFrame:
    """The served networks and some random ones of each seed, tested once: rows seed, kind ("chosen"
    or "random"), point, predicted, accuracy (test), excess (the difference).
    """
    tables = []
    for seed, network in networks.items():
        ours = served[served["seed"] == seed].drop_duplicates("point")
        drawn = samples[seed].points[:n_random]
        rows = pd.DataFrame(
            {
                "kind": ["chosen"] * len(ours) + ["random"] * len(drawn),
                "point": [*ours["point"], *map(tuple, drawn.tolist())],
                "predicted": [*ours["predicted"], *scores[seed](drawn)],
            }
        )
        marks = _tested(network, list(rows["point"]), images)
        tables.append(rows.assign(seed=seed, accuracy=rows["point"].map(marks)))
    table = pd.concat(tables, ignore_index=True)
    return table.assign(excess=table["predicted"] - table["accuracy"])


def curse(examined: pd.DataFrame) -> np.ndarray:
    """Excess of the chosen networks over that of the random ones, by seed, (n,)."""
    wide = examined.groupby(["seed", "kind"])["excess"].mean().unstack()
    return (wide["chosen"] - wide["random"]).to_numpy()


def _tested(
    supernet: ElasticNetwork, points: Sequence[Point], images: DataSet
) -> dict[Point, float]:
    """Accuracy on the test images in %, of each once."""
    distinct = list(dict.fromkeys(points))
    found = subnets.accuracies(supernet, distinct, images.train.x, images.test)
    return dict(zip(distinct, found.tolist(), strict=True))
