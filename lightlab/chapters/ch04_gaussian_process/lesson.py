"""A Gaussian process and its acquisition functions in NumPy, short enough to be read whole.

The searches of this workbook use GPyTorch and BoTorch; tests hold both equal.
"""

import numpy as np
from scipy.linalg import cho_solve, solve_triangular
from scipy.stats import norm


def matern(a: np.ndarray, b: np.ndarray, length: float) -> np.ndarray:
    """Matérn-5/2 correlation between places (n,) and (m,), (n, m)."""
    r = np.sqrt(5) * np.abs(a[:, None] - b[None, :]) / length
    return (1 + r + r**2 / 3) * np.exp(-r)


class Process:
    """The posterior given values y (n,) at places x (n,) with the variance `noise` of each."""

    def __init__(
        self,
        x: np.ndarray,
        y: np.ndarray,
        length: float,
        noise: np.ndarray | float = 0.0,
        variance: float = 1.0,
        mean: float = 0.0,
    ) -> None:
        self.x, self.y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        self.length, self.variance, self.mean = length, variance, mean
        jitter = 1e-8 * variance  # else rounding makes the matrix of near places singular
        self.noise = np.full(len(self.x), noise)
        K = self._prior(self.x, self.x) + np.diag(self.noise + jitter)
        self.chol = np.linalg.cholesky(K)
        self.weights = cho_solve((self.chol, True), self.y - mean)

    def _prior(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self.variance * matern(a, b, self.length)

    def predict(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation at places x (m,), each (m,)."""
        k = self._prior(x, self.x)
        half = solve_triangular(self.chol, k.T, lower=True)
        variance = self.variance - (half**2).sum(axis=0)
        return self.mean + k @ self.weights, np.sqrt(np.maximum(variance, 1e-14))

    def covariance(self, x: np.ndarray) -> np.ndarray:
        """Of the values at places x (m,), (m, m)."""
        half = solve_triangular(self.chol, self._prior(self.x, x), lower=True)
        return self._prior(x, x) - half.T @ half

    def log_evidence(self) -> tuple[float, float]:
        """Fit and simplicity, whose sum less n/2 log 2π is log p(y) (Rasmussen & Williams 2006,
        eq. 2.30).
        """
        fit = -0.5 * float((self.y - self.mean) @ self.weights)
        return fit, -float(np.log(np.diag(self.chol)).sum())


def expected_improvement(mean: np.ndarray, sd: np.ndarray, best_f: float) -> np.ndarray:
    """E[max(f − best_f, 0)] (Jones, Schonlau & Welch 1998, eq. 15)."""
    z = (mean - best_f) / sd
    return sd * (z * norm.cdf(z) + norm.pdf(z))


def probability_of_improvement(mean: np.ndarray, sd: np.ndarray, best_f: float) -> np.ndarray:
    """P(f > best_f) (Kushner 1964)."""
    return norm.cdf((mean - best_f) / sd)


def upper_confidence_bound(mean: np.ndarray, sd: np.ndarray, beta: float) -> np.ndarray:
    """mean + √β · sd (Srinivas et al. 2010): β is the price of uncertainty."""
    return mean + np.sqrt(beta) * sd
