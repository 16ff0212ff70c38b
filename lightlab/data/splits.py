"""What every data set is in the end: splits of standardised images, names, a fingerprint."""

import math
import numbers
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import psutil
import torch
from torch import Tensor

PARTS = ("train", "val", "test")


class DataError(ValueError):
    """The data set asked for cannot be had; the message says in one line why."""


class TooFewError(DataError):
    """A class has too few images for the parts that are cut."""


@dataclass(frozen=True)
class Split:
    """Images `x` float32 (N, C, H, W), standardised; labels `y` int64 (N,).

    `groups` (N,) numbers the original that an image was made from: images of one original must not
    be spread over training and validation.
    """

    x: Tensor
    y: Tensor
    groups: Tensor

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: Tensor | np.ndarray | slice) -> "Split":
        """The images at `index`, in that order."""
        return Split(self.x[index], self.y[index], self.groups[index])

    def to(self, device: str) -> "Split":
        """The same with images and labels on "cpu" or "cuda"; what is there already is shared."""
        return Split(self.x.to(device), self.y.to(device), self.groups)


@dataclass(frozen=True)
class DataSet:
    """Three splits without a common original, and what is needed to name and undo them.

    `mean` and `std` are those of the training pixels in 0..1, one number a channel; `fingerprint`
    is a SHA-256.
    """

    spec: str
    train: Split
    val: Split
    test: Split
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return tuple(self.train.x.shape[1:])


def k_folds(split: Split, k: int, seed: int = 0) -> Iterator[tuple[Split, Split]]:
    """`k` pairs (rest, fold): every image is in one fold, images of one original in the same fold.

    Classes are spread evenly: one that is frequent in a fold is rare in the rest, and networks
    trained there would look worse than they are. DataError unless 2 <= k <= the originals at hand.
    """
    k, seed = whole("k", k), whole("seed", seed, least=0)
    n_groups = len(torch.unique(split.groups))
    if not 2 <= k <= n_groups:
        raise DataError(f"k must lie in 2..{n_groups} (the originals at hand), got {k}")
    largest = int(torch.bincount(split.y).max())
    if k > largest:
        raise DataError(f"{k} folds need a class of {k} images or more; the largest has {largest}")
    from sklearn.model_selection import StratifiedGroupKFold  # a second's import, for this alone

    folds = StratifiedGroupKFold(n_splits=k, shuffle=True, random_state=seed)
    for rest, fold in folds.split(split.y, split.y, split.groups):
        yield split.take(rest), split.take(fold)


def whole(name: str, value: object, least: int | None = None) -> int:
    """`value`, of whatever type, as an int; DataError where it is no whole number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or value % 1:
        raise DataError(f"{name} has to be a whole number, got {value!r}")
    if least is not None and value < least:
        raise DataError(f"{name} must be at least {least}, got {value}")
    return int(value)


def check_memory(what: str, n: int, shape: tuple[int, int, int], dtype: type) -> None:
    """DataError where `n` images (C, H, W) would fill more than half of the machine's memory."""
    need, limit = n * math.prod(shape) * np.dtype(dtype).itemsize, _memory_limit()
    if need > limit:
        raise DataError(
            f"{what}: {n:,} images at {shape[-1]} px need {need / 2**30:,.1f} GiB, more than half "
            f"of this machine's memory ({limit / 2**30:,.1f} GiB): give a smaller resolution or "
            "fewer images"
        )


def _memory_limit() -> int:
    """Bytes."""
    return psutil.virtual_memory().total // 2
