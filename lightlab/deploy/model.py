"""A module as an ONNX model in memory, and the session that runs one."""

import copy
import io
import warnings
from pathlib import Path

import onnxruntime
import psutil
import torch
from torch import nn

OPSET = 17  # of the standard operators: what ONNX Runtime reads since 1.12


class DeployError(ValueError):
    """A model, an image or a folder that does not do; the message says what to do."""


def onnx_bytes(module: nn.Module, input_shape: tuple[int, ...]) -> bytes:
    """An ONNX model of `module` as it predicts, batch normalisation folded into convolutions.

    `input_shape` is that of one sample, (channels, height, width). The model has one input,
    "input", and one output, "logits"; both have any batch size. The module is left as it is, mode
    and device included. DeployError for an operator that ONNX lacks.
    """
    # traced on a copy: eval() on the caller's module would change how it goes on training
    network = copy.deepcopy(module).cpu().eval()
    example = torch.zeros(1, *input_shape)
    stream = io.BytesIO()
    try:
        # the older exporter takes 0.1 s, the other 3 s, and folds what we need folded
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            torch.onnx.export(
                network,
                (example,),
                stream,
                dynamo=False,
                opset_version=OPSET,
                input_names=["input"],
                output_names=["logits"],
                dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
            )
    except RuntimeError as e:  # the exporter's own errors are of this kind
        reason = " ".join(str(e).split())[:160]
        raise DeployError(f"{type(module).__name__} cannot be written as ONNX: {reason}") from e
    return stream.getvalue()


def session(model: bytes | str | Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """A session on the CPU that runs `model` (a file or its bytes) with so many threads.

    A DeployError where the file is missing or is no ONNX model, or for more threads than this
    machine runs at once, which would wait for each other for minutes.
    """
    if (here := psutil.cpu_count()) and not 1 <= threads <= here:
        raise DeployError(f"threads must be 1 to {here}, what this machine has, got {threads}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: a warning about a graph is nobody's to act on
    content = model if isinstance(model, bytes) else read_bytes(model)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as e:  # its classes share no base but Exception
        name = "model" if isinstance(model, bytes) else model
        raise DeployError(f"{name}: is no ONNX model that ONNX Runtime can load") from e


def read_bytes(path: str | Path) -> bytes:
    """The content of a file; DeployError in one line where it cannot be read."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise DeployError(f"{path}: there is no such file") from None
    except OSError as e:
        raise DeployError(f"{path}: cannot be read: {e.strerror}") from e
