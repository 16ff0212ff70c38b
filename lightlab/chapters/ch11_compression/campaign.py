"""Searchers over accuracy, time and size at once, at equal numbers of networks."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lightlab.chapters.ch11_compression.evaluate import Worth
from lightlab.measure import stats
from lightlab.search import pareto
from lightlab.search.beside import run_beside
from lightlab.search.evolution import NSGA2
from lightlab.search.gaussian.bayesopt import BayesianOptimization
from lightlab.search.random_search import RandomSearch
from lightlab.search.searcher import Searcher, TrialLog
from lightlab.space.decisions import DecisionSpace, Point

BO, EVOLUTION, RANDOM, UNIFORM = "qLogNEHVI", "NSGA-II", "random search", "uniform pruning"
METHODS = (BO, EVOLUTION, RANDOM, UNIFORM)
Evaluate = Callable[[Point, int], Worth]
N_OBJECTIVES = 3


class UniformPruning(TrialLog):
    """The points with one choice for all stages, in random order: what is done without a search."""

    def __init__(self, space: Any, seed: int) -> None:
        super().__init__((True,) * N_OBJECTIVES)
        points = space.uniform()
        order = np.random.default_rng(seed).permutation(len(points))
        self._left = [points[i] for i in order]

    def ask(self, n: int = 1) -> list[Point]:
        """The next points; fewer than `n` when they end."""
        points, self._left = self._left[:n], self._left[n:]
        return points


def searcher(method: str, space: DecisionSpace, seed: int, n_initial: int) -> Searcher:
    """One of METHODS for three objectives in 0..1; KeyError with the names there are."""
    up = (True,) * N_OBJECTIVES
    makers: dict[str, Callable[[], Any]] = {
        BO: lambda: BayesianOptimization(
            space, seed, up, n_initial, ref_point=(0.0,) * N_OBJECTIVES
        ),
        EVOLUTION: lambda: NSGA2(space, seed, up, 2 * n_initial, n_initial),
        RANDOM: lambda: RandomSearch(space, seed, up),
        UNIFORM: lambda: UniformPruning(space, seed),
    }
    if method not in makers:
        raise KeyError(f"no method {method!r}: there are {', '.join(makers)}")
    return makers[method]()


def goodness(worth: Worth, chance: float) -> tuple[float, float, float]:
    """Accuracy above `chance` (%), time and size below the trained network's, each 1 at best."""
    return (worth.accuracy - chance) / (100 - chance), 1 - worth.latency, 1 - worth.size


def campaign(
    method: str,
    space: DecisionSpace,
    evaluate: Evaluate,
    seed: int,
    n_trials: int,
    n_initial: int,
    chance: float,
    known: Mapping[Point, Worth] | None = None,
) -> pd.DataFrame:
    """One search: rows method, seed, trial, point, accuracy (validation, %), latency and size
    (shares), samples and seconds (of this trial), hypervolume (of all so far, the unit cube is 1).

    The first `n_initial` points are random and the same for all methods but UNIFORM, so that
    differences are paired by seed. What is `known` already is not evaluated again.
    """
    search, known = searcher(method, space, seed, n_initial), known or {}
    first = [] if method == UNIFORM else _first(space, seed, n_initial)
    rows: list[dict[str, Any]] = []
    values: list[tuple[float, ...]] = []
    for i in range(n_trials):
        asked = [first[i]] if i < len(first) else search.ask(1)
        if not asked:
            break
        worth = known.get(asked[0]) or evaluate(asked[0], seed)
        values.append(goodness(worth, chance))
        search.tell(asked, [values[-1]])
        rows.append(
            {"trial": i + 1, "point": asked[0], **vars(worth), "hypervolume": volume(values)}
        )
    table = pd.DataFrame(rows)
    table.insert(0, "method", method)
    table.insert(1, "seed", seed)
    return table


def _first(space: DecisionSpace, seed: int, n_initial: int) -> list[Point]:
    return RandomSearch(space, seed).ask(n_initial)


def volume(values: Sequence[Sequence[float]]) -> float:
    """Dominated volume of the unit cube."""
    return pareto.hypervolume(np.array(values), np.zeros(N_OBJECTIVES))


def contest(
    space: DecisionSpace,
    evaluates: Mapping[int, Evaluate],
    methods: Sequence[str],
    macs: float,
    kept: Path | None = None,
    *,
    n_initial: int,
    **how: Any,
) -> pd.DataFrame:
    """`campaign` of every method for every seed, side by side; `macs`: all of them together;
    `kept`: see `run_beside`. The first points, which the methods share, are evaluated once, and
    count for each of them what they took.
    """
    shared = {
        (seed, point): {"evaluate": evaluate, "point": point, "seed": seed}
        for seed, evaluate in evaluates.items()
        for point in _first(space, seed, n_initial)
    }
    worths = run_beside(_worth, shared, macs, kept=kept and kept / "first")
    jobs = {
        (method, seed): {
            "method": method, "space": space, "evaluate": evaluate, "seed": seed,
            "n_initial": n_initial, "known": {p: w for (s, p), w in worths.items() if s == seed},
            **how,
        }
        for seed, evaluate in evaluates.items()
        for method in methods
    }  # fmt: skip
    return pd.concat(run_beside(campaign, jobs, macs, kept=kept).values(), ignore_index=True)


def _worth(evaluate: Evaluate, point: Point, seed: int) -> Worth:
    return evaluate(point, seed)


def gain(trials: pd.DataFrame, a: str, b: str) -> np.ndarray:
    """Hypervolume of method `a` at its end minus that of `b`, paired by seed, (n,)."""
    ends = trials.groupby(["method", "seed"]).tail(1)
    return stats.paired(ends, "hypervolume", "method", a, b)
