"""The papers' search spaces, each a `DecisionSpace` whose points decode to an `Arch`."""

from lightlab.space.spaces.macro import MACRO, MACRO_TIED
from lightlab.space.spaces.mnasnet import IMAGENET, INSIDE, MnasNetSpace, whereabouts
from lightlab.space.spaces.once_for_all import (
    OFA_MOBILENET_V3,
    OFA_PROXYLESS,
    OfaSpace,
    like_mobilenet_v2,
    like_mobilenet_v3,
)
from lightlab.space.spaces.proxyless import PROXYLESS, ZERO, Position, ProxylessSpace
from lightlab.space.spaces.skeleton import Skeleton, Stage

__all__ = [
    "IMAGENET",
    "INSIDE",
    "MACRO",
    "MACRO_TIED",
    "OFA_MOBILENET_V3",
    "OFA_PROXYLESS",
    "PROXYLESS",
    "ZERO",
    "MnasNetSpace",
    "OfaSpace",
    "Position",
    "ProxylessSpace",
    "Skeleton",
    "Stage",
    "like_mobilenet_v2",
    "like_mobilenet_v3",
    "whereabouts",
]
