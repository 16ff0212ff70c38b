"""Networks made ready to be timed: in ONNX Runtime, or in PyTorch on the processor or a GPU."""

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Protocol

import numpy as np
import psutil
import torch
from torch import Tensor, nn

from lightlab import deploy
from lightlab.latency.pieces import Piece, graph, module
from lightlab.latency.setting import Setting
from lightlab.measure import cost
from lightlab.measure.machine import torch_threads
from lightlab.nets.build import build
from lightlab.space.arch import Arch


class Runner(Protocol):
    """Something that can be run and timed."""

    def time(self, n: int) -> tuple[float, float]:
        """Run `n` times; seconds by the wall clock, and on this thread's processor (or NaN)."""


@dataclass
class HostRunner:
    """`run`, timed inside a context, e.g. of threads; `cpu` False where the work is not this
    thread's alone, so that its own time tells nothing.
    """

    run: Callable[[], object]
    inside: Callable[[], AbstractContextManager] = nullcontext
    cpu: bool = True

    def time(self, n: int) -> tuple[float, float]:
        run, repeats = self.run, range(n)
        with self.inside():
            cpu = time.thread_time()
            begin = time.perf_counter()
            for _ in repeats:
                run()
            wall = time.perf_counter() - begin
            cpu = time.thread_time() - cpu
        return wall, cpu if self.cpu else math.nan


@dataclass(frozen=True)
class Sessions:
    """The same model made ready several times: round i is timed on number i modulo their number."""

    runners: tuple[Runner, ...]

    def time(self, n: int) -> tuple[float, float]:
        return self.runners[0].time(n)


def onnx_runner(model: bytes, setting: Setting, images: Tensor, sessions: int = 1) -> Runner:
    """So many sessions of the same `model` on `images`; the rounds go to them in turn."""
    made = []
    for _ in range(sessions):
        session = deploy.session(model, setting.threads, batch=setting.batch)
        binding = session.io_binding()  # what is timed is the graph, not copies of arrays
        binding.bind_cpu_input(session.get_inputs()[0].name, images.numpy())
        binding.bind_output(session.get_outputs()[0].name, "cpu")
        run = partial(session.run_with_iobinding, binding)
        made.append(HostRunner(run, cpu=setting.threads == 1))
    return made[0] if sessions == 1 else Sessions(tuple(made))


def torch_runner(network: nn.Module, setting: Setting, images: Tensor) -> HostRunner:
    """`network`, which is changed, in eager mode or compiled, in the layout of `images`."""
    run = network.to(memory_format=torch.channels_last)

    @contextmanager
    def inside() -> Iterator[None]:
        with torch_threads(setting.threads), torch.inference_mode():
            yield

    if setting.runtime == "torch-compile":
        with inside():
            run = _compiled(network, images)
    return HostRunner(lambda: run(images), inside, cpu=setting.threads == 1)


def _compiled(network: nn.Module, images: Tensor) -> Callable[[Tensor], object]:
    """`network` compiled for these images, by running it once."""

    def run(x: Tensor) -> object:
        return network(x)

    # Code of its own: PyTorch keeps what it compiles by code object, and of networks that share one
    # `forward` the ninth was left eager without a word. `dynamic` False for the same reason: a
    # second size at one place in the source would be compiled for any size.
    run.__code__ = run.__code__.replace()
    compiled = torch.compile(run, dynamic=False)
    try:
        with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
            compiled(images)
    except RuntimeError as e:
        raise ValueError(
            f"runtime 'torch-compile' cannot compile {type(network).__name__} here; it needs a C++ "
            f"compiler (g++, clang or MSVC) and modules that PyTorch can trace: {_first_line(e)}"
        ) from e
    return compiled


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


class CudaRunner:
    """A module on the first GPU, timed between two events of its stream."""

    def __init__(self, network: nn.Module, images: Tensor, threads: int = 1) -> None:
        if not torch.cuda.is_available():
            raise ValueError(
                "runtime 'cuda' needs an NVIDIA GPU and a PyTorch built for CUDA: none is here"
            )
        try:
            self._network = network.cuda().to(memory_format=torch.channels_last)
            self._images = images.cuda()
        except torch.OutOfMemoryError as e:
            raise ValueError(f"the GPU's memory is too small for {len(images)} images") from e
        self._threads = threads

    def time(self, n: int) -> tuple[float, float]:
        """By the GPU's clock; the host's processor says nothing here."""
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        with torch_threads(self._threads), torch.inference_mode():
            torch.cuda.synchronize()
            begin.record()
            for _ in range(n):
                self._network(self._images)
            end.record()
            torch.cuda.synchronize()
        return begin.elapsed_time(end) / 1e3, math.nan


_CALIBRATION_IMAGES = 8  # random ones: the ranges do not change how long integers take
SESSIONS = 3  # of ONNX Runtime for one model


def runner(
    model: Arch | Piece | nn.Module,
    setting: Setting = Setting(),  # noqa: B008  a frozen value
    input_shape: tuple[int, ...] | None = None,
    *,
    sessions: int = SESSIONS,
) -> Runner:
    """`model` ready to be timed on random images.

    `input_shape` is (channels, height, width); what is or was built from an `Arch` knows its own.
    Two sessions of ONNX Runtime with one graph differ lastingly, by a per cent or two: `sessions`
    of them take the rounds in turn, so that the spread holds that too. ValueError for a missing or
    wrong shape, too little memory, and what the runtime cannot run or this machine lacks.
    """
    setting.check_here()
    known = model if isinstance(model, Arch | Piece) else getattr(model, "arch", None)
    shape = _checked_shape(model, getattr(known, "input_shape", None), input_shape)
    maps = cost.activation_bytes(known) if isinstance(known, Arch) else 0
    needed = setting.batch * (cost.BYTES_PER_NUMBER * math.prod(shape) + maps)
    if needed > (free := psutil.virtual_memory().available):
        raise ValueError(
            f"batch {setting.batch} needs {needed / 2**30:,.0f} GiB for images and maps, "
            f"{free / 2**30:,.0f} GiB are free: take a smaller one"
        )
    images = random_images(setting.batch, shape)
    if setting.runtime.startswith("onnxruntime"):
        return onnx_runner(onnx_model(model, shape, setting), setting, images, sessions)
    if images.ndim == 4:  # other inputs have no such layout
        images = images.to(memory_format=torch.channels_last)
    if setting.runtime == "cuda":
        return CudaRunner(_module(model), images, setting.threads)
    return torch_runner(_module(model), setting, images)


def onnx_model(model: Arch | Piece | nn.Module, shape: tuple[int, ...], setting: Setting) -> bytes:
    """What ONNX Runtime runs in `setting`; ValueError where ONNX has no such operator."""
    made = graph(model, shape)
    return _int8(made, shape) if setting.runtime == "onnxruntime-int8" else made


@lru_cache(maxsize=16)
def _int8(model: bytes, shape: tuple[int, ...]) -> bytes:
    """Kept: quantising takes seconds, and a profile or a size asks for the same model again."""
    return deploy.int8_bytes(model, random_images(_CALIBRATION_IMAGES, shape))


def _module(model: Arch | Piece | nn.Module) -> nn.Module:
    """A copy to run, in evaluation mode and on the CPU."""
    if isinstance(model, nn.Module):
        return copy.deepcopy(model).cpu().eval()
    return (build(model) if isinstance(model, Arch) else module(model)).eval()


def _checked_shape(
    model: Arch | Piece | nn.Module, own: tuple[int, ...] | None, said: tuple[int, ...] | None
) -> tuple[int, ...]:
    shape, name = own if said is None else tuple(said), type(model).__name__
    if shape is None:
        raise ValueError(f"{name}: say input_shape, (channels, height, width)")
    if shape == own:
        return shape
    if isinstance(model, Arch):
        raise ValueError(f"{name} is for images of shape {own}, not {shape}")
    try:
        with torch.inference_mode():
            _module(model)(torch.zeros(1, *shape))
    except (RuntimeError, ValueError, TypeError) as e:
        raise ValueError(f"{name} takes no input of shape {shape}: {_first_line(e)}") from e
    return shape


def random_images(n: int, shape: tuple[int, ...]) -> Tensor:
    """Random images (n, *shape) like standardised ones, always the same; none of them denormal."""
    generator = np.random.default_rng(0)
    return torch.from_numpy(generator.standard_normal((n, *shape), dtype=np.float32))
