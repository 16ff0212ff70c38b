"""The model of a search: trials in, a Gaussian process per objective out, in natural units."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightlab.search.gaussian import gp, warp
from lightlab.search.gaussian.acquisition import log_ei_grad, log_expected_improvement
from lightlab.search.gaussian.warp import Warp
from lightlab.search.searcher import SearchSpace, Trial
from lightlab.space.hyper import Column


@dataclass(frozen=True)
class Surrogate:
    """What a search believes about one objective after some trials.

    Inside, larger is better and values are warped to be nearly normal.
    """

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
    shape = warp.fit(y, power)
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
