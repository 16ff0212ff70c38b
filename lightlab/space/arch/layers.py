"""The layers that an architecture is made of, with their shapes and what each costs."""

from collections.abc import Iterator
from dataclasses import dataclass

from lightlab.space.arch.block import Block
from lightlab.space.arch.network import Arch, Head


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution or linear layer; `in_size` and `out_size` are sides of square maps in px.

    `role`: "conv", "depthwise", "pointwise", "se" or "fc". `norm`: a batch normalisation follows;
    `held`: numbers that wait meanwhile for the block's addition or for the gate to scale them.
    """

    name: str
    role: str
    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int
    in_size: int
    out_size: int
    norm: bool = True
    bias: bool = False
    held: int = 0

    @property
    def groups(self) -> int:
        return self.in_channels if self.role == "depthwise" else 1

    @property
    def weights(self) -> int:
        """Numbers in the kernel or matrix."""
        return self.kernel_size**2 * self.in_channels // self.groups * self.out_channels

    @property
    def trainable(self) -> int:
        """Weights, bias, and scale and shift of the normalisation."""
        return self.weights + self.out_channels * (self.bias + 2 * self.norm)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image (MobileNetV1 eq. 2 and 4)."""
        return self.weights * self.out_size**2

    @property
    def live(self) -> int:
        """Numbers in memory while the layer runs: input, output, and what is held."""
        inputs = self.in_channels * self.in_size**2
        return inputs + self.out_channels * self.out_size**2 + self.held


def layers(arch: Arch) -> list[Layer]:
    """All layers of `arch` in the order of their execution.

    Names are "stem", "blocks.3.depthwise", "blocks.3.se.reduce", "features", "hidden",
    "classifier". A stride halves the side and rounds up.
    """
    found, channels, size = [], arch.in_channels, arch.resolution
    names = ["stem", *(f"blocks.{i}" for i in range(len(arch.blocks)))]
    for name, block in zip(names, (arch.stem, *arch.blocks), strict=True):
        found += block_layers(block, channels, size, name)
        channels, size = block.out_channels, -(-size // block.stride)
    found += head_layers(arch.head, arch.n_classes, channels, size)
    return found


def head_layers(head: Head, n_classes: int, channels: int, size: int) -> Iterator[Layer]:
    """The layers of a head for maps of `channels` x `size` x `size`."""
    if head.features:
        yield Layer("features", "pointwise", channels, head.features, 1, 1, size, size)
        channels = head.features
    if head.hidden:
        yield Layer("hidden", "fc", channels, head.hidden, 1, 1, 1, 1, False, head.hidden_bias)
        channels = head.hidden
    yield Layer("classifier", "fc", channels, n_classes, 1, 1, 1, 1, False, True)


def block_layers(block: Block, in_channels: int, in_size: int, name: str = "") -> Iterator[Layer]:
    """The layers of one block for maps of `in_channels` x `in_size` x `in_size`."""
    k, s, out, at = block.kernel_size, block.stride, block.out_channels, f"{name}." if name else ""
    out_size = -(-in_size // s)
    # the input waits for the addition, or what was pooled of it
    sides = {"none": 0, "identity": in_size, "pool": out_size}
    held = in_channels * sides[block.skip_of(in_channels)] ** 2
    squeezed = block.squeezed_channels(in_channels)
    hidden = out if block.op == "conv" else block.hidden_channels(in_channels)
    gate = [("reduce", hidden, squeezed), ("restore", squeezed, hidden)] if squeezed else []
    gates = [
        Layer(f"{at}se.{part}", "se", a, b, 1, 1, 1, 1, False, True, held + hidden * out_size**2)
        for part, a, b in gate
    ]
    if block.op == "conv":
        role = "pointwise" if k == 1 else "conv"
        waiting = held if block.skip == "pool" else 0
        yield Layer(name, role, in_channels, out, k, s, in_size, out_size, held=waiting)
        yield from gates
        return
    expands = block.op == "mb" and block.expand_ratio != 1
    if expands:
        yield Layer(f"{at}expand", "pointwise", in_channels, hidden, 1, 1, in_size, in_size)
    # the first layer reads the very numbers that wait for the addition
    waiting = held if expands or block.skip == "pool" else 0
    yield Layer(
        f"{at}depthwise", "depthwise", hidden, hidden, k, s, in_size, out_size, held=waiting
    )
    yield from gates
    yield Layer(f"{at}project", "pointwise", hidden, out, 1, 1, out_size, out_size, held=held)
