"""The data sets that need neither a file nor a network: scanned digits, plain or in clutter."""

from dataclasses import asdict
from typing import Any

import numpy as np

from lightlab.data import clutter, cuts
from lightlab.data.splits import DataError
from lightlab.measure import cache

SPECS = ("digits", "cluttered-digits")
RESOLUTIONS = range(8, 65)
CLASS_NAMES = tuple("0123456789")
MAX_IMAGES = 100_000
# Scanned digits behind the three splits. No digit is in two of them, whatever is drawn from it.
POOLS = {"train": 1097, "val": 200, "test": 500}
_DEFAULT_SIZES = {
    "digits": POOLS,
    "cluttered-digits": {"train": 10_000, "val": 1_000, "test": 2_000},
}
_VERSION = 1  # raise it when a change makes other pictures from the same seed


def read(
    spec: str, seed: int, asked: dict[str, int | None], difficulty: float
) -> tuple[dict, dict[str, np.ndarray]]:
    """What was drawn, as settings that name it, and uint8 images, labels and groups per split."""
    most = POOLS if spec == "digits" else dict.fromkeys(POOLS, MAX_IMAGES)
    sizes = {
        part: cuts.size(spec, part, asked[part], default, most[part])
        for part, default in _DEFAULT_SIZES[spec].items()
    }
    settings = {"spec": spec, "version": _VERSION, "seed": seed, "sizes": sizes}
    if spec == "digits":
        return settings, _digits(seed, sizes)
    try:
        style = clutter.Clutter.at(difficulty)
    except ValueError as error:
        raise DataError(str(error)) from None
    settings["clutter"] = asdict(style)
    return settings, _cluttered(settings, style)


def _scans() -> Any:
    from sklearn.datasets import load_digits  # half a second, which other images need not wait

    return load_digits()


def _pools(seed: int) -> dict[str, np.ndarray]:
    """Which of the 1,797 scanned digits stand behind which split."""
    order = np.random.default_rng([seed, 0]).permutation(sum(POOLS.values()))
    cuts = np.cumsum(list(POOLS.values()))[:-1]
    return dict(zip(POOLS, np.split(order, cuts), strict=True))


def _digits(seed: int, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """The scanned digits themselves: 8x8 pixels of 17 grey levels, here as 0..255."""
    source = _scans()
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
        source, raw = _scans(), {}
        for tag, (name, pool) in enumerate(_pools(settings["seed"]).items(), start=1):
            images, index = clutter.draw(
                source.images[pool] / 16, settings["sizes"][name], style, [settings["seed"], tag]
            )
            chosen = index.numpy()
            raw[f"{name}_x"] = images.numpy()
            raw[f"{name}_y"] = source.target[pool][chosen].astype(np.int64)
            raw[f"{name}_groups"] = pool[chosen].astype(np.int64)
        return raw

    return cache.arrays(f"{settings['spec']}-{cache.digest(settings)[:16]}", make)[0]
