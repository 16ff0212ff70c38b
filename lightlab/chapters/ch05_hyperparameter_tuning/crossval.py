"""K-fold cross-validation: one training recipe in, a mean accuracy and its noise out."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from lightlab import train
from lightlab.data import Split, k_folds
from lightlab.measure import cost

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Score:
    """Accuracies (0..1) of one configuration: per fold, their mean, the variance of that mean.

    `held_out` is the fold networks' mean accuracy on images that took no part; `macs` is what
    training them cost. A configuration whose training diverged has NaN throughout.
    """

    folds: tuple[float, ...]
    mean: float
    noise_var: float
    held_out: float
    macs: int


def mean_and_noise(folds: np.ndarray, n_images: int) -> tuple[float, float]:
    """Mean of the fold accuracies (k,) and the variance of that mean: fold variance / k.

    With k values that variance is itself rough, and by chance near 0. It is never taken below the
    binomial p(1 − p)/n, the least that counting right answers among `n_images` can have. Folds
    share training images, so that the true variance is larger (Bengio & Grandvalet 2004).
    """
    mean = float(np.mean(folds))
    binomial = mean * (1 - mean) / n_images
    return mean, max(float(np.var(folds, ddof=1)) / len(folds), binomial)


class CrossValidation:
    """A function from configurations to scores, on fixed folds of a training split.

    `network(config, seed)` builds an untrained network, `recipe(config)` says how to train it.
    Equal configurations are trained once. `seed` decides folds, weights and batch order.
    """

    def __init__(
        self,
        split: Split,
        network: Callable[[Config, int], nn.Module],
        recipe: Callable[[Config], train.Recipe],
        *,
        k: int,
        held_out: Split,
        seed: int = 0,
    ) -> None:
        self._folds = list(k_folds(split, k, seed))
        self._network, self._recipe = network, recipe
        self._split, self._held_out, self._seed = split, held_out, seed
        self._scores: dict[tuple, Score] = {}
        self._prices: dict[tuple, int] = {}

    def __call__(self, config: Config) -> Score:
        """Train one network per fold and score it on that fold."""
        key = tuple(sorted(config.items()))
        if key not in self._scores:
            self._scores[key] = self._train(config)
        return self._scores[key]

    def price(self, config: Config) -> int:
        """Multiply-accumulates that training this configuration on all folds takes."""
        key = tuple(sorted(config.items()))
        if key not in self._prices:
            shape = tuple(self._held_out.x.shape[1:])
            macs = cost.count_macs(self._network(config, 0), shape) * cost.PASSES_PER_TRAINING_STEP
            recipe = self._recipe(config)
            self._prices[key] = macs * sum(train.samples(recipe, len(r)) for r, _ in self._folds)
        return self._prices[key]

    def retrain(self, config: Config, test: Split) -> float:
        """Train one network on the whole split; its accuracy on `test`, also if it diverged."""
        model = self._network(config, self._seed)
        with contextlib.suppress(train.DivergedError):
            train.fit(model, self._split, self._recipe(config), seed=self._seed, macs_per_image=0)
        return train.evaluate(model, test)["accuracy"]

    def _train(self, config: Config) -> Score:
        recipe, folds, held_out = self._recipe(config), [], []
        try:
            for i, (rest, fold) in enumerate(self._folds):
                seed = self._seed * len(self._folds) + i
                model = self._network(config, seed)
                train.fit(model, rest, recipe, seed=seed, macs_per_image=0)
                folds.append(train.evaluate(model, fold)["accuracy"])
                held_out.append(train.evaluate(model, self._held_out)["accuracy"])
        except train.DivergedError:
            nan = float("nan")
            return Score((nan,) * len(self._folds), nan, nan, nan, self.price(config))
        mean, noise_var = mean_and_noise(np.array(folds), len(self._split))
        return Score(tuple(folds), mean, noise_var, float(np.mean(held_out)), self.price(config))


def table(scores: Mapping[float, Score]) -> pd.DataFrame:
    """Scores by the value `x` of one hyperparameter: x, fold, accuracy, mean, sd (of the mean)."""
    rows = [
        {"x": x, "fold": i, "accuracy": a, "mean": score.mean, "sd": score.noise_var**0.5}
        for x, score in scores.items()
        for i, a in enumerate(score.folds)
    ]
    return pd.DataFrame(rows)
