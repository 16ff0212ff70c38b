"""What may be taken from a trained network: channels, kernels, layers, pixels, bits.

The same decisions as an architecture search's, from the other side: each point is a smaller network
of the same space, with the blocks of the trained one that it inherits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

from lightlab.space.arch import Arch
from lightlab.space.blocks import Block, make_divisible
from lightlab.space.decisions import Decision, DecisionSpace, Point
from lightlab.space.skeleton import Skeleton

BITS = (8, 32)


@dataclass(frozen=True)
class Compressed:
    """A smaller network, the numbers of the trained one's blocks that stay, bits of its numbers."""

    arch: Arch
    blocks: tuple[int, ...]
    bits: int


class CompressionSpace(DecisionSpace):
    """Smaller forms of the network of `skeleton` with `expand` and the largest of `kernels`.

    Decisions "resolution", "bits", and for every stage "1.keep" (share of its channels, hidden ones
    included), "1.depth" and "1.kernel". ValueError where options do not rise, the largest share is
    not 1, or two neighbouring stages are one.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        expand: float = 4,
        keeps: Sequence[float] = (0.5, 0.75, 1.0),
        kernels: Sequence[int] = (3, 5),
        resolutions: Sequence[int] = (),
    ) -> None:
        self.resolutions = tuple(resolutions) or (skeleton.resolution,)
        self.skeleton = replace(skeleton, resolution=max(self.resolutions))
        self.expand, self.keeps, self.kernels = expand, tuple(keeps), tuple(kernels)
        for options in (self.keeps, self.kernels, self.resolutions):
            if list(options) != sorted(set(options)) or not options:
                raise ValueError(f"options have to rise, from the smallest on: not {options}")
        if self.keeps[-1] != 1:
            raise ValueError(f"the largest share that is kept has to be 1, not {self.keeps[-1]:g}")
        for i, unit in enumerate(skeleton.maps(), 1):
            if skeleton.mbconv(i - 1, 0, 3, expand).skip_of(unit[0][0]) != "none":
                raise ValueError(f"stage {i} begins by adding its input: give it other channels")
        decisions = [Decision("resolution", self.resolutions), Decision("bits", BITS)]
        for i, stage in enumerate(skeleton.stages, 1):
            decisions.append(Decision(f"{i}.keep", self.keeps))
            decisions.append(Decision(f"{i}.depth", tuple(range(1, stage.layers + 1))))
            decisions.append(Decision(f"{i}.kernel", self.kernels))
        super().__init__(decisions)

    def largest(self) -> Point:
        """The trained network itself, in 32 bits."""
        return tuple(n - 1 for n in self.n_options)

    @cached_property
    def trained(self) -> Arch:
        """What is compressed."""
        return self.decode(self.largest()).arch

    def decode(self, point: Sequence[int]) -> Compressed:
        """The network of `point`; where equal channels meet, nothing is added that was not yet."""
        chosen, stages = self.options(point), self.skeleton.stages
        narrow = [
            replace(stage, channels=make_divisible(stage.channels * chosen[f"{i}.keep"]))
            for i, stage in enumerate(stages, 1)
        ]
        frame = replace(self.skeleton, stages=tuple(narrow), resolution=chosen["resolution"])
        at = len(frame.first)
        blocks: list[Block] = []
        numbers = list(range(at))
        for i, (stage, maps) in enumerate(zip(stages, frame.maps(), strict=True)):
            depth, kernel = chosen[f"{i + 1}.depth"], chosen[f"{i + 1}.kernel"]
            layers = [frame.mbconv(i, j, kernel, self.expand) for j in range(depth)]
            if layers[0].skip_of(maps[0][0]) != "none":
                layers[0] = replace(layers[0], skip="none")
            blocks += layers
            numbers += range(at, at + depth)
            at += stage.layers
        numbers += range(at, at + len(frame.last))
        return Compressed(frame.arch(blocks), tuple(numbers), chosen["bits"])

    def evenly(self, keep: float) -> Compressed:
        """That share of the channels of every stage, and nothing else gone."""
        options = self.options(self.largest())
        options |= {name: keep for name in options if name.endswith("keep")}
        return self.decode(self.point(options))

    def uniform(self) -> list[Point]:
        """The points with one choice for all stages; one of fewer layers than the deepest loses one
        where that does.
        """
        depths = [stage.layers for stage in self.skeleton.stages]
        deepest = max(depths)
        n_choices = (*self.n_options[:2], len(self.keeps), deepest, len(self.kernels))
        points = [
            (px, bits, *(i for n in depths for i in (keep, max(0, n - deepest + depth), kernel)))
            for px, bits, keep, depth, kernel in product(*map(range, n_choices))
        ]
        return list(dict.fromkeys(points))
