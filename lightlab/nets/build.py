"""Architectures become ordinary PyTorch modules; small networks that train in seconds on one core.
Equal seeds give equal weights.
"""

import functools
import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from lightlab.nets.blocks import ConvBNAct, activation, build_block
from lightlab.space import scaling
from lightlab.space.arch import Arch


class Network(nn.Module):
    """The network that `arch` describes: images (N, C, H, W) to logits (N, classes).

    Children `stem`, `blocks`, `features`, `hidden`, `classifier`, named as the layers are;
    `features` and `hidden` are `nn.Identity` where the head goes without them.
    """

    def __init__(self, arch: Arch, dropout: float = 0.0) -> None:
        super().__init__()
        self.arch = arch
        head, channels = arch.head, arch.stem.out_channels
        self.stem = build_block(arch.stem, arch.in_channels)
        self.blocks = nn.Sequential()
        for block in arch.blocks:
            self.blocks.append(build_block(block, channels))
            channels = block.out_channels
        self.features = nn.Identity()
        if head.features:
            self.features = ConvBNAct(channels, head.features, act=head.act)
            channels = head.features
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.hidden, self.hidden_act = nn.Identity(), nn.Identity()
        if head.hidden:
            self.hidden = nn.Linear(channels, head.hidden, bias=head.hidden_bias)
            self.hidden_act = activation(head.act)
            channels = head.hidden
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels, arch.n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(self.blocks(self.stem(x)))
        x = self.hidden_act(self.hidden(self.pool(x).flatten(1)))
        return self.classifier(self.dropout(x))


def build(arch: Arch, *, seed: int = 0, init: str = "fan_out", dropout: float = 0.0) -> Network:
    """The module of `arch` with weights drawn from `seed`; equal seeds give equal weights.

    `init` is one of INITS:
    "fan_out": normal of variance 2 / (k² · output channels per group) (He et al. 2015) and linear
    layers uniform within 1 / sqrt(inputs).
    "mnasnet": the same with linear layers within 1 / sqrt(outputs), as in MnasNet's code.
    "proxyless": the same with the variance of a depthwise kernel divided by all its channels, as in
    the code of ProxylessNAS and OFA.
    "slim": normal of standard deviation 0.09, cut at two of them, everywhere, as in TF-Slim's code
    of MobileNetV1 to V3. Biases begin at 0, normalisations at 1 and 0. `dropout` is the share of
    inputs of the classifier that a training step leaves out. ValueError on an unknown `init`.
    """
    return initialise(blank(arch, dropout), seed, init)


def blank(arch: Arch, dropout: float = 0.0) -> Network:
    """A network whose weights have no meaning yet; the global random state stays as it is."""
    # to build on the meta device and make room afterwards takes twice as long for small networks
    with torch.random.fork_rng(devices=[]):
        return Network(arch, dropout)


def initialise(network: nn.Module, seed: int, init: str) -> nn.Module:
    """`network` with the weights of its layers drawn anew, see `build`."""
    if init not in INITS:
        raise ValueError(f"init is one of {', '.join(INITS)}, not {init!r}")
    generator = torch.Generator().manual_seed(operator.index(seed))  # NumPy's integers too
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
        elif isinstance(module, nn.Conv2d | nn.Linear):
            INITS[init](module, generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


@contextmanager
def predicting(network: nn.Module) -> Iterator[None]:
    """`network` in evaluation mode and without gradients, then again in the mode it had."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(training)


def build_named(
    name: str,
    *,
    width_mult: float = 1.0,
    resolution: int | None = None,
    seed: int = 0,
    dropout: float = 0.0,
) -> Network:
    """The catalog's network `name`, initialised as its paper's code does; ValueError as there."""
    arch = scaling.get(name, width_mult=width_mult, resolution=resolution)
    return build(arch, seed=seed, init=scaling.entry(name).init, dropout=dropout)


def _he(
    layer: nn.Conv2d | nn.Linear,
    generator: torch.Generator,
    fan: str = "in_features",
    grouped: bool = True,
) -> None:
    """Normal convolutions, by the channels of a group or of all; linear layers uniform by `fan`."""
    if isinstance(layer, nn.Linear):
        bound = getattr(layer, fan) ** -0.5
        nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
        return
    channels = layer.out_channels // (layer.groups if grouped else 1)
    std = (2 / (layer.kernel_size[0] ** 2 * channels)) ** 0.5
    nn.init.normal_(layer.weight, 0, std, generator=generator)


def _slim(layer: nn.Conv2d | nn.Linear, generator: torch.Generator) -> None:
    nn.init.trunc_normal_(layer.weight, 0, 0.09, -0.18, 0.18, generator=generator)


INITS = {
    "fan_out": _he,
    "mnasnet": functools.partial(_he, fan="out_features"),
    "proxyless": functools.partial(_he, grouped=False),
    "slim": _slim,
}


def mlp(n_in: int, hidden: Sequence[int] = (64,), n_out: int = 10, *, seed: int = 0) -> nn.Module:
    """Fully connected layers with ReLU between them; images are flattened to `n_in` numbers."""
    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it was
        torch.manual_seed(seed)
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
    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it was
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for i in range(depth):
            channels = width * 2**i
            convolution = nn.Conv2d(in_channels, channels, 3, stride=2, padding=1, bias=False)
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            norm, act = nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
            layers.append(nn.Sequential(convolution, norm, act))
            in_channels = channels
        drop = [nn.Dropout(dropout)] if dropout else []
        linear = nn.Linear(in_channels * pool**2, n_out)
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(pool), nn.Flatten(), *drop, linear)
