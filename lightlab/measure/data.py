"""Data sets as tensors in memory, with splits, class names and a fingerprint."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor
from torch.nn import functional as F

from lightlab.measure import cache, clutter

SPECS = ("digits", "cluttered-digits")
RESOLUTIONS = range(8, 65)
MAX_IMAGES = 100_000
# Scanned digits behind the three splits. No digit is in two of them, whatever is drawn from it.
POOLS = {"train": 1097, "val": 200, "test": 500}
_DEFAULT_SIZES = {
    "digits": POOLS,
    "cluttered-digits": {"train": 10_000, "val": 1_000, "test": 2_000},
}
_VERSION = 1  # raise it when a change makes other pictures from the same seed


class DataError(ValueError):
    """The data set asked for cannot be had; the message says in one line why."""


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


@dataclass(frozen=True)
class DataSet:
    """Three splits without a common original, and what is needed to name and undo them.

    `mean` and `std` are those of the training pixels in 0..1; `fingerprint` is a SHA-256.
    """

    spec: str
    train: Split
    val: Split
    test: Split
    class_names: tuple[str, ...]
    mean: float
    std: float
    fingerprint: str

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return tuple(self.train.x.shape[1:])


def load(
    spec: str = "cluttered-digits",
    *,
    seed: int = 0,
    n_train: int | None = None,
    n_val: int | None = None,
    n_test: int | None = None,
    resolution: int | None = None,
    difficulty: float = 1.0,
) -> DataSet:
    """Load or draw a data set; `None` takes the set's own sizes (digits 8 px, cluttered 32 px).

    `seed` decides which digits go where and what is drawn; a smaller `n_…` gives the first images
    of a larger one. `difficulty` (0..2) concerns cluttered-digits only. DataError on an unknown
    name, a size that the set does not have, or a resolution outside 8..64.
    """
    if spec not in SPECS:
        raise DataError(f"unknown data set {spec!r}: choose one of {', '.join(SPECS)}")
    sizes = _sizes(spec, {"train": n_train, "val": n_val, "test": n_test})
    if resolution is not None and resolution not in RESOLUTIONS:
        raise DataError(f"resolution must lie in 8..64 px, got {resolution}")
    settings = {"spec": spec, "version": _VERSION, "seed": seed, "sizes": sizes}
    if spec == "digits":
        raw = _digits(seed, sizes)
    else:
        try:
            style = clutter.Clutter.at(difficulty)
        except ValueError as error:
            raise DataError(str(error)) from None
        settings["clutter"] = asdict(style)
        raw = _cluttered(settings, style)
    return _finish(settings, raw, resolution)


def k_folds(split: Split, k: int, seed: int = 0) -> Iterator[tuple[Split, Split]]:
    """`k` pairs (rest, fold): every image is in one fold, images of one original in the same fold.

    Classes are spread evenly: one that is frequent in a fold is rare in the rest, and networks
    trained there would look worse than they are. DataError unless 2 <= k <= the originals at hand.
    """
    n_groups = len(torch.unique(split.groups))
    if not 2 <= k <= n_groups:
        raise DataError(f"k must lie in 2..{n_groups} (the originals at hand), got {k}")
    folds = StratifiedGroupKFold(n_splits=k, shuffle=True, random_state=seed)
    for rest, fold in folds.split(split.y, split.y, split.groups):
        yield split.take(rest), split.take(fold)


def _sizes(spec: str, asked: dict[str, int | None]) -> dict[str, int]:
    """Images per split; DataError if the set does not have that many."""
    sizes = {}
    for name, default in _DEFAULT_SIZES[spec].items():
        n = default if asked[name] is None else int(asked[name])
        most = POOLS[name] if spec == "digits" else MAX_IMAGES
        least = 0 if name == "val" else 1
        if not least <= n <= most:
            raise DataError(f"{spec}: n_{name} must lie in {least}..{most}, got {n}")
        sizes[name] = n
    return sizes


def _pools(seed: int) -> dict[str, np.ndarray]:
    """Which of the 1,797 scanned digits stand behind which split."""
    order = np.random.default_rng([seed, 0]).permutation(sum(POOLS.values()))
    cuts = np.cumsum(list(POOLS.values()))[:-1]
    return dict(zip(POOLS, np.split(order, cuts), strict=True))


def _digits(seed: int, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """The scanned digits themselves: 8x8 pixels of 17 grey levels, here as 0..255."""
    source = load_digits()
    raw = {}
    for name, pool in _pools(seed).items():
        chosen = pool[: sizes[name]]
        raw[f"{name}_x"] = np.round(source.images[chosen, None] * (255 / 16)).astype(np.uint8)
        raw[f"{name}_y"] = source.target[chosen].astype(np.int64)
        raw[f"{name}_groups"] = chosen.astype(np.int64)
    return raw


def _cluttered(settings: dict, style: clutter.Clutter) -> dict[str, np.ndarray]:
    """The cluttered pictures, from the cache if they were drawn before."""

    def make() -> dict[str, np.ndarray]:
        source, raw = load_digits(), {}
        for tag, (name, pool) in enumerate(_pools(settings["seed"]).items(), start=1):
            images, index = clutter.draw(
                source.images[pool] / 16, settings["sizes"][name], style, [settings["seed"], tag]
            )
            chosen = index.numpy()
            raw[f"{name}_x"] = images.numpy()
            raw[f"{name}_y"] = source.target[pool][chosen].astype(np.int64)
            raw[f"{name}_groups"] = pool[chosen].astype(np.int64)
        return raw

    return cache.arrays(f"{settings['spec']}-{_digest(settings)[:16]}", make)


def _finish(settings: dict, raw: dict[str, np.ndarray], resolution: int | None) -> DataSet:
    """Resize, standardise by the training pixels, fingerprint."""
    x = {name: _resize(torch.from_numpy(raw[f"{name}_x"]), resolution) for name in POOLS}
    mean, std = x["train"].mean().item(), x["train"].std().item()
    splits = {
        name: Split(
            (x[name] - mean) / std,
            torch.from_numpy(raw[f"{name}_y"]),
            torch.from_numpy(raw[f"{name}_groups"]),
        )
        for name in POOLS
    }
    return DataSet(
        spec=settings["spec"],
        **splits,
        class_names=tuple("0123456789"),
        mean=mean,
        std=std,
        fingerprint=_digest({**settings, "resolution": resolution}, *raw.values()),
    )


def _resize(images: Tensor, resolution: int | None) -> Tensor:
    """uint8 images as float32 in 0..1 at `resolution` px, low-pass filtered when they shrink."""
    x = images.float() / 255
    if resolution in (None, x.shape[-1]) or not len(x):
        side = resolution or x.shape[-1]
        return x if len(x) else x.new_zeros(0, x.shape[1], side, side)
    size = (resolution, resolution)
    return F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)


def _digest(settings: dict, *arrays: np.ndarray) -> str:
    """SHA-256 of settings and arrays."""
    sha = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for array in arrays:
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()
