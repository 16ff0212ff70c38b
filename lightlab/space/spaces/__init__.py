"""The papers' search spaces, each a `DecisionSpace` whose points decode to an `Arch`."""

from lightlab.space.spaces.macro import MACRO, MACRO_TIED
from lightlab.space.spaces.mnasnet import (
    IMAGENET,
    INSIDE,
    MnasNetSpace,
    flat,
    whereabouts,
)
from lightlab.space.spaces.proxyless import PROXYLESS, ZERO, Position, ProxylessSpace
from lightlab.space.spaces.skeleton import Skeleton, Stage

__all__ = [
    "IMAGENET",
    "INSIDE",
    "MACRO",
    "MACRO_TIED",
    "PROXYLESS",
    "ZERO",
    "MnasNetSpace",
    "Position",
    "ProxylessSpace",
    "Skeleton",
    "Stage",
    "flat",
    "whereabouts",
]
