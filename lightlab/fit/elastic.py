"""Once-for-All for one target: a supernet, a predictor, evolution, and a last training."""

import copy
import math

import numpy as np
import pandas as pd

from lightlab import train
from lightlab.fit import pace
from lightlab.fit.room import N_SUBNETS
from lightlab.fit.task import Finalist, Found, Task
from lightlab.measure import cost
from lightlab.methods import accuracy_predictor, subnets
from lightlab.methods.once_for_all.shrinking import shrink
from lightlab.methods.phases import sandwich
from lightlab.methods.subnet_search import Evolution, Score, evolve
from lightlab.nets.elastic import ElasticNetwork
from lightlab.search.searcher import SearchError
from lightlab.space.decisions import Point

NAME = "once-for-all"
SAMPLES = 0.1  # share of the method's time in which sub-networks are tried
SUPERNET = 0.45  # share of the rest for the supernet; the chosen network has what is left
_SHARES = (1.0, 0.93, 0.85, 0.75)  # of the limits, within which candidates are sought
_FEWEST, _MOST = 12, 120  # sub-networks that the predictor learns from
_EVOLUTION = Evolution(generations=40)


def once_for_all(task: Task, seconds: float) -> Found:
    """The sub-network that evolution chose, trained on; behind it the others as cut out."""
    clock, images, end = task.clock, task.images, task.clock.spent_s + seconds
    training = SUPERNET * (1 - SAMPLES) * seconds
    clock.enter("training the supernet", training)
    net = supernet(task, training)
    each = pace.evaluation_s(net, images, clock.now)
    n = int(np.clip(SAMPLES * seconds / each, _FEWEST, _MOST))
    clock.enter("trying sub-networks", n * each)
    samples = accuracy_predictor.sample(net, images, n, task.seed, task.workers)
    score = accuracy_predictor.scorer(
        net.space,
        accuracy_predictor.MLP(samples.codes(net.space), samples.accuracy, seed=task.seed),
    )
    clock.enter("evolution")
    networks = [subnets.specialise(net, p, images.train.x) for p in candidates(task, score)]
    finalists = [task.finalist(NAME, network, 0.0) for network in networks]
    finalists.sort(key=lambda one: one.rank, reverse=True)
    archs = [net.space.decode(point) for point in samples.points.tolist()]
    tried = task.rows("sampled", archs, samples.accuracy.tolist())
    archs, found = zip(*((one.network.arch, one.accuracy) for one in finalists), strict=True)
    tried = pd.concat([tried, task.rows("candidate", list(archs), list(found))])
    first = promising(task, finalists)
    left = max(0.0, end - clock.spent_s)
    clock.enter("training the best of them on", left)
    best = tuned(task, first, left)
    tried = pd.concat([tried, task.rows("trained on", [best.network.arch], [best.accuracy])])
    others = [one for one in finalists if one is not first]
    return Found([best, *others], tried.reset_index(drop=True))


def promising(task: Task, finalists: list[Finalist]) -> Finalist:
    """The best whose file keeps to the target now as it will have to in the end, so that no long
    training is spent on one that misses it; where none does, the smallest.
    """
    for one in finalists:
        if task.meter.promises(one.network):
            return one
    return min(finalists, key=lambda one: cost.param_count(one.network.arch))


def supernet(task: Task, seconds: float) -> ElasticNetwork:
    """The once-for-all network, trained by the sandwich rule for about so long."""
    recipe = task.lasting(seconds)
    phases = sandwich(N_SUBNETS * recipe.epochs, N_SUBNETS)
    found = shrink(task.room.space, task.images, phases, recipe, seed=task.seed, n_rows=0)
    task.took(int(found.history["steps"].iloc[-1]))
    return found.network


def candidates(task: Task, score: Score) -> list[Point]:
    """Networks within the target that evolution chose, as measured; the limits are drawn in until
    some keep to it, and the smallest network stands in where none does.
    """
    space, share = task.room.space, 1.0
    for _ in range(3):
        found = list(dict.fromkeys(_evolved(task, score, share * s) for s in _SHARES))
        kept = task.meter.kept_by([space.decode(point) for point in found])
        if any(kept):
            return [point for point, keeps in zip(found, kept, strict=True) if keeps]
        share *= 0.8
    return [space.smallest()]


def _evolved(task: Task, score: Score, share: float) -> Point:
    """The best network within that share of the limits, or the smallest there is."""
    space = task.room.space
    try:
        return evolve(space, score, task.room.limits(share), _EVOLUTION, task.seed).point
    except SearchError:  # not even the smallest is predicted to keep to it
        return space.smallest()


def tuned(task: Task, one: Finalist, seconds: float) -> Finalist:
    """The finalist trained on by itself for about so long; as it was where that made it worse by
    more than chance: it was chosen by these validation images, which flatter it.
    """
    network, recipe = copy.deepcopy(one.network), task.lasting(seconds)
    try:
        h = train.fit(network, task.images.train, recipe, seed=task.seed, progress=False)
    except train.DivergedError:
        return one
    task.took(int(h["step"].iloc[-1]))
    after = task.finalist(one.name, network.eval(), float(h["seconds"].iloc[-1]))
    n = len(task.meter.images.val)
    share = (one.accuracy / 100 * n + 1) / (n + 2)  # never all
    chance = 200 * math.sqrt(share * (1 - share) / n)
    return after if after.accuracy >= one.accuracy - chance else one
