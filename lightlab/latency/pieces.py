"""The pieces that a network's time is made of: its blocks one by one, and what joining them saves.

A piece measured alone pays for entering and leaving the runtime: the call, and the change of its
maps from the plain layout to the blocked one of ONNX Runtime's convolutions and back. Inside a
network neighbours hand their maps on. A `Joint` measures that cost at every place where two meet.
"""

from dataclasses import dataclass, replace

import torch
from torch import nn

from lightlab.nets.blocks import activation, build_block
from lightlab.space.arch import Arch, decode, encode
from lightlab.space.blocks import Block, decode_block, encode_block


@dataclass(frozen=True, slots=True)
class Piece:
    """A block, or the part after the features ("head_n10"), for maps of this shape.

    `text` "through1" and "through2" are one and two depthwise 1x1 convolutions: the least that
    makes a runtime do all that it does at its ends.
    """

    text: str
    in_channels: int
    in_size: int

    @property
    def key(self) -> str:
        """How a table's file names the piece, e.g. "mb_k3_s2_e6_c24 @ 16x16"."""
        return f"{self.text} @ {self.in_channels}x{self.in_size}"

    @property
    def input_shape(self) -> tuple[int, int, int]:
        return self.in_channels, self.in_size, self.in_size

    @classmethod
    def of_block(cls, block: Block, in_channels: int, in_size: int) -> "Piece":
        return cls(encode_block(block), in_channels, in_size)


@dataclass(frozen=True, slots=True)
class Joint:
    """Where one piece hands maps of `channels` x `size` x `size` to the next."""

    channels: int
    size: int

    @property
    def through(self) -> tuple[Piece, Piece]:
        """What is timed: the ends cost 2 t₁ − t₂, for t₂ − t₁ is one convolution without them."""
        return tuple(Piece(f"through{n}", self.channels, self.size) for n in (1, 2))


def pieces_of(arch: Arch) -> list[Piece]:
    """Stem, blocks, features where there are any, and the rest of the head, in order."""
    blocks = [arch.stem, *arch.blocks]
    if arch.head.features:
        blocks.append(Block("conv", arch.head.features, 1, act=arch.head.act))
    found, channels, size = [], arch.in_channels, arch.resolution
    for block in blocks:
        found.append(Piece.of_block(block, channels, size))
        channels, size = block.out_channels, -(-size // block.stride)
    tail = encode(replace(arch, head=replace(arch.head, features=0))).split()[-1]
    return [*found, Piece(tail, channels, size)]


def joints(arch: Arch) -> list[Joint]:
    """The places between the pieces of `arch`, in order."""
    return [Joint(piece.in_channels, piece.in_size) for piece in pieces_of(arch)[1:]]


def module(piece: Piece) -> nn.Module:
    """`piece` as PyTorch runs it, with weights of no meaning; ArchError if its text has none."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if piece.text in ("through1", "through2"):
            n, through = piece.in_channels, range(int(piece.text[-1]))
            return nn.Sequential(*(nn.Conv2d(n, n, 1, groups=n) for _ in through))
        if piece.text.startswith("head_"):
            return _tail(decode(f"r1x1 conv_k1_s1_c1 {piece.text}"), piece.in_channels)
        return build_block(decode_block(piece.text), piece.in_channels)


def _tail(arch: Arch, channels: int) -> nn.Module:
    head = arch.head
    layers = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if head.hidden:
        layers += [nn.Linear(channels, head.hidden, bias=head.hidden_bias), activation(head.act)]
        channels = head.hidden
    return nn.Sequential(*layers, nn.Linear(channels, arch.n_classes))
