"""Compression as a search: its candidates, what each is worth, and who looks for the best.

A candidate is measured as the very file that is delivered. Time and size are shares of the trained
network's in 32 bits, timed in turn with it: a machine's clock that wanders touches both alike.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from lightlab import deploy, latency, train
from lightlab.chapters.ch11_compression.space import BITS, Compressed, CompressionSpace
from lightlab.data import DataSet
from lightlab.deploy.export import run
from lightlab.latency.runtimes import onnx_runner
from lightlab.measure import cost
from lightlab.measure.machine import torch_threads
from lightlab.methods import subnets
from lightlab.nets.build import Network, build
from lightlab.nets.compress import prune
from lightlab.nets.elastic import ElasticNetwork
from lightlab.search import NSGA2, BayesianOptimization, RandomSearch, pareto
from lightlab.space.decisions import Decision, DecisionSpace, Point

BO, EVOLUTION, RANDOM, UNIFORM = "qLogNEHVI", "NSGA-II", "random search", "uniform pruning"
METHODS = (BO, EVOLUTION, RANDOM, UNIFORM)
N_OBJECTIVES = 3
PLAN = latency.Plan.brief(5)


@dataclass(frozen=True, eq=False)
class Worth:
    """`accuracy` in % on the validation images, `tested` on the test images (nobody may choose by
    it), `latency` and `size` in shares of the trained network's; what it took: training `samples`
    and `seconds` of one core.
    """

    accuracy: float
    tested: float
    latency: float
    size: float
    samples: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Compressor:
    """Makes of a `trained` network what the points of `space` say, and trains it on by `recipe`,
    with `scratch` from new weights. `reference` is the trained network as an ONNX model.
    """

    space: CompressionSpace
    trained: Network
    images: DataSet
    recipe: train.Recipe
    reference: bytes
    scratch: bool = False

    @property
    def before(self) -> float:
        """Accuracy of the trained network on the validation images, %."""
        return 100 * train.evaluate(self.trained, self.images.val)["accuracy"]

    @property
    def samples(self) -> int:
        """Images that the training of a candidate sees."""
        return train.samples(self.recipe, len(self.images.train))

    @property
    def macs(self) -> float:
        """Of the training of a candidate, at most."""
        return cost.PASSES_PER_TRAINING_STEP * self.samples * cost.macs(self.space.trained)

    def from_scratch(self, whole: train.Recipe) -> "Compressor":
        """The same with new weights, trained as long as by `whole` and `recipe` together."""
        longer = replace(whole, epochs=whole.epochs + self.recipe.epochs)
        return replace(self, scratch=True, recipe=longer)

    def pruned(self, form: Compressed, seed: int = 0, importance: str = "l1") -> Network:
        """The smaller network, not trained, its running statistics anew; see `prune`."""
        small = prune(self.trained, form.arch, form.blocks, importance, seed)
        return subnets.calibrate(small, self.images.train.x)

    def network(self, form: Compressed, seed: int = 0) -> Network:
        """The smaller network, trained."""
        learnt = subnets.split_at(self.images.train, form.arch.resolution)
        small = build(form.arch, seed=seed) if self.scratch else self.pruned(form, seed)
        train.fit(small, learnt, self.recipe, seed=seed, progress=False)
        return small.eval()

    def __call__(self, point: Point, seed: int = 0) -> Worth:
        """What the network of `point` is worth."""
        form, begin = self.space.decode(point), time.process_time()
        found = evaluate(self.network(form, seed), form.bits, self.images, self.reference)
        return replace(found, samples=self.samples, seconds=time.process_time() - begin)

    def smallest(self, trials: pd.DataFrame, loss: float) -> pd.Series:
        """Of the networks tried the smallest file that loses at most `loss` points (validation) or
        else the most accurate.
        """
        good = trials[trials["accuracy"] >= self.before - loss]
        if good.empty:
            return trials.loc[trials["accuracy"].idxmax()]
        return good.loc[good["size"].idxmin()]

    def deliver(self, point: Point, seed: int, path: Path) -> Compressed:
        """Write `point` as an ONNX file in its bits; made on one thread, as when it was tried."""
        form = self.space.decode(point)
        with torch_threads(1):
            network = self.network(form, seed)
        subnets.deliver(network, self.images, path)
        if form.bits == 8:
            deploy.quantize_int8(path, path, _shown(self.images, form.arch.resolution))
        return form


@dataclass(frozen=True, eq=False)
class Cutter:
    """Cuts sub-networks out and trains nothing: points are a number of BITS, then its space's."""

    supernet: ElasticNetwork
    images: DataSet
    reference: bytes
    macs = 0.0

    @property
    def space(self) -> DecisionSpace:
        return DecisionSpace([Decision("bits", BITS), *self.supernet.space.decisions])

    def __call__(self, point: Point, seed: int = 0) -> Worth:  # noqa: ARG002  nothing is random
        """What the sub-network of `point` is worth."""
        begin = time.process_time()
        network = subnets.specialise(self.supernet, point[1:], self.images.train.x)
        found = evaluate(network, BITS[point[0]], self.images, self.reference)
        return replace(found, seconds=time.process_time() - begin)


def evaluate(network: Network, bits: int, images: DataSet, reference: bytes) -> Worth:
    """`network` as an ONNX model of so many bits, beside the full-resolution model `reference`."""
    px = network.arch.resolution
    val, test = (subnets.split_at(part, px) for part in (images.val, images.test))
    model = deploy.onnx_bytes(network, network.arch.input_shape)
    if bits == 8:
        model = deploy.int8_bytes(model, _shown(images, px))
    session = deploy.session(model)
    said = ((run(session, part.x).argmax(1), part.y.numpy()) for part in (val, test))
    right = [100 * float((answers == labels).mean()) for answers, labels in said]
    setting = latency.Setting()
    runners = {
        name: onnx_runner(content, setting, asked.x[:1].float().contiguous())
        for name, content, asked in (("model", model, val), ("trained", reference, images.val))
    }
    ms = latency.time_runners(runners, setting, plan=PLAN, estimate="fastest").latency_ms
    return Worth(*right, ms["model"] / ms["trained"], len(model) / len(reference))


def _shown(images: DataSet, px: int) -> Tensor:
    """What the ranges of integers are taken from."""
    return subnets.at_resolution(images.train.x[:200], px)


def run_search(
    method: str,
    candidates: Compressor | Cutter,
    seed: int,
    n_trials: int,
    n_initial: int,
    chance: float,
    known: Mapping[Point, Worth],
) -> pd.DataFrame:
    """One search: rows method, seed, trial, point, accuracy (validation, %), latency and size
    (shares), samples and seconds (of this trial), hypervolume (of all so far, the unit cube is 1).

    The first `n_initial` points are random and the same for all methods, so that differences are
    paired by seed, but for UNIFORM, which tries the points with one choice for all stages, in
    random order. What is `known` already is not evaluated again.
    """
    space, up = candidates.space, (True,) * N_OBJECTIVES
    if method == UNIFORM:
        points = space.uniform()
        first = [points[i] for i in np.random.default_rng(seed).permutation(len(points))]
        n_trials = min(n_trials, len(first))
    else:
        first = RandomSearch(space, seed).ask(n_initial)
    searching = RandomSearch(space, seed, up)
    if method == BO:
        low = (0.0,) * N_OBJECTIVES
        searching = BayesianOptimization(space, seed, up, n_initial, ref_point=low)
    elif method == EVOLUTION:
        searching = NSGA2(space, seed, up, 2 * n_initial, n_initial)
    rows: list[dict[str, Any]] = []
    values: list[tuple[float, ...]] = []
    for i in range(n_trials):
        asked = first[i : i + 1] or searching.ask(1)
        if not asked:
            break
        worth = known.get(asked[0]) or candidates(asked[0], seed)
        above_chance = (worth.accuracy - chance) / (100 - chance)
        values.append((above_chance, 1 - worth.latency, 1 - worth.size))
        searching.tell(asked, [values[-1]])
        volume = pareto.hypervolume(np.array(values), np.zeros(N_OBJECTIVES))
        trial = {"method": method, "seed": seed, "trial": i + 1, "point": asked[0]}
        rows.append({**trial, **vars(worth), "hypervolume": volume})
    return pd.DataFrame(rows)
