"""Acquisition functions: what one more observation at a place is worth, and where it is most.

All take the posterior mean and standard deviation, arrays of any equal shape.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import scipy
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import erfcx, log_ndtr, ndtr

from lightlab.search.searcher import keys
from lightlab.space.hyper import Column

_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)


def expected_improvement(mean: ArrayLike, sd: ArrayLike, best_f: float) -> np.ndarray:
    """E[max(f − best_f, 0)], in the units of f (Jones, Schonlau & Welch 1998, eq. 15)."""
    return np.exp(log_expected_improvement(mean, sd, best_f))


def log_expected_improvement(mean: ArrayLike, sd: ArrayLike, best_f: float) -> np.ndarray:
    """log EI, exact also where EI itself is 0 in floating point (Ament et al. 2023, eq. 9)."""
    sd = np.asarray(sd, dtype=float)
    return np.log(sd) + log_h((np.asarray(mean, dtype=float) - best_f) / sd)


def probability_of_improvement(mean: ArrayLike, sd: ArrayLike, best_f: float) -> np.ndarray:
    """P(f > best_f) (Kushner 1964)."""
    return ndtr((np.asarray(mean, dtype=float) - best_f) / np.asarray(sd, dtype=float))


def upper_confidence_bound(mean: ArrayLike, sd: ArrayLike, beta: float) -> np.ndarray:
    """mean + √β · sd (Srinivas et al. 2010): β sets the price of uncertainty."""
    return np.asarray(mean, dtype=float) + np.sqrt(beta) * np.asarray(sd, dtype=float)


def log_h(u: ArrayLike) -> np.ndarray:
    """log(φ(u) + u Φ(u)), accurate for any u: below −1 through the scaled complement of erf."""
    u = np.asarray(u, dtype=float)
    high = np.maximum(u, -1.0)
    direct = np.log(np.exp(-0.5 * high * high - _LOG_SQRT_2PI) + high * ndtr(high))
    low = np.minimum(u, -1.0)
    # φ(u)·(1 − t), t = |u| Φ(u)/φ(u) → 1: beyond −1e4 the difference is 1/u² to machine precision.
    t = -low * np.sqrt(np.pi / 2) * erfcx(-low / np.sqrt(2))
    rest = np.where(low > -1e4, np.log(np.maximum(1 - t, 1e-300)), -2 * np.log(-low))
    return np.where(u > -1, direct, -0.5 * low * low - _LOG_SQRT_2PI + rest)


def log_ei_grad(
    mean: float, sd: float, d_mean: np.ndarray, d_sd: np.ndarray, best_f: float
) -> tuple[float, np.ndarray]:
    """log EI at one place and its gradient, from those of mean and standard deviation."""
    u = (mean - best_f) / sd
    h = float(log_h(u))
    slope = np.exp(log_ndtr(u) - h)  # h'(u)/h(u), as h' = Φ
    return np.log(sd) + h, d_sd / sd + slope * (d_mean - u * d_sd) / sd


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
