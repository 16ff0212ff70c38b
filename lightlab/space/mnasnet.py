"""MnasNet's factorized hierarchical space (Tan et al. 2019, section 4.1 and figure 4).

A fixed sequence of blocks, for each of which one layer and the number of its repeats are searched.
The published sizes, 432^5 and 432^15 with a layer's choice of its own, are those of MobileNetV2's
five blocks of more than one layer, fifteen in all.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from lightlab.space.arch import Arch, Head
from lightlab.space.blocks import Block, decode_block, make_divisible
from lightlab.space.decisions import Decision, DecisionSpace, Point
from lightlab.space.skeleton import Skeleton, Stage

# The paper lists three convolutions but counts 432 designs: MBConv with both its expansions.
OPS = ("conv", "sep", "mb_e3", "mb_e6")
KERNELS, SE_RATIOS, SKIPS = (3, 5), (0, 0.25), ("pool", "identity", "none")
OFFSETS, WIDTHS = (-1, 0, 1), (0.75, 1.0, 1.25)
_PARTS = ("op", "kernel", "se", "skip", "width", "layers")


# MobileNetV2's, with MnasNet's head: what the paper's searches vary (figure 4).
IMAGENET = Skeleton(
    resolution=224,
    stem=decode_block("conv_k3_s2_c32"),
    first=(decode_block("mb_k3_s1_e1_c16_noskip"),),
    stages=(Stage(24, 2, 2), Stage(32, 3, 2), Stage(64, 4, 2), Stage(96, 3, 1), Stage(160, 3, 2)),
    last=(decode_block("mb_k3_s1_e6_c320"),),
    head=Head(features=1280),
)


class MnasNetSpace(DecisionSpace):
    """One layer design and one number of layers per stage of `skeleton`.

    Decisions "1.op" to "1.layers", "2.op", …: convolution, kernel, squeeze-excite, skip, and width
    and layers relative to the stage's. Points decode to an `Arch`. ValueError where a stage has one
    layer only: one less would be none.
    """

    def __init__(self, skeleton: Skeleton, widths: Sequence[float] = WIDTHS) -> None:
        if short := [s for s in skeleton.stages if s.layers < 2]:
            raise ValueError(f"{short[0]} has fewer than two layers, of which one may be left out")
        self.skeleton = skeleton
        names = [str(i) for i, _ in enumerate(skeleton.stages, 1)]
        super().__init__(layer_decisions(names, widths), self._arch)

    def _arch(self, options: dict[str, Any]) -> Arch:
        values = list(options.values())
        blocks: list[Block] = []
        for i, stage in enumerate(self.skeleton.stages):
            blocks += stage_blocks(stage, *values[len(_PARTS) * i : len(_PARTS) * (i + 1)])
        return self.skeleton.arch(blocks)

    def centre(self) -> Point:
        """MobileNetV2's design everywhere: MBConv6 3x3, no squeeze-excite, identity, width 1."""
        typical = {"op": "mb_e6", "kernel": 3, "se": 0, "skip": "identity", "width": 1, "layers": 0}
        return self.point({d.name: typical[d.name.partition(".")[2]] for d in self.decisions})

    def find(self, arch: Arch) -> Point:
        """The first point that decodes to a network like `arch`; ValueError says why there is none.

        There can be several: a skip has no effect at some layer, two widths round to the same.
        """
        skeleton, blocks = self.skeleton, arch.blocks
        first, last = len(skeleton.first), len(blocks) - len(skeleton.last)
        wanted = _effective(blocks, arch.stem.out_channels)
        framed = skeleton.arch(blocks[first:last])
        same = wanted == _effective(framed.blocks, arch.stem.out_channels)
        if framed != replace(arch, blocks=framed.blocks) or not same:
            raise ValueError("it has another stem, first or last block, head or input")
        channels = blocks[first - 1].out_channels if first else arch.stem.out_channels
        deepest = [0, first]
        found = self._match(wanted[:last], first, 0, channels, deepest)
        if found is None:
            stage, at = deepest
            rest = wanted[at] if at < last else "nothing"
            raise ValueError(f"stage {stage + 1} has no design that begins with {rest}")
        return found

    def _match(
        self, wanted: list[Block], at: int, i: int, channels: int, deepest: list[int]
    ) -> Point | None:
        """Options of the stages from `i` on that make the blocks from `at` on."""
        if i == len(self.skeleton.stages):
            return () if at == len(wanted) else None
        deepest[:] = max(deepest, [i, at])
        own = self.decisions[len(_PARTS) * i : len(_PARTS) * (i + 1)]
        design = DecisionSpace(own)
        for point in map(design.unrank, range(design.size())):
            layers = stage_blocks(self.skeleton.stages[i], *design.options(point).values())
            end = at + len(layers)
            if _effective(layers, channels) == wanted[at:end]:
                after = self._match(wanted, end, i + 1, layers[-1].out_channels, deepest)
                if after is not None:
                    return (*point, *after)
        return None


INSIDE = "inside"


def whereabouts(space: Any, arch: Arch) -> str:
    """INSIDE, or why `arch` does not lie in `space`, by its `find`."""
    try:
        space.find(arch)
    except ValueError as error:
        return str(error)
    return INSIDE


def layer_decisions(names: Sequence[str], widths: Sequence[float] = WIDTHS) -> list[Decision]:
    """The six decisions about one layer and its repeats, for each of these places."""
    options = (OPS, KERNELS, SE_RATIOS, SKIPS, tuple(widths), OFFSETS)
    return [
        Decision(f"{name}.{part}", choice)
        for name in names
        for part, choice in zip(_PARTS, options, strict=True)
    ]


@lru_cache(maxsize=100_000)  # shared blocks are priced fastest
def stage_blocks(
    stage: Stage, op: str, kernel: int, se: float, skip: str, width: float, offset: int
) -> tuple[Block, ...]:
    """`stage` where all layers are of one design, `offset` layers more than it says."""
    kind, _, expand = op.partition("_e")
    channels = make_divisible(stage.channels * width)
    layer = Block(kind, channels, kernel, 1, int(expand or 1), se, skip=skip)
    layers = [layer] * (stage.layers + offset)
    return (replace(layer, stride=stage.stride), *layers[1:]) if layers else ()


def _effective(blocks: Sequence[Block], channels: int) -> list[Block]:
    """The blocks with no skip where theirs has no effect."""
    inputs = [channels, *(block.out_channels for block in blocks)]
    return [replace(b, skip=b.skip_of(n)) for b, n in zip(blocks, inputs, strict=False)]
