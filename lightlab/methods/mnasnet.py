"""MnasNet: a search whose reward weighs accuracy against measured latency (Tan et al. 2019)."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lightlab.measure import cost
from lightlab.search.searcher import Searcher, SearchError
from lightlab.space.arch import Arch
from lightlab.space.decisions import DecisionSpace

HARD, SOFT = (0.0, -1.0), (-0.07, -0.07)  # alpha, beta: section 3 and figure 3

Judge = Callable[[Sequence[Arch]], pd.DataFrame]
Objective = Callable[[pd.DataFrame], ArrayLike]


def reward(
    accuracy: ArrayLike,
    latency_ms: ArrayLike,
    target_ms: float,
    alpha: float = SOFT[0],
    beta: float = SOFT[1],
) -> np.ndarray:
    """accuracy · (latency / target)^w, w = `alpha` up to the target and `beta` above it (eq. 2, 3).

    In the units of `accuracy`, of any equal shapes. ValueError for a latency or target that is not
    above 0, and for an accuracy that is NaN: a network that failed has no reward.
    """
    accuracy, latency_ms = np.asarray(accuracy, dtype=float), np.asarray(latency_ms, dtype=float)
    if not 0 < target_ms < np.inf:
        raise ValueError(f"the target latency has to be above 0 ms, got {target_ms}")
    if not np.all((latency_ms > 0) & (latency_ms < np.inf)):
        raise ValueError(f"latencies have to be above 0 ms, got {np.min(latency_ms)}")
    if np.isnan(accuracy).any():
        raise ValueError("an accuracy is NaN: a network that failed has no reward, tell NaN for it")
    ratio = latency_ms / target_ms
    return accuracy * ratio ** np.where(ratio <= 1, alpha, beta)


def exponent(times_slower: float, relative_gain: float) -> float:
    """The exponent at which a network `times_slower` is worth as much if its accuracy is higher by
    `relative_gain`: (1 + gain) · times^β = 1 (section 3). ValueError on values that have none.
    """
    if not (times_slower > 0 and times_slower != 1 and relative_gain > -1):
        raise ValueError(f"no exponent makes {times_slower} times as slow worth {relative_gain}")
    return float(-np.log1p(relative_gain) / np.log(times_slower))


def run(
    searcher: Searcher,
    space: DecisionSpace,
    judge: Judge,
    objective: Objective,
    n_trials: int,
    batch_size: int,
) -> pd.DataFrame:
    """Sample, judge, tell, until `n_trials` networks were tried; fewer where the space has no more.

    The rows that `judge` gives, one per trial in the order asked, and trial, point, value (what
    `objective` makes of the rows that did not fail, NaN for those that did), entropy (of a
    controller's policy, nats). SearchError in a space of one network, or where none is left to try.
    """
    if min(n_trials, batch_size) < 1:
        raise ValueError(f"n_trials and batch_size start at 1, got {n_trials} and {batch_size}")
    if space.size() < 2:
        raise SearchError(f"there is nothing to search in {space!r}: every decision has one option")
    parts: list[pd.DataFrame] = []
    while (left := n_trials - len(searcher.trials)) > 0:
        points = searcher.ask(min(batch_size, left))
        if not points:
            break
        rows = judge([space.decode(point) for point in points])
        fine = rows["accuracy"].notna().to_numpy()
        values = np.full(len(rows), np.nan)
        values[fine] = objective(rows[fine])
        entropy = getattr(searcher, "entropy", np.nan)  # of the policy that these points are from
        searcher.tell(points, values)
        first = len(searcher.trials) - len(rows) + 1
        parts.append(
            rows.assign(
                trial=range(first, first + len(rows)),
                point=["-".join(map(str, p)) for p in points],
                value=values,
                entropy=entropy,
            )
        )
    if not parts:
        raise SearchError(f"{len(searcher.trials)} trials were told before: no more are wanted")
    return pd.concat(parts, ignore_index=True)


def check_target(
    space: DecisionSpace, time: Callable[[Sequence[Arch]], ArrayLike], target_ms: float
) -> None:
    """SearchError where even a network of few MACs takes longer than `target_ms`, by `time`: one
    that no single other decision would make cheaper.
    """
    if not target_ms > 0:
        raise ValueError(f"the target latency has to be above 0 ms, got {target_ms}")
    price = cost.Prices()
    point = space.unrank(0)
    while True:
        macs = {p: price(space.decode(p))[0] for p in [point, *space.neighbors(point)]}
        cheapest = min(macs, key=macs.__getitem__)
        if macs[cheapest] == macs[point]:
            break
        point = cheapest
    (least,) = np.asarray(time([space.decode(point)]))
    if least > target_ms:
        raise SearchError(
            f"the target of {target_ms:.4g} ms is out of reach: a network of as few MACs as "
            f"can be takes {least:.4g} ms; raise the target, or make the space's networks smaller"
        )
