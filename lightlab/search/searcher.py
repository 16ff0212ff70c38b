"""What a searcher is: asked for points and told their values."""

import itertools
import math
from collections.abc import Callable, Container, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from lightlab.space.decisions import DecisionSpace, Point
from lightlab.space.hyper import Column


class SearchSpace(Protocol):
    """All that a searcher knows about a space; a point is whatever `from_cube` makes."""

    columns: tuple[Column, ...]

    def sample(self, rng: np.random.Generator, n: int) -> list[Any]:
        """`n` independent random points."""

    def to_cube(self, points: Sequence[Any]) -> np.ndarray:
        """Places in the unit cube, (n, d)."""

    def from_cube(self, X: np.ndarray) -> list[Any]:
        """The nearest points to the rows of `X` (n, d)."""


@dataclass(frozen=True)
class Trial:
    """One evaluated point: its values as the caller gave them, and their known noise variance.

    NaN in `values` marks a trial that failed.
    """

    config: Any
    values: tuple[float, ...]
    noise_var: tuple[float, ...] | None = None

    @property
    def failed(self) -> bool:
        return not all(math.isfinite(v) for v in self.values)


class Incumbent(NamedTuple):
    """The best configuration so far and its value."""

    config: Any
    value: float


class Searcher(Protocol):
    """Ask for points, evaluate them anywhere and in any order, tell their values."""

    trials: list[Trial]

    def ask(self, n: int = 1) -> list[Any]:
        """Up to `n` points to evaluate; fewer only when the searcher has no more to offer."""

    def tell(
        self, configs: Sequence[Any], values: ArrayLike, noise_var: ArrayLike | None = None
    ) -> None:
        """Values (n,) or (n, m) of the points, NaN for a failure; known noise of like shape."""

    @property
    def incumbent(self) -> Incumbent | None:
        """The best finished trial, None before there is one."""


class TrialLog:
    """The trials told so far and which way each objective is better; searchers build on it."""

    def __init__(
        self, maximize: bool | tuple[bool, ...] = True, trials: Sequence[Trial] = ()
    ) -> None:
        self.maximize = maximize
        self.signs = np.where(np.atleast_1d(np.asarray(maximize, dtype=bool)), 1.0, -1.0)
        self.trials = list(trials)
        if any(len(t.values) != len(self.signs) for t in self.trials):
            raise ValueError(f"the trials to go on from need {len(self.signs)} value(s) each")

    def tell(
        self, configs: Sequence[Any], values: ArrayLike, noise_var: ArrayLike | None = None
    ) -> None:
        """Record values (n,) or (n, m) of evaluated points, NaN for a failure; see `Searcher`."""
        m = len(self.signs)
        table = np.asarray(values, dtype=float)
        table = table.reshape(-1, 1) if table.ndim < 2 else table
        if table.shape != (len(configs), m):
            expected = f"({len(configs)}, {m})" if m > 1 else f"({len(configs)},)"
            raise ValueError(f"values of shape {np.shape(values)} where {expected} is needed")
        noise = _noise_rows(noise_var, table)
        rows = zip(configs, table.tolist(), noise, strict=True)
        self.trials += [Trial(c, tuple(v), s) for c, v, s in rows]

    @property
    def incumbent(self) -> Incumbent | None:
        """The finished trial of best observed value, the first of equals; None without one.

        ValueError with several objectives: there is a front then, not a best trial.
        """
        if len(self.signs) > 1:
            raise ValueError("several objectives have no incumbent: look at the Pareto front")
        finished = [t for t in self.trials if not t.failed]
        if not finished:
            return None
        best = max(finished, key=lambda t: self.signs[0] * t.values[0])
        return Incumbent(best.config, best.values[0])


def _noise_rows(noise_var: ArrayLike | None, table: np.ndarray) -> list[tuple[float, ...] | None]:
    """One tuple of variances per row of `table`, None where none is known."""
    if noise_var is None:
        return [None] * len(table)
    noise = np.asarray(noise_var, dtype=float)
    noise = np.broadcast_to(noise[:, None] if noise.ndim == 1 else noise, table.shape)
    if not np.all((np.isfinite(noise) & (noise >= 0)) | ~np.isfinite(table)):
        raise ValueError("noise variances have to be finite and not below 0")
    return [tuple(row) for row in noise.tolist()]


def keys(X: np.ndarray) -> list[bytes]:
    """A hashable name per row of the unit cube, equal for places that differ by rounding only."""
    return [row.tobytes() for row in np.round(np.atleast_2d(X), 10) + 0.0]


MAX_DRAWS = 100  # draws of a searcher's own before it is helped out
MAX_UNIFORM = 20_000  # uniform points of a large space that are then tried
MAX_LISTED = 1_000_000  # points of a space that is then gone through one by one

Feasible = Callable[[Point], bool]


class SearchError(RuntimeError):
    """A search that cannot go on; the message says in one line why."""


def unseen(
    space: DecisionSpace,
    draw: Callable[[], Point],
    taken: Container[Point],
    feasible: Feasible | None,
    rng: np.random.Generator,
) -> Point | None:
    """A feasible point that is not `taken`, by `draw`; None where there is none left.

    After MAX_DRAWS draws in vain a small space is gone through from a random place on; in a large
    one MAX_UNIFORM uniform points are tried. SearchError where not one point is feasible, as far as
    these tell.
    """
    point, any_feasible = _first(MAX_DRAWS, draw, taken, feasible)
    if point is not None:
        return point
    n = space.size()
    if n <= MAX_LISTED:
        numbers = itertools.count(int(rng.integers(n)))
        point, more = _first(n, lambda: space.unrank(next(numbers) % n), taken, feasible)
    else:
        point, more = _first(MAX_UNIFORM, lambda: space.sample(rng), taken, feasible)
    if not (any_feasible or more):
        raise SearchError(f"no point of {space!r} was found feasible: loosen the constraint")
    return point


def _first(
    n: int, draw: Callable[[], Point], taken: Container[Point], feasible: Feasible | None
) -> tuple[Point | None, bool]:
    """The first of `n` draws that is feasible and not taken, and whether any was feasible."""
    any_feasible = False
    for _ in range(n):
        point = draw()
        if feasible is None or feasible(point):
            any_feasible = True
            if point not in taken:
                return point, True
    return None, any_feasible


class PointLog(TrialLog):
    """A log that knows its space and which points are taken: told, or asked and not told yet.

    Of a space of decisions trials and told points are checked (ValueError), and `feasible(point)`
    restricts what is asked. Searchers build on it by `_next`.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        maximize: bool | tuple[bool, ...],
        trials: Sequence[Trial],
        feasible: Feasible | None,
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

    def ask(self, n: int = 1) -> list[Any]:
        """`n` points, pending until told: fewer where a space of decisions has no more; in another
        finite space that is used up a point may come twice.
        """
        asked: list[Any] = []
        while len(asked) < n and (point := self._next()) is not None:
            asked.append(point)
            self.pending.append(point)
            self._taken.update(self._names([point]))
        return asked

    def tell(
        self, configs: Sequence[Any], values: ArrayLike, noise_var: ArrayLike | None = None
    ) -> None:
        """Values of asked or other points, which are not asked any more; see `Searcher`."""
        if self._decisions:
            configs = [self.space.check(c) for c in configs]
        told, names = self._names(configs), self._names(self.pending)
        super().tell(configs, values, noise_var)
        self._taken.update(told)
        for name in told:
            if name in names:
                at = names.index(name)
                del names[at], self.pending[at]

    def _next(self) -> Any:
        """One more point, None where there is none left."""
        raise NotImplementedError

    def _unseen(self, rng: np.random.Generator, draw: Callable[[], Point] | None = None) -> Any:
        """A point that is not taken, of decisions by `draw` (uniform): see `unseen`."""
        if self._decisions:
            draw = draw or partial(self.space.sample, rng)
            return unseen(self.space, draw, self._taken, self.feasible, rng)
        for _ in range(MAX_DRAWS):  # then a repeat is accepted
            point = self.space.sample(rng, 1)[0]
            if self._names([point])[0] not in self._taken:
                break
        return point

    def _names(self, points: Sequence[Any]) -> list[Hashable]:
        """The points themselves, or `keys` where they cannot be hashed."""
        return list(points) if self._decisions else keys(self.space.to_cube(points))
