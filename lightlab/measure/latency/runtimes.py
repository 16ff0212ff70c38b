"""A network made ready to run in a setting."""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import onnxruntime
import torch
from torch import nn

from lightlab.measure import deploy
from lightlab.measure.latency.graphs import graph
from lightlab.measure.latency.pieces import Piece, module
from lightlab.measure.latency.setting import LatencyError, Setting
from lightlab.measure.latency.timing import HostRunner, Runner
from lightlab.nets.build import build
from lightlab.space.arch import Arch

_CALIBRATION_IMAGES = 8  # random ones: the ranges do not change how long integers take


def runner(
    model: Arch | Piece | nn.Module,
    setting: Setting = Setting(),  # noqa: B008  a frozen value
    input_shape: tuple[int, ...] | None = None,
) -> Runner:
    """`model` ready to be timed on random images.

    `input_shape` is (channels, height, width) of one image; architectures and networks built from
    one know theirs. LatencyError where it is missing or does not fit, or without a GPU for "cuda".
    """
    shape = _checked_shape(model, input_shape)
    images = random_images(setting.batch, shape)
    if setting.runtime.startswith("onnxruntime"):
        return _onnx_runner(onnx_model(model, shape, setting), setting, images)
    if setting.runtime == "cuda":
        return CudaRunner(_module(model), images)
    return _torch_runner(_module(model), setting, images)


def onnx_model(model: Arch | Piece | nn.Module, shape: tuple[int, ...], setting: Setting) -> bytes:
    """What ONNX Runtime runs in `setting`."""
    if setting.runtime != "onnxruntime-int8":
        return graph(model, shape)
    return _int8_model(model, shape) if isinstance(model, Arch) else _quantised(model, shape)


@lru_cache(maxsize=16)
def _int8_model(arch: Arch, shape: tuple[int, ...]) -> bytes:
    """Kept: quantising takes seconds, and a profile or a size asks for the same model again."""
    return _quantised(arch, shape)


def _quantised(model: Arch | Piece | nn.Module, shape: tuple[int, ...]) -> bytes:
    return deploy.int8_bytes(graph(model, shape), random_images(_CALIBRATION_IMAGES, shape))


def onnx_session(
    model: bytes, setting: Setting, profile_prefix: str | None = None
) -> onnxruntime.InferenceSession:
    """A session whose batch size is fixed, so that all memory is planned before the first run."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setting.threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    options.add_free_dimension_override_by_name("batch", setting.batch)
    if profile_prefix is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile_prefix
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class CudaRunner:
    """A module on the first GPU, timed between two events of its stream."""

    def __init__(self, network: nn.Module, images: torch.Tensor) -> None:
        if not torch.cuda.is_available():
            raise LatencyError(
                "runtime 'cuda' needs an NVIDIA GPU and a PyTorch built for CUDA: none is here"
            )
        self._network = network.cuda().to(memory_format=torch.channels_last)
        self._images = images.cuda().to(memory_format=torch.channels_last)

    def time(self, n: int) -> tuple[float, float]:
        """Seconds of `n` runs by the GPU's clock; the host's processor says nothing here."""
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        with torch.inference_mode():
            torch.cuda.synchronize()
            begin.record()
            for _ in range(n):
                self._network(self._images)
            end.record()
            torch.cuda.synchronize()
        return begin.elapsed_time(end) / 1e3, math.nan


def _onnx_runner(model: bytes, setting: Setting, images: torch.Tensor) -> HostRunner:
    """Input and output stay where they are: what is timed is the graph, not copies of arrays."""
    session = onnx_session(model, setting)
    binding = session.io_binding()
    binding.bind_cpu_input(session.get_inputs()[0].name, images.numpy())
    binding.bind_output(session.get_outputs()[0].name, "cpu")
    return HostRunner(lambda: session.run_with_iobinding(binding), cpu=setting.threads == 1)


def _torch_runner(network: nn.Module, setting: Setting, images: torch.Tensor) -> HostRunner:
    network = network.to(memory_format=torch.channels_last)
    images = images.to(memory_format=torch.channels_last)
    if setting.runtime == "torch-compile":
        network = torch.compile(network)

    @contextmanager
    def inside() -> Iterator[None]:
        with torch_threads(setting.threads), torch.inference_mode():
            yield

    return HostRunner(lambda: network(images), inside, cpu=setting.threads == 1)


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """PyTorch with so many threads, and afterwards with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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


def random_images(n: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Random images (n, *shape) like standardised ones, always the same; none of them denormal."""
    generator = np.random.default_rng(0)
    return torch.from_numpy(generator.standard_normal((n, *shape), dtype=np.float32))
