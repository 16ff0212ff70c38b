"""The methods: each finds a network for every target and says what that took.

A method is a function of field, targets (n,) in ms, budget (passes over the training images, for
each target where it searches for each, else once) and seed; it gives a `Pick` for each target.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from lightlab import train
from lightlab.chapters.ch12_playing_field.field import Field, Pick
from lightlab.methods import specialised
from lightlab.methods.mnasnet import rewards
from lightlab.methods.once_for_all import evolve, phases, predict, rivals, serving, subnets
from lightlab.methods.once_for_all.shrinking import shrink
from lightlab.methods.proxyless.architect import Settings
from lightlab.methods.proxyless.run import search
from lightlab.methods.proxyless.within import likeliest_within
from lightlab.nets.build import Network
from lightlab.nets.compress import prune
from lightlab.search.controller import PPO, Controller
from lightlab.search.evolution import RegularizedEvolution
from lightlab.search.gaussian.bayesopt import BayesianOptimization
from lightlab.search.random_search import RandomSearch
from lightlab.search.searcher import Searcher
from lightlab.space.arch import Arch
from lightlab.space.decisions import Point
from lightlab.space.spaces import ZERO

V2, V3 = "MobileNetV2 by hand", "MobileNetV3 by hand"
RANDOM, EVOLUTION, CONTROLLER = "random search", "evolution", "MnasNet's controller"
BO, GRADIENT, REINFORCE = "Bayesian optimisation", "ProxylessNAS", "ProxylessNAS, REINFORCE"
OFA, COMPRESSION = "Once-for-All", "compression"
_PROXYLESS = {"arch_lr": 0.2, "every": 2}
_LIMIT = {"latency_weight": 1.0, "limit": True}  # of the target
_AS_FAST = math.log(1.1)
Timer = Callable[[Sequence[Arch]], Sequence[float]]  # ms of each network
Method = Callable[[Field, Sequence[float], float, int], list[Pick]]


def by_trials(make: Callable[[Field, float, int, int], Searcher], soft: bool = False) -> Method:
    """A search whose candidates are trained for a short while each, as many as the budget buys.

    `make(field, target, seed, trials)` gives the searcher; with `soft` it is told MnasNet's reward,
    else the accuracy of networks that are as fast as the target. It hands over the most accurate
    of those (or, where none is, the fastest).
    """

    def method(field: Field, targets: Sequence[float], budget: float, seed: int) -> list[Pick]:
        epochs = field.proxy_epochs
        n_trials = max(2, int(budget / epochs))

        def candidate(point: Point) -> Network:
            return field.train(field.space.decode(point), epochs, seed)

        return [
            _searched(field, t, make(field, t, seed, n_trials), n_trials, candidate, epochs, soft)
            for t in targets
        ]

    return method


def _searched(
    field: Field,
    target: float,
    searcher: Searcher,
    n_trials: int,
    candidate: Callable[[Point], Network],
    epochs: float,
    soft: bool = False,
) -> Pick:
    """So many candidates, each trained for so many `epochs`, one after another."""
    begin, tried = time.process_time(), []
    while len(tried) < n_trials and (asked := searcher.ask(1)):
        accuracy = field.validated(candidate(asked[0]))
        ms = field.price.of(asked[0])
        value = float(rewards.reward(accuracy, ms, target)) if soft else accuracy
        searcher.tell(asked, [value])
        tried.append((asked[0], ms, accuracy))
    point = _best(tried, target)
    spent = len(tried) * field.samples(epochs)
    return Pick(field.space.decode(point), spent, time.process_time() - begin)


def _best(tried: Sequence[tuple[Point, float, float]], target: float) -> Point:
    good = [one for one in tried if one[1] <= target]
    if good:
        return max(good, key=lambda one: one[2])[0]
    return min(tried, key=lambda one: one[1])[0]


def _constrained(kind: Callable[..., Any], **how: Any) -> Callable[..., Searcher]:
    def make(field: Field, target: float, seed: int, n_trials: int) -> Searcher:
        sizes = {k: v(n_trials) for k, v in how.items()}
        return kind(field.space, seed, feasible=lambda p: field.within(target, p), **sizes)

    return make


def _initial(n_trials: int) -> int:
    return max(2, n_trials // 3)


def _controller(field: Field, target: float, seed: int, n_trials: int) -> Searcher:  # noqa: ARG001
    """Its constraint is in the reward."""
    return Controller(field.space, seed, ppo=PPO(lr=3e-3, batch_size=_initial(n_trials)))


def by_paths(form: str) -> Method:
    """ProxylessNAS for each target: the likeliest network of the distribution at the end that is as
    fast; the price of what is above it and the reward's exponent ask for it only softly.
    """

    def method(field: Field, targets: Sequence[float], budget: float, seed: int) -> list[Pick]:
        # images a step, of both splits
        seen = 1 + (1 - Settings.warmup) / _PROXYLESS["every"]
        recipe = replace(field.recipe, epochs=budget / seen)
        priced = {} if form == "reinforce" else _LIMIT
        settings = Settings(recipe, form=form, **_PROXYLESS, **priced)
        picks = []
        for target in targets:
            begin = time.process_time()
            found = search(field.space, field.images, field.price, target, settings, seed)
            point = likeliest_within(found.probabilities, field.price, target)
            samples = int(found.history["samples"].iloc[-1])
            arch, seconds = field.space.decode(point), time.process_time() - begin
            picks.append(Pick(arch, samples, seconds))
        return picks

    return method


def once_for_all(
    field: Field, targets: Sequence[float], budget: float, seed: int, n_samples: int = 60
) -> list[Pick]:
    """One supernet for all targets (sandwich rule), a predictor, evolution for each target."""
    begin = time.process_time()
    plan = phases.sandwich(budget)
    shrunk = shrink(field.elastic, field.images, plan, field.recipe, seed=seed, n_rows=0)
    known = serving.sample(shrunk.network, field.images, n_samples, seed)
    model = predict.MLP(known.codes(field.elastic), known.accuracy, seed=seed)
    score = serving.scorer(field.elastic, model)
    shared = {
        "shared_samples": int(shrunk.history["passes"].iloc[-1]),
        "shared_seconds": time.process_time() - begin,
    }
    picks = []
    for target in targets:
        begin = time.process_time()
        limits = evolve.Limits({"latency in ms": (field.elastic_price, target)})
        settings = evolve.Evolution(generations=50)
        chosen = evolve.evolve(field.elastic, score, limits, settings, 7919 * (seed + 1))
        arch = field.elastic.decode(chosen.point)
        picks.append(Pick(arch, 0, time.process_time() - begin, **shared))
    return picks


def compression(field: Field, targets: Sequence[float], budget: float, seed: int) -> list[Pick]:
    """The largest network trained for half of the budget; for each target evolution over what may
    be taken from it, candidates inheriting its weights and trained on for a quarter of a
    candidate's epochs, with the other half.
    """
    begin, largest = time.process_time(), field.space.largest()
    trained = field.train(field.space.decode(largest), budget / 2, seed)
    shared = {
        "shared_samples": field.samples(budget / 2),
        "shared_seconds": time.process_time() - begin,
    }
    short = field.proxy_epochs / 4
    n_trials = max(2, int(budget / 2 / short))
    make = _constrained(RegularizedEvolution, **_EVOLUTION)
    recipe = replace(field.recipe, epochs=short, lr=field.recipe.lr / 2)

    def candidate(point: Point) -> Network:
        network = inherited(field, trained, point)
        train.fit(network, field.images.train, recipe, seed=seed, progress=False)
        return network

    picks = [
        _searched(field, t, make(field, t, seed, n_trials), n_trials, candidate, short)
        for t in targets
    ]
    return [replace(pick, **shared) for pick in picks]


def inherited(field: Field, trained: Network, point: Point) -> Network:
    """The network of `point` with the part of the trained one's weights that matters most."""
    skeleton, options = field.space.skeleton, list(field.space.options(point).values())
    first = len(skeleton.first)
    stay = [first + i for i, option in enumerate(options) if option != ZERO]
    after = first + len(options)
    blocks = [*range(first), *stay, *range(after, after + len(skeleton.last))]
    return subnets.calibrated(
        prune(trained, field.space.decode(point), blocks), field.images.train.x
    )


def by_hand(field: Field, design: str, targets: Sequence[float], meter: Timer) -> list[Pick]:
    """MobileNetV2's or V3's design in the skeleton, for each target as deep as it can be made as
    fast, up to a tenth, by its width; of the nearest latency where it cannot with a layer a stage.
    """
    name = {V2: rivals.MOBILENET_V2, V3: rivals.MOBILENET_V3}[design]
    deepest = max(map(max, field.elastic.depths))
    picks = []
    for target in targets:
        nearest, found = math.inf, None
        for depth in range(deepest, 0, -1):
            whole = dict(rivals.families(field.elastic, [1.0], depth))[name]
            arch, ms = specialised.as_fast(whole, target, meter)
            if (off := abs(math.log(ms / target))) < nearest:
                nearest, found = off, arch
            if off < _AS_FAST:
                break
        picks.append(Pick(found, 0, 0.0))
    return picks


_EVOLUTION = {
    "population_size": lambda n: max(4, n // 2),
    "tournament_size": lambda n: max(2, n // 4),
    "n_initial": _initial,
}
METHODS: dict[str, Method] = {
    RANDOM: by_trials(_constrained(RandomSearch)),
    EVOLUTION: by_trials(_constrained(RegularizedEvolution, **_EVOLUTION)),
    BO: by_trials(_constrained(BayesianOptimization, n_initial=_initial)),
    CONTROLLER: by_trials(_controller, soft=True),
    GRADIENT: by_paths("two"),
    REINFORCE: by_paths("reinforce"),
    OFA: once_for_all,
    COMPRESSION: compression,
}


def play(
    field: Field, method: str, targets: Sequence[float], budget: float, seed: int
) -> list[Pick]:
    """One of METHODS by its name."""
    return METHODS[method](field, targets, budget, seed)
