"""The methods and what they are given: each finds a network for every target, and what it took.

A search is a function of rules, targets (n,) in ms, budget (passes over the training images, for
each target where it searches for each, else once) and seed; it gives a `Pick` for each target.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lightlab import train
from lightlab.data import DataSet
from lightlab.methods import baselines, mnasnet, phases, subnet_search, subnets
from lightlab.methods.architect import Settings, likeliest_within
from lightlab.methods.price import Price
from lightlab.methods.proxyless import search
from lightlab.methods.shrinking import shrink
from lightlab.nets.build import Network
from lightlab.nets.compress import prune
from lightlab.search import BayesianOptimization, RandomSearch, RegularizedEvolution
from lightlab.search.controller import PPO, Controller
from lightlab.space.arch import Arch
from lightlab.space.decisions import Point
from lightlab.space.once_for_all import OfaSpace
from lightlab.space.proxyless import ZERO, ProxylessSpace

V2, V3 = "MobileNetV2 by hand", "MobileNetV3 by hand"
HANDS = (V2, V3)
RANDOM, EVOLUTION, CONTROLLER = "random search", "evolution", "MnasNet's controller"
BO, GRADIENT, REINFORCE = "Bayesian optimisation", "ProxylessNAS", "ProxylessNAS, REINFORCE"
OFA, COMPRESSION = "Once-for-All", "compression"
Timer = Callable[[Sequence[Arch]], Sequence[float]]  # ms of each network


class Pick(NamedTuple):
    """The network that a method found for a target, and what that took, with the target's part of
    what serves all: images seen in training, seconds of one core.
    """

    arch: Arch
    samples: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Rules:
    """One space in two forms (see `spaces`), latencies for both, images, and the `recipe` of every
    training: candidates are trained for `proxy_epochs`, a budget is in passes over the images.
    """

    space: ProxylessSpace
    elastic: OfaSpace
    price: Price
    elastic_price: Price
    images: DataSet
    recipe: train.Recipe
    proxy_epochs: float

    def samples(self, passes: float) -> int:
        """Images seen in so many passes."""
        return train.samples(replace(self.recipe, epochs=passes), len(self.images.train))

    def train(self, arch: Arch, epochs: float, seed: int) -> Network:
        """The network trained from new weights, on one thread."""
        job = train.Job(arch, self.images.train, replace(self.recipe, epochs=epochs), seed)
        return train.train_each({0: job}, workers=1, progress=False)[0].network()

    def validate(self, network: Network) -> float:
        """Accuracy on the validation images, %."""
        return 100 * train.evaluate(network, self.images.val)["accuracy"]

    def targets(self, n: int) -> np.ndarray:
        """`n` latencies in equal ratios, strictly between the least and the most, (n,) ms."""
        least, most = (
            self.price.fixed[0] + sum(extreme(part[0]) for part in self.price.added)
            for extreme in (np.min, np.max)
        )
        return np.geomspace(least, most, n + 2)[1:-1]


def by_trials(
    name: str, rules: Rules, targets: Sequence[float], budget: float, seed: int
) -> list[Pick]:
    """A search whose candidates are trained for a short while each, as many as the budget buys."""
    epochs = rules.proxy_epochs
    n_trials = max(2, int(budget / epochs))

    def candidate(point: Point) -> Network:
        return rules.train(rules.space.decode(point), epochs, seed)

    return [_try(name, rules, t, seed, n_trials, epochs, candidate) for t in targets]


def _try(
    name: str,
    rules: Rules,
    target: float,
    seed: int,
    n_trials: int,
    epochs: float,
    candidate: Callable[[Point], Network],
) -> Pick:
    """So many candidates, one after another, a third of them random. The controller is told
    MnasNet's reward, the others the accuracy: they try only networks that are as fast as the
    target.
    """
    space, third = rules.space, max(2, n_trials // 3)
    fast: dict[str, Any] = {"feasible": lambda point: rules.price.of(point) <= target}
    sizes = {"population_size": max(4, n_trials // 2), "tournament_size": max(2, n_trials // 4)}
    searching = {
        RANDOM: partial(RandomSearch, space, seed, **fast),
        EVOLUTION: partial(RegularizedEvolution, space, seed, n_initial=third, **sizes, **fast),
        BO: partial(BayesianOptimization, space, seed, n_initial=third, **fast),
        CONTROLLER: partial(Controller, space, seed, ppo=PPO(lr=3e-3, batch_size=third)),
    }[name]()
    begin, tried = time.process_time(), []
    while len(tried) < n_trials and (asked := searching.ask(1)):
        accuracy, ms = rules.validate(candidate(asked[0])), rules.price.of(asked[0])
        reward = float(mnasnet.reward(accuracy, ms, target)) if name == CONTROLLER else accuracy
        searching.tell(asked, [reward])
        tried.append((asked[0], ms, accuracy))
    arch = space.decode(best(tried, target))
    return Pick(arch, len(tried) * rules.samples(epochs), time.process_time() - begin)


def best(tried: Sequence[tuple[Point, float, float]], target: float) -> Point:
    """Of (point, ms, accuracy) the most accurate as fast as the target, or else the fastest."""
    if good := [one for one in tried if one[1] <= target]:
        return max(good, key=lambda one: one[2])[0]
    return min(tried, key=lambda one: one[1])[0]


def by_paths(
    form: str, rules: Rules, targets: Sequence[float], budget: float, seed: int
) -> list[Pick]:
    """ProxylessNAS for each target: the likeliest network at the end that is as fast; the price of
    what is above it and the reward's exponent ask for it only softly.
    """
    every = 2  # steps of the weights
    seen = 1 + (1 - Settings.warmup) / every  # images a step, of both splits
    recipe = replace(rules.recipe, epochs=budget / seen)
    limit = {} if form == "reinforce" else {"latency_weight": 1.0, "limit": True}
    settings = Settings(recipe, form=form, arch_lr=0.2, every=every, **limit)
    picks = []
    for target in targets:
        begin = time.process_time()
        found = search(rules.space, rules.images, rules.price, target, settings, seed)
        arch = rules.space.decode(likeliest_within(found.probabilities, rules.price, target))
        samples = int(found.history["samples"].iloc[-1])
        picks.append(Pick(arch, samples, time.process_time() - begin))
    return picks


def once_for_all(rules: Rules, targets: Sequence[float], budget: float, seed: int) -> list[Pick]:
    """One supernet for all targets (sandwich rule), a predictor that learns from 60 of its
    sub-networks, evolution for each target.
    """
    begin = time.process_time()
    plan = phases.sandwich(budget)
    shrunk = shrink(rules.elastic, rules.images, plan, rules.recipe, seed=seed, n_rows=0)
    known = subnets.sample(shrunk.network, rules.images, 60, seed)
    model = subnet_search.MLP(rules.elastic.encode(known.points), known.accuracy, seed=seed)
    score = subnet_search.make_score(rules.elastic, model)
    samples = int(shrunk.history["passes"].iloc[-1]) / len(targets)
    shared_s, picks = (time.process_time() - begin) / len(targets), []
    for target in targets:
        begin = time.process_time()
        limits = subnet_search.Limits.latency_ms(rules.elastic_price, target)
        settings = subnet_search.Evolution(generations=50)
        chosen = subnet_search.evolve(rules.elastic, score, limits, settings, 7919 * (seed + 1))
        arch = rules.elastic.decode(chosen.point)
        picks.append(Pick(arch, samples, time.process_time() - begin + shared_s))
    return picks


def compression(rules: Rules, targets: Sequence[float], budget: float, seed: int) -> list[Pick]:
    """The largest network, trained for half of the budget; with the rest, for each target evolution
    over what may be taken from it, candidates trained on for a quarter of the usual epochs.
    """
    begin, largest = time.process_time(), rules.space.largest()
    trained = rules.train(rules.space.decode(largest), budget / 2, seed)
    shared = rules.samples(budget / 2) / len(targets)
    shared_s = (time.process_time() - begin) / len(targets)
    short = rules.proxy_epochs / 4
    n_trials = max(2, int(budget / 2 / short))
    recipe = replace(rules.recipe, epochs=short, lr=rules.recipe.lr / 2)

    def candidate(point: Point) -> Network:
        network = inherit(rules, trained, point)
        train.fit(network, rules.images.train, recipe, seed=seed, progress=False)
        return network

    picks = [_try(EVOLUTION, rules, t, seed, n_trials, short, candidate) for t in targets]
    return [Pick(arch, samples + shared, s + shared_s) for arch, samples, s in picks]


def inherit(rules: Rules, trained: Network, point: Point) -> Network:
    """The network of `point` with the part of the trained one's weights that matters most."""
    options = enumerate(rules.space.options(point).values(), len(rules.space.skeleton.first))
    gone = {i for i, option in options if option == ZERO}
    blocks = [i for i in range(len(trained.blocks)) if i not in gone]
    small = prune(trained, rules.space.decode(point), blocks)
    return subnets.calibrate(small, rules.images.train.x)


def by_hand(rules: Rules, design: str, targets: Sequence[float], meter: Timer) -> list[Pick]:
    """MobileNetV2's or V3's design, for each target as deep as it can be made as fast, up to a
    tenth, by its width; of the nearest latency where it cannot with a layer a stage.
    """
    name = {V2: baselines.MOBILENET_V2, V3: baselines.MOBILENET_V3}[design]
    deepest = max(map(max, rules.elastic.depths))
    picks = []
    for target in targets:
        nearest, found = math.inf, None
        for depth in range(deepest, 0, -1):
            whole = dict(baselines.designs(rules.elastic, [1.0], depth))[name]
            arch, ms = baselines.match_latency(whole, target, meter)
            if (off := abs(math.log(ms / target))) < nearest:
                nearest, found = off, arch
            if off < math.log(1.1):
                break
        picks.append(Pick(found, 0, 0.0))
    return picks


class Method(NamedTuple):
    """A search, what it learns from, and how it keeps to a latency."""

    search: Callable[[Rules, Sequence[float], float, int], list[Pick]]
    learns_from: str
    latency: str


_TRIALS, _ONLY_FAST = "short trainings", "only networks as fast are tried"
_SHARED = "shared weights"
METHODS = {
    RANDOM: Method(partial(by_trials, RANDOM), _TRIALS, _ONLY_FAST),
    EVOLUTION: Method(partial(by_trials, EVOLUTION), _TRIALS, _ONLY_FAST),
    BO: Method(partial(by_trials, BO), _TRIALS, _ONLY_FAST),
    CONTROLLER: Method(partial(by_trials, CONTROLLER), _TRIALS, "reward"),
    GRADIENT: Method(partial(by_paths, "two"), _SHARED, "loss, then the likeliest as fast"),
    REINFORCE: Method(
        partial(by_paths, "reinforce"), _SHARED, "reward, then the likeliest as fast"
    ),
    OFA: Method(once_for_all, "one supernet for all targets", "only networks as fast are chosen"),
    COMPRESSION: Method(compression, "one trained network for all targets", _ONLY_FAST),
}


def table() -> pd.DataFrame:
    """All methods, those by hand first: what each learns from, and how it keeps to a latency."""
    rows = [(name, "nothing", "width, then depth") for name in HANDS]
    rows += [(name, *method[1:]) for name, method in METHODS.items()]
    return pd.DataFrame(rows, columns=["method", "learns from", "latency"])
