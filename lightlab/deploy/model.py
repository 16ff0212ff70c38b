"""A network as an ONNX model: made, run, what it says about itself and about image files."""

import copy
import io
import json
import math
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import psutil
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import nn

from lightlab.data import decode

OPSET = 17  # of the standard operators: what ONNX Runtime reads since 1.12


def onnx_bytes(module: nn.Module, input_shape: tuple[int, ...]) -> bytes:
    """An ONNX model of `module` as it predicts, batch normalisation folded into convolutions.

    `input_shape` is (channels, height, width). Input "input" and output "logits" have any batch
    size. ValueError for an operator that ONNX lacks.
    """
    network = copy.deepcopy(module).cpu().eval()  # the caller's stays as it is
    stream = io.BytesIO()
    try:
        # the older exporter takes 0.1 s, the other 3 s, and folds what we need folded
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            torch.onnx.export(
                network,
                (torch.zeros(1, *input_shape),),
                stream,
                dynamo=False,
                opset_version=OPSET,
                input_names=["input"],
                output_names=["logits"],
                dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
            )
    except RuntimeError as e:  # the exporter's own errors are of this kind
        reason = " ".join(str(e).split())[:160]
        raise ValueError(f"{type(module).__name__} cannot be written as ONNX: {reason}") from e
    return stream.getvalue()


def session(
    model: bytes | str | Path,
    threads: int = 1,
    *,
    batch: int | None = None,
    profile_prefix: str | None = None,
) -> onnxruntime.InferenceSession:
    """A session on the CPU that runs `model` (a file or its bytes).

    With a fixed `batch` memory is planned before the first run; `profile_prefix` begins the path of
    the profile. ValueError where the file is missing or no ONNX model, or for more threads than
    this machine runs at once, which would wait for each other for minutes.
    """
    if (here := psutil.cpu_count()) and not 1 <= threads <= here:
        raise ValueError(f"threads must be 1 to {here}, what this machine has, got {threads}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: a warning about a graph is nobody's to act on
    if batch is not None:
        options.add_free_dimension_override_by_name("batch", batch)
    if profile_prefix is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile_prefix
    content = model if isinstance(model, bytes) else read_bytes(model)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as e:  # its classes share no base but Exception
        name = "model" if isinstance(model, bytes) else model
        raise ValueError(f"{name}: is no ONNX model that ONNX Runtime can load") from e


def read_bytes(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file") from None
    except OSError as e:
        raise ValueError(f"{path}: cannot be read: {e.strerror}") from e


@dataclass(frozen=True)
class Facts:
    """What stands in a model's `metadata_props`, each value as JSON under the field's name.

    The graph takes float32 pixels, standardised as (pixel / 255 - mean) / std by channel.
    ValueError where these are not one finite number a channel, std is not positive, or class names
    are equal or no text.
    """

    arch: str
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_shape: tuple[int, int, int]
    lightlab_version: str = version("lightlab")

    def __post_init__(self) -> None:
        channels = self.input_shape[0]
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != channels:
                raise ValueError(f"{name} has {len(values)} values for {channels} channels")
            if not all(map(math.isfinite, values)):
                raise ValueError(f"{name} must be finite, got {list(values)}")
        if not all(s > 0 for s in self.std):
            raise ValueError(f"std must be positive, got {list(self.std)}")
        for i, name in enumerate(self.class_names):
            if name in self.class_names[:i]:
                raise ValueError(f"two classes are named {name!r}")
            if any("\ud800" <= c <= "\udfff" for c in name):
                raise ValueError(f"the class name {name!r} is no text: rename the class")


class _Written(BaseModel):
    """`Facts` as JSON: types only."""

    model_config = ConfigDict(strict=True)
    arch: str
    class_names: list[str]
    mean: list[float]
    std: list[float]
    input_shape: list[int]
    lightlab_version: str


def facts_of(session: onnxruntime.InferenceSession, name: str | Path) -> Facts:
    """Of the model `name` that `session` runs; ValueError where they are not of its graph."""
    kept = session.get_modelmeta().custom_metadata_map
    fields = Facts.__dataclass_fields__
    if missing := [key for key in fields if key not in kept]:
        raise ValueError(
            f"{name}: is no model of this workbook, its metadata lack {', '.join(missing)}; "
            "write it with `lightlab export`"
        )
    try:
        written = _Written.model_validate({key: json.loads(kept[key]) for key in fields})
        inputs, takes = session.get_inputs(), session.get_inputs()[0].shape[1:]
        if [x.name for x in inputs] != ["input"] or inputs[0].type != "tensor(float)":
            raise ValueError('the graph must have one input, "input", of float32')
        if len(takes) != 3 or written.input_shape != takes:
            raise ValueError(f"input_shape is {written.input_shape}, the graph takes {takes}")
        gives, n = session.get_outputs()[0].shape[1:], len(written.class_names)
        if gives != [n]:
            raise ValueError(f"{n} class names for {gives} logits of the graph")
        values = written.model_dump()
        return Facts(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{name}: its metadata cannot be read: {where}: {first['msg']}") from e
    except (ValueError, RecursionError) as e:
        raise ValueError(f"{name}: its metadata cannot be read: {e}") from e


class Predictor:
    """A file of `export_onnx` or `quantize_int8`, loaded once for many images, and its `facts`."""

    def __init__(self, path: str | Path) -> None:
        self._session = session(path)
        self.facts = facts_of(self._session, path)

    def __call__(self, image_file: str | Path) -> pd.DataFrame:
        """Columns class and probability, the likeliest first, for any image that Pillow reads, made
        ready as training images are. ValueError where it cannot be used or the answer is not
        finite.
        """
        facts = self.facts
        channels, side, _ = facts.input_shape
        pixels = decode.one(image_file, side, channels)
        mean, std = (np.float32(v)[:, None, None] for v in (facts.mean, facts.std))
        images = ((np.float32(pixels) / 255 - mean) / std)[None]
        [logits] = self._session.run(None, {"input": images})[0].astype(float)
        if not np.isfinite(logits).all():
            raise ValueError(f"the model answers {image_file} with NaN or infinity")
        odds = np.exp(logits - logits.max())
        table = pd.DataFrame({"class": facts.class_names, "probability": odds / odds.sum()})
        return table.sort_values("probability", ascending=False, kind="stable", ignore_index=True)
