"""How long things take here, by a few of them."""

import copy
from collections.abc import Callable
from dataclasses import replace

from lightlab import train
from lightlab.data import DataSet, Split
from lightlab.fit.clock import Now
from lightlab.methods import subnets
from lightlab.nets.build import Network
from lightlab.nets.elastic import ElasticNetwork
from lightlab.train.recipe import plan

_FEW, _STEPS = 2, 6
_LEAST = 0.3  # share of a run that its further steps take at least: noise is no gift of time


def step_s(run: Callable[[int], object], now: Now) -> float:
    """Seconds of one more step of `run(steps)`, what it does but once apart.

    The first run makes everything ready and does not count; of two short ones beside the long one
    the faster does: taken for slow by chance, steps would seem to cost nothing.
    """

    def seconds(steps: int) -> float:
        begin = now()
        run(steps)
        return now() - begin

    run(_FEW)
    few, many = seconds(_FEW), seconds(_FEW + _STEPS)
    few = min(few, seconds(_FEW))
    return max(many - few, _LEAST * many) / _STEPS


def network_step_s(network: Network, split: Split, recipe: train.Recipe, now: Now) -> float:
    """Of a network by itself; of a copy, it stays as it is."""
    each = plan(recipe, len(split)).per_epoch

    def run(steps: int) -> None:
        short = replace(recipe, epochs=steps / each)
        train.fit(copy.deepcopy(network), split, short, macs_per_image=0, progress=False)

    return step_s(run, now)


def evaluation_s(network: ElasticNetwork, images: DataSet, now: Now) -> float:
    """Of one sub-network on the validation images, calibration included."""
    begin = now()
    subnets.accuracies(network, [network.space.corner()], images.train.x, images.val)
    return now() - begin
