"""What a searcher is: it is asked for points and told their values."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

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
