"""K-fold cross-validation: a configuration in, a mean accuracy and its noise out."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import nn

from lightlab import train
from lightlab.data import DataSet, Split, k_folds
from lightlab.measure import cost
from lightlab.nets import build
from lightlab.space.hyper import Config


@dataclass(frozen=True)
class Score:
    """Accuracies (0..1) of one configuration: per fold, their mean, the variance of that mean.

    `held_out` is the fold networks' mean accuracy on images that took no part. A configuration
    whose training diverged has NaN throughout.
    """

    folds: tuple[float, ...]
    mean: float
    noise_var: float
    held_out: float


class CrossValidation:
    """A function from configurations to scores, on fixed folds of the training images.

    A configuration sets width and dropout of a small convolutional network (`depth`, `pool`) and
    lr, weight_decay, label_smoothing and batch_size of its training for `epochs`. Equal ones are
    trained once. `seed` decides folds, weights and batch order.
    """

    def __init__(
        self, images: DataSet, k: int, *, epochs: float, depth: int, pool: int, seed: int = 0
    ) -> None:
        self._images, self._seed = images, seed
        self._epochs, self._shape = epochs, {"depth": depth, "pool": pool}
        self._folds = list(k_folds(images.train, k, seed))
        self._scores: dict[tuple, Score] = {}

    def __call__(self, config: Config) -> Score:
        """Train one network per fold and score it on that fold."""
        key = tuple(sorted(config.items()))
        if key not in self._scores:
            try:
                self._scores[key] = self._score(config)
            except train.DivergedError:
                nan = float("nan")
                self._scores[key] = Score((nan,) * len(self._folds), nan, nan, nan)
        return self._scores[key]

    def price(self, config: Config) -> int:
        """Multiply-accumulates that training this configuration on all folds takes."""
        macs = cost.count_macs(self._network(config, 0), self._images.input_shape)
        seen = sum(train.samples(self._recipe(config), len(rest)) for rest, _ in self._folds)
        return macs * cost.PASSES_PER_TRAINING_STEP * seen

    def retrain(self, config: Config) -> float:
        """Train on all training images; accuracy on the test images, also if it diverged."""
        model = self._network(config, self._seed)
        with contextlib.suppress(train.DivergedError):
            self._fit(model, self._images.train, config, self._seed)
        return train.evaluate(model, self._images.test)["accuracy"]

    def _score(self, config: Config) -> Score:
        folds, held_out = [], []
        for i, (rest, fold) in enumerate(self._folds):
            seed = self._seed * len(self._folds) + i
            model = self._network(config, seed)
            self._fit(model, rest, config, seed)
            folds.append(train.evaluate(model, fold)["accuracy"])
            held_out.append(train.evaluate(model, self._images.val)["accuracy"])
        mean, noise_var = mean_and_noise(np.array(folds), len(self._images.train))
        return Score(tuple(folds), mean, noise_var, float(np.mean(held_out)))

    def _network(self, config: Config, seed: int) -> nn.Module:
        return build.cnn(config["width"], config["dropout"], **self._shape, seed=seed)

    def _recipe(self, config: Config) -> train.Recipe:
        names = ("lr", "weight_decay", "label_smoothing", "batch_size")
        return train.Recipe(self._epochs, **{name: config[name] for name in names})

    def _fit(self, model: nn.Module, split: Split, config: Config, seed: int) -> None:
        train.fit(model, split, self._recipe(config), seed=seed, macs_per_image=0)


def mean_and_noise(folds: np.ndarray, n_images: int) -> tuple[float, float]:
    """Mean of the fold accuracies (k,) and the variance of that mean: fold variance / k.

    With k values that variance is itself rough, and by chance near 0. It is never taken below the
    binomial p(1 − p)/n, the least that counting right answers among `n_images` can have. Folds
    share training images, so that the true variance is larger (Bengio & Grandvalet 2004).
    """
    mean = float(np.mean(folds))
    binomial = mean * (1 - mean) / n_images
    return mean, max(float(np.var(folds, ddof=1)) / len(folds), binomial)


def fold_table(scores: Mapping[float, Score]) -> pd.DataFrame:
    """Scores by the value `x` of one hyperparameter: x, fold, accuracy, mean, sd (of the mean)."""
    frames = []
    for x, score in scores.items():
        frame = pd.DataFrame({"x": x, "fold": range(len(score.folds)), "accuracy": score.folds})
        frames.append(frame.assign(mean=score.mean, sd=score.noise_var**0.5))
    return pd.concat(frames, ignore_index=True)
