"""The papers' search spaces, each a `DecisionSpace` whose points decode to an `Arch`."""

from lightlab.space.spaces.macro import MACRO, MACRO_TIED
from lightlab.space.spaces.mnasnet import (
    IMAGENET,
    INSIDE,
    MnasNetSpace,
    Skeleton,
    Stage,
    flat,
    whereabouts,
)

__all__ = [
    "IMAGENET",
    "INSIDE",
    "MACRO",
    "MACRO_TIED",
    "MnasNetSpace",
    "Skeleton",
    "Stage",
    "flat",
    "whereabouts",
]
