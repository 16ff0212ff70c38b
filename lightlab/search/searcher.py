"""What a searcher is: asked for points and told their values; and the baselines of every figure:
random points (Bergstra & Bengio 2012) and a full grid.
"""

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lightlab.space.decisions import DecisionSpace, Point
from lightlab.space.hyper import HyperSpace

SearchSpace = HyperSpace | DecisionSpace
Feasible = Callable[[Point], bool]

MAX_DRAWS = 100  # draws of a searcher's own before it is helped out
MAX_UNIFORM = 20_000  # uniform points of a large space that are then tried
MAX_LISTED = 1_000_000  # points of a space that is then gone through one by one


class SearchError(RuntimeError):
    """A search that cannot go on; the message says in one line why."""


@dataclass(frozen=True)
class Trial:
    """One evaluated point: its values as the caller gave them, their known noise variance, and what
    it cost (in any unit).

    NaN in `values` marks a trial that failed.
    """

    config: Any
    values: tuple[float, ...]
    noise_var: tuple[float, ...] | None = None
    cost: float | None = None

    @property
    def failed(self) -> bool:
        return not all(math.isfinite(v) for v in self.values)


class Incumbent(NamedTuple):
    """The best configuration so far and its value."""

    config: Any
    value: float


class Searcher:
    """Ask for points, evaluate them anywhere and in any order, tell their values.

    It keeps the `trials` told so far and which way each objective is better.
    """

    def __init__(
        self, maximize: bool | tuple[bool, ...] = True, trials: Sequence[Trial] = ()
    ) -> None:
        self.signs = np.where(np.atleast_1d(np.asarray(maximize, dtype=bool)), 1.0, -1.0)
        self.trials = list(trials)
        if any(len(t.values) != len(self.signs) for t in self.trials):
            raise ValueError(f"the trials to go on from need {len(self.signs)} value(s) each")

    def ask(self, n: int = 1) -> list[Any]:
        """Up to `n` points to evaluate; fewer only when the searcher has no more to offer."""
        raise NotImplementedError

    def tell(
        self,
        configs: Sequence[Any],
        values: ArrayLike,
        noise_var: ArrayLike | None = None,
        costs: Sequence[float] | None = None,
    ) -> None:
        """Values (n,) or (n, m) of the points, NaN for a failure; known noise of like shape; what
        each cost, above 0, (n,).
        """
        m = len(self.signs)
        table = np.asarray(values, dtype=float)
        table = table.reshape(-1, 1) if table.ndim < 2 else table
        if table.shape != (len(configs), m):
            expected = f"({len(configs)}, {m})" if m > 1 else f"({len(configs)},)"
            raise ValueError(f"values of shape {np.shape(values)} where {expected} is needed")
        noise: Sequence[Any] = [None] * len(table)
        if noise_var is not None:
            given = np.asarray(noise_var, dtype=float)
            given = np.broadcast_to(given[:, None] if given.ndim == 1 else given, table.shape)
            if not np.all((np.isfinite(given) & (given >= 0)) | ~np.isfinite(table)):
                raise ValueError("noise variances have to be finite and not below 0")
            noise = [tuple(row) for row in given.tolist()]
        costs = [None] * len(table) if costs is None else [float(cost) for cost in costs]
        if any(cost is not None and not 0 < cost < math.inf for cost in costs):
            raise ValueError(f"costs have to be finite and above 0, not {costs}")
        rows = zip(configs, table.tolist(), noise, costs, strict=True)
        self.trials += [Trial(c, tuple(v), s, cost) for c, v, s, cost in rows]

    @property
    def finished(self) -> list[Trial]:
        """Those that did not fail."""
        return [t for t in self.trials if not t.failed]

    @property
    def incumbent(self) -> Incumbent | None:
        """The finished trial of best observed value, the first of equals; None without one.

        ValueError with several objectives: there is a front then, not a best trial.
        """
        if len(self.signs) > 1:
            raise ValueError("several objectives have no incumbent: look at the Pareto front")
        if not self.finished:
            return None
        best = max(self.finished, key=lambda t: self.signs[0] * t.values[0])
        return Incumbent(best.config, best.values[0])


def keys(X: np.ndarray) -> list[bytes]:
    """A hashable name per row of the unit cube, equal for places that differ by rounding only."""
    return [row.tobytes() for row in np.round(np.atleast_2d(X), 10) + 0.0]


class PointLog(Searcher):
    """A searcher that knows its space and which points are taken: told, or asked and not told yet.

    Of a space of decisions trials and told points are checked (ValueError), and `feasible(point)`
    restricts what is asked. Searchers build on it by `_next`.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int = 0,
        maximize: bool | tuple[bool, ...] = True,
        trials: Sequence[Trial] = (),
        feasible: Feasible | None = None,
    ) -> None:
        self._decisions = isinstance(space, DecisionSpace)
        if feasible is not None and not self._decisions:
            raise ValueError("`feasible` is for spaces of decisions")
        if self._decisions:
            trials = [replace(t, config=space.check(t.config)) for t in trials]
        super().__init__(maximize, trials)
        self.space, self.seed, self.feasible = space, seed, feasible
        self.pending: list[Any] = []
        self._taken = set(self._names([t.config for t in self.trials]))
        self._n_asked = len(self.trials)

    def ask(self, n: int = 1) -> list[Any]:
        """`n` points, pending until told: fewer where a space of decisions has no more; in another
        finite space that is used up a point may come twice.
        """
        asked: list[Any] = []
        while len(asked) < n and (point := self._next()) is not None:
            asked.append(point)
            self.pending.append(point)
            self._taken.update(self._names([point]))
            self._n_asked += 1
        return asked

    def tell(
        self,
        configs: Sequence[Any],
        values: ArrayLike,
        noise_var: ArrayLike | None = None,
        costs: Sequence[float] | None = None,
    ) -> None:
        """Values of asked or other points, which are not asked any more; see `Searcher`."""
        if isinstance(configs, Mapping) or any(isinstance(c, int) for c in configs):
            raise TypeError(
                f"one point where a list of points is needed: tell([{configs}], [value])"
            )
        if self._decisions:
            configs = [self.space.check(c) for c in configs]
        told = self._names(configs)
        super().tell(configs, values, noise_var, costs)
        self._taken.update(told)
        self.pending = self._without(told)

    def forget(self, configs: Sequence[Any]) -> None:
        """Points that were asked and will not be told, or were told with rounded values: they are
        pending no more. ValueError where one is not pending."""
        names = self._names(configs)
        if unknown := set(names) - set(self._names(self.pending)):
            raise ValueError(f"{len(unknown)} of these points are not pending")
        self.pending = self._without(names)
        self._taken -= set(names) - set(self._names([t.config for t in self.trials]))

    def _without(self, names: list[Hashable]) -> list[Any]:
        """The pending points but, of each name, the first."""
        gone, left = list(names), []
        for point, name in zip(self.pending, self._names(self.pending), strict=True):
            if name in gone:
                gone.remove(name)
            else:
                left.append(point)
        return left

    def _next(self) -> Any:
        """One more point, None where there is none left."""
        raise NotImplementedError

    def _unseen(self, rng: np.random.Generator, draw: Callable[[], Point] | None = None) -> Any:
        """A feasible point that is not taken, of decisions by `draw` (uniform); None where there is
        none left, SearchError where not one is feasible, as far as `_candidates` tell.
        """
        if not self._decisions:
            for _ in range(MAX_DRAWS):  # then a repeat is accepted
                point = self.space.sample(rng, 1)[0]
                if self._names([point])[0] not in self._taken:
                    break
            return point
        any_feasible = False
        for point in self._candidates(rng, draw or partial(self.space.sample, rng)):
            if self.feasible is None or self.feasible(point):
                any_feasible = True
                if point not in self._taken:
                    return point
        if not any_feasible:
            raise SearchError(
                f"no point of {self.space!r} was found feasible: loosen the constraint"
            )
        return None

    def _candidates(self, rng: np.random.Generator, draw: Callable[[], Point]) -> Iterator[Point]:
        """After MAX_DRAWS draws in vain a small space is gone through from a random place on; in a
        large one MAX_UNIFORM uniform points are tried.
        """
        for _ in range(MAX_DRAWS):
            yield draw()
        n = self.space.size()
        if n <= MAX_LISTED:
            first = int(rng.integers(n))
            yield from (self.space.unrank((first + i) % n) for i in range(n))
        else:
            yield from (self.space.sample(rng) for _ in range(MAX_UNIFORM))

    def _names(self, points: Sequence[Any]) -> list[Hashable]:
        """The points themselves, or `keys` where they cannot be hashed."""
        return list(points) if self._decisions else keys(self.space.to_cube(points))


class RandomSearch(PointLog):
    """Uniform points, each asked once; the i-th depends on the seed and the points before it."""

    def _next(self) -> Any:
        return self._unseen(np.random.default_rng([self.seed, self._n_asked]))


class GridSearch(Searcher):
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
