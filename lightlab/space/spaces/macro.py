"""NAS-Bench-Macro's space (Su et al. 2021, section 4): eight layers in three stages.

Each layer is left out (0), MBConv 3x3 with expansion 3 (1) or MBConv 5x5 with expansion 6 (2). A
first layer of a stage that is "left out" is a 1x1 convolution, which takes the stride. The table of
all 6,561 trained networks prints parameters and mult-adds: those of what is decoded here.
"""

from typing import Any

from lightlab.space.arch import Arch, Block, Head
from lightlab.space.decisions import Decision, DecisionSpace

STAGES = ((64, 2), (128, 3), (256, 3))  # channels, layers; the first layer of each has stride 2
OPTIONS = ("identity", "mb_k3_e3", "mb_k5_e6")
_DESIGNS = {"mb_k3_e3": (3, 3), "mb_k5_e6": (5, 6)}


def _arch(options: dict[str, Any]) -> Arch:
    return _network(list(options.values()))


def _tied(options: dict[str, Any]) -> Arch:
    """The first layers of each stage are of its one design, the others left out."""
    values, taken = iter(options.values()), []
    for _, most in STAGES:
        design, layers = next(values), next(values)
        taken += [design] * layers + ["identity"] * (most - layers)
    return _network(taken)


def _network(options: list[str]) -> Arch:
    taken, blocks = iter(options), []
    for channels, layers in STAGES:
        for i in range(layers):
            option, stride = next(taken), 1 if i else 2
            if option in _DESIGNS:
                kernel, expand = _DESIGNS[option]
                blocks.append(Block("mb", channels, kernel, stride, expand))
            elif stride > 1:
                blocks.append(Block("conv", channels, 1, stride, act="none"))
    return Arch(32, Block("conv", 32), tuple(blocks), Head(1280), 3, 10)


MACRO = DecisionSpace([Decision(f"layer_{i}", OPTIONS) for i in range(8)], _arch)

# One design and a number of layers per stage, as MnasNet's space ties them: a part of MACRO.
MACRO_TIED = DecisionSpace(
    [
        decision
        for i, (_, layers) in enumerate(STAGES, 1)
        for decision in (
            Decision(f"stage_{i}.design", OPTIONS[1:]),
            Decision(f"stage_{i}.layers", tuple(range(layers + 1))),
        )
    ],
    _tied,
)
