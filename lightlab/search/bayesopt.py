"""Bayesian optimisation with BoTorch: ask where the model expects most, tell what was found."""

import importlib.util
import itertools
import math
import os
import warnings
from collections.abc import Hashable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import torch
from botorch.acquisition import AcquisitionFunction, LogExpectedImprovement
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective import logei
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.models import ModelListGP
from botorch.optim import optimize_acqf, optimize_acqf_discrete
from botorch.optim.optimize_mixed import optimize_acqf_mixed_alternating
from botorch.sampling import SobolQMCNormalSampler
from botorch.utils.multi_objective.hypervolume import infer_reference_point
from botorch.utils.multi_objective.pareto import is_non_dominated
from linear_operator.utils.warnings import NumericalWarning
from torch import Tensor

from lightlab.search import surrogate
from lightlab.search.searcher import Feasible, Incumbent, PointLog, SearchSpace, Trial
from lightlab.search.surrogate import Surrogate, single_thread

N_SAMPLES = 64  # quasi-Monte-Carlo draws of the posterior
N_RAW, N_STARTS = 512, 4  # places looked at first, and of those from which a climb starts
MAX_CHOICES = 2_000  # a space of at most so many points is looked at whole
ANCHOR = 10  # so often a fit begins anew, the others begin at its hyperparameters
EXTENSION = "logei_fused_ext"


class BayesianOptimization(PointLog):
    """Gaussian process with log expected improvement over a mixed space.

    After `n_initial` points of a scrambled Sobol sequence (None: 10, or 5 in a space of decisions),
    what is asked depends only on the seed, the trials told and the points pending: a search goes
    on from a list of trials as if it had never stopped. A tuple `maximize` means several
    objectives, searched by expected hypervolume improvement (qLogNEHVI, Ament et al. 2023) above
    `ref_point`, inferred where it is None. `power`: of the warp that makes values nearly normal
    (None: the likeliest, 1: they are only standardised). `cost_aware`: what is asked promises most
    per cost, as told with the values (Snoek et al. 2012, section 3.2), by a second model.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int = 0,
        maximize: bool | tuple[bool, ...] = True,
        n_initial: int | None = None,
        trials: Sequence[Trial] = (),
        ref_point: Sequence[float] | None = None,
        feasible: Feasible | None = None,
        power: float | None = None,
        cost_aware: bool = False,
    ) -> None:
        super().__init__(space, seed, maximize, trials, feasible)
        if n_initial is None:
            n_initial = 5 if self._decisions else 10
        if n_initial < 1:
            raise ValueError(f"n_initial has to be at least 1, got {n_initial}")
        self.n_initial, self.ref_point, self.cost_aware = n_initial, ref_point, cost_aware
        self.power = 1.0 if len(self.signs) > 1 else power  # it would distort hypervolumes
        self._fitted: dict[int, list[Surrogate]] = {}  # by number of trials

    @property
    def incumbent(self) -> Incumbent | None:
        """The best point so far and its value: as observed, or, where noise variances are known,
        by the model's mean (the best of noisy readings is mostly the luckiest)."""
        noisy = any(t.noise_var is not None and max(t.noise_var) > 0 for t in self.trials)
        finished = self.finished
        if len(self.signs) > 1 or not noisy or not finished:
            return super().incumbent
        mean, _ = self.surrogates()[0].predict([t.config for t in finished])
        best = int((self.signs[0] * mean).argmax())
        return Incumbent(finished[best].config, float(mean[best]))

    def surrogates(self) -> list[Surrogate]:
        """The model of each objective given the trials told; ValueError before one finished."""
        n = len(self.trials)
        anchor = n // ANCHOR * ANCHOR
        if all(t.failed for t in self.trials[:anchor]):
            anchor = n
        for end in (anchor, n):
            if end not in self._fitted:
                self._fitted[end] = self._fit(end, self._fitted.get(anchor))
        self._fitted = {end: self._fitted[end] for end in (anchor, n)}
        return self._fitted[n]

    def _fit(self, n: int, starts: list[Surrogate] | None) -> list[Surrogate]:
        starts = starts or [None] * len(self.signs)
        return [
            surrogate.fit(self.space, self.trials[:n], sign, k, self.power, start)
            for k, (sign, start) in enumerate(zip(self.signs, starts, strict=True))
        ]

    def _next(self) -> Any:
        n_begun = len(self.trials) + len(self.pending)
        rng = np.random.default_rng([self.seed, len(self.trials), len(self.pending)])
        if n_begun < self.n_initial or all(t.failed for t in self.trials):
            return self._initial(n_begun, rng)
        with torch.random.fork_rng([]), single_thread(), warnings.catch_warnings():
            warnings.simplefilter("ignore", NumericalWarning)
            torch.manual_seed(int(rng.integers(2**31)))
            acqf, known = self._acquisition(), [t for t in self.trials if t.cost is not None]
            if self.cost_aware and known:
                costs = [Trial(t.config, (math.log(t.cost),)) for t in known]
                acqf = PerCost(acqf, surrogate.fit(self.space, costs, sign=1.0, power=1.0))
            return self._best_of(acqf, rng)

    def _initial(self, index: int, rng: np.random.Generator) -> Any:
        sobol = scipy.stats.qmc.Sobol(len(self.space.columns), rng=np.random.default_rng(self.seed))
        if index:  # SciPy cannot move forward by 0
            sobol.fast_forward(index)
        (point,) = self.space.from_cube(sobol.random(1))
        return point if self._allowed(point) else self._unseen(rng)

    def _allowed(self, point: Any) -> bool:
        free = self._names([point])[0] not in self._taken
        return free and (self.feasible is None or self.feasible(point))

    def _acquisition(self) -> AcquisitionFunction:
        found = self.surrogates()
        models = [s.model for s in found]
        X = torch.from_numpy(self.space.to_cube([t.config for t in self.trials]))
        pending = torch.from_numpy(self.space.to_cube(self.pending)) if self.pending else None
        if len(models) == 1 and pending is None:
            return LogExpectedImprovement(models[0], best_f=found[0].best_f)
        sampler = SobolQMCNormalSampler(torch.Size([N_SAMPLES]), seed=self.seed)
        how = {"X_baseline": X, "X_pending": pending, "sampler": sampler, "prune_baseline": True}
        if len(models) == 1:
            return qLogNoisyExpectedImprovement(models[0], **how)
        keep_python_path()
        if self.ref_point is None:
            means = torch.from_numpy(np.stack([s.belief(X)[0] for s in found], axis=1))
            reference = infer_reference_point(means[is_non_dominated(means)])
        else:
            pairs = zip(self.ref_point, found, strict=True)
            reference = torch.tensor([s.inside([r])[0] for r, s in pairs])
        return qLogNoisyExpectedHypervolumeImprovement(ModelListGP(*models), reference, **how)

    def _best_of(self, acqf: AcquisitionFunction, rng: np.random.Generator) -> Any:
        """The allowed point of largest value found; None where there is none left."""
        if len(self._choices):
            free = [name not in self._taken for name in self._choices]
            if not any(free):
                return self._unseen(rng)
            X = torch.from_numpy(np.stack(list(self._choices.values()))[free])
            x, _ = optimize_acqf_discrete(acqf, 1, X)
            return self.space.from_cube(x.numpy())[0]
        if self._decisions:
            return self._climb(acqf, rng)
        x, _ = self._optimize(acqf)
        (point,) = self.space.from_cube(x.numpy())
        if self._allowed(point):
            return point
        raw = list(filter(self._allowed, self.space.sample(rng, N_RAW)))
        return raw[self._worth(acqf, raw).argmax()] if raw else self._unseen(rng)

    @cached_property
    def _choices(self) -> dict[Hashable, np.ndarray]:
        """All feasible points of a small space by name, with their places; empty: it is large."""
        levels = [c.levels for c in self.space.columns]
        if None in levels or math.prod(map(len, levels)) > MAX_CHOICES:
            return {}
        X = np.array(list(itertools.product(*levels)))
        points = self.space.from_cube(X)
        found = zip(points, self._names(points), X, strict=True)
        return {n: x for p, n, x in found if self.feasible is None or self.feasible(p)}

    def _optimize(self, acqf: AcquisitionFunction) -> tuple[Tensor, Tensor]:
        columns = list(enumerate(self.space.columns))
        ends = [(0.0, 1.0) if c.levels is None else (c.levels[0], c.levels[-1]) for _, c in columns]
        bounds = torch.tensor(ends, dtype=torch.double).T
        open_ = [(i, c) for i, c in columns if c.levels and len(c.levels) > 1]
        ordered = {i: c.levels for i, c in open_ if c.ordered}
        unordered = {i: c.levels for i, c in open_ if not c.ordered}
        fixed = {i: c.levels[0] for i, c in columns if c.levels and len(c.levels) == 1}
        how: dict[str, Any] = {"num_restarts": N_STARTS, "raw_samples": N_RAW}
        how["fixed_features"] = fixed or None
        if ordered or unordered:
            return optimize_acqf_mixed_alternating(acqf, bounds, ordered, unordered, **how)
        # more steps to a finer end find the same values and cost half as much again
        how["options"] = {"sample_around_best": True, "maxiter": 30, "factr": 1e10}
        return optimize_acqf(acqf, bounds, 1, retry_on_optimization_warning=False, **how)

    def _climb(self, acqf: AcquisitionFunction, rng: np.random.Generator) -> Any:
        """From random points and neighbours of the best trials, decision by decision uphill."""
        space, best = self.space, set[Any]()
        X = torch.from_numpy(space.to_cube([t.config for t in self.trials]))
        for model in self.surrogates():
            best |= {self.trials[i].config for i in np.argsort(-model.belief(X)[0])[:N_STARTS]}
        near = itertools.chain.from_iterable(map(space.neighbors, sorted(best)))
        points = list(filter(self._allowed, dict.fromkeys([*space.sample(rng, N_RAW), *near])))
        if not points:
            return self._unseen(rng)
        values = self._worth(acqf, points)
        tops = []
        for i in np.argsort(-values, kind="stable")[:N_STARTS]:
            point, value, higher = points[i], values[i], True
            while higher:
                near = list(filter(self._allowed, space.neighbors(point)))
                found = self._worth(acqf, near) if near else np.array([-np.inf])
                if higher := found.max() > value:
                    point, value = near[found.argmax()], found.max()
            tops.append((value, point))
        return max(tops)[1]

    def _worth(self, acqf: AcquisitionFunction, points: Sequence[Any]) -> np.ndarray:
        with torch.no_grad():
            return acqf(torch.from_numpy(self.space.to_cube(points))[:, None]).numpy()


class PerCost(AcquisitionFunction):
    """The logarithm of an improvement less that of its expected cost."""

    def __init__(self, acqf: AcquisitionFunction, log_cost: Surrogate) -> None:
        super().__init__(model=acqf.model)
        self.acqf, self.cost = acqf, log_cost.model
        self.unit = log_cost.warp.scale * log_cost.warp.sd

    def forward(self, X: Tensor) -> Tensor:
        return self.acqf(X) - self.unit * self.cost.posterior(X).mean[..., 0, 0]


def keep_python_path() -> None:
    """Stop BoTorch from compiling its C++ kernel (tens of seconds) unless it is built already."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "torch_extensions"
    root = Path(os.environ.get("TORCH_EXTENSIONS_DIR", default))
    if importlib.util.find_spec(EXTENSION) is None and not any(root.rglob(f"{EXTENSION}.so")):
        logei._load_attempted = True
