"""A convolutional network as data: stem, blocks, head, resolution; and its text form."""

import hashlib
import re
from dataclasses import dataclass

from lightlab.space.arch.block import (
    ACTIVATIONS,
    ArchError,
    Block,
    decode_blocks,
    encode_block,
    encode_blocks,
    make_whole,
    require,
)


@dataclass(frozen=True, slots=True)
class Head:
    """What stands after the blocks: 1x1 features, average pooling, a hidden layer, the classifier.

    `features` channels of a 1x1 convolution with batch normalisation before the pooling (MnasNet,
    MobileNetV2: 1280), `hidden` units of a layer without normalisation after it (MobileNetV3: 1280;
    `hidden_bias` False in OFA's code); 0 leaves each out. `act` follows both.
    """

    features: int = 0
    hidden: int = 0
    act: str = "relu"
    hidden_bias: bool = True

    def __post_init__(self) -> None:
        make_whole(self, "features", "hidden")
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
        make_whole(self, "resolution", "in_channels", "n_classes")
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
        return hashlib.sha256(encode(self).encode()).hexdigest()[:12]

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
    """The architecture that `text` names; ArchError says which part is not understood."""
    frame = _FRAME.match(" ".join(text.split()))
    if not frame:
        raise ArchError(f"architecture {text[:60]!r}: is not 'r<px>x<channels> <blocks> head_…'")
    match = _HEAD.match(frame[4])
    if not match:
        raise ArchError(f"architecture: cannot read {frame[4]!r}, e.g. head_f1280_n1000")
    head = Head(
        int(match[1] or 0), int(match[2] or 0), match[4] or "relu", hidden_bias=not match[3]
    )
    stem, *blocks = decode_blocks(frame[3])
    return Arch(int(frame[1]), stem, tuple(blocks), head, int(frame[2]), int(match[5]))
