"""A network made ready to run in a setting."""

import copy
import math
from functools import lru_cache

import numpy as np
import psutil
import torch
from torch import nn

from lightlab import deploy
from lightlab.latency.engines import CudaRunner, onnx_runner, torch_runner
from lightlab.latency.graphs import graph
from lightlab.latency.pieces import Piece, module
from lightlab.latency.setting import LatencyError, Setting, whole_number
from lightlab.latency.timing import Runner
from lightlab.measure import cost
from lightlab.nets.build import build
from lightlab.space.arch import Arch

_CALIBRATION_IMAGES = 8  # random ones: the ranges do not change how long integers take
SESSIONS = 3  # of ONNX Runtime for one model


def runner(
    model: Arch | Piece | nn.Module,
    setting: Setting = Setting(),  # noqa: B008  a frozen value
    input_shape: tuple[int, ...] | None = None,
    *,
    sessions: int | None = None,
) -> Runner:
    """`model` ready to be timed on random images.

    `input_shape` is (channels, height, width) of one image; architectures and networks built from
    one know theirs. Two sessions of ONNX Runtime with the same graph differ lastingly, by a per
    cent or two: `sessions` of them (SESSIONS; the other runtimes have one) take the rounds in turn,
    so that the spread over the rounds holds that too. LatencyError where the shape is missing or
    does not fit, for more threads or images than this machine has room for, for what the runtime
    cannot run, or without a GPU for "cuda".
    """
    setting.check_here()
    if sessions is not None:
        whole_number("sessions", sessions)
    shape = _checked_shape(model, input_shape)
    _check_memory(model, shape, setting.batch)
    images = random_images(setting.batch, shape)
    if setting.runtime.startswith("onnxruntime"):
        return onnx_runner(onnx_model(model, shape, setting), setting, images, sessions or SESSIONS)
    if setting.runtime == "cuda":
        return CudaRunner(_module(model), images, setting.threads)
    return torch_runner(_module(model), setting, images)


def onnx_model(model: Arch | Piece | nn.Module, shape: tuple[int, ...], setting: Setting) -> bytes:
    """What ONNX Runtime runs in `setting`; LatencyError where ONNX has no such operator."""
    try:
        if setting.runtime != "onnxruntime-int8":
            return graph(model, shape)
        return _int8_model(model, shape) if isinstance(model, Arch) else _quantised(model, shape)
    except deploy.DeployError as e:
        raise LatencyError(str(e)) from e


@lru_cache(maxsize=16)
def _int8_model(arch: Arch, shape: tuple[int, ...]) -> bytes:
    """Kept: quantising takes seconds, and a profile or a size asks for the same model again."""
    return _quantised(arch, shape)


def _quantised(model: Arch | Piece | nn.Module, shape: tuple[int, ...]) -> bytes:
    return deploy.int8_bytes(graph(model, shape), random_images(_CALIBRATION_IMAGES, shape))


def _module(model: Arch | Piece | nn.Module) -> nn.Module:
    """A module of our own to run, in eval mode and on the CPU."""
    if isinstance(model, Arch):
        return build(model).eval()
    if isinstance(model, Piece):
        return module(model).eval()
    return copy.deepcopy(model).cpu().eval()


def _checked_shape(
    model: Arch | Piece | nn.Module, input_shape: tuple[int, ...] | None
) -> tuple[int, ...]:
    """The shape of one image; LatencyError where none is known, or `model` does not take it."""
    arch = model if isinstance(model, Arch | Piece) else getattr(model, "arch", None)
    own = getattr(arch, "input_shape", None)
    shape = tuple(input_shape) if input_shape is not None else own
    name = type(model).__name__
    if shape is None:
        raise LatencyError(f"{name}: say input_shape, (channels, height, width)")
    if shape == own:
        return shape
    if isinstance(model, Arch):
        raise LatencyError(f"{name} is for images of shape {own}, not {shape}")
    try:
        with torch.inference_mode():
            _module(model)(torch.zeros(1, *shape))
    except (RuntimeError, ValueError, TypeError) as e:
        reason = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise LatencyError(f"{name} takes no input of shape {shape}: {reason}") from e
    return shape


def _check_memory(model: Arch | Piece | nn.Module, shape: tuple[int, ...], batch: int) -> None:
    """LatencyError where the images, and the maps where they are known, do not fit into memory."""
    arch = model if isinstance(model, Arch) else getattr(model, "arch", None)
    maps = cost.activation_bytes(arch) if isinstance(arch, Arch) else 0
    needed = batch * (cost.BYTES_PER_NUMBER * math.prod(shape) + maps)
    free = psutil.virtual_memory().available
    if needed > free:
        raise LatencyError(
            f"batch {batch} needs {needed / 2**30:,.0f} GiB for images and maps, "
            f"{free / 2**30:,.0f} GiB are free: take a smaller one"
        )


def random_images(n: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Random images (n, *shape) like standardised ones, always the same; none of them denormal."""
    generator = np.random.default_rng(0)
    return torch.from_numpy(generator.standard_normal((n, *shape), dtype=np.float32))
