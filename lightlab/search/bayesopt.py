"""Bayesian optimisation: ask where the model expects most, tell what was found."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike

from lightlab.search import acquisition, searcher, surrogate
from lightlab.search.searcher import Incumbent, SearchSpace, Trial, TrialLog, keys
from lightlab.search.surrogate import LogEI, Surrogate
from lightlab.space.decisions import DecisionSpace

N_BEST = 3  # points whose neighbourhood is searched closely
MAX_DRAWS = 100  # draws before a repeat is accepted, in a space nearly used up


class BayesianOptimization(TrialLog):
    """Gaussian process with log expected improvement over a mixed space.

    After `n_initial` points of a scrambled Sobol sequence (None: 10, or 5 in a space of decisions),
    what is asked depends only on the seed, the trials told and the points pending: a search goes
    on from a list of trials as if it had never stopped. In a space of decisions `feasible(point)`
    restricts the points. A tuple `maximize` means several objectives, searched by expected
    hypervolume improvement (qLogNEHVI, Ament et al. 2023) above `ref_point`, inferred where it is
    None.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int = 0,
        maximize: bool | tuple[bool, ...] = True,
        n_initial: int | None = None,
        trials: Sequence[Trial] = (),
        ref_point: Sequence[float] | None = None,
        feasible: searcher.Feasible | None = None,
    ) -> None:
        super().__init__(maximize, trials)
        decisions = isinstance(space, DecisionSpace)
        if feasible is not None and not decisions:
            raise ValueError("`feasible` is for spaces of decisions")
        if n_initial is None:
            n_initial = 5 if decisions else 10
        if n_initial < 1:
            raise ValueError(f"n_initial has to be at least 1, got {n_initial}")
        self.space, self.seed, self.n_initial = space, seed, n_initial
        self.ref_point, self.feasible = ref_point, feasible
        self.pending: list[Any] = []
        self._fitted: tuple[int, list[Surrogate]] = (-1, [])

    def ask(self, n: int = 1) -> list[Any]:
        """`n` points, each chosen knowing those before it; they are pending until told.

        Fewer where a space of decisions has no more; in another finite space that is used up a
        point comes twice.
        """
        asked: list[Any] = []
        while len(asked) < n and (point := self._next()) is not None:
            asked.append(point)
            self.pending.append(point)
        return asked

    def tell(
        self, configs: Sequence[Any], values: ArrayLike, noise_var: ArrayLike | None = None
    ) -> None:
        """Values (n,) or (n, m), NaN for a failed trial; `noise_var` of like shape where the
        variance of the observation noise is known (0: exact), else it is inferred."""
        told = self._keys(configs)
        super().tell(configs, values, noise_var)
        pending = list(zip(self._keys(self.pending), self.pending, strict=True))
        for key in told:
            at = next((i for i, (name, _) in enumerate(pending) if name == key), None)
            if at is not None:
                del pending[at]
        self.pending = [point for _, point in pending]

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
        points = [t.config for t in self.trials] + self.pending
        taken = set(self._keys(points))
        rng = np.random.default_rng([self.seed, len(self.trials), len(self.pending)])
        if len(points) < self.n_initial or all(t.failed for t in self.trials):
            return self._initial(len(points), taken, rng)
        best = self._best_places()
        allowed = partial(self._allowed, taken)
        x = acquisition.maximize(self._acquisition(), self.space.columns, best, allowed, rng)
        if x is None:
            return self._unseen(taken, rng)
        return self.space.from_cube(x[None])[0]

    def _allowed(self, taken: set[bytes], x: np.ndarray, key: bytes) -> bool:
        if key in taken:
            return False
        return self.feasible is None or self.feasible(self.space.from_cube(x[None])[0])

    def _initial(self, index: int, taken: set[bytes], rng: np.random.Generator) -> Any:
        sobol = scipy.stats.qmc.Sobol(len(self.space.columns), rng=np.random.default_rng(self.seed))
        if index:  # SciPy cannot move forward by 0
            sobol.fast_forward(index)
        point = self.space.from_cube(sobol.random(1))[0]
        fine = self._allowed(taken, self.space.to_cube([point])[0], self._keys([point])[0])
        return point if fine else self._unseen(taken, rng)

    def _unseen(self, taken: set[bytes], rng: np.random.Generator) -> Any:
        if isinstance(self.space, DecisionSpace):
            space, told = self.space, [t.config for t in self.trials] + self.pending
            draw = lambda: space.sample(rng)  # noqa: E731
            return searcher.unseen(space, draw, {tuple(p) for p in told}, self.feasible, rng)
        for _ in range(MAX_DRAWS):
            point = self.space.sample(rng, 1)[0]
            if self._keys([point])[0] not in taken:
                break
        return point

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

    def _keys(self, points: Sequence[Any]) -> list[bytes]:
        return keys(self.space.to_cube(points)) if points else []
