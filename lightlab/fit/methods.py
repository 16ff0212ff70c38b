"""The ways to find a network, all with the same arguments: a task and a share of the budget.

Once-for-All for one target: a supernet, a predictor, evolution, and a last training.
"""

import copy
import math
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from lightlab import train
from lightlab.fit import budget
from lightlab.fit.room import N_SUBNETS
from lightlab.fit.task import Finalist, Found, Task
from lightlab.measure import cost
from lightlab.methods import baselines, subnet_search, subnets
from lightlab.methods.phases import sandwich
from lightlab.methods.shrinking import shrink
from lightlab.methods.subnet_search import Evolution, Score, evolve
from lightlab.nets.build import build
from lightlab.nets.elastic import ElasticNetwork
from lightlab.search.searcher import SearchError
from lightlab.space.arch import Arch
from lightlab.space.decisions import Point
from lightlab.train.descent import plan

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
    begin = clock.now()  # of one sub-network on the validation images, calibration included
    subnets.accuracies(net, [net.space.corner()], images.train.x, images.val)
    each = clock.now() - begin
    n = int(np.clip(SAMPLES * seconds / each, _FEWEST, _MOST))
    clock.enter("trying sub-networks", n * each)
    samples = subnets.sample(net, images, n, task.seed, task.workers)
    score = subnet_search.make_score(
        net.space,
        subnet_search.MLP(net.space.encode(samples.points), samples.accuracy, seed=task.seed),
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
    """The best whose file keeps to the target by now, so that long training is spent on no other;
    else the smallest.
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
    """Networks within the target that evolution chose, as measured; limits are drawn in until some
    keep to it, else the smallest network.
    """
    space, share = task.room.space, 1.0

    def evolved(share: float) -> Point:
        try:
            return evolve(space, score, task.room.limits(share), _EVOLUTION, task.seed).point
        except SearchError:  # not even the smallest is predicted to keep to it
            return space.smallest()

    for _ in range(3):
        found = list(dict.fromkeys(evolved(share * s) for s in _SHARES))
        kept = task.meter.kept_by([space.decode(point) for point in found])
        if any(kept):
            return [point for point, keeps in zip(found, kept, strict=True) if keeps]
        share *= 0.8
    return [space.smallest()]


def tuned(task: Task, one: Finalist, seconds: float) -> Finalist:
    """The finalist trained on for so long; as it was where that is worse by more than chance: it
    was chosen by these validation images, which flatter it.
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


AUTO, RANDOM, SCALED = "auto", "random", "scaled"
_N_RANDOM = 8  # networks that are tried by short trainings
_SHORT = 0.5  # share of the time for these
_ENOUGH = 2  # trainings on one core that have to end while a search lasts


def random_networks(task: Task, seconds: float) -> Found:
    """Random networks within the target, briefly trained; the best of them to the end."""
    archs = {f"{RANDOM} {i}": arch for i, arch in enumerate(_drawn(task))}
    task.clock.enter("trying random networks", _SHORT * seconds)
    brief = sorted(task.trained(archs, _SHORT * seconds), key=lambda x: x.rank, reverse=True)
    tried = task.rows("tried", [x.network.arch for x in brief], [x.accuracy for x in brief])
    task.clock.enter("training the best of them anew", (1 - _SHORT) * seconds)
    best = task.trained({RANDOM: brief[0].network.arch}, (1 - _SHORT) * seconds)
    last = task.rows("trained anew", [best[0].network.arch], [best[0].accuracy])
    return Found([*best, *brief[1:]], pd.concat([tried, last], ignore_index=True))


def _drawn(task: Task) -> list[Arch]:
    """Random networks that keep to the target as measured, or the smallest."""
    space, rng = task.room.space, np.random.default_rng(task.seed)
    try:
        points = task.room.limits().draw(4 * _N_RANDOM, lambda n: np.array(space.sample(rng, n)))
    except SearchError:  # not even the smallest is predicted to keep to it
        points = np.array([space.smallest()])
    points = dict.fromkeys(map(tuple, space.canonical(points).tolist()))
    archs = [space.decode(point) for point in points][: 2 * _N_RANDOM]
    kept = task.meter.kept_by(archs)
    found = [arch for arch, keeps in zip(archs, kept, strict=True) if keeps]
    return found[:_N_RANDOM] or [space.decode(space.smallest())]


def scaled(task: Task, seconds: float) -> Found:
    """MobileNetV2's and V3's designs, as deep and wide as the target allows; ValueError where
    neither is.
    """
    if not task.designs:
        what = f"not even the smallest of MobileNetV2's and V3's designs is {task.meter.target}"
        raise ValueError(f"{what}: take another method, which can make smaller networks")
    task.clock.enter("training scaled designs", seconds)
    found = sorted(task.trained(task.designs, seconds), key=lambda x: x.rank, reverse=True)
    costs = task.meter.costs([one.network.arch for one in found])
    tried = [
        {"stage": one.name, "arch": str(one.network.arch), "accuracy": one.accuracy, **each}
        for one, each in zip(found, costs, strict=True)
    ]
    return Found(found, pd.DataFrame(tried))


def designs(task: Task) -> dict[str, Arch]:
    """The two designs as deep as the target allows, then as wide, and no larger than the space's
    largest network; one of which not even the smallest keeps to it is not among them.
    """
    space, found = task.room.space, dict[str, Arch]()
    most = cost.macs(space.decode(space.corner()))
    for depth in range(max(map(max, space.depths)), 0, -1):
        for name, arch in baselines.designs(space, [1.0], depth):
            if name not in found and (widest := task.meter.widest(arch, most)) is not None:
                found[name] = widest
    return found


def chosen(task: Task) -> str:
    """The method for the time left: the designs alone, which are ahead in little time
    (benchmarks/fit.md), unless one core can train both until more would only learn by heart: beside
    a search they then cost nothing.
    """
    space, n = task.room.space, len(task.images.train)
    arch = space.decode(space.corner())
    a_step = budget.network_step_s(build(arch), task.images.train, task.recipe, task.clock.now)
    whole = a_step * plan(task.lasting(0), n).n_steps
    return SCALED if task.designs and task.clock.left_s < _ENOUGH * whole else NAME


METHODS: Mapping[str, Callable[[Task, float], Found]] = {
    NAME: once_for_all,
    RANDOM: random_networks,
    SCALED: scaled,
}
