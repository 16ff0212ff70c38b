"""The model of a search: a Gaussian process of GPyTorch and BoTorch per objective.

Observed values are made nearly normal first: a few very bad trials would otherwise set the scale,
and differences among good ones would drown. The power transform of Yeo & Johnson (2000), as in
HEBO (Cowen-Rivers et al. 2022); its power is kept within [0, 2], where it can be inverted.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import MaternKernel, ScaleKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.means import ConstantMean
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import LogNormalPrior, NormalPrior
from gpytorch.settings import min_fixed_noise
from linear_operator.utils.warnings import NumericalWarning
from sklearn.preprocessing import PowerTransformer
from threadpoolctl import ThreadpoolController
from torch import Tensor

from lightlab.measure.machine import torch_threads
from lightlab.search.searcher import SearchSpace, Trial
from lightlab.space.hyper import Column

FIT_TOLERANCE = 1e-6  # relative, of the log density; a finer one costs a third more
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(16)


class Warp:
    """values → (values − shift) / scale → power transform → (· − mean) / sd."""

    def __init__(self, values: np.ndarray, power: float | None = None) -> None:
        """Under which `values` (n,) are most likely normal; `power` 1 only standardises."""
        top = np.abs(values).max() or 1.0  # first of all: squares of 1e160 or 1e-170 are none
        self.shift = top * np.mean(values / top)
        self.scale = top * np.std((values - self.shift) / top)
        constant = np.ptp(values) == 0 or self.scale == 0
        self.scale = 1.0 if constant else self.scale
        z = (values - self.shift) / self.scale
        likeliest = power is None and not constant
        bend = PowerTransformer(standardize=False).fit((z if likeliest else np.arange(3))[:, None])
        given = 1.0 if constant or power is None else power
        self.power = float(np.clip(bend.lambdas_[0], 0.0, 2.0)) if likeliest else given
        bend.lambdas_, self._bend = np.array([self.power]), bend
        w = self._bend.transform(z[:, None])
        self.mean, self.sd = float(w.mean()), float(w.std()) or 1.0

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Warped values, (n,)."""
        z = (np.asarray(values, dtype=float) - self.shift) / self.scale
        return (self._bend.transform(z[:, None])[:, 0] - self.mean) / self.sd

    def slope(self, values: np.ndarray) -> np.ndarray:
        """Derivative of the warp: what it does to small noise."""
        z = (np.asarray(values, dtype=float) - self.shift) / self.scale
        exponent = np.where(z >= 0, self.power - 1, 1 - self.power)
        return (1 + np.abs(z)) ** exponent / (self.scale * self.sd)

    def moments(self, mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (m,) of the value whose warp is normal, by quadrature."""
        warped = (mean[:, None] + sd[:, None] * _NODES) * self.sd + self.mean
        z = self._bend.inverse_transform(warped.reshape(-1, 1)).reshape(warped.shape)
        weights = _WEIGHTS / _WEIGHTS.sum()
        first = z @ weights
        spread = np.sqrt(np.maximum((z - first[:, None]) ** 2 @ weights, 0.0))
        return self.shift + self.scale * first, self.scale * spread


class MixedMatern(MaternKernel):
    """Matérn-5/2; any two levels of an unordered column are one length scale apart."""

    def __init__(self, columns: Sequence[Column]) -> None:
        d = len(columns)  # the prior: Hvarfner et al. 2024; a space of many columns starts smooth
        prior = log_normal(math.sqrt(2) - 2 + 0.5 * math.log(d), 1.0)
        how = {"lengthscale_prior": prior, "lengthscale_constraint": above(0.01)}
        super().__init__(nu=2.5, ard_num_dims=d, **how)
        self._levels = [None if c.ordered else torch.tensor(c.levels).double() for c in columns]
        sizes = torch.tensor([1 if v is None else len(v) for v in self._levels])
        self._column = torch.arange(d).repeat_interleave(sizes)  # that each feature comes from

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:
        scale = self.lengthscale[..., self._column]
        r = self.covar_dist(self._features(x1) / scale, self._features(x2) / scale, diag=diag)
        return (1 + math.sqrt(5) * r + 5 / 3 * r**2) * torch.exp(-math.sqrt(5) * r)

    def _features(self, x: Tensor) -> Tensor:
        """An ordered column is one feature, an unordered one has 1/√2 at the level taken."""
        if all(v is None for v in self._levels):
            return x
        parts = zip(x.split(1, dim=-1), self._levels, strict=True)
        found = [c if v is None else (c - v).abs().lt(1e-6) / math.sqrt(2) for c, v in parts]
        return torch.cat(found, dim=-1)


@dataclass(frozen=True)
class Surrogate:
    """What a search believes about one objective: inside, larger is better, values are warped."""

    space: SearchSpace
    model: SingleTaskGP
    sign: float  # −1 where small values are better
    warp: Warp

    def predict(self, configs: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (m,) of the noise-free objective, in its own units."""
        mean, sd = self.warp.moments(*self.belief(torch.from_numpy(self.space.to_cube(configs))))
        return self.sign * mean, sd

    def belief(self, X: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (m,) at places X (m, d), warped."""
        with torch.no_grad(), single_thread():
            posterior = self.model.posterior(X)
        return posterior.mean[:, 0].numpy(), posterior.variance[:, 0].sqrt().numpy()

    @property
    def best_f(self) -> float:
        """The best mean at a trial, warped: of exact and of noisy values the same."""
        return float(self.belief(self.model.train_inputs[0])[0].max())

    def expected_improvement(self, configs: Sequence[Any]) -> np.ndarray:
        """Over `best_f`, in warped values, (m,): where it is largest a search asks next."""
        X = torch.from_numpy(self.space.to_cube(configs))[:, None]
        with torch.no_grad(), single_thread():
            return LogExpectedImprovement(self.model, self.best_f)(X).exp().numpy()

    def inside(self, values: Sequence[float]) -> np.ndarray:
        """Values in the objective's units as the model sees them."""
        return self.warp(self.sign * np.asarray(values, dtype=float))

    @property
    def length_scales(self) -> dict[str, float]:
        """Per column, in widths of its range: a short one means that the objective reacts to it."""
        scales = self.model.covar_module.base_kernel.lengthscale.detach()
        return dict(zip([c.name for c in self.space.columns], scales[0].tolist(), strict=True))


def fit(
    space: SearchSpace,
    trials: Sequence[Trial],
    sign: float,
    objective: int = 0,
    power: float | None = None,
    start: Surrogate | None = None,
) -> Surrogate:
    """Fit one objective; `sign` is −1 where small is better, `power` that of the warp if given;
    hyperparameters begin at those of `start`.

    A failed trial counts as the worst value seen, so that the search keeps away from its place.
    ValueError if no trial finished.
    """
    raw = np.array([np.nan if t.failed else t.values[objective] for t in trials]) * sign
    finished = np.isfinite(raw)
    if not finished.any():
        raise ValueError("no trial has finished: there is nothing to fit")
    y = np.where(finished, raw, raw[finished].min())
    warp = Warp(y, power)
    known = np.array([np.nan if t.noise_var is None else t.noise_var[objective] for t in trials])
    # One factor for all: at a lucky reading the warp is steeper than at the value behind it.
    noise_var = np.where(finished, known * np.mean(warp.slope(y) ** 2), np.nan)
    if np.isfinite(noise_var).any():  # a failure is no reading: it gets the noise of the others
        noise_var[~np.isfinite(noise_var)] = np.nanmedian(noise_var)
    X = space.to_cube([t.config for t in trials])
    model = make_model(space.columns, X, warp(y), noise_var)
    if start is not None:  # of the noise, too, where it is inferred now and was then
        model.load_state_dict(start.model.state_dict(), strict=False)
    with single_thread(), warnings.catch_warnings(), torch.random.fork_rng([]):
        warnings.simplefilter("ignore", NumericalWarning)
        torch.manual_seed(0)  # a covariance that cannot be factorised is fitted from another start
        mll = ExactMarginalLogLikelihood(model.likelihood, model)
        # a line search that ends in rounding errors has arrived
        how = {"optimizer_kwargs": {"options": {"ftol": FIT_TOLERANCE}}}
        fit_gpytorch_mll(mll, warning_handler=lambda _: True, **how)
    return Surrogate(space, model, sign, warp)


def make_model(
    columns: Sequence[Column], X: np.ndarray, y: np.ndarray, noise_var: np.ndarray
) -> SingleTaskGP:
    """The process before its fit, given places (n, d), values (n,), and noise (NaN: to infer)."""
    d = X.shape[1]
    kernel = ScaleKernel(MixedMatern(columns), log_normal(0.0, 1.0), above(1e-3))
    how = {"covar_module": kernel, "mean_module": ConstantMean(NormalPrior(0.0, 1.0))}
    if np.isfinite(noise_var).all():
        how["train_Yvar"] = torch.from_numpy(noise_var)[:, None]
    else:
        prior = log_normal(math.log(1e-5), 3.0)
        how["likelihood"] = GaussianLikelihood(noise_prior=prior, noise_constraint=above(1e-7))
    with min_fixed_noise(double_value=1e-8):  # GPyTorch would raise exact readings' to 1e-6
        places, values = torch.from_numpy(X), torch.from_numpy(y)[:, None]
        model = SingleTaskGP(places, values, outcome_transform=None, **how)
    kernel.base_kernel.lengthscale, kernel.outputscale = 0.15 * math.sqrt(d), 1.0
    if "likelihood" in how:
        model.likelihood.noise = 1e-4
    return model


def log_normal(mode: float, scale: float) -> LogNormalPrior:
    """Normal about `mode` in the logarithm, where GPyTorch's density is that of the value."""
    return LogNormalPrior(mode + scale**2, scale)


def above(least: float) -> GreaterThan:
    """Fitted by its logarithm: a quarter of the steps of the default, and no start gets stuck."""
    return GreaterThan(least, transform=torch.exp, inv_transform=torch.log)


@contextmanager
def single_thread() -> Iterator[None]:
    """Matrices of tens of rows on many threads cost 2 to 11 times as much."""
    with torch_threads(1), _controller().limit(limits=1):
        yield


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
