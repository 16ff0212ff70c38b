"""The building blocks of every network here, as ordinary PyTorch modules.

The children's names are those of `space.arch.layers`: the layer "blocks.3.depthwise" is the
convolution "blocks.3.depthwise.conv", "blocks.3.se.reduce" is itself a convolution.

Depthwise convolutions have a weight gradient of their own: oneDNN 3.12 (torch 2.13) has a fast one
for kernels of up to three columns on maps that are no smaller than the kernel; without it the
gradient takes up to nine times as long as the convolution. `benchmarks/depthwise.md` has the times.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F

from lightlab.space.blocks import Block

Channels = Tensor | slice  # their numbers, or the first so many
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


ACTIVATIONS = {"relu": nn.ReLU, "relu6": nn.ReLU6, "hswish": nn.Hardswish}
GATES = {"input": nn.Sigmoid, "expanded": nn.Hardsigmoid}  # MnasNet's code; MobileNetV3's

# PyTorch's own. The papers' running averages are as slow as 0.9997 a step (TF-Slim), made for
# 10^5 to 10^6 steps: after the hundreds of steps that notebooks can afford they would still show
# the start. Their epsilon is 1e-3 but in OFA's code, which also uses 1e-5.
BN_MOMENTUM, BN_EPS = 0.1, 1e-5


def activation(name: str) -> nn.Module:
    """The activation that `Block.act` names."""
    return nn.Identity() if name == "none" else ACTIVATIONS[name](inplace=True)


class ConvBNAct(nn.Module):
    """Convolution without bias, batch normalisation, activation; "same" padding.

    (N, C, H, W) to (N, C', ceil(H / stride), ...).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        act: str = "relu",
    ) -> None:
        super().__init__()
        self.conv = (DepthwiseConv2d if groups > 1 else nn.Conv2d)(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding=kernel_size // 2,
            groups=groups,
            bias=False,
        )
        self.norm = nn.BatchNorm2d(out_channels, eps=BN_EPS, momentum=BN_MOMENTUM)
        self.act = activation(act)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.norm(self.conv(x)))

    @torch.no_grad()
    def take(self, wide: "ConvBNAct", outputs: Channels, inputs: Channels) -> None:
        """Copy these channels of `wide`, and the centre of its kernel where that is larger."""
        weight, k = wide.conv.weight[outputs], self.conv.kernel_size[0]
        if wide.conv.groups == 1:
            weight = weight[:, inputs]
        rim = (weight.shape[-1] - k) // 2
        self.conv.weight.copy_(weight[..., rim : rim + k, rim : rim + k])
        for name, value in self.norm.state_dict().items():
            source = wide.norm.state_dict()[name]
            value.copy_(source[outputs] if source.ndim else source)


class SqueezeExcite(nn.Module):
    """Every channel is scaled by a gate that sees the averages of all of them (Hu et al. 2018).

    `gate`: "input" a sigmoid, "expanded" a hard sigmoid (see `Block.se_of`).
    """

    def __init__(self, channels: int, squeezed: int, gate: str = "input") -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.act = nn.ReLU(inplace=True)
        self.restore = nn.Conv2d(squeezed, channels, 1)
        self.gate = GATES[gate]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        averages = F.adaptive_avg_pool2d(x, 1)
        return x * self.gate(self.restore(self.act(self.reduce(averages))))

    def importance(self) -> Tensor:
        """Of every squeezed channel: the L1 norm of its part in the gates."""
        return self.restore.weight.abs().sum((0, 2, 3))

    @torch.no_grad()
    def take(self, wide: "SqueezeExcite", channels: Channels, squeezed: Channels) -> None:
        """Copy these channels of `wide`."""
        for mine, theirs, outputs, inputs in (
            (self.reduce, wide.reduce, squeezed, channels),
            (self.restore, wide.restore, channels, squeezed),
        ):
            mine.weight.copy_(theirs.weight[outputs][:, inputs])
            mine.bias.copy_(theirs.bias[outputs])


class PlainConv(ConvBNAct):
    """A block of one full convolution, with squeeze-excite and skip where it has such."""

    def __init__(self, block: Block, in_channels: int) -> None:
        out, kernel = block.out_channels, block.kernel_size
        super().__init__(in_channels, out, kernel, stride=block.stride, act=block.act)
        self.se = _squeeze_excite(block, in_channels, out)
        self.skip = _skip(block, in_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = self.skip(x) if self.skip else None
        return _add(kept, self.se(super().forward(x)))


class SeparableConv(nn.Module):
    """A depthwise and a pointwise convolution, both normalised and activated (MobileNetV1)."""

    def __init__(self, block: Block, in_channels: int) -> None:
        super().__init__()
        self.depthwise = _depthwise(block, in_channels)
        self.se = _squeeze_excite(block, in_channels, in_channels)
        self.project = ConvBNAct(in_channels, block.out_channels, act=block.act)
        self.skip = _skip(block, in_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = self.skip(x) if self.skip else None
        return _add(kept, self.project(self.se(self.depthwise(x))))


class MBConv(nn.Module):
    """The inverted bottleneck: expand, depthwise, squeeze-excite, linear projection (MobileNetV2).

    What a block goes without, expansion or squeeze-excite, is an `nn.Identity`.
    """

    def __init__(self, block: Block, in_channels: int) -> None:
        super().__init__()
        hidden = block.hidden_channels(in_channels)
        plain = block.expand_ratio == 1
        self.expand = nn.Identity() if plain else ConvBNAct(in_channels, hidden, act=block.act)
        self.depthwise = _depthwise(block, hidden)
        self.se = _squeeze_excite(block, in_channels, hidden)
        self.project = ConvBNAct(hidden, block.out_channels, act="none")
        self.skip = _skip(block, in_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = self.skip(x) if self.skip else None
        return _add(kept, self.project(self.se(self.depthwise(self.expand(x)))))


OPS = {"conv": PlainConv, "sep": SeparableConv, "mb": MBConv}


def build_block(block: Block, in_channels: int) -> nn.Module:
    """The module of `block` for maps of `in_channels`, the same that a whole network holds."""
    return OPS[block.op](block, in_channels)


def _depthwise(block: Block, channels: int) -> ConvBNAct:
    kernel, stride = block.kernel_size, block.stride
    return ConvBNAct(channels, channels, kernel, stride=stride, groups=channels, act=block.act)


def _squeeze_excite(block: Block, in_channels: int, channels: int) -> nn.Module:
    """For maps of `channels` inside a block; an `nn.Identity` where it has none."""
    squeezed = block.squeezed_channels(in_channels)
    return SqueezeExcite(channels, squeezed, block.se_of) if squeezed else nn.Identity()


def _skip(block: Block, in_channels: int) -> nn.Module | None:
    """What makes of the input what is added to the output; None where nothing is."""
    if block.skip_of(in_channels) == "pool":
        return nn.AvgPool2d(3, block.stride, padding=1, count_include_pad=False)
    return nn.Identity() if block.skip_of(in_channels) == "identity" else None


def _add(kept: torch.Tensor | None, out: torch.Tensor) -> torch.Tensor:
    return out if kept is None else kept + out
