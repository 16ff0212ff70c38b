"""What computes, and how wide: processor or GPU, 32 bits or 16."""

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import joblib
import torch
from torch import Tensor, nn

# A GPU takes 10 ms for the launches of a step of any small network, in which a core computes so
# many multiply-accumulates; and all cores train at once. Measured: benchmarks/gpu.md.
LEAST_MACS_PER_CORE = 1.5e8


def accelerator(macs: float) -> str:
    """The device for training steps of so many `macs`, backward pass included: "cuda" or "cpu".

    On a GPU cuDNN is told to give equal results for equal seeds, and to compute in float32 where a
    recipe says so. An empty CUDA_VISIBLE_DEVICES keeps all on the processor.
    """
    if not torch.cuda.is_available() or macs < LEAST_MACS_PER_CORE * joblib.cpu_count():
        return "cpu"
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    return "cuda"


LEAST_STEPS = 100  # fewer do not repay the timing
_ROUNDS = 4
_GAIN = 0.95  # of float32's time, at most: less is noise


@contextmanager
def computing(model: nn.Module, precision: str) -> Iterator[None]:
    """Forward passes in here run in `precision`; weights stay float32.

    "bfloat16" leaves depthwise convolutions in float32 on a CPU, where their 16-bit gradients are
    up to 32 times slower.
    """
    if precision == "float32":
        yield
        return
    device = next(model.parameters()).device.type
    wide = [m for m in model.modules() if device == "cpu" and _is_depthwise(m)]
    for module in wide:
        module.forward = _in_float32(module.forward)
    try:
        with torch.autocast(device, torch.bfloat16):
            yield
    finally:
        for module in wide:
            del module.forward  # the class's own shows again


def faster(model: nn.Module, loss: Callable[[nn.Module], Tensor]) -> tuple[str, dict[str, float]]:
    """The precision whose steps are faster, and the least milliseconds of a step in either.

    `loss(network)` is one step's forward pass. Both are tried in turn, on a copy, and the random
    state is given back.
    """
    shadow = copy.deepcopy(model).train()
    device = next(shadow.parameters()).device
    times = {"float32": math.inf, "bfloat16": math.inf}
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        for turn in range(1 + _ROUNDS):
            for precision in times:
                start = time.perf_counter()
                with computing(shadow, precision):
                    value = loss(shadow)
                value.backward()
                value.item()  # a GPU is done only now
                seconds = time.perf_counter() - start
                if turn:  # the first is a warm-up
                    times[precision] = min(times[precision], seconds)
    chosen = "bfloat16" if times["bfloat16"] < _GAIN * times["float32"] else "float32"
    return chosen, {f"{precision}_ms": 1e3 * t for precision, t in times.items()}


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1


def _in_float32(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def wide(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return forward(x.float())

    return wide
