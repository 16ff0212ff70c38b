"""Small MobileNets that are compared, each for the images at hand.

A network is a row of a frame: name, arch (as text), width_mult, resolution, macs, params.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

import pandas as pd

from lightlab.data import DataSet
from lightlab.measure import cost
from lightlab.space import scaling
from lightlab.space.arch import decode, encode
from lightlab.space.scaling import adapt

FULL, SEPARABLE, AS_MANY_MACS = "full", "separable", "separable, as many MACs"
THIN, SHALLOW = "thin", "shallow"
_NEAR = 0.06  # how far MACs may be apart that are called equal
_WIDTHS_TRIED = 40  # steps of width, more than it takes to pass by what is near
_SOURCES = {FULL: "mobilenet_32_full", SHALLOW: "mobilenet_32_shallow"}

Network = dict[str, Any]


def network(
    name: str, images: DataSet, width_mult: float, resolution: int | None = None
) -> Network:
    """The network `name` of that width for `images`, in their size or another `resolution`; names
    that this module does not know stand for the separable one.
    """
    channels, side, _ = images.input_shape
    arch = adapt(
        scaling.get(_SOURCES.get(name, "mobilenet_32"), width_mult=width_mult),
        resolution=resolution or side,
        in_channels=channels,
        n_classes=len(images.class_names),
        min_map=1,  # every stride stays: a multiplier must not change the network otherwise
    )
    return {
        "name": name,
        "arch": encode(arch),
        "width_mult": width_mult,
        "resolution": arch.resolution,
        "macs": cost.macs(arch),
        "params": cost.param_count(arch),
    }


def matching(name: str, images: DataSet, macs: int) -> Network:
    """The network `name` of the width (in steps of 0.005) that takes within 6 per cent of `macs`.

    Of several the one with most channels in eights, then the closest: other channel counts fall off
    the fast path of some runtimes. ValueError where there is none.
    """
    widths = range(1, 2000)  # MACs never fall when the width grows
    least = (1 - _NEAR) * macs
    low = 1 + bisect_left(widths, least, key=lambda w: network(name, images, w / 200)["macs"])
    around = [network(name, images, width / 200) for width in range(low, low + _WIDTHS_TRIED)]
    close = [found for found in around if abs(found["macs"] / macs - 1) <= _NEAR]
    if not close:
        closest = min(around, key=lambda found: abs(found["macs"] - macs))
        raise ValueError(
            f"no width of {name!r} comes within {_NEAR:.0%} of {macs} MACs (closest "
            f"{closest['macs']}): choose another width for the network that it is to match"
        )
    return min(close, key=lambda found: (_odd_channels(found), abs(found["macs"] - macs)))


def _odd_channels(network: Network) -> float:
    """Share of the blocks whose number of channels is no multiple of eight."""
    blocks = decode(network["arch"]).blocks
    return sum(block.out_channels % 8 > 0 for block in blocks) / len(blocks)


def operators(images: DataSet, width_mult: float) -> pd.DataFrame:
    """The full-convolution network, its separable twin, and the separable one of equal MACs."""
    full = network(FULL, images, width_mult)
    twin = network(SEPARABLE, images, width_mult)
    return pd.DataFrame([full, twin, matching(AS_MANY_MACS, images, full["macs"])])


def depth_or_width(images: DataSet, width_mult: float) -> pd.DataFrame:
    """The deep network, thin, and the shallow and wider one of equal MACs (MobileNet table 5)."""
    thin = network(THIN, images, width_mult)
    return pd.DataFrame([thin, matching(SHALLOW, images, thin["macs"])])


def grid(images: DataSet, widths: Iterable[float], resolutions: Iterable[int]) -> pd.DataFrame:
    """The separable network in all widths and resolutions."""
    return pd.DataFrame(
        [network(f"{w:g} at {r} px", images, w, r) for w in widths for r in resolutions]
    )
