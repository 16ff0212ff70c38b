"""What a network costs, counted rather than timed."""

import copy
from collections.abc import Iterable

import pandas as pd
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from lightlab.space.arch import Arch, Head, Layer, block_layers, head_layers, layers
from lightlab.space.blocks import Block

# A training step is a forward pass, and a backward pass of about two (gradients by activations and
# by weights): the usual count, e.g. Kaplan et al. 2020, section 2.1.
PASSES_PER_TRAINING_STEP = 3

# What the papers count, by the roles of the layers that are left out.
MACS_CONVENTIONS = {
    "with_se": (),  # every convolution and linear layer: MnasNet, ProxylessNAS, OFA
    "conv+fc": ("se",),
    "conv": ("se", "fc"),
}
PARAM_CONVENTIONS = ("weights_only", "trainable")
BYTES_PER_NUMBER = 4  # float32

# Modules without products. PyTorch works each of them out in Python on the meta device, 5 to 15 ms
# a call: they are left out of the copy that is counted.
_UNCOUNTED = (_BatchNorm, nn.ReLU6, nn.Hardswish, nn.Hardsigmoid)


def macs(arch: Arch, convention: str = "with_se") -> int:
    """Multiply-accumulates of one image through `arch`; ValueError on an unknown convention.

    "conv" counts the convolutions, "conv+fc" the linear layers too, "with_se" also the two layers
    inside every squeeze-excite. Biases, normalisation, activations, pooling, the gates'
    multiplication and additions never count.
    """
    return _macs(layers(arch), convention)


def param_count(model: Arch | nn.Module, convention: str = "trainable") -> int:
    """Parameters: "weights_only" kernels and matrices (MobileNetV1), "trainable" all that is
    learnt, biases and the normalisations' scale and shift too (MnasNet). Of a module only what is
    not frozen. ValueError on an unknown convention.
    """
    if isinstance(model, Arch):
        return _params(layers(model), convention)
    _check(convention, PARAM_CONVENTIONS)
    least = 2 if convention == "weights_only" else 0
    return sum(p.numel() for p in model.parameters() if p.requires_grad and p.ndim >= least)


def layer_table(arch: Arch) -> pd.DataFrame:
    """One row per layer in order: name, role, channels, kernel_size, stride, sizes in px, macs,
    weights, trainable, live (numbers in memory while it runs).
    """
    columns = ("name", "role", "in_channels", "out_channels", "kernel_size", "stride")
    columns += ("in_size", "out_size", "macs", "weights", "trainable", "live")
    return pd.DataFrame([[getattr(x, c) for c in columns] for x in layers(arch)], columns=columns)


def activation_bytes(arch: Arch) -> int:
    """Most memory that activations take at once: one image, float32, weights apart.

    Assumed, as in an inference runtime: normalisation is folded into the convolution; activations,
    gates and additions work in place; a map is freed after its last reader, so that a block's
    input stays until it is added.
    """
    found = layers(arch)
    last = next(x for x in reversed(found) if x.role != "fc")
    pooling = last.out_channels * (last.out_size**2 + 1)
    return BYTES_PER_NUMBER * max(pooling, *(x.live for x in found))


def count_macs(module: nn.Module, input_shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of one forward pass of any module for one input (C, H, W).

    Matrix products and convolutions count, as in "with_se". Nothing is computed: the module is
    copied to the meta device and PyTorch's own counter, which reports two per MAC, does the rest.
    """
    shadow = nn.Sequential(copy.deepcopy(module).to("meta").eval())
    for parent in list(shadow.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _UNCOUNTED):
                setattr(parent, name, nn.Identity())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shadow(torch.empty(1, *input_shape, device="meta"))
    return counter.get_total_flops() // 2


class Prices:
    """Prices many architectures fast: what a block costs on its maps is worked out once and kept.

    `prices(arch)` is (macs, parameters) by the given conventions, equal to `macs` and
    `param_count`. Blocks are looked up by identity first, so a search space that shares its `Block`
    objects is priced fastest. Hundreds of thousands of `Arch` values a second are priced, but only
    thousands of texts: `decode` costs about a hundred times as much as the price.
    """

    def __init__(self, macs: str = "with_se", params: str = "trainable") -> None:
        _check(macs, MACS_CONVENTIONS)
        _check(params, PARAM_CONVENTIONS)
        self.conventions = macs, params
        self._maps: dict[tuple[int, int], _Maps] = {}
        self._heads: dict[tuple[Head, int, int, int], tuple[int, int]] = {}

    def __call__(self, arch: Arch) -> tuple[int, int]:
        macs, params, maps = self.maps(arch.in_channels, arch.resolution)[arch.stem]
        for block in arch.blocks:
            more_macs, more_params, maps = maps[block]
            macs += more_macs
            params += more_params
        key = arch.head, arch.n_classes, maps.channels, maps.size
        if (head := self._heads.get(key)) is None:
            head = self._heads[key] = self.price(head_layers(*key))
        return macs + head[0], params + head[1]

    def maps(self, channels: int, size: int) -> "_Maps":
        """The table of what blocks cost on maps of `channels` x `size` x `size`."""
        key = channels, size
        if key not in self._maps:
            self._maps[key] = _Maps(self, channels, size)
        return self._maps[key]

    def price(self, found: Iterable[Layer]) -> tuple[int, int]:
        """(macs, parameters) of some layers."""
        found = list(found)
        return _macs(found, self.conventions[0]), _params(found, self.conventions[1])


class _Maps(dict[Block, tuple[int, int, "_Maps"]]):
    """For maps of one shape: block -> (macs, parameters, the maps that it makes)."""

    def __init__(self, prices: Prices, channels: int, size: int) -> None:
        super().__init__()
        self.prices, self.channels, self.size = prices, channels, size

    def __missing__(self, block: Block) -> tuple[int, int, "_Maps"]:
        found = list(block_layers(block, self.channels, self.size))
        after = self.prices.maps(block.out_channels, -(-self.size // block.stride))
        self[block] = *self.prices.price(found), after
        return self[block]


def _macs(found: Iterable[Layer], convention: str) -> int:
    _check(convention, MACS_CONVENTIONS)
    left_out = MACS_CONVENTIONS[convention]
    return sum(x.macs for x in found if x.role not in left_out)


def _params(found: Iterable[Layer], convention: str) -> int:
    _check(convention, PARAM_CONVENTIONS)
    return sum(x.weights if convention == "weights_only" else x.trainable for x in found)


def _check(convention: str, known: Iterable[str]) -> None:
    if convention not in known:
        raise ValueError(f"convention is one of {', '.join(known)}, not {convention!r}")
