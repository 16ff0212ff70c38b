"""The model of a search: trials in, a Gaussian process per objective out, in natural units.

Observed values are made nearly normal first: a few very bad trials would otherwise set the scale,
and differences among good ones would drown. The power transform of Yeo & Johnson (2000), as in
HEBO (Cowen-Rivers et al. 2022); its power is kept within [0, 2], where it can be inverted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from lightlab.search import gp
from lightlab.search.acquisition import log_ei_grad, log_expected_improvement
from lightlab.search.searcher import SearchSpace, Trial
from lightlab.space.hyper import Column

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(16)


@dataclass(frozen=True)
class Warp:
    """values → (values − shift) / scale → power transform → (· − mean) / sd."""

    shift: float
    scale: float
    power: float
    mean: float
    sd: float

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Warped values, of any shape."""
        z = (np.asarray(values, dtype=float) - self.shift) / self.scale
        return (_bend(z, self.power) - self.mean) / self.sd

    def slope(self, values: np.ndarray) -> np.ndarray:
        """Derivative of the warp: what it does to small noise."""
        z = (np.asarray(values, dtype=float) - self.shift) / self.scale
        exponent = np.where(z >= 0, self.power - 1, 1 - self.power)
        return (1 + np.abs(z)) ** exponent / (self.scale * self.sd)

    def inverse(self, warped: np.ndarray) -> np.ndarray:
        """Values of warped ones."""
        w = np.asarray(warped, dtype=float) * self.sd + self.mean
        z = np.where(w >= 0, _grow(np.maximum(w, 0), self.power), 0.0)
        z = np.where(w < 0, -_grow(np.maximum(-w, 0), 2 - self.power), z)
        return self.shift + self.scale * z

    def moments(self, mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the value whose warp is normal, by quadrature."""
        values = self.inverse(mean[..., None] + sd[..., None] * _NODES)
        weights = _WEIGHTS / _WEIGHTS.sum()
        first = values @ weights
        return first, np.sqrt(np.maximum((values - first[..., None]) ** 2 @ weights, 0.0))


def fit_warp(values: np.ndarray, power: float | None = None) -> Warp:
    """The warp under which `values` (n,) are most likely normal; `power` 1 only standardises."""
    shift, scale = float(values.mean()), float(values.std())
    if scale <= 1e-12 * max(1.0, abs(shift)):
        return Warp(shift, 1.0, 1.0, 0.0, 1.0)
    z = (values - shift) / scale
    if power is None:
        power = float(_likeliest(z))
    w = _bend(z, power)
    return Warp(shift, scale, power, float(w.mean()), float(w.std()))


def _likeliest(z: np.ndarray) -> float:
    """As `scipy.stats.yeojohnson_normmax` at a fraction of its time."""
    jacobian = np.sum(np.sign(z) * np.log1p(np.abs(z)))

    def loss(power: float) -> float:
        return 0.5 * len(z) * np.log(_bend(z, power).var()) - (power - 1) * jacobian

    return minimize_scalar(loss, bounds=(0.0, 2.0), method="bounded").x


def _bend(z: np.ndarray, power: float) -> np.ndarray:
    """Yeo & Johnson's transform: the Box-Cox power of 1 + z above 0, its mirror image below."""
    high, low = np.maximum(z, 0), np.maximum(-z, 0)
    return np.where(z >= 0, _shrink(high, power), -_shrink(low, 2 - power))


def _shrink(z: np.ndarray, power: float) -> np.ndarray:
    """((1 + z)^power − 1) / power of z ≥ 0."""
    return np.log1p(z) if abs(power) < 1e-6 else np.expm1(power * np.log1p(z)) / power


def _grow(w: np.ndarray, power: float) -> np.ndarray:
    """The z that `_shrink` takes to w ≥ 0."""
    return np.expm1(w) if abs(power) < 1e-6 else np.expm1(np.log1p(power * w) / power)


@dataclass(frozen=True)
class Surrogate:
    """What a search believes about one objective: inside, larger is better, values are warped."""

    space: SearchSpace
    features: gp.Features
    process: gp.GP
    X: np.ndarray  # places of the trials, (n, d)
    sign: float  # −1 where small values are better
    warp: Warp

    def predict(self, configs: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (m,) of the noise-free objective, in its own units."""
        belief = self.process.predict(self.features(self.space.to_cube(configs)))
        mean, sd = self.warp.moments(*belief)
        return self.sign * mean, sd

    def inside(self, values: Sequence[float]) -> np.ndarray:
        """Values in the objective's units as the process sees them."""
        return self.warp(self.sign * np.asarray(values, dtype=float))

    @property
    def length_scales(self) -> dict[str, float]:
        """Per column, in widths of its range: a short one means that the objective reacts to it."""
        names = [c.name for c in self.space.columns]
        return dict(zip(names, self.process.hyper.lengthscales.tolist(), strict=True))


def features_of(columns: Sequence[Column]) -> gp.Features:
    """The kernel's features for the columns of a space."""
    return gp.Features(tuple(None if c.ordered else c.levels for c in columns))


def fit(
    space: SearchSpace,
    trials: Sequence[Trial],
    sign: float,
    objective: int = 0,
    power: float | None = None,
) -> Surrogate:
    """Fit one objective; `sign` is −1 where small is better, `power` that of the warp if given.

    A failed trial counts as the worst value seen, so that the search keeps away from its place.
    ValueError if no trial finished.
    """
    raw = np.array([np.nan if t.failed else t.values[objective] for t in trials]) * sign
    finished = np.isfinite(raw)
    if not finished.any():
        raise ValueError("no trial has finished: there is nothing to fit")
    y = np.where(finished, raw, raw[finished].min())
    shape = fit_warp(y, power)
    known = np.array([np.nan if t.noise_var is None else t.noise_var[objective] for t in trials])
    # One factor for all: at a lucky reading the warp is steeper than at the value behind it.
    noise_var = np.where(finished, known * np.mean(shape.slope(y) ** 2), np.nan)
    if np.isfinite(noise_var).any():  # a failure is no reading: it gets the noise of the others
        noise_var[~finished] = np.nanmedian(noise_var)
    X = space.to_cube([t.config for t in trials])
    features = features_of(space.columns)
    process = gp.fit(features(X), shape(y), features.group, noise_var)
    return Surrogate(space, features, process, X, sign, shape)


class LogEI:
    """log expected improvement over the best mean at the points seen (robust to noise)."""

    def __init__(self, surrogate: Surrogate, pending: np.ndarray) -> None:
        self.features, process = surrogate.features, surrogate.process
        self.process = process.condition(self.features(pending)) if len(pending) else process
        self.best_f = float(self.process.predict(self.process.Z)[0].max())

    def __call__(self, X: np.ndarray) -> np.ndarray:
        return log_expected_improvement(*self.process.predict(self.features(X)), self.best_f)

    def grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        z = self.features(x[None])[0]
        value, slope = log_ei_grad(*self.process.predict_grad(z), self.best_f)
        return value, self.features.pull_back(slope)
