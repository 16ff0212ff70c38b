"""Evolution: the best of a few parents has a child that differs in a decision (or two).

Who the parents are follows from the trials told, so that a search goes on from a list of trials as
if it had never stopped.
"""

from functools import partial
from typing import Any

import numpy as np

from lightlab.search import pareto
from lightlab.search.searcher import PointLog
from lightlab.space.decisions import DecisionSpace, Point


class _Evolution(PointLog):
    """What the two have in common: `n_initial` random points first, then children of parents."""

    def __init__(
        self,
        space: DecisionSpace,
        seed: int,
        maximize: bool | tuple[bool, ...],
        population_size: int,
        n_initial: int,
        **log: Any,
    ) -> None:
        super().__init__(space, seed, maximize, **log)
        if min(population_size, n_initial) < 2:
            raise ValueError(
                f"population_size and n_initial have to be at least 2, got {population_size} and "
                f"{n_initial}"
            )
        self.population_size, self.n_initial = population_size, n_initial

    def _next(self) -> Point | None:
        rng = np.random.default_rng([self.seed, len(self.trials), len(self.pending)])
        finished = self.finished
        if len(self.trials) + len(self.pending) < self.n_initial or len(finished) < 2:
            return self._unseen(rng)
        values = np.array([t.values for t in finished]) * self.signs
        return self._unseen(rng, partial(self._child, [t.config for t in finished], values, rng))

    def _child(self, points: list[Point], values: np.ndarray, rng: np.random.Generator) -> Point:
        """A child of some of the finished `points` (n) with `values` (n, m)."""
        raise NotImplementedError


class RegularizedEvolution(_Evolution):
    """The oldest of a population dies, not the worst (Real et al. 2019, algorithm 1).

    The population are the last `population_size` finished trials; the best of `tournament_size`
    drawn from them has the child. `log`: `trials` and `feasible` as of `PointLog`.
    """

    def __init__(
        self,
        space: DecisionSpace,
        seed: int = 0,
        maximize: bool = True,
        population_size: int = 20,
        tournament_size: int = 10,
        n_initial: int = 10,
        **log: Any,
    ) -> None:
        super().__init__(space, seed, maximize, population_size, n_initial, **log)
        if len(self.signs) != 1:
            raise ValueError("one objective: for several take NSGA2")
        if not 1 <= tournament_size <= population_size:
            raise ValueError(
                f"tournament_size has to lie in 1..{population_size}, got {tournament_size}"
            )
        self.tournament_size = tournament_size

    def _child(self, points: list[Point], values: np.ndarray, rng: np.random.Generator) -> Point:
        alive, worth = points[-self.population_size :], values[-self.population_size :, 0]
        n = min(self.tournament_size, len(alive))
        entrants = rng.choice(len(alive), n, replace=False)
        return self.space.mutate(alive[entrants[worth[entrants].argmax()]], rng)


class NSGA2(_Evolution):
    """Non-dominated sorting with crowding (Deb et al. 2002), one child at a time.

    The parents are the best `population_size` trials by front, then by crowding distance; two
    tournaments of two choose a pair, whose uniform crossover is mutated in each decision with
    chance 1 / (number of decisions). `log`: `trials` and `feasible` as of `PointLog`.
    """

    def __init__(
        self,
        space: DecisionSpace,
        seed: int = 0,
        maximize: bool | tuple[bool, ...] = (True, True),
        population_size: int = 40,
        n_initial: int = 20,
        **log: Any,
    ) -> None:
        super().__init__(space, seed, maximize, population_size, n_initial, **log)
        self._kept: list[int] = []  # the best of the first `_n_ranked` finished trials, by merit
        self._n_ranked = 0

    def _child(self, points: list[Point], values: np.ndarray, rng: np.random.Generator) -> Point:
        # trial by trial, so that it does not matter how many were told at once
        for i in range(self._n_ranked, len(points)):
            kept = [*self._kept, i]
            fronts = pareto.ranks(values[kept])
            distance = np.zeros(len(kept))
            for front in np.unique(fronts):
                distance[fronts == front] = pareto.crowding(values[kept][fronts == front])
            best = np.lexsort((-distance, fronts))[: self.population_size]
            self._kept = [kept[j] for j in best]
        self._n_ranked = len(points)
        (a, b), (c, d) = rng.integers(len(self._kept), size=(2, 2))
        parents = points[self._kept[min(a, b)]], points[self._kept[min(c, d)]]
        point = self.space.crossover(*parents, rng)
        for _ in range(rng.binomial(len(point), 1 / len(point))):
            point = self.space.mutate(point, rng)
        return point
