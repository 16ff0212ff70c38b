"""A Gaussian process with a Matérn-5/2 kernel, fitted by maximum a posteriori.

BoTorch's `SingleTaskGP` (a test holds them equal) in NumPy with gradients written out: for the
tens of points of a search, autograd's overhead is most of its time.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_solve, solve_triangular
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

SQRT5 = np.sqrt(5.0)
SQUARED = "sqeuclidean"
JITTER = 1e-8  # of the kernel's variance
LOG_NOISE_FLOOR = np.log(1e-7)  # of the standardised values' variance


@dataclass(frozen=True)
class Prior:
    """Normal priors of the logarithms of length scales (Hvarfner et al. 2024), variance and noise
    variance, and a normal prior of the constant mean.

    The length scale's location grows with √d, so that a space of many columns starts out smooth.
    """

    length_loc: float = np.sqrt(2.0) - 2.0
    length_scale: float = 1.0
    variance_loc: float = 0.0
    variance_scale: float = 1.0
    noise_loc: float = np.log(1e-5)
    noise_scale: float = 3.0
    mean_scale: float = 1.0


@dataclass(frozen=True)
class Features:
    """From columns of the unit cube to the features whose distances the kernel measures.

    An ordered column is one feature. An unordered one with k levels is k features, 1/√2 at the
    level taken, so that any two different levels are one length scale apart.
    """

    levels: tuple[tuple[float, ...] | None, ...]  # per column; None where it is ordered

    @cached_property
    def group(self) -> np.ndarray:
        """The column that each feature comes from, (n_features,)."""
        sizes = [1 if v is None else len(v) for v in self.levels]
        return np.repeat(np.arange(len(sizes)), sizes)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Features (n, n_features) of places (n, d); unordered columns have to be on a level."""
        if all(v is None for v in self.levels):
            return X
        columns = [(X[:, [j]], levels) for j, levels in enumerate(self.levels)]
        return np.hstack(
            [x if levels is None else np.isclose(x, levels) / np.sqrt(2.0) for x, levels in columns]
        )

    def pull_back(self, slope: np.ndarray) -> np.ndarray:
        """A gradient by features (n_features,) as one by columns (d,): 0 at unordered columns."""
        ordered = np.array([v is None for v in self.levels])
        first = np.searchsorted(self.group, np.arange(len(self.levels)))
        return np.where(ordered, slope[first], 0.0)


@dataclass(frozen=True)
class Hyperparameters:
    """Length scale per column of the cube, kernel variance, noise variance, constant mean."""

    lengthscales: np.ndarray
    variance: float
    noise: float
    mean: float


class GP:
    """Posterior given features Z (n, p), values y (n,), noise variances (n,) (NaN: unknown)."""

    def __init__(
        self,
        Z: np.ndarray,
        y: np.ndarray,
        hyper: Hyperparameters,
        group: np.ndarray,
        noise_var: np.ndarray,
    ) -> None:
        self.Z, self.y, self.hyper, self.group, self.noise_var = Z, y, hyper, group, noise_var
        self._scale = hyper.lengthscales[group]
        self._scaled = Z / self._scale
        M = matern(cdist(self._scaled, self._scaled, SQUARED))[0]
        K = hyper.variance * M
        K[np.diag_indices_from(K)] += np.where(np.isnan(noise_var), hyper.noise, noise_var)
        K[np.diag_indices_from(K)] += JITTER * hyper.variance
        self.chol = _cholesky(K, hyper.variance)
        self.alpha = cho_solve((self.chol, True), y - hyper.mean)

    def predict(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the noise-free function at Z (m, p), each (m,)."""
        k = self.hyper.variance * matern(cdist(Z / self._scale, self._scaled, SQUARED))[0]
        v = solve_triangular(self.chol, k.T, lower=True, check_finite=False)
        var = self.hyper.variance - np.einsum("ij,ij->j", v, v)
        return self.hyper.mean + k @ self.alpha, np.sqrt(np.maximum(var, 1e-14))

    def covariance(self, Z: np.ndarray) -> np.ndarray:
        """Posterior covariance (m, m) of the noise-free function between the places Z (m, p)."""
        scaled = Z / self._scale
        k = self.hyper.variance * matern(cdist(scaled, self._scaled, SQUARED))[0]
        v = solve_triangular(self.chol, k.T, lower=True, check_finite=False)
        return self.hyper.variance * matern(cdist(scaled, scaled, SQUARED))[0] - v.T @ v

    def predict_grad(self, z: np.ndarray) -> tuple[float, float, np.ndarray, np.ndarray]:
        """Mean, standard deviation, and their gradients (p,) at one place z (p,)."""
        delta = z / self._scale - self._scaled
        value, slope = matern(np.einsum("ij,ij->i", delta, delta))
        k = self.hyper.variance * value
        dk = (2 * self.hyper.variance * slope)[:, None] * (delta / self._scale)
        w = cho_solve((self.chol, True), k, check_finite=False)
        sd = np.sqrt(max(self.hyper.variance - k @ w, 1e-14))
        return self.hyper.mean + k @ self.alpha, sd, self.alpha @ dk, -(w @ dk) / sd

    def condition(self, Z: np.ndarray) -> "GP":
        """The process that has also seen its own mean at Z (m, p): 'kriging believer' (Ginsbourger
        et al. 2010), which lowers the uncertainty around pending points and moves nothing else."""
        y = np.concatenate([self.y, self.predict(Z)[0]])
        noise = np.concatenate([self.noise_var, np.full(len(Z), np.median(self.noise_var))])
        return GP(np.vstack([self.Z, Z]), y, self.hyper, self.group, noise)


def _cholesky(K: np.ndarray, variance: float) -> np.ndarray:
    """The lower factor of K, with as little more on the diagonal as it takes."""
    for more in (0.0, 1e-7, 1e-6, 1e-5):
        chol, failed = dpotrf(K + more * variance * np.eye(len(K)), lower=1, clean=1)
        if not failed:
            return chol
    raise np.linalg.LinAlgError("the covariance of the trials is not positive definite")


def matern(sq_dist: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matérn-5/2 correlation and its derivative by the squared scaled distance."""
    r = SQRT5 * np.sqrt(sq_dist)
    e = np.exp(-r)
    return (1 + r + r * r / 3) * e, -5 / 6 * (1 + r) * e


class _Objective:
    """Negative log posterior density of the log hyperparameters, with its gradient."""

    def __init__(
        self,
        Z: np.ndarray,
        y: np.ndarray,
        group: np.ndarray,
        noise_var: np.ndarray,
        prior: Prior = Prior(),
    ) -> None:
        self.y, self.unknown = y, np.isnan(noise_var)
        self.known = np.where(self.unknown, 0.0, noise_var)
        self.d = group[-1] + 1
        columns = [Z[:, group == j] for j in range(self.d)]
        self.sq = np.stack([cdist(z, z, SQUARED).ravel() for z in columns])
        length_loc = np.full(self.d, prior.length_loc + 0.5 * np.log(self.d))
        self.loc = np.r_[length_loc, prior.variance_loc, prior.noise_loc, 0.0]
        scales = prior.variance_scale, prior.noise_scale, prior.mean_scale
        self.width = np.r_[np.full(self.d, prior.length_scale), scales]

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        n, d = len(self.y), self.d
        inverse_sq = np.exp(-2 * theta[:d])
        variance, noise, mean = np.exp(theta[d]), np.exp(theta[d + 1]), theta[d + 2]
        value, slope = matern((inverse_sq @ self.sq).reshape(n, n))
        K = variance * value
        K[np.diag_indices(n)] += self.known + self.unknown * noise + JITTER * variance
        chol, failed = dpotrf(K, lower=1, clean=1)
        if failed:
            return 1e10, np.zeros_like(theta)
        residual = self.y - mean
        alpha = cho_solve((chol, True), residual, check_finite=False)
        inverse = dpotri(chol, lower=1)[0]
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        W = np.outer(alpha, alpha) - inverse
        loss = 0.5 * residual @ alpha + np.log(np.diag(chol)).sum()
        grad = np.empty_like(theta)
        grad[:d] = variance * inverse_sq * (self.sq @ (W * slope).ravel())
        grad[d] = -0.5 * variance * (np.sum(W * value) + JITTER * np.trace(W))
        grad[d + 1] = -0.5 * noise * np.diag(W)[self.unknown].sum()
        grad[d + 2] = -alpha.sum()
        z = (theta - self.loc) / self.width
        return loss + 0.5 * z @ z, grad + z / self.width


def fit(Z: np.ndarray, y: np.ndarray, group: np.ndarray, noise_var: np.ndarray) -> GP:
    """The process of highest posterior density, from a few fixed starts (deterministic).

    `y` (n,) is expected standardised; `noise_var` (n,) on the same scale, NaN to infer.
    """
    objective = _Objective(Z, y, group, noise_var)
    d = objective.d
    bounds = [(np.log(0.01), np.log(100.0))] * d
    bounds += [(np.log(1e-3), np.log(1e3)), (LOG_NOISE_FLOOR, 1.0), (-5.0, 5.0)]
    how = {"jac": True, "method": "L-BFGS-B", "bounds": bounds, "options": {"maxiter": 100}}
    found = []
    for length in (0.3, 1.5):
        start = np.r_[np.full(d, np.log(length * np.sqrt(d) / 2)), 0.0, np.log(1e-4), 0.0]
        found.append(minimize(objective, start, **how))
    theta = min(found, key=lambda one: one.fun).x
    hyper = Hyperparameters(
        np.exp(theta[:d]), float(np.exp(theta[d])), float(np.exp(theta[d + 1])), float(theta[d + 2])
    )
    return GP(Z, y, hyper, group, noise_var)
