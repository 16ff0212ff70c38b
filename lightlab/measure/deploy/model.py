"""A module as an ONNX model in memory, and the session that runs one."""

import copy
import io
import warnings
from pathlib import Path

import onnxruntime
import torch
from torch import nn

OPSET = 17  # of the standard operators: what ONNX Runtime reads since 1.12


class DeployError(ValueError):
    """A model, an image or a folder that does not do; the message says what to do."""


def onnx_bytes(module: nn.Module, input_shape: tuple[int, ...], batch: int = 1) -> bytes:
    """An ONNX model of `module` as it predicts, batch normalisation folded into convolutions.

    `input_shape` is that of one sample, (channels, height, width). The model has one input,
    "input", and one output, "logits"; both have any batch size, `batch` is only what the module
    is traced with. The module is left as it is, mode and device included.
    """
    # traced on a copy: eval() on the caller's module would change how it goes on training
    network = copy.deepcopy(module).cpu().eval()
    example = torch.zeros(batch, *input_shape)
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # the older exporter takes 0.1 s where the other takes 3 s, and folds what we need folded
        warnings.simplefilter("ignore", DeprecationWarning)
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
    return stream.getvalue()


def session(model: bytes | str | Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """A session on the CPU that runs `model` (a file or its bytes) with so many threads.

    A DeployError where the file is missing or is no ONNX model.
    """
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
