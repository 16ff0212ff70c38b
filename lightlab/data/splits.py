"""What every data set is in the end: splits of standardised images, names, a fingerprint; and which
image goes where: a seeded order in which classes come up evenly.
"""

import math
import numbers
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import psutil
import torch
from torch import Tensor

PARTS = ("train", "val", "test")


class TooFewError(ValueError):
    """A class has too few images for the parts that are cut."""


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Puts `what` before that which a ValueError says."""
    try:
        yield
    except ValueError as error:
        kind = TooFewError if isinstance(error, TooFewError) else ValueError
        raise kind(f"{what}: {error}") from None


@dataclass(frozen=True)
class Split:
    """Images `x` float32 (N, C, H, W), standardised; labels `y` int64 (N,); `groups` (N,) numbers
    the original of an image, which must not be spread over training and validation.
    """

    x: Tensor
    y: Tensor
    groups: Tensor

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: Tensor | np.ndarray | slice) -> "Split":
        return Split(self.x[index], self.y[index], self.groups[index])


@dataclass(frozen=True)
class DataSet:
    """Three splits without a common original.

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
    """`k` pairs (rest, fold), classes spread evenly, images of one original in the same fold.

    Classes frequent in a fold would be rare in the rest, and networks trained there look worse.
    ValueError unless 2 <= k <= the originals at hand.
    """
    k, seed = whole("k", k), whole("seed", seed, least=0)
    n_groups = len(torch.unique(split.groups))
    if not 2 <= k <= n_groups:
        raise ValueError(f"k must lie in 2..{n_groups} (the originals at hand), got {k}")
    largest = int(torch.bincount(split.y).max())
    if k > largest:
        raise ValueError(f"{k} folds need a class of {k} images or more; the largest has {largest}")
    from sklearn.model_selection import StratifiedGroupKFold  # a second's import, for this alone

    folds = StratifiedGroupKFold(n_splits=k, shuffle=True, random_state=seed)
    for rest, fold in folds.split(split.y, split.y, split.groups):
        yield split.take(rest), split.take(fold)


def whole(name: str, value: object, least: int | None = None) -> int:
    """`value`, of whatever type, as an int; ValueError where it is no whole number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or value % 1:
        raise ValueError(f"{name} has to be a whole number, got {value!r}")
    if least is not None and value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)


def check_memory(n: int, shape: tuple[int, int, int], dtype: type) -> None:
    """ValueError where `n` images (C, H, W) would fill more than half of the memory."""
    need = n * math.prod(shape) * np.dtype(dtype).itemsize
    limit = psutil.virtual_memory().total // 2
    if need > limit:
        raise ValueError(
            f"{n:,} images at {shape[-1]} px need {need / 2**30:,.1f} GiB, more than half of this "
            f"machine's memory ({limit / 2**30:,.1f} GiB): give a smaller resolution or fewer "
            "images"
        )


TEST_SHARE = 0.2  # of the training images, where the source has no test split
VAL_SHARE = 0.1  # of what then remains, where it has no validation split


def even_order(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random order of which every stretch holds the classes in their proportions."""
    place = np.empty(len(labels))
    for label in np.unique(labels):
        own = rng.permutation(np.flatnonzero(labels == label))
        place[own] = (np.arange(len(own)) + 0.5) / len(own)
    return np.lexsort((rng.random(len(labels)), place))


def cut(
    labels: dict[str, np.ndarray],
    names: tuple[str, ...],
    seed: int,
    asked: dict[str, int | None],
) -> dict[str, tuple[str, np.ndarray]]:
    """Each part's split of the source and rows in it; the source's own where `labels` has them.

    Validation and training images are taken from two ends of one order, so that neither depends on
    the number of the other. ValueError for a size that cannot be had, and for a class that a part
    of default size would miss.
    """
    orders = {
        part: even_order(labels[part], np.random.default_rng([seed, tag]))
        for tag, part in enumerate(PARTS)
        if part in labels
    }
    rest, source = orders["train"], {part: part if part in labels else "train" for part in PARTS}
    if "test" not in labels:
        at = _share(TEST_SHARE, len(rest), len(names))
        orders["test"], rest = rest[:at], rest[at:]
    if not len(rest):
        raise ValueError(
            f"{len(labels['train'])} images of {len(names)} classes are too few for each "
            "of training, validation and test: add images, or give a test split"
        )
    n_test = size("test", asked["test"], len(orders["test"]), len(orders["test"]))
    if "val" in labels:
        n_val = size("val", asked["val"], len(orders["val"]), len(orders["val"]))
    else:
        most = len(rest) - 1
        default = min(_share(VAL_SHARE, len(rest), len(names)), most)
        n_val = size("val", asked["val"], default, most)
        orders["val"], rest = rest[:n_val], rest[n_val:]
    orders["train"] = rest[::-1]
    n_train = size("train", asked["train"], len(rest), len(rest))
    for part in PARTS:
        whole = asked[part] is None or part == "test"
        if whole and source[part] == "train" and len(orders[part]):
            _check_whole(part, labels["train"], orders[part], names)
    sizes = {"train": n_train, "val": n_val, "test": n_test}
    return {part: (source[part], orders[part][: sizes[part]]) for part in PARTS}


def _share(share: float, n: int, n_classes: int) -> int:
    """A share of all, and of a small set enough for one image a class."""
    return max(round(share * n), n_classes)


def size(part: str, asked: int | None, default: int, most: int) -> int:
    n = default if asked is None else asked
    least = 0 if part == "val" else 1
    if not least <= n <= most:
        raise ValueError(f"n_{part} must lie in {least}..{most}, got {n}")
    return n


def _check_whole(part: str, labels: np.ndarray, rows: np.ndarray, names: tuple[str, ...]) -> None:
    missing = np.setdiff1d(range(len(names)), labels[rows])
    if len(missing):
        name, n = names[missing[0]], np.sum(labels == missing[0])
        raise TooFewError(
            f"class {name!r} has {n} image(s), too few for each of training, validation "
            f"and test ({part} would have none): add images, or give a test split"
        )
