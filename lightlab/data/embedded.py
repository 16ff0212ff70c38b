"""Data sets that need neither a file nor a network: scikit-learn's 8x8 digits, plain or in clutter.

Cluttered digits are real digits among fragments of others, drawn from a seed; the idea is that of
the cluttered MNIST images of Mnih et al. (2014, "Recurrent models of visual attention"). Plain
digits are solved by any small network; these are not, so that width, resolution and operator of a
network show in its accuracy.
"""

import numbers
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lightlab import disk
from lightlab.data import splits

CANVAS_PX = 32
MAX_DIFFICULTY = 2.0
_BLOCK = 500  # images per random stream: the first n images do not depend on how many are drawn


@dataclass(frozen=True)
class Clutter:
    """What is drawn around and done to a digit on the canvas of 32x32 pixels."""

    digit_px: tuple[float, float] = (10.0, 18.0)  # side of the digit, drawn uniformly
    wander: float = 1.0  # share of the free room in which a digit is put; 0 is the middle
    rotation: float = 0.5  # largest angle in rad, either way
    fragments: int = 4  # pieces of other digits
    fragment_px: float = 4.0  # side of a piece, which is a quarter of another digit
    noise: float = 0.1  # standard deviation of Gaussian noise; ink is 1, paper 0

    @classmethod
    def at(cls, difficulty: float) -> "Clutter":
        """Clutter by one number: 0 plain digits in the middle, 1 the default, 2 twice as much."""
        if not 0 <= difficulty <= MAX_DIFFICULTY:
            raise ValueError(f"difficulty must lie in 0..{MAX_DIFFICULTY:g}, got {difficulty}")
        base, within = cls(), min(difficulty, 1.0)  # size and place cannot vary more than fully
        middle = sum(base.digit_px) / 2
        return cls(
            digit_px=tuple(middle + within * (side - middle) for side in base.digit_px),
            wander=base.wander * within,
            rotation=base.rotation * difficulty,
            fragments=round(base.fragments * difficulty),
            noise=base.noise * difficulty,
        )


def draw(digits: np.ndarray, n: int, clutter: Clutter, seed: list[int]) -> tuple[Tensor, Tensor]:
    """`n` pictures from `digits` (D, 8, 8) in 0..1: uint8 (n, 1, 32, 32), and the digits' indices.

    The first pictures of a longer draw are those of a shorter one. In float64, so that rounding to
    8 bits is the same on every machine.
    """
    source = torch.from_numpy(digits).double()[:, None]
    blocks = [
        _draw_block(source, clutter, np.random.default_rng([*seed, start]))
        for start in range(0, max(n, 1), _BLOCK)
    ]
    return tuple(torch.cat(part)[:n] for part in zip(*blocks, strict=True))


def _draw_block(
    source: Tensor, clutter: Clutter, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    k = clutter.fragments
    chosen = torch.from_numpy(rng.integers(len(source), size=_BLOCK))
    side = rng.uniform(*clutter.digit_px, size=_BLOCK)
    canvas = _place(source[chosen], side, clutter.rotation, clutter.wander, rng)
    if k:
        others = source[torch.from_numpy(rng.integers(len(source), size=_BLOCK * k))]
        piece = source.shape[-1] // 2
        windows = (
            others.squeeze(1).unfold(1, piece, 1).unfold(2, piece, 1)
        )  # (N, places, places, …)
        top, left = torch.from_numpy(rng.integers(windows.shape[1], size=(2, len(others))))
        pieces = windows[torch.arange(len(others)), top, left][:, None]
        side = np.full(_BLOCK * k, clutter.fragment_px)
        placed = _place(pieces, side, clutter.rotation, 1.0, rng)
        canvas = torch.maximum(canvas, placed.view(_BLOCK, k, CANVAS_PX, CANVAS_PX).amax(1, True))
    canvas += clutter.noise * torch.from_numpy(rng.standard_normal(canvas.shape))
    return (canvas.clamp(0, 1) * 255).round().to(torch.uint8), chosen


def _place(
    pieces: Tensor, side: np.ndarray, rotation: float, wander: float, rng: np.random.Generator
) -> Tensor:
    """Each piece (N, 1, s, s) scaled to `side` pixels, turned, and put somewhere on the canvas."""
    angle = torch.from_numpy(rng.uniform(-rotation, rotation, size=(len(pieces), 1, 1)))
    zoom = torch.from_numpy(CANVAS_PX / side).view(-1, 1, 1)
    room = wander * (1 - 1 / zoom)  # in units of half a canvas, which is what grid_sample counts in
    centre_x, centre_y = (room * torch.from_numpy(rng.uniform(-1, 1, room.shape)) for _ in "xy")
    line = (torch.arange(CANVAS_PX) + 0.5) * (2 / CANVAS_PX) - 1
    x, y = zoom * (line - centre_x), zoom * (line[:, None] - centre_y)
    cos, sin = angle.cos(), angle.sin()
    grid = torch.stack([cos * x + sin * y, cos * y - sin * x], dim=-1)
    return F.grid_sample(pieces, grid, align_corners=False)


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
    """Settings that name what was drawn, and uint8 images, labels and groups per split."""
    if isinstance(difficulty, bool) or not isinstance(difficulty, numbers.Real):
        raise ValueError(f"difficulty has to be a number, got {difficulty!r}")
    most = POOLS if spec == "digits" else dict.fromkeys(POOLS, MAX_IMAGES)
    with splits.naming(spec):
        sizes = {
            part: splits.size(part, asked[part], default, most[part])
            for part, default in _DEFAULT_SIZES[spec].items()
        }
    settings = {"spec": spec, "version": _VERSION, "seed": seed, "sizes": sizes}
    if spec == "digits":
        return settings, _images(seed, sizes, None)
    style = Clutter.at(float(difficulty))
    settings["clutter"] = asdict(style)
    name = f"{spec}-{disk.digest(settings)[:16]}"
    return settings, disk.cached_arrays(name, lambda: _images(seed, sizes, style))[0]


def _images(seed: int, sizes: dict[str, int], style: Clutter | None) -> dict[str, np.ndarray]:
    """Digits as they were scanned, 8x8 pixels of 17 grey levels, here as 0..255; or in clutter."""
    from sklearn.datasets import load_digits  # half a second, which other images need not wait

    source, raw = load_digits(), {}
    order = np.random.default_rng([seed, 0]).permutation(sum(POOLS.values()))
    pools = np.split(order, np.cumsum(list(POOLS.values()))[:-1])
    for tag, (name, pool) in enumerate(zip(POOLS, pools, strict=True), start=1):
        if style is None:
            chosen = pool[: sizes[name]]
            x = np.round(source.images[chosen, None] * (255 / 16)).astype(np.uint8)
        else:
            images, index = draw(source.images[pool] / 16, sizes[name], style, [seed, tag])
            x, chosen = images.numpy(), pool[index.numpy()]
        raw[f"{name}_x"] = x
        raw[f"{name}_y"] = source.target[chosen].astype(np.int64)
        raw[f"{name}_groups"] = chosen.astype(np.int64)
    return raw
