"""Evolution: the best of a few parents has a child that differs in a decision (or two).

Both searches keep no state of their own: who the parents are follows from the trials told, so that
a search goes on from a list of trials as if it had never stopped.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from lightlab.search import pareto
from lightlab.search.searcher import Feasible, PointLog, Trial
from lightlab.space.decisions import DecisionSpace, Point


class _Evolution(PointLog):
    """What the two have in common: random points first, then children of parents."""

    def __init__(
        self,
        space: DecisionSpace,
        seed: int,
        maximize: bool | tuple[bool, ...],
        population_size: int,
        n_initial: int,
        trials: Sequence[Trial],
        feasible: Feasible | None,
    ) -> None:
        super().__init__(space, seed, maximize, trials, feasible)
        if min(population_size, n_initial) < 2:
            raise ValueError(
                f"population_size and n_initial have to be at least 2, got {population_size} and "
                f"{n_initial}"
            )
        self.population_size, self.n_initial = population_size, n_initial
        self._chosen: tuple[int, Any] = (-1, None)  # parents, and of how many trials

    def _next(self) -> Point | None:
        rng = np.random.default_rng([self.seed, len(self.trials), len(self.pending)])
        finished = [t for t in self.trials if not t.failed]
        if len(self.trials) + len(self.pending) < self.n_initial or len(finished) < 2:
            return self._unseen(rng)
        if self._chosen[0] != len(self.trials):
            values = np.array([t.values for t in finished]) * self.signs
            parents = self._parents([t.config for t in finished], values)
            self._chosen = len(self.trials), parents
        return self._unseen(rng, partial(self._child, self._chosen[1], rng))

    def _parents(self, points: list[Point], values: np.ndarray) -> Any:
        """Who may have children, of the finished `points` (n) with `values` (n, m)."""
        raise NotImplementedError

    def _child(self, parents: Any, rng: np.random.Generator) -> Point:
        """One child of what `_parents` gave."""
        raise NotImplementedError


class RegularizedEvolution(_Evolution):
    """The oldest of a population dies, not the worst (Real et al. 2019, algorithm 1).

    The population are the last `population_size` finished trials; the best of `tournament_size`
    drawn from them has the child. `space` of decisions; `feasible(point)` restricts it.
    """

    def __init__(
        self,
        space: DecisionSpace,
        seed: int = 0,
        maximize: bool = True,
        population_size: int = 20,
        tournament_size: int = 10,
        n_initial: int = 10,
        trials: Sequence[Trial] = (),
        feasible: Feasible | None = None,
    ) -> None:
        super().__init__(space, seed, maximize, population_size, n_initial, trials, feasible)
        if len(self.signs) != 1:
            raise ValueError("one objective: for several take NSGA2")
        if not 1 <= tournament_size <= population_size:
            raise ValueError(
                f"tournament_size has to lie in 1..{population_size}, got {tournament_size}"
            )
        self.tournament_size = tournament_size

    def _parents(self, points, values):
        return points[-self.population_size :], values[-self.population_size :, 0]

    def _child(self, parents, rng):
        alive, worth = parents
        n = min(self.tournament_size, len(alive))
        entrants = rng.choice(len(alive), n, replace=False)
        return self.space.mutate(alive[entrants[worth[entrants].argmax()]], rng)


class NSGA2(_Evolution):
    """Non-dominated sorting with crowding (Deb et al. 2002), one child at a time.

    The parents are the best `population_size` trials by front, then by crowding distance; two
    tournaments of two choose a pair, whose uniform crossover is mutated in each decision with
    chance 1 / (number of decisions).
    """

    def __init__(
        self,
        space: DecisionSpace,
        seed: int = 0,
        maximize: bool | tuple[bool, ...] = (True, True),
        population_size: int = 40,
        n_initial: int = 20,
        trials: Sequence[Trial] = (),
        feasible: Feasible | None = None,
    ) -> None:
        super().__init__(space, seed, maximize, population_size, n_initial, trials, feasible)
        self._kept: list[int] = []  # the best of the first `_n_ranked` finished trials
        self._n_ranked = 0

    def _parents(self, points, values):
        """Trial by trial, so that it does not matter how many were told at once."""
        for i in range(self._n_ranked, len(points)):
            kept = [*self._kept, i]
            fronts = pareto.ranks(values[kept])
            distance = np.zeros(len(kept))
            for front in np.unique(fronts):
                distance[fronts == front] = pareto.crowding(values[kept][fronts == front])
            best = np.lexsort((-distance, fronts))[: self.population_size]
            self._kept = [kept[j] for j in best]  # in order of merit
        self._n_ranked = len(points)
        return [points[i] for i in self._kept]

    def _child(self, parents, rng):
        (a, b), (c, d) = rng.integers(len(parents), size=(2, 2))
        point = self.space.crossover(parents[min(a, b)], parents[min(c, d)], rng)
        for _ in range(rng.binomial(len(point), 1 / len(point))):
            point = self.space.mutate(point, rng)
        return point
