"""Small networks that train in seconds on one core. Equal seeds give equal weights."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn


def mlp(n_in: int, hidden: Sequence[int] = (64,), n_out: int = 10, *, seed: int = 0) -> nn.Module:
    """Fully connected layers with ReLU between them; images are flattened to `n_in` numbers."""
    with _seeded(seed):
        layers: list[nn.Module] = [nn.Flatten()]
        for width in hidden:
            layers += [nn.Linear(n_in, width), nn.ReLU()]
            n_in = width
        return nn.Sequential(*layers, nn.Linear(n_in, n_out))


def cnn(
    width: int = 16,
    dropout: float = 0.0,
    *,
    depth: int = 3,
    pool: int = 1,
    in_channels: int = 1,
    n_out: int = 10,
    seed: int = 0,
) -> nn.Module:
    """`depth` 3x3 convolutions of stride 2 whose channels double from `width`, then a linear layer.

    Every convolution is followed by batch normalisation and ReLU. The last maps are averaged to
    `pool` x `pool` cells; `dropout` stands before the linear layer.
    """
    with _seeded(seed):
        layers: list[nn.Module] = []
        for i in range(depth):
            channels = width * 2**i
            layers.append(_conv_bn_relu(in_channels, channels))
            in_channels = channels
        drop = [nn.Dropout(dropout)] if dropout else []
        linear = nn.Linear(in_channels * pool**2, n_out)
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(pool), nn.Flatten(), *drop, linear)


def _conv_bn_relu(in_channels: int, out_channels: int) -> nn.Module:
    """3x3 convolution of stride 2 without bias, batch normalisation, ReLU."""
    convolution = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw weights from `seed` and leave the caller's random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
