"""Depthwise convolutions for training, where PyTorch's own weight gradient is slow on a processor.

oneDNN 3.12 (torch 2.13) has a fast one for kernels of up to three columns on maps that are no
smaller than the kernel; without it the weights' gradient takes up to nine times as long as the
convolution itself. `benchmarks/depthwise.md` has the times.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F

_COLUMNS = 3  # of a kernel that has a fast weight gradient


def convolve(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """`F.conv2d` of (N, C, H, W) with one (C, 1, k, k) kernel a channel and "same" padding."""
    k = weight.shape[-1]
    fast = k <= _COLUMNS and k <= min(x.shape[2:])
    if fast or x.device.type != "cpu" or torch.compiler.is_compiling():
        return F.conv2d(x, weight, stride=stride, padding=k // 2, groups=len(weight))
    return _InStrips.apply(x, weight, stride)


class DepthwiseConv2d(nn.Conv2d):
    """PyTorch's with "same" padding, of one kernel a channel, which trains by `convolve`."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return convolve(x, self.weight, self.stride[0])
        return super().forward(x)


class _InStrips(torch.autograd.Function):
    """The convolution as it is; its weights' gradient in strips of three columns of the kernel, on
    maps that are padded before.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        rim = weight.shape[-1] // 2
        return F.conv2d(x, weight, stride=stride, padding=rim, groups=len(weight))

    @staticmethod
    def backward(ctx: FunctionCtx, out: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        rim, by_x, by_weight = weight.shape[-1] // 2, None, None
        if ctx.needs_input_grad[0]:
            by_x = _backward(out, x, weight, ctx.stride, rim, 0)
        if ctx.needs_input_grad[1]:
            by_weight, strip = torch.zeros_like(weight), weight[..., :_COLUMNS]
            for first in range(-rim, rim - 1, _COLUMNS - 1):  # columns, counted from the middle
                last = first + _COLUMNS - 1
                if first < x.shape[-1] and last > -x.shape[-1]:  # else they see the padding alone
                    padded = F.pad(x, (-first, last, rim, rim))
                    columns = slice(first + rim, last + rim + 1)
                    by_weight[..., columns] = _backward(out, padded, strip, ctx.stride, 0, 1)
        return by_x, by_weight, None


def _backward(out: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int, of: int) -> Tensor:
    """Gradient of the input (`of` 0) or of the weights (1)."""
    how = ((stride,) * 2, (padding,) * 2, (1, 1), False, (0, 0), len(weight))
    wanted = [of == 0, of == 1, False]
    return torch.ops.aten.convolution_backward(out, x, weight, None, *how, wanted)[of]
