"""What a training step keeps in memory."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks


def saved_bytes(step: Callable[[], Tensor], but: Iterable[Tensor] = ()) -> int:
    """Bytes that autograd keeps for the backward pass of what `step` computes, `but` for these
    tensors (weights are there anyhow). A tensor kept twice, or as a view, counts once.
    """
    left_out = {t.untyped_storage().data_ptr() for t in but}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in left_out:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        result = step()  # held until all is counted: what is freed could be given out anew
    del result
    return sum(kept.values())


def cuda_peak_bytes(step: Callable[[], Tensor]) -> float:
    """Most memory on the first GPU during `step` and its backward pass, above what was there
    before; NaN without a GPU.
    """
    if not torch.cuda.is_available():
        return math.nan
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    step().backward()
    torch.cuda.synchronize()
    return float(torch.cuda.max_memory_allocated() - before)
