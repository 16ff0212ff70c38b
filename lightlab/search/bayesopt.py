"""Bayesian optimisation: ask where the model expects most, tell what was found."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy

from lightlab.search import acquisition, surrogate
from lightlab.search.searcher import Feasible, Incumbent, PointLog, SearchSpace, Trial, keys
from lightlab.search.surrogate import LogEI, Surrogate

N_BEST = 3  # points whose neighbourhood is searched closely


class BayesianOptimization(PointLog):
    """Gaussian process with log expected improvement over a mixed space.

    After `n_initial` points of a scrambled Sobol sequence (None: 10, or 5 in a space of decisions),
    what is asked depends only on the seed, the trials told and the points pending: a search goes
    on from a list of trials as if it had never stopped. A tuple `maximize` means several
    objectives, searched by expected hypervolume improvement (qLogNEHVI, Ament et al. 2023) above
    `ref_point`, inferred where it is None.
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
    ) -> None:
        super().__init__(space, seed, maximize, trials, feasible)
        if n_initial is None:
            n_initial = 5 if self._decisions else 10
        if n_initial < 1:
            raise ValueError(f"n_initial has to be at least 1, got {n_initial}")
        self.n_initial, self.ref_point = n_initial, ref_point
        self._fitted: tuple[int, list[Surrogate]] = (-1, [])

    @property
    def incumbent(self) -> Incumbent | None:
        """The best point so far and its value: as observed, or, where noise variances are known,
        by the model's mean (the best of noisy readings is mostly the luckiest)."""
        noisy = any(t.noise_var is not None and max(t.noise_var) > 0 for t in self.trials)
        finished = [t for t in self.trials if not t.failed]
        if len(self.signs) > 1 or not noisy or not finished:
            return super().incumbent
        mean, _ = self.surrogates()[0].predict([t.config for t in finished])
        best = int((self.signs[0] * mean).argmax())
        return Incumbent(finished[best].config, float(mean[best]))

    def surrogates(self) -> list[Surrogate]:
        """The model of each objective given the trials told; ValueError before one finished."""
        if self._fitted[0] != len(self.trials):
            power = 1.0 if len(self.signs) > 1 else None  # a power would distort hypervolumes
            models = [
                surrogate.fit(self.space, self.trials, sign, k, power)
                for k, sign in enumerate(self.signs)
            ]
            self._fitted = (len(self.trials), models)
        return self._fitted[1]

    def _next(self) -> Any:
        n_begun = len(self.trials) + len(self.pending)
        rng = np.random.default_rng([self.seed, len(self.trials), len(self.pending)])
        if n_begun < self.n_initial or all(t.failed for t in self.trials):
            return self._initial(n_begun, rng)
        best, columns = self._best_places(), self.space.columns
        x = acquisition.maximize(self._acquisition(), columns, best, self._allowed, rng)
        return self._unseen(rng) if x is None else self.space.from_cube(x[None])[0]

    def _allowed(self, x: np.ndarray, key: bytes) -> bool:
        if not self._decisions:
            return key not in self._taken
        point = self.space.from_cube(x[None])[0]
        return point not in self._taken and (self.feasible is None or self.feasible(point))

    def _initial(self, index: int, rng: np.random.Generator) -> Any:
        sobol = scipy.stats.qmc.Sobol(len(self.space.columns), rng=np.random.default_rng(self.seed))
        if index:  # SciPy cannot move forward by 0
            sobol.fast_forward(index)
        point = self.space.from_cube(sobol.random(1))[0]
        place = self.space.to_cube([point])
        return point if self._allowed(place[0], keys(place)[0]) else self._unseen(rng)

    def _acquisition(self) -> acquisition.Acquisition:
        models, pending = self.surrogates(), self.space.to_cube(self.pending)
        if len(models) == 1:
            return LogEI(models[0], pending)
        from lightlab.search import nehvi  # BoTorch is slow to import: only for several objectives

        return nehvi.LogNEHVI(models, pending, self.ref_point, self.seed)

    def _best_places(self) -> np.ndarray:
        """The places, (≤ N_BEST, d), around which to look closely: of best mean per objective."""
        each = max(1, N_BEST // len(self.signs))
        best = [np.argsort(-m.process.predict(m.process.Z)[0])[:each] for m in self.surrogates()]
        return self.surrogates()[0].X[np.unique(np.concatenate(best))]
