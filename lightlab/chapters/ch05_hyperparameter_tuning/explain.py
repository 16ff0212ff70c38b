"""What a search has learned: cuts through its model, and which hyperparameters it reacts to."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lightlab.search.gaussian.acquisition import expected_improvement
from lightlab.search.gaussian.bayesopt import BayesianOptimization
from lightlab.search.gaussian.surrogate import Surrogate
from lightlab.search.searcher import Trial
from lightlab.space.hyper import HyperSpace


def along(space: HyperSpace, name: str, config: Mapping[str, Any], n: int) -> list[dict[str, Any]]:
    """Up to `n` configurations from end to end of one hyperparameter, all others as in `config`."""
    values = space.dimensions[name].grid(n)
    return [{**config, name: value} for value in values]


def slices(
    space: HyperSpace, surrogate: Surrogate, config: Mapping[str, Any], n: int = 61
) -> pd.DataFrame:
    """Posterior through `config` along each hyperparameter: name, x, mean, sd."""
    parts = []
    for name in space.dimensions:
        configs = along(space, name, config, n)
        mean, sd = surrogate.predict(configs)
        x = [float(c[name]) for c in configs]
        parts.append(pd.DataFrame({"name": name, "x": x, "mean": mean, "sd": sd}))
    return pd.concat(parts, ignore_index=True)


def observations(trials: Sequence[Trial]) -> pd.DataFrame:
    """One row per trial: its hyperparameters, value, and sd of its noise (NaN where unknown)."""
    rows = [
        {**t.config, "value": t.values[0], "sd": (t.noise_var or (np.nan,))[0] ** 0.5}
        for t in trials
    ]
    return pd.DataFrame(rows)


def replay(
    space: HyperSpace, trials: Sequence[Trial], sizes: Sequence[int], n: int = 201
) -> pd.DataFrame:
    """What a search of one hyperparameter believed after its first `sizes` trials.

    Columns n_trials, the hyperparameter, mean, sd, acqf: expected improvement over the best mean
    at the trials so far, whose maximum is the next point.
    """
    (name,) = space.dimensions
    parts = []
    for size in sizes:
        surrogate = BayesianOptimization(space, trials=trials[:size]).surrogates()[0]
        configs = along(space, name, {}, n)
        mean, sd = surrogate.predict(configs)
        best_f = surrogate.predict([t.config for t in trials[:size]])[0].max()
        table = {
            "n_trials": size,
            name: [c[name] for c in configs],
            "mean": mean,
            "sd": sd,
            "acqf": expected_improvement(mean, sd, best_f),
        }
        parts.append(pd.DataFrame(table))
    return pd.concat(parts, ignore_index=True)


def relevance(length_scales: Mapping[str, float]) -> dict[str, float]:
    """Share of each hyperparameter in the sum of 1/ℓ²: how fast the model varies along it.

    Automatic relevance determination (Neal 1996): squared distance in the kernel is Σ (Δx/ℓ)².
    """
    inverse = {name: 1 / scale**2 for name, scale in length_scales.items()}
    total = sum(inverse.values())
    return {name: value / total for name, value in inverse.items()}


def effective_dimension(shares: Mapping[str, float]) -> float:
    """1 / Σ share²: d where all d hyperparameters matter alike, 1 where only one does."""
    return float(1 / np.sum(np.square(list(shares.values()))))
