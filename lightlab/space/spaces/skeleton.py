"""What all networks of a space share, and the stages in which they differ."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lightlab.space.arch import Arch, Block, Head, make_divisible
from lightlab.space.decisions import SpaceError

WIDTHS = (0.75, 1.0, 1.25)  # MnasNet's


@dataclass(frozen=True)
class Stage:
    """A searched block: MobileNetV2's channels and layers, and the stride of its first layer.

    Where inverted bottlenecks stand in it, with `act` ("": the stem's) and with squeeze-excite of
    `se_ratio` of their expanded width.
    """

    channels: int
    layers: int
    stride: int
    act: str = ""
    se_ratio: float = 0


@dataclass(frozen=True)
class Skeleton:
    """What every network of a space shares: stem and `first` blocks, stages, `last` blocks, head.

    SpaceError without stages, or with one of no layers.
    """

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
            raise SpaceError("a skeleton needs at least one stage to search")
        if empty := [s for s in self.stages if s.layers < 1]:
            raise SpaceError(f"{empty[0]} has no layers")

    def arch(self, searched: Sequence[Block]) -> Arch:
        """The network with these blocks between `first` and `last`."""
        blocks = (*self.first, *searched, *self.last)
        return Arch(self.resolution, self.stem, blocks, self.head, self.in_channels, self.n_classes)

    def mbconv(self, i: int, layer: int, kernel: int, expand_ratio: float) -> Block:
        """The inverted bottleneck that is `layer` of stage `i`, both counted from 0."""
        stage = self.stages[i]
        return Block(
            "mb",
            stage.channels,
            kernel,
            stage.stride if layer == 0 else 1,
            expand_ratio,
            se_ratio=stage.se_ratio,
            se_of="expanded",
            act=stage.act or self.stem.act,
        )

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

        def wide(channels: int) -> int:
            return make_divisible(channels * width_mult) if channels else 0

        def block(b: Block) -> Block:
            return replace(b, out_channels=wide(b.out_channels))

        head = replace(self.head, features=wide(self.head.features), hidden=wide(self.head.hidden))
        return replace(
            self,
            stem=block(self.stem),
            first=tuple(map(block, self.first)),
            stages=tuple(replace(s, channels=wide(s.channels)) for s in self.stages),
            last=tuple(map(block, self.last)),
            head=head,
        )

    @classmethod
    def small(
        cls,
        resolution: int,
        in_channels: int,
        n_classes: int,
        channels: Sequence[int],
        features: int = 128,
        layers: int = 2,
        widths: Sequence[float] = WIDTHS,
    ) -> "Skeleton":
        """For small images: a stem of stride 2 with half the first stage's channels, a separable
        block, a stage of so many `layers` for each of `channels` (the first two halve the map), 1x1
        `features`. SpaceError where two of `widths`, by which a space would multiply them, round to
        the same channels.
        """
        for c in channels:
            if len({make_divisible(c * w) for w in widths}) < len(widths):
                raise SpaceError(
                    f"{c} channels: two of the widths {tuple(widths)} are rounded to the same"
                )
        stages = tuple(Stage(c, layers, 2 if i < 2 else 1) for i, c in enumerate(channels))
        half = make_divisible(channels[0] / 2) if stages else 8
        stem, first = Block("conv", half, stride=2), Block("mb", half, skip="none")
        return cls(resolution, stem, (first,), stages, (), Head(features), in_channels, n_classes)
