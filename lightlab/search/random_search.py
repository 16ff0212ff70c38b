"""The baselines of every search figure: random points (Bergstra & Bengio 2012) and a full grid."""

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lightlab.search import searcher
from lightlab.search.searcher import SearchSpace, Trial, TrialLog, keys
from lightlab.space.decisions import DecisionSpace
from lightlab.space.hyper import HyperSpace


class RandomSearch(TrialLog):
    """Uniform points, each asked once; the i-th depends on the seed and the points before it.

    In a space of decisions `feasible(point)` restricts them.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int = 0,
        maximize: bool | tuple[bool, ...] = True,
        trials: Sequence[Trial] = (),
        feasible: searcher.Feasible | None = None,
    ) -> None:
        decisions = isinstance(space, DecisionSpace)
        super().__init__(maximize, searcher.checked(space, trials) if decisions else trials)
        if feasible is not None and not decisions:
            raise ValueError("`feasible` is for spaces of decisions")
        self.space, self.seed, self.feasible = space, seed, feasible
        told = [t.config for t in self.trials]
        self._points = set(told) if decisions else set()
        self._taken = set() if decisions else set(keys(space.to_cube(told)))
        self._n_asked = len(told)

    def ask(self, n: int = 1) -> list[Any]:
        """`n` points, none twice: fewer where a space of decisions is used up. In another finite
        space that is (nearly) used up one may come again.
        """
        points = (self._draw() for _ in range(n))
        return list(itertools.takewhile(lambda point: point is not None, points))

    def tell(
        self, configs: Sequence[Any], values: ArrayLike, noise_var: ArrayLike | None = None
    ) -> None:
        """Values of asked or other points, which are not asked any more; see `Searcher`."""
        if isinstance(self.space, DecisionSpace):
            configs = [self.space.check(c) for c in configs]
            self._points.update(configs)
        super().tell(configs, values, noise_var)

    def _draw(self) -> Any:
        rng = np.random.default_rng([self.seed, self._n_asked])
        self._n_asked += 1
        if isinstance(self.space, DecisionSpace):
            draw = partial(self.space.sample, rng)
            point = searcher.unseen(self.space, draw, self._points, self.feasible, rng)
            if point is not None:
                self._points.add(point)
            return point
        for _ in range(searcher.MAX_DRAWS):  # then a repeat is accepted
            point = self.space.sample(rng, 1)[0]
            key = keys(self.space.to_cube([point]))[0]
            if key not in self._taken:
                break
        self._taken.add(key)
        return point


class GridSearch(TrialLog):
    """All combinations of `levels` values per number and every option, in an order by seed.

    The order is random because a grid walked row by row leaves whole regions for last.
    """

    def __init__(
        self,
        space: HyperSpace,
        levels: int,
        seed: int = 0,
        maximize: bool | tuple[bool, ...] = True,
        trials: Sequence[Trial] = (),
    ) -> None:
        super().__init__(maximize, trials)
        points = space.grid(levels)
        order = np.random.default_rng(seed).permutation(len(points))
        told = set(keys(space.to_cube([t.config for t in self.trials])))
        names = keys(space.to_cube(points))
        self._left = [points[i] for i in order if names[i] not in told]

    def ask(self, n: int = 1) -> list[Any]:
        """The next points of the grid; fewer than `n`, or none, when it ends."""
        points, self._left = self._left[:n], self._left[n:]
        return points
