"""ProxylessNAS's space: every block of a MobileNetV2-like backbone chooses for itself.

Cai, Zhu & Han 2019, section 4, and their code: kernel 3, 5 or 7 and expansion 3 or 6; where a
residual connection allows it a block may also be left out ("zero").
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lightlab.space.arch import Arch, Head
from lightlab.space.blocks import Block, decode_block
from lightlab.space.decisions import Decision, DecisionSpace, Point
from lightlab.space.skeleton import Skeleton, Stage

DESIGNS = {f"k{k}_e{e}": (k, e) for k in (3, 5, 7) for e in (3, 6)}  # kernel, expansion
ZERO = "zero"

# The code's default: ReLU6, widths between those of the three networks that were released.
PROXYLESS = Skeleton(
    resolution=224,
    stem=decode_block("conv_k3_s2_c32_relu6"),
    first=(decode_block("mb_k3_s1_e1_c16_relu6"),),
    stages=(
        Stage(24, 4, 2),
        Stage(40, 4, 2),
        Stage(80, 4, 2),
        Stage(96, 4, 1),
        Stage(192, 4, 2),
        Stage(320, 1, 1),
    ),
    last=(),
    head=Head(1280, act="relu6"),
)


@dataclass(frozen=True)
class Position:
    """Channels and pixels of the maps that come into a searched block, and what may stand there by
    its name (None: nothing).
    """

    name: str
    maps: tuple[int, int]
    candidates: dict[str, Block | None]


class ProxylessSpace(DecisionSpace):
    """One of `designs` (kernel, expansion), or nothing, for every block of `skeleton`.

    Decisions "1.1", "1.2", …: stage and block in it. Options are the designs' names, and ZERO last
    where stride and channels allow a residual connection, unless `zero` is False. Points decode to
    an `Arch`.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        designs: Mapping[str, tuple[int, int]] = DESIGNS,
        zero: bool = True,
    ) -> None:
        self.skeleton = skeleton
        self.resolutions = (skeleton.resolution,)
        found = []
        for i, (stage, unit) in enumerate(zip(skeleton.stages, skeleton.maps(), strict=True)):
            for j, maps in enumerate(unit):
                candidates: dict[str, Block | None] = {
                    name: skeleton.mbconv(i, j, *design) for name, design in designs.items()
                }
                if zero and (j or stage.stride == 1) and maps[0] == stage.channels:
                    candidates[ZERO] = None
                found.append(Position(f"{i + 1}.{j + 1}", maps, candidates))
        self.positions = tuple(found)
        super().__init__([Decision(p.name, tuple(p.candidates)) for p in found], self._arch)

    def _arch(self, options: dict[str, Any]) -> Arch:
        taken = zip(self.positions, options.values(), strict=True)
        blocks = [position.candidates[option] for position, option in taken]
        return self.skeleton.arch([block for block in blocks if block is not None])

    def positions_at(self, resolution: int) -> tuple[Position, ...]:  # noqa: ARG002
        """All positions; there is one resolution."""
        return self.positions

    def taken(self, points: Sequence[Point] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each network its resolution (n,) and its candidates (n, positions), as indices."""
        index = np.asarray(points, dtype=int).reshape(-1, len(self.positions))
        return np.zeros(len(index), dtype=int), index

    def uniform(self) -> list[Arch]:
        """Networks that together hold every candidate in every position."""
        n_options = self.n_options
        return [self.decode([min(i, n - 1) for n in n_options]) for i in range(max(n_options))]

    def centre(self) -> Point:
        """MobileNetV2's design, kernel 3 and expansion 6, in every block; ValueError without it."""
        return self.point(dict.fromkeys([d.name for d in self.decisions], "k3_e6"))

    def smallest(self) -> Point:
        """As few blocks as can be, of the least expansion and kernel."""
        return self._everywhere(min)

    def largest(self) -> Point:
        """All blocks, of the greatest expansion and kernel."""
        return self._everywhere(max)

    def _everywhere(self, extreme: Callable[..., int]) -> Point:
        def size(block: Block | None) -> tuple[float, int]:
            return (block.expand_ratio, block.kernel_size) if block else (0, 0)

        blocks = [list(position.candidates.values()) for position in self.positions]
        return tuple(extreme(range(len(of)), key=lambda i: size(of[i])) for of in blocks)

    def find(self, arch: Arch) -> Point:
        """A point that decodes to `arch`, blocks left out as late as can be; ValueError without."""
        searched, point, at = self.skeleton.searched(arch), [], 0
        for position in self.positions:
            blocks = list(position.candidates.values())
            here = searched[at] if at < len(searched) else None
            taken = here if here in blocks else None
            if taken not in blocks:
                raise ValueError(f"{position.name} has no candidate {here}, and cannot be left out")
            point.append(blocks.index(taken))
            at += taken is not None
        if at < len(searched):
            raise ValueError(f"no block is left for {searched[at]}")
        return tuple(point)

    @classmethod
    def of_widths(cls, arch: Arch) -> "ProxylessSpace":
        """The ImageNet space with the widths that `arch` has, one per stage of PROXYLESS.

        ValueError unless the blocks, but the first, begin a stage wherever they change channels.
        """
        widths = list(dict.fromkeys(block.out_channels for block in arch.blocks[1:]))
        if len(widths) != len(PROXYLESS.stages):
            raise ValueError(f"{len(widths)} widths, not {len(PROXYLESS.stages)}")
        stages = [replace(s, channels=w) for s, w in zip(PROXYLESS.stages, widths, strict=True)]
        own = {"stem": arch.stem, "first": arch.blocks[:1], "head": arch.head}
        return cls(replace(PROXYLESS, stages=tuple(stages), **own))
