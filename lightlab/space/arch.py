"""A network as data: stem, blocks, head, resolution; its text form; its layers and their shapes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lightlab import disk
from lightlab.space.blocks import (
    ACTIVATIONS,
    Block,
    decode_blocks,
    encode_block,
    encode_blocks,
    make_plain,
    require,
)


@dataclass(frozen=True, slots=True)
class Head:
    """What stands after the blocks; 0 leaves a part out, `act` follows both.

    `features` channels of a 1x1 convolution with batch normalisation before the average pooling
    (MnasNet, MobileNetV2: 1280), `hidden` units of a layer without it after that (MobileNetV3:
    1280; `hidden_bias` False in OFA's code); then the classifier.
    """

    features: int = 0
    hidden: int = 0
    act: str = "relu"
    hidden_bias: bool = True

    def __post_init__(self) -> None:
        make_plain(self, int, "features", "hidden")
        require(
            {
                "features >= 0": self.features >= 0,
                "hidden >= 0": self.hidden >= 0,
                "hidden_bias is True or False": self.hidden_bias in (True, False),
                f"act is one of {', '.join(ACTIVATIONS)}": self.act in ACTIVATIONS,
            },
            self,
        )
        if not self.hidden and not self.hidden_bias:
            object.__setattr__(self, "hidden_bias", True)
        if not self.hidden and not self.features:
            object.__setattr__(self, "act", "relu")


@dataclass(frozen=True, slots=True)
class Arch:
    """A network for square images of `resolution` px with `in_channels` channels."""

    resolution: int
    stem: Block
    blocks: tuple[Block, ...]
    head: Head = Head()
    in_channels: int = 3
    n_classes: int = 1000

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        make_plain(self, int, "resolution", "in_channels", "n_classes")
        require(
            {
                "resolution >= 1": self.resolution >= 1,
                "in_channels >= 1": self.in_channels >= 1,
                "n_classes >= 1": self.n_classes >= 1,
                "the stem is a plain convolution": self.stem.op == "conv",
            },
            "Arch",
        )

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return self.in_channels, self.resolution, self.resolution

    @property
    def arch_id(self) -> str:
        """Twelve characters that name the architecture, never its weights."""
        return disk.sha256(encode(self))[:12]

    def __str__(self) -> str:
        return encode(self)


def encode(arch: Arch) -> str:
    """`arch` as one line of text; `decode` gives it back without loss."""
    head = arch.head
    parts = ["head"]
    if head.features:
        parts.append(f"f{head.features}")
    if head.hidden:
        parts.append(f"h{head.hidden}{'' if head.hidden_bias else 'nobias'}")
    if head.act != "relu":
        parts.append(head.act)
    words = [
        f"r{arch.resolution}x{arch.in_channels}",
        encode_block(arch.stem),
        encode_blocks(arch.blocks),
        "_".join([*parts, f"n{arch.n_classes}"]),
    ]
    return " ".join(word for word in words if word)


_FRAME = re.compile(r"^r(\d+)x(\d+) +(.+?) +(head\S*)$", re.DOTALL)
_HEAD = re.compile(r"^head(?:_f(\d+))?(?:_h(\d+)(nobias)?)?(?:_(relu6|hswish|none))?_n(\d+)$")


def decode(text: str) -> Arch:
    """The architecture that `text` names; ValueError says which part is not understood."""
    frame = _FRAME.match(" ".join(text.split()))
    if not frame:
        raise ValueError(f"architecture {text[:60]!r}: is not 'r<px>x<channels> <blocks> head_…'")
    match = _HEAD.match(frame[4])
    if not match:
        raise ValueError(f"architecture: cannot read {frame[4]!r}, e.g. head_f1280_n1000")
    head = Head(
        int(match[1] or 0), int(match[2] or 0), match[4] or "relu", hidden_bias=not match[3]
    )
    stem, *blocks = decode_blocks(frame[3])
    return Arch(int(frame[1]), stem, tuple(blocks), head, int(frame[2]), int(match[5]))


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
    """All layers of `arch` in the order of their execution; a stride halves the side and rounds up.

    Names are "stem", "blocks.3.depthwise", "blocks.3.se.reduce", "features", "hidden",
    "classifier".
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
    # the first layer reads the very numbers that wait for the addition, unless they are pooled
    waiting = held if block.skip == "pool" else 0
    if block.op == "conv":
        role = "pointwise" if k == 1 else "conv"
        yield Layer(name, role, in_channels, out, k, s, in_size, out_size, held=waiting)
        yield from gates
        return
    if block.op == "mb" and block.expand_ratio != 1:
        size = in_size
        yield Layer(f"{at}expand", "pointwise", in_channels, hidden, 1, 1, size, size, held=waiting)
        waiting = held
    yield Layer(
        f"{at}depthwise", "depthwise", hidden, hidden, k, s, in_size, out_size, held=waiting
    )
    yield from gates
    yield Layer(f"{at}project", "pointwise", hidden, out, 1, 1, out_size, out_size, held=held)
