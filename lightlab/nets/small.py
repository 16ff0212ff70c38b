"""Small networks that train in seconds on one core. Equal seeds give equal weights."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

# (channels, stride) of MobileNetV1's body (Howard et al. 2017, table 1) as used on 32 px images:
# the strides that 224 px need and the last 1024 channels are left out.
_MOBILENET_STEM = 32
_MOBILENET_BODY = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1))


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
            layers.append(_conv_bn_relu(in_channels, channels, stride=2))
            in_channels = channels
        return nn.Sequential(*layers, *_head(in_channels, n_out, dropout, pool))


def mobilenet(
    width_mult: float = 1.0,
    *,
    separable: bool = True,
    stem_stride: int = 2,
    in_channels: int = 1,
    n_out: int = 10,
    seed: int = 0,
) -> nn.Module:
    """MobileNetV1's layers on small images (Howard et al. 2017), every width times `width_mult`.

    `separable=False` gives the full-convolution twin of their table 4. A stem of stride 2 costs a
    quarter of one of stride 1.
    """
    with _seeded(seed):
        channels = _scaled(_MOBILENET_STEM, width_mult)
        layers: list[nn.Module] = [_conv_bn_relu(in_channels, channels, stride=stem_stride)]
        for base, stride in _MOBILENET_BODY:
            out = _scaled(base, width_mult)
            if separable:
                layers.append(_conv_bn_relu(channels, channels, stride=stride, groups=channels))
                layers.append(_conv_bn_relu(channels, out, kernel_size=1))
            else:
                layers.append(_conv_bn_relu(channels, out, stride=stride))
            channels = out
        return nn.Sequential(*layers, *_head(channels, n_out, dropout=0.0))


def _scaled(channels: int, width_mult: float) -> int:
    """Channels times the multiplier, at least 1."""
    return max(1, round(channels * width_mult))


def _conv_bn_relu(
    in_channels: int, out_channels: int, *, kernel_size: int = 3, stride: int = 1, groups: int = 1
) -> nn.Module:
    """Convolution without bias, batch normalisation, ReLU."""
    convolution = nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        groups=groups,
        bias=False,
    )
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


def _head(channels: int, n_out: int, dropout: float, pool: int = 1) -> list[nn.Module]:
    """Average over the map's parts, dropout where asked for, linear layer."""
    drop = [nn.Dropout(dropout)] if dropout else []
    return [
        nn.AdaptiveAvgPool2d(pool),
        nn.Flatten(),
        *drop,
        nn.Linear(channels * pool**2, n_out),
    ]


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw weights from `seed` and leave the caller's random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
