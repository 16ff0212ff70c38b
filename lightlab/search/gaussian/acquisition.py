"""Acquisition functions in closed form: what one more observation at a place is worth.

All take the posterior mean and standard deviation (arrays of any equal shape) and are maximised.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfcx, log_ndtr, ndtr

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
