"""The baselines of every search figure: random points (Bergstra & Bengio 2012) and a full grid."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lightlab.search.searcher import Feasible, PointLog, SearchSpace, Trial, TrialLog, keys
from lightlab.space.hyper import HyperSpace


class RandomSearch(PointLog):
    """Uniform points, each asked once; the i-th depends on the seed and the points before it."""

    def __init__(
        self,
        space: SearchSpace,
        seed: int = 0,
        maximize: bool | tuple[bool, ...] = True,
        trials: Sequence[Trial] = (),
        feasible: Feasible | None = None,
    ) -> None:
        super().__init__(space, seed, maximize, trials, feasible)
        self._n_asked = len(self.trials)

    def _next(self) -> Any:
        rng = np.random.default_rng([self.seed, self._n_asked])
        self._n_asked += 1
        return self._unseen(rng)


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
