"""What runs a network while it is timed: ONNX Runtime, or PyTorch on the processor or a GPU."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import onnxruntime
import torch
from torch import Tensor, nn

from lightlab.latency.setting import LatencyError, Setting
from lightlab.latency.timing import HostRunner, Runner, Sessions
from lightlab.measure.threads import torch_threads


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


def onnx_runner(model: bytes, setting: Setting, images: Tensor, sessions: int = 1) -> Runner:
    """So many sessions of the same `model` on `images`; the rounds go to them in turn."""
    made = tuple(_bound(onnx_session(model, setting), setting, images) for _ in range(sessions))
    return made[0] if sessions == 1 else Sessions(made)


def _bound(session: onnxruntime.InferenceSession, setting: Setting, images: Tensor) -> HostRunner:
    """Input and output stay where they are: what is timed is the graph, not copies of arrays."""
    binding = session.io_binding()
    binding.bind_cpu_input(session.get_inputs()[0].name, images.numpy())
    binding.bind_output(session.get_outputs()[0].name, "cpu")
    return HostRunner(lambda: session.run_with_iobinding(binding), cpu=setting.threads == 1)


def torch_runner(network: nn.Module, setting: Setting, images: Tensor) -> HostRunner:
    """`network`, which is changed, in eager mode or compiled, its maps channels-last."""
    run = network.to(memory_format=torch.channels_last)
    images = channels_last(images)

    @contextmanager
    def inside() -> Iterator[None]:
        with torch_threads(setting.threads), torch.inference_mode():
            yield

    if setting.runtime == "torch-compile":
        with inside():
            run = _compiled(network, images)
    return HostRunner(lambda: run(images), inside, cpu=setting.threads == 1)


def channels_last(images: Tensor) -> Tensor:
    """Images in that layout; other inputs have none."""
    return images.to(memory_format=torch.channels_last) if images.ndim == 4 else images


def _compiled(network: nn.Module, images: Tensor) -> Callable[[Tensor], object]:
    """`network` compiled for these images, by running it once; LatencyError where it cannot be."""

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
        reason = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
        raise LatencyError(
            f"runtime 'torch-compile' cannot compile {type(network).__name__} here; it needs a C++ "
            f"compiler (g++, clang or MSVC) and modules that PyTorch can trace: {reason}"
        ) from e
    return compiled


class CudaRunner:
    """A module on the first GPU, timed between two events of its stream.

    `threads` are those of the host, which prepares the calls.
    """

    def __init__(self, network: nn.Module, images: Tensor, threads: int = 1) -> None:
        if not torch.cuda.is_available():
            raise LatencyError(
                "runtime 'cuda' needs an NVIDIA GPU and a PyTorch built for CUDA: none is here"
            )
        try:
            self._network = network.cuda().to(memory_format=torch.channels_last)
            self._images = channels_last(images.cuda())
        except torch.OutOfMemoryError as e:
            raise LatencyError(f"the GPU's memory is too small for {len(images)} images") from e
        self._threads = threads

    def time(self, n: int) -> tuple[float, float]:
        """Seconds of `n` runs by the GPU's clock; the host's processor says nothing here."""
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        with torch_threads(self._threads), torch.inference_mode():
            torch.cuda.synchronize()
            begin.record()
            for _ in range(n):
                self._network(self._images)
            end.record()
            torch.cuda.synchronize()
        return begin.elapsed_time(end) / 1e3, math.nan
