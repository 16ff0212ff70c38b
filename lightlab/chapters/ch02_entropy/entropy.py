"""Entropy in bits: how many yes/no questions are left, and what a wrong belief costs."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlogy


def normalise(counts: ArrayLike) -> np.ndarray:
    """Shares of non-negative `counts` (any shape; sum over all entries is 1).

    Negative or non-finite counts, or a sum of 0, are a ValueError.
    """
    counts = np.asarray(counts, dtype=float)
    total = counts.sum()
    if not np.isfinite(total) or total <= 0 or (counts < 0).any():
        raise ValueError("need finite counts ≥ 0, at least one of them > 0")
    return counts / total


def entropy(p: ArrayLike, axis: int | None = None) -> np.ndarray | float:
    """Shannon entropy −Σ p log2 p in bits of the distribution `p`, over `axis` (None: all of it).

    0 log 0 counts as 0. Shannon 1948, §6.
    """
    p = np.asarray(p, dtype=float)
    bits = -xlogy(p, p).sum(axis=axis) / np.log(2)
    return np.maximum(bits, 0.0) if np.ndim(bits) else max(float(bits), 0.0)


def cross_entropy(p: ArrayLike, q: ArrayLike) -> float:
    """−Σ p log2 q in bits: mean surprise of one who believes `q` while `p` is true.

    Infinite where `q` rules out what `p` allows.
    """
    p, q = np.broadcast_arrays(np.asarray(p, dtype=float), np.asarray(q, dtype=float))
    seen = p > 0
    with np.errstate(divide="ignore"):
        return float(-(p[seen] * np.log2(q[seen])).sum())


def kl_divergence(p: ArrayLike, q: ArrayLike) -> float:
    """Σ p log2(p/q) in bits: the questions wasted by believing `q` (Kullback & Leibler 1951)."""
    return cross_entropy(p, q) - float(entropy(p))


def log2_arrangements(counts: ArrayLike, axis: int | None = None) -> np.ndarray | float:
    """log2 of W = N! / Πnᵢ!, the ways to put N labelled particles into cells with `counts` each.

    The W of Boltzmann's S = k log W, exact to rounding through the log-gamma function.
    """
    counts = np.asarray(counts, dtype=float)
    log_w = gammaln(counts.sum(axis=axis) + 1) - gammaln(counts + 1).sum(axis=axis)
    return log_w / np.log(2)


def stirling_gap(counts: ArrayLike) -> float:
    """H − (log2 W)/N in bits as Stirling's formula n! ≈ √(2πn)(n/e)ⁿ predicts it.

    Falls like (cells − 1) log2(N) / 2N: the two measures of disorder become one.
    """
    counts = np.asarray(counts, dtype=float).ravel()
    n = counts.sum()
    filled = counts[counts > 0]
    return float((np.log2(2 * np.pi * filled).sum() - np.log2(2 * np.pi * n)) / (2 * n))


def type_class_bound(n_particles: int, n_cells: int) -> float:
    """Upper bound cells · log2(N + 1) / N on H − (log2 W)/N; the lower bound is 0.

    Cover & Thomas 2006, theorem 11.1.3 (method of types).
    """
    return n_cells * float(np.log2(n_particles + 1)) / n_particles
