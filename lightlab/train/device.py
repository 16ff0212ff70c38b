"""On what networks are trained: the GPU where there is one and it pays, else the processor."""

import joblib
import torch

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
