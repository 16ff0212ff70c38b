"""What choosing from a supernet needs: evaluated samples, a score, the prices of a device."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightlab import latency
from lightlab.data import DataSet
from lightlab.methods.once_for_all import predict, subnets
from lightlab.methods.once_for_all.elastic_cost import ElasticCosts, elastic_table
from lightlab.methods.once_for_all.evolve import Score
from lightlab.nets.elastic import ElasticNetwork
from lightlab.space.once_for_all import OfaSpace
from lightlab.train.parallel import run_beside


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
    supernet: ElasticNetwork, images: DataSet, n: int, seed: int = 0, workers: int | None = None
) -> Samples:
    """`n` random sub-networks, no two alike where the space has as many, evaluated side by side by
    so many `workers`, see `run_beside`.
    """
    space = supernet.space
    drawn = space.canonical(space.sample(np.random.default_rng(seed), 4 * n))
    points = np.array(list(dict.fromkeys(map(tuple, drawn.tolist())))[:n])
    parts = np.array_split(points, max(1, len(points) // 10))
    task = {"supernet": supernet, "images": images.train.x, "split": images.val}
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
