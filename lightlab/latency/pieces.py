"""The pieces that a network's time is made of: its blocks one by one, and what joining them saves.

A piece measured alone pays for entering and leaving the runtime: the call, and the change of its
maps from the plain layout to the blocked one of ONNX Runtime's convolutions and back. Inside a
network neighbours hand their maps on. A `Joint` measures that cost at every place where two meet.

`graph` exports each piece once and joins them: exporting a network takes 0.1 s and more, joining
some milliseconds, and the nodes are the same. Weights have no meaning: they do not change the time.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import onnx
import torch
from torch import nn

from lightlab import deploy
from lightlab.nets.blocks import activation, build_block
from lightlab.space.arch import Arch, decode, encode
from lightlab.space.blocks import Block, decode_block, encode_block


@dataclass(frozen=True, slots=True)
class Piece:
    """A block, or the part after the features ("head_n10"), for maps of this shape.

    "through1" and "through2" are one and two depthwise 1x1 convolutions, the least that makes a
    runtime do all that it does at its ends.
    """

    text: str
    in_channels: int
    in_size: int

    @property
    def key(self) -> str:
        """As in a table, e.g. "mb_k3_s2_e6_c24 @ 16x16"."""
        return f"{self.text} @ {self.in_channels}x{self.in_size}"

    @property
    def input_shape(self) -> tuple[int, int, int]:
        return self.in_channels, self.in_size, self.in_size


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
        found.append(Piece(encode_block(block), channels, size))
        channels, size = block.out_channels, -(-size // block.stride)
    tail = encode(replace(arch, head=replace(arch.head, features=0))).split()[-1]
    return [*found, Piece(tail, channels, size)]


def joints(arch: Arch) -> list[Joint]:
    return [Joint(piece.in_channels, piece.in_size) for piece in pieces_of(arch)[1:]]


def module(piece: Piece) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if piece.text in ("through1", "through2"):
            n, through = piece.in_channels, range(int(piece.text[-1]))
            return nn.Sequential(*(nn.Conv2d(n, n, 1, groups=n) for _ in through))
        if not piece.text.startswith("head_"):
            return build_block(decode_block(piece.text), piece.in_channels)
        arch, width = decode(f"r1x1 conv_k1_s1_c1 {piece.text}"), piece.in_channels
        layers, head = [nn.AdaptiveAvgPool2d(1), nn.Flatten()], arch.head
        if head.hidden:
            layers += [nn.Linear(width, head.hidden, bias=head.hidden_bias), activation(head.act)]
        return nn.Sequential(*layers, nn.Linear(head.hidden or width, arch.n_classes))


def graph(model: Arch | Piece | nn.Module, shape: tuple[int, ...]) -> bytes:
    """`model` as an ONNX model for images of `shape` (C, H, W), any number at once."""
    if isinstance(model, Arch):
        return _join([_piece_graph(piece) for piece in pieces_of(model)])
    return _piece_graph(model) if isinstance(model, Piece) else deploy.onnx_bytes(model, shape)


@lru_cache(maxsize=1024)
def _piece_graph(piece: Piece) -> bytes:
    return deploy.onnx_bytes(module(piece), piece.input_shape)


def _join(models: list[bytes]) -> bytes:
    """One model in which the output of each of `models` is the input of the next."""
    parts = [onnx.load_from_string(model) for model in models]
    first = parts[0]
    whole = onnx.ModelProto(ir_version=first.ir_version, opset_import=first.opset_import)
    graph = whole.graph
    graph.name = "joined"
    graph.input.append(first.graph.input[0])
    handed = graph.input[0].name
    for i, part in enumerate(parts):
        handed = _append(graph, part.graph, handed, f"{i}.")
    graph.output.append(parts[-1].graph.output[0])
    graph.output[0].name = handed
    return whole.SerializeToString()


def _append(graph: onnx.GraphProto, part: onnx.GraphProto, handed: str, prefix: str) -> str:
    """Add the nodes of `part`, which reads `handed`, under new names; the name of its output."""
    entry = part.input[0].name

    def renamed(name: str) -> str:
        return handed if name == entry else f"{prefix}{name}" if name else ""

    for weights in part.initializer:
        weights.name = renamed(weights.name)
        graph.initializer.append(weights)
    for node in part.node:
        node.name = f"{prefix}{node.name}"
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
        graph.node.append(node)
    return renamed(part.output[0].name)
