"""The likeliest network of a distribution within a limit."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from lightlab.methods.proxyless.additive import Additive
from lightlab.search.searcher import SearchError
from lightlab.space.decisions import Point


def likeliest_within(
    probabilities: Sequence[Sequence[float]], price: Additive, target_ms: float
) -> Point:
    """The likeliest point of a distribution that is as fast as the target: exact up to the rounding
    of latencies to 1/2000 of the target, by dynamic programming over the positions.

    SearchError where no point is as fast.
    """
    n, rows = 2000, price.candidates
    least = price.fixed + sum(map(min, rows))
    if least > target_ms:
        raise SearchError(f"no network of the space is as fast as {target_ms:.4g} ms")
    left = int(n * (1 - least / target_ms))  # what the positions may take together, above the least
    best = torch.full((left + 1,), -torch.inf, dtype=torch.float64)
    best[0] = 0.0
    choices = []
    for chances, costs in zip(probabilities, rows, strict=True):
        # above the cheapest: a calibrated table may hold costs below 0
        steps = [int(np.ceil(n * (cost - min(costs)) / target_ms)) for cost in costs]
        reached = [  # by spending `step` more
            F.pad(best, (step, 0), value=-torch.inf)[: left + 1] + np.log(max(chance, 1e-300))
            for chance, step in zip(chances, steps, strict=True)
        ]
        best, taken = torch.stack(reached).max(0)
        choices.append((taken, steps))
    at, point = int(best.argmax()), []
    for taken, steps in reversed(choices):
        point.append(int(taken[at]))
        at -= steps[point[-1]]
    return tuple(reversed(point))
