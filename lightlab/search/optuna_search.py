"""Optuna's samplers behind the same ask and tell: the peers to be measured against."""

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import optuna
from numpy.typing import ArrayLike

from lightlab.search.searcher import Searcher
from lightlab.space.hyper import Choice, Dimension, Float, HyperSpace


class OptunaSearch(Searcher):
    """Optuna's TPE (Bergstra et al. 2011) or its Gaussian-process sampler.

    `n_initial` random points come first. `deterministic` tells the GP sampler that values carry no
    noise; TPE has no such setting.
    """

    def __init__(
        self,
        space: HyperSpace,
        sampler: Literal["tpe", "gp"],
        seed: int = 0,
        maximize: bool = True,
        n_initial: int = 10,
        deterministic: bool = False,
    ) -> None:
        super().__init__(maximize)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.space = space
        self._distributions = {n: _distribution(d) for n, d in space.dimensions.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            make = {
                "tpe": optuna.samplers.TPESampler,
                "gp": partial(optuna.samplers.GPSampler, deterministic_objective=deterministic),
            }
            chosen = make[sampler](seed=seed, n_startup_trials=n_initial)
        direction = "maximize" if maximize else "minimize"
        self._study = optuna.create_study(sampler=chosen, direction=direction)
        self._running: list[tuple[dict[str, Any], optuna.Trial]] = []

    def ask(self, n: int = 1) -> list[dict[str, Any]]:
        """`n` points of the sampler's choice."""
        asked = []
        for _ in range(n):
            trial = self._study.ask(self._distributions)
            config = {
                name: d.options[trial.params[name]] if isinstance(d, Choice) else trial.params[name]
                for name, d in self.space.dimensions.items()
            }
            self._running.append((config, trial))
            asked.append(config)
        return asked

    def tell(
        self,
        configs: Sequence[Any],
        values: ArrayLike,
        noise_var: ArrayLike | None = None,
        costs: Sequence[float] | None = None,
    ) -> None:
        """Values (n,) of points, asked here or not; noise and costs are recorded only."""
        super().tell(configs, values, noise_var, costs)
        for config, value in zip(configs, np.ravel(np.asarray(values, dtype=float)), strict=True):
            at = next((i for i, (c, _) in enumerate(self._running) if c == config), None)
            trial = self._foreign(config) if at is None else self._running.pop(at)[1]
            if np.isfinite(value):
                self._study.tell(trial, float(value))
            else:
                self._study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def _foreign(self, config: dict[str, Any]) -> optuna.Trial:
        """A running trial of the study at a point that Optuna did not choose."""
        self.space.to_cube([config])  # refuses points of another space
        params = {
            name: d.options.index(config[name]) if isinstance(d, Choice) else config[name]
            for name, d in self.space.dimensions.items()
        }
        self._study.enqueue_trial(params)
        return self._study.ask(self._distributions)


def _distribution(dimension: Dimension) -> optuna.distributions.BaseDistribution:
    of = optuna.distributions
    if isinstance(dimension, Choice):
        return of.CategoricalDistribution(tuple(range(len(dimension.options))))
    kind = of.FloatDistribution if isinstance(dimension, Float) else of.IntDistribution
    return kind(dimension.low, dimension.high, log=dimension.log)
