"""Small networks written as one line of text, so that an architecture is data to search over.

`conv3-16` is a 3x3 convolution with 16 channels, ReLU and 2x2 max-pooling; `dense-32` is a fully
connected layer with 32 units and ReLU (the notation of Simonyan & Zisserman 2015, table 1).
"""

import re
from itertools import pairwise

import torch
from torch import nn

LINEAR = "linear"  # no hidden layer: softmax regression
_LAYER = re.compile(r"(?:conv([1357])|dense)-([1-9]\d{0,3})")


def stack(
    layers: str, input_shape: tuple[int, int, int] = (1, 8, 8), n_out: int = 10, *, seed: int = 0
) -> nn.Sequential:
    """The network of `layers`, e.g. "conv3-8 conv3-16 dense-32", then a linear layer.

    Convolutions keep the size, pooling halves it until one pixel is left; they come before dense
    layers. Hidden weights are drawn as in He et al. 2015. ValueError on text that is no network.
    """
    channels, height, width = input_shape
    modules: list[nn.Module] = []
    flat = False
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for kernel, size in parse(layers):
            if kernel:
                modules += [_he(nn.Conv2d(channels, size, kernel, padding=kernel // 2)), nn.ReLU()]
                if min(height, width) > 1:
                    modules.append(nn.MaxPool2d(2))
                    height, width = height // 2, width // 2
                channels = size
                continue
            if not flat:
                modules.append(nn.Flatten())
                channels, height, width, flat = channels * height * width, 1, 1, True
            modules += [_he(nn.Linear(channels, size)), nn.ReLU()]
            channels = size
        if not flat:
            modules.append(nn.Flatten())
        return nn.Sequential(*modules, nn.Linear(channels * height * width, n_out))


def parse(layers: str) -> list[tuple[int, int]]:
    """(kernel size, or 0 for dense; channels or units) of every hidden layer."""
    if layers == LINEAR:
        return []
    found = []
    for word in layers.split():
        match = _LAYER.fullmatch(word)
        if match is None:
            raise ValueError(f"{word!r} is no layer: write conv3-16, dense-32 or {LINEAR!r} alone")
        found.append((int(match[1] or 0), int(match[2])))
    if not found:
        raise ValueError(f"no layer given: write {LINEAR!r} for a network without hidden layers")
    if any(kernel and not before for (before, _), (kernel, _) in pairwise(found)):
        raise ValueError(f"{layers!r}: convolutions come before dense layers")
    return found


def write(convs: int, kernel: int, channels: int, denses: int, units: int) -> str:
    """The text of `convs` equal convolutions and then `denses` equal dense layers."""
    words = [f"conv{kernel}-{channels}"] * convs + [f"dense-{units}"] * denses
    return " ".join(words) or LINEAR


def _he(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    """Weights of variance 2 / fan-in keep the signal's size through ReLU layers; biases 0."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer
