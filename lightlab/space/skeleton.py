"""What all networks of a space share, the stages in which they differ, and NAS-Bench-Macro's space.

NAS-Bench-Macro (Su et al. 2021, section 4): each of eight layers in three stages is left out (0),
MBConv 3x3 with expansion 3 (1) or MBConv 5x5 with expansion 6 (2). A first layer of a stage that is
"left out" is a 1x1 convolution, which takes the stride. Its table of all 6,561 trained networks
prints parameters and mult-adds: those of what is decoded here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lightlab.space.arch import Arch, Head
from lightlab.space.blocks import Block, make_divisible
from lightlab.space.decisions import Decision, DecisionSpace
from lightlab.space.scaling import scale


@dataclass(frozen=True)
class Stage:
    """A searched block: its channels, its layers, and the stride of the first of them.

    Its inverted bottlenecks have `act` ("": the stem's) and squeeze-excite of `se_ratio` of their
    expanded width.
    """

    channels: int
    layers: int
    stride: int
    act: str = ""
    se_ratio: float = 0


@dataclass(frozen=True)
class Skeleton:
    """What every network of a space shares; ValueError without stages, or with one of no layers."""

    resolution: int
    stem: Block
    first: tuple[Block, ...]
    stages: tuple[Stage, ...]
    last: tuple[Block, ...]
    head: Head
    in_channels: int = 3
    n_classes: int = 1000

    def __post_init__(self) -> None:
        if not self.stages:
            raise ValueError("a skeleton needs at least one stage to search")
        if empty := [s for s in self.stages if s.layers < 1]:
            raise ValueError(f"{empty[0]} has no layers")

    def arch(self, searched: Sequence[Block]) -> Arch:
        """The network with these blocks between `first` and `last`."""
        blocks = (*self.first, *searched, *self.last)
        return Arch(self.resolution, self.stem, blocks, self.head, self.in_channels, self.n_classes)

    def searched(self, arch: Arch) -> tuple[Block, ...]:
        """The blocks of `arch` between `first` and `last`; ValueError where the rest is another."""
        found = arch.blocks[len(self.first) : len(arch.blocks) - len(self.last)]
        if self.arch(found) != arch:
            raise ValueError("it has another stem, first or last block, head or input")
        return found

    def mbconv(self, i: int, layer: int, kernel: int, expand_ratio: float) -> Block:
        """The inverted bottleneck that is `layer` of stage `i`, both counted from 0."""
        stage = self.stages[i]
        stride, act = 1 if layer else stage.stride, stage.act or self.stem.act
        how = stage.channels, kernel, stride, expand_ratio, stage.se_ratio, "expanded", act
        return Block("mb", *how)

    def maps(self) -> list[list[tuple[int, int]]]:
        """Channels and size of what comes into every layer of every stage, at full depth."""
        channels, size = self.in_channels, self.resolution
        for block in (self.stem, *self.first):
            channels, size = block.out_channels, -(-size // block.stride)
        found = []
        for stage in self.stages:
            after = -(-size // stage.stride)
            rest = [(stage.channels, after)] * (stage.layers - 1)
            found.append([(channels, size), *rest])
            channels, size = stage.channels, after
        return found

    def scaled(self, width_mult: float) -> "Skeleton":
        """With every width, the head's too, times `width_mult`, rounded as MobileNetV2's code."""
        whole, n = scale(self.arch(()), width_mult=width_mult), len(self.first)
        stages = tuple(
            replace(s, channels=make_divisible(s.channels * width_mult)) for s in self.stages
        )
        first, last = whole.blocks[:n], whole.blocks[n:]
        return replace(
            self, stem=whole.stem, first=first, stages=stages, last=last, head=whole.head
        )

    @classmethod
    def small(
        cls,
        input_shape: tuple[int, int, int],
        n_classes: int,
        channels: Sequence[int],
        layers: int = 2,
        widths: Sequence[float] = (1,),
    ) -> "Skeleton":
        """For small images (C, H, H): a stem of stride 2 with half the first stage's channels, a
        separable block, a stage of so many `layers` for each of `channels` (the first two halve the
        map), 128 1x1 features. ValueError where two of `widths`, by which a space would multiply
        them, round to the same channels.
        """
        for c in channels:
            if len({make_divisible(c * w) for w in widths}) < len(widths):
                raise ValueError(
                    f"{c} channels: two of the widths {tuple(widths)} are rounded to the same"
                )
        stages = tuple(Stage(c, layers, 2 if i < 2 else 1) for i, c in enumerate(channels))
        half = make_divisible(channels[0] / 2) if stages else 8
        stem, first = Block("conv", half, stride=2), Block("mb", half, skip="none")
        in_channels, side, _ = input_shape
        return cls(side, stem, (first,), stages, (), Head(128), in_channels, n_classes)


STAGES = ((64, 2), (128, 3), (256, 3))  # channels, layers; the first layer of each has stride 2
OPTIONS = ("identity", "mb_k3_e3", "mb_k5_e6")
_DESIGNS = {"mb_k3_e3": (3, 3), "mb_k5_e6": (5, 6)}


def _tied(options: dict[str, Any]) -> Arch:
    """The first layers of each stage are of its one design, the others left out."""
    values, taken = iter(options.values()), []
    for _, most in STAGES:
        design, layers = next(values), next(values)
        taken += [design] * layers + ["identity"] * (most - layers)
    return _network(dict(enumerate(taken)))


def _network(options: dict[Any, str]) -> Arch:
    taken, blocks = iter(options.values()), []
    for channels, layers in STAGES:
        for i in range(layers):
            option, stride = next(taken), 1 if i else 2
            if option in _DESIGNS:
                kernel, expand = _DESIGNS[option]
                blocks.append(Block("mb", channels, kernel, stride, expand))
            elif stride > 1:
                blocks.append(Block("conv", channels, 1, stride, act="none"))
    return Arch(32, Block("conv", 32), tuple(blocks), Head(1280), 3, 10)


MACRO = DecisionSpace([Decision(f"layer_{i}", OPTIONS) for i in range(8)], _network)

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
