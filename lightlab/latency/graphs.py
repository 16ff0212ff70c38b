"""ONNX graphs to time: exported piece by piece, each piece once, then joined.

Exporting a network takes 0.1 s and more, joining the graphs of its pieces some milliseconds; the
nodes are the same. Weights are of no meaning, they do not change how long a graph takes.
"""

from functools import lru_cache

import onnx
from torch import nn

from lightlab import deploy
from lightlab.latency.pieces import Piece, module, pieces_of
from lightlab.space.arch import Arch


def graph(model: Arch | Piece | nn.Module, shape: tuple[int, ...]) -> bytes:
    """`model` as an ONNX model for images of `shape` (C, H, W), any number at once."""
    if isinstance(model, Arch):
        return join([piece_graph(piece) for piece in pieces_of(model)])
    if isinstance(model, Piece):
        return piece_graph(model)
    return deploy.onnx_bytes(model, shape)


@lru_cache(maxsize=1024)
def piece_graph(piece: Piece) -> bytes:
    """The ONNX model of one piece."""
    return deploy.onnx_bytes(module(piece), piece.input_shape)


def join(models: list[bytes]) -> bytes:
    """One model in which the output of each of `models` is the input of the next."""
    parts = [onnx.load_from_string(model) for model in models]
    whole = onnx.ModelProto()
    whole.ir_version, graph = parts[0].ir_version, whole.graph
    whole.opset_import.extend(parts[0].opset_import)
    graph.name = "joined"
    graph.input.append(parts[0].graph.input[0])
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
