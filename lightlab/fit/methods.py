"""The ways to find a network, all with the same arguments: a task and a share of the budget."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from lightlab.fit import elastic, pace
from lightlab.fit.target import FitError
from lightlab.fit.task import Found, Task
from lightlab.measure import cost
from lightlab.methods import comparison
from lightlab.nets.build import build
from lightlab.search.searcher import SearchError
from lightlab.space.arch import Arch
from lightlab.train.recipe import plan

Method = Callable[[Task, float], Found]
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
    """MobileNetV2's and MobileNetV3's designs, each as deep and wide as the target allows; FitError
    where neither keeps to it.
    """
    if not task.designs:
        what = f"not even the smallest of MobileNetV2's and V3's designs is {task.meter.target}"
        raise FitError(f"{what}: take another method, which can make smaller networks")
    task.clock.enter("training scaled designs", seconds)
    found = sorted(task.trained(task.designs, seconds), key=lambda x: x.rank, reverse=True)
    costs = task.meter.costs([one.network.arch for one in found])
    tried = [
        {"stage": one.name, "arch": str(one.network.arch), "accuracy": one.accuracy, **each}
        for one, each in zip(found, costs, strict=True)
    ]
    return Found(found, pd.DataFrame(tried))


def designs(task: Task) -> dict[str, Arch]:
    """The two designs, each as deep as it can be kept to the target by its width, and of the
    greatest width that is, and no larger than the space's largest network, for which there is time;
    one of which not even the smallest does is not among them.
    """
    space, found = task.room.space, dict[str, Arch]()
    most = cost.macs(space.decode(space.corner()))
    for depth in range(max(map(max, space.depths)), 0, -1):
        for name, arch in comparison.families(space, [1.0], depth):
            if name not in found and (widest := task.meter.widest(arch, most)) is not None:
                found[name] = widest
    return found


def chosen(task: Task) -> str:
    """The method for the time that is left: the designs alone, which end ahead of a search in so
    little time (benchmarks/fit.md), unless there is time to train both on one core until more of
    it only learns the images by heart: trained beside a search they then cost nothing.
    """
    space, n = task.room.space, len(task.images.train)
    arch = space.decode(space.corner())
    a_step = pace.network_step_s(build(arch), task.images.train, task.recipe, task.clock.now)
    whole = a_step * plan(task.lasting(0), n).n_steps
    return SCALED if task.designs and task.clock.left_s < _ENOUGH * whole else elastic.NAME


METHODS: Mapping[str, Method] = {
    elastic.NAME: elastic.once_for_all,
    RANDOM: random_networks,
    SCALED: scaled,
}
