"""Where an acquisition function is largest, in a cube of continuous and discrete columns."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import scipy
from scipy.optimize import minimize

from lightlab.search.searcher import keys
from lightlab.space.hyper import Column

N_RAW = 512  # scattered places looked at first
N_NEAR = 40  # places looked at around each of the best points so far, at each scale
NEAR_SCALES = (0.2, 0.05, 0.01, 0.001)
N_STARTS = 4  # places from which a climb starts
MAX_ROUNDS = 30  # moves of one climb
STEPS = np.array([-8, -4, -2, -1, 1, 2, 4, 8])  # moves along an ordered column, in levels


class Acquisition(Protocol):
    """To be maximised over places of the unit cube."""

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Values (m,) at places (m, d)."""

    def grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient (d,) at one place (d,); only ordered columns' entries are used."""


def snap(columns: Sequence[Column], X: np.ndarray) -> np.ndarray:
    """`X` (n, d) with each discrete column moved to its nearest level."""
    X = X.copy()
    for j, column in enumerate(columns):
        if column.levels is not None:
            levels = np.asarray(column.levels)
            X[:, j] = levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, X[:, j])]
    return X


def maximize(
    acq: Acquisition,
    columns: Sequence[Column],
    best: np.ndarray,
    allowed: Callable[[np.ndarray, bytes], bool],
    rng: np.random.Generator,
) -> np.ndarray | None:
    """The place (d,) of largest value found that is `allowed`, by place and key; None without one.

    Scattered places and places around the points `best` (b, d) are compared, then the most
    promising climb: by gradient in continuous columns, level by level in discrete ones.
    """
    X = np.vstack([_scatter(columns, rng), _near(columns, best, rng)])
    values = acq(X)
    climbed = [_climb(acq, columns, X[i]) for i in _starts(values, rng)]
    X = np.vstack([*(x for x, _ in climbed), X])
    values = np.concatenate([np.array([v for _, v in climbed]), values])
    names = keys(X)
    for i in np.argsort(-values, kind="stable"):
        if allowed(X[i], names[i]):
            return X[i]
    return None


def _scatter(columns: Sequence[Column], rng: np.random.Generator) -> np.ndarray:
    return snap(columns, scipy.stats.qmc.Sobol(len(columns), rng=rng).random(N_RAW))


def _near(columns: Sequence[Column], best: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Neighbours of each best point: some columns moved a little, unordered ones drawn anew."""
    n, d = N_NEAR * len(NEAR_SCALES), len(columns)
    scales = np.repeat(NEAR_SCALES, N_NEAR)[:, None]
    moved = []
    for x in best:
        step = x + scales * rng.standard_normal((n, d))
        unordered = np.array([not c.ordered for c in columns])
        step[:, unordered] = rng.random((n, int(unordered.sum())))
        mask = rng.random((n, d)) < max(0.5, 1.0 / d)
        mask[np.arange(n), rng.integers(d, size=n)] = True
        moved.append(np.where(mask, np.clip(step, 0, 1), x))
    return snap(columns, np.vstack(moved)) if moved else np.empty((0, d))


def _starts(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half the starts are the largest values, half are drawn by softmax of the values' z-score."""
    order = np.argsort(-values, kind="stable")
    top, rest = order[: N_STARTS // 2], order[N_STARTS // 2 :]
    z = (values[rest] - values[rest].mean()) / (values[rest].std() + 1e-12)
    p = np.exp(z - z.max())
    drawn = rng.choice(rest, size=min(N_STARTS - len(top), len(rest)), replace=False, p=p / p.sum())
    return np.concatenate([top, drawn])


def _climb(acq: Acquisition, columns: Sequence[Column], x: np.ndarray) -> tuple[np.ndarray, float]:
    free = np.array([c.levels is None for c in columns])
    value = float(acq(x[None])[0])
    for _ in range(MAX_ROUNDS):
        before = value
        if free.any():
            x, value = _climb_free(acq, free, x, value)
        if free.all():
            break
        near = _neighbours(columns, x)
        values = acq(near)
        if values.max(initial=-np.inf) > value:
            x, value = near[values.argmax()], float(values.max())
        if value <= before + 1e-9 * abs(before):
            break
    return x, value


def _climb_free(
    acq: Acquisition, free: np.ndarray, x: np.ndarray, value: float
) -> tuple[np.ndarray, float]:
    """L-BFGS-B over the continuous columns, the discrete ones held."""
    here = x.copy()

    def negative(u: np.ndarray) -> tuple[float, np.ndarray]:
        here[free] = u
        f, g = acq.grad(here)
        return -f, -g[free]

    found = minimize(
        negative,
        x[free],
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, 1.0)] * int(free.sum()),
        options={"maxiter": 60},
    )
    if -found.fun <= value:
        return x, value
    moved = x.copy()
    moved[free] = np.clip(found.x, 0, 1)
    return moved, float(-found.fun)


def _neighbours(columns: Sequence[Column], x: np.ndarray) -> np.ndarray:
    """Places that differ from `x` in one discrete column: any level if unordered, else by STEPS."""
    rows = []
    for j, column in enumerate(columns):
        if column.levels is None:
            continue
        levels = np.asarray(column.levels)
        at = int(np.abs(levels - x[j]).argmin())
        to = at + STEPS if column.ordered else np.arange(len(levels))
        to = to[(to >= 0) & (to < len(levels)) & (to != at)]
        block = np.repeat(x[None], len(to), axis=0)
        block[:, j] = levels[to]
        rows.append(block)
    return np.vstack(rows)
