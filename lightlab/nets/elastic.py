"""Once-for-All's network: one set of weights of which every sub-network takes a part.

Cai et al. 2020, section 3.3: a layer of kernel 5 has the centre of the kernel of 7 times a learnt
matrix, one of kernel 3 the centre of that; a narrower layer the first channels; a shallower unit
the first layers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

from lightlab.nets import blocks
from lightlab.nets.blocks import ConvBNAct, MBConv, SqueezeExcite
from lightlab.nets.build import Network, blank, initialise
from lightlab.space.arch import Arch
from lightlab.space.blocks import Block
from lightlab.space.decisions import Point
from lightlab.space.once_for_all import OfaSpace

ALL = slice(None)


def falling(worth: Tensor, bounds: Iterable[int]) -> Tensor:
    """The order in which `worth` (n,) falls between each two of the bounds, 0 and n being some."""
    edges = sorted({*bounds, 0, len(worth)})
    parts = [(low, worth[low:high]) for low, high in pairwise(edges)]
    return torch.cat([low + part.argsort(descending=True, stable=True) for low, part in parts])


class ElasticConv(ConvBNAct):
    """A convolution with normalisation of which the first `active_in` and `active_out` channels
    take part, with kernel `active_kernel`, one of `kernels`, made from the largest.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernels: Sequence[int] = (1,), **how: object
    ) -> None:
        super().__init__(in_channels, out_channels, max(kernels), **how)
        self.kernels = tuple(sorted(kernels, reverse=True))
        self.transforms = nn.ParameterDict(
            {str(k): nn.Parameter(torch.eye(k**2)) for k in self.kernels[1:]}
        )
        self.active_in, self.active_out = in_channels, out_channels
        self.active_kernel = self.kernels[0]

    def weight(self) -> Tensor:
        """The active kernel, (active_out, active_in or 1, k, k)."""
        full = self.conv.weight
        if self.active_out < len(full):
            full = full[: self.active_out]
        if self.conv.groups == 1 and self.active_in < full.shape[1]:
            full = full[:, : self.active_in]
        for k in self.kernels[1 : self.kernels.index(self.active_kernel) + 1]:
            rim = (full.shape[-1] - k) // 2
            centre = full[..., rim:-rim, rim:-rim]
            full = F.linear(centre.flatten(2), self.transforms[str(k)]).view(centre.shape)
        return full

    def forward(self, x: Tensor) -> Tensor:
        weight, stride = self.weight(), self.conv.stride[0]
        if self.training and self.conv.groups > 1:
            x = blocks.convolve(x, weight, stride)
        else:
            groups, rim = len(weight) if self.conv.groups > 1 else 1, weight.shape[-1] // 2
            x = F.conv2d(x, weight, stride=stride, padding=rim, groups=groups)
        if self.active_out == self.norm.num_features:
            return self.act(self.norm(x))
        norm, n = self.norm, self.active_out
        x = F.batch_norm(
            x,
            norm.running_mean[:n],
            norm.running_var[:n],
            norm.weight[:n],
            norm.bias[:n],
            norm.training,
            norm.momentum,
            norm.eps,
        )
        return self.act(x)

    @torch.no_grad()
    def hand_over(self, to: ConvBNAct) -> None:
        """Copy the active part into an ordinary layer of that shape."""
        to.take(self, slice(self.active_out), slice(self.active_in))
        to.conv.weight.copy_(self.weight())


class ElasticSqueezeExcite(SqueezeExcite):
    """Squeeze-excite for the first `active` channels through the first `squeezed`."""

    def __init__(self, channels: int, squeezed: int, gate: str) -> None:
        super().__init__(channels, squeezed, gate)
        self.active, self.squeezed = channels, squeezed

    def forward(self, x: Tensor) -> Tensor:
        n, m = self.active, self.squeezed
        averages, reduce, restore = F.adaptive_avg_pool2d(x, 1), self.reduce, self.restore
        squeezed = self.act(F.conv2d(averages, reduce.weight[:m, :n], reduce.bias[:m]))
        return x * self.gate(F.conv2d(squeezed, restore.weight[:n, :m], restore.bias[:n]))

    def hand_over(self, to: SqueezeExcite) -> None:
        """Copy the active part into an ordinary layer of that shape."""
        to.take(self, slice(self.active), slice(self.squeezed))


class ElasticMBConv(MBConv):
    """An inverted bottleneck with elastic kernel and width, which may also be left out."""

    def __init__(self, block: Block, in_channels: int, kernels: Sequence[int]) -> None:
        super().__init__(block, in_channels)
        hidden, act = block.hidden_channels(in_channels), block.act
        self.block, self.in_channels, self.active = block, in_channels, True
        if block.expand_ratio != 1:
            self.expand = ElasticConv(in_channels, hidden, act=act)
        self.depthwise = ElasticConv(
            hidden, hidden, kernels, stride=block.stride, groups=hidden, act=act
        )
        if squeezed := block.squeezed_channels(in_channels):
            self.se = ElasticSqueezeExcite(hidden, squeezed, block.se_of)
        self.project = ElasticConv(hidden, block.out_channels, act="none")

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if self.active else x

    def activate(self, block: Block | None) -> None:
        """Be this block, of the same channels and stride, until another is; None: leave it out."""
        self.active = block is not None
        if block is None:
            return
        hidden = block.hidden_channels(self.in_channels)
        if isinstance(self.expand, ElasticConv):
            self.expand.active_out = hidden
        self.depthwise.active_in = self.depthwise.active_out = hidden
        self.depthwise.active_kernel = block.kernel_size
        self.project.active_in = hidden
        if isinstance(self.se, ElasticSqueezeExcite):
            self.se.active, self.se.squeezed = hidden, block.squeezed_channels(self.in_channels)

    def importance(self) -> Tensor:
        """Of every hidden channel: the L1 norm of what the projection makes of it, (hidden,)."""
        return self.project.conv.weight.detach().abs().sum((0, 2, 3))

    def sort(self, opened: Sequence[float] = (), generator: torch.Generator | None = None) -> None:
        """As `ElasticNetwork.sort_channels`; what the whole block computes stays the same."""
        worth = self.importance()
        if generator is not None:
            worth = torch.rand(len(worth), generator=generator).to(worth)
        narrower = [replace(self.block, expand_ratio=expand) for expand in opened]
        order = falling(worth, [b.hidden_channels(self.in_channels) for b in narrower])
        if isinstance(self.expand, ElasticConv):
            self.expand.take(self.expand, order, ALL)
        self.depthwise.take(self.depthwise, order, ALL)
        if isinstance(self.se, ElasticSqueezeExcite):
            bounds = [b.squeezed_channels(self.in_channels) for b in narrower]
            self.se.take(self.se, order, falling(self.se.importance(), bounds))
        self.project.take(self.project, ALL, order)

    def hand_over(self, to: MBConv) -> None:
        """Copy the active part into an ordinary block of that shape."""
        for name, part in self.named_children():
            if isinstance(part, ElasticConv | ElasticSqueezeExcite):
                part.hand_over(getattr(to, name))


class ElasticNetwork(Network):
    """The once-for-all network over `space`: a `Network` of which a sub-network is active, at first
    the largest.
    """

    def __init__(self, space: OfaSpace, *, seed: int = 0, init: str = "proxyless") -> None:
        frame = space.skeleton
        n_first = len(frame.first)
        largest = space.corner()
        with torch.random.fork_rng(devices=[]):
            super().__init__(space.decode(largest))
            into = [channels for unit in frame.maps() for channels, _ in unit]
            for at, (block, channels) in enumerate(zip(space.layers(largest), into, strict=True)):
                self.blocks[n_first + at] = ElasticMBConv(block, channels, space.kernels)
        self.space, self.active_arch = space, self.arch
        self.elastic = list(self.blocks[n_first : n_first + len(into)])
        initialise(self, seed, init)

    def activate(self, arch: Arch | Point) -> None:
        """Be the sub-network `arch`, or that of a point, until another is; ValueError where it is
        not of the space.
        """
        point = self.space.find(arch) if isinstance(arch, Arch) else arch
        for elastic, block in zip(self.elastic, self.space.layers(point), strict=True):
            elastic.activate(block)
        self.active_arch = self.space.decode(point)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] != self.active_arch.resolution:
            raise ValueError(
                f"the active sub-network is for images of {self.active_arch.resolution} px, not of "
                f"{x.shape[-1]} px"
            )
        return super().forward(x)

    def extract(self, arch: Arch | Point) -> Network:
        """The sub-network as an ordinary network of its own, with copies of its weights and the
        running statistics as they are (see `recalibrate`); what is active stays so.

        ValueError where it is not of the space.
        """
        before = self.active_arch
        self.activate(arch)
        net = blank(self.active_arch)
        standing = [b for b in self.blocks if getattr(b, "active", True)]
        for mine, theirs in zip(standing, net.blocks, strict=True):
            if isinstance(mine, ElasticMBConv):
                mine.hand_over(theirs)
            else:
                theirs.load_state_dict(mine.state_dict())
        for name in ("stem", "features", "hidden", "classifier"):
            getattr(net, name).load_state_dict(getattr(self, name).state_dict())
        self.activate(before)
        return net.train(self.training)

    def sort_channels(
        self, opened: Sequence[float] = (), generator: torch.Generator | None = None
    ) -> None:
        """Put the hidden channels of every block into the order of their importance.

        `opened` are the expansions that could be active before: channels move only between two of
        them, so that these sub-networks compute what they did (as in the authors' code). With a
        `generator` the order is random instead.
        """
        for block in self.elastic:
            block.sort(opened, generator)


def recalibrate(network: nn.Module, images: Tensor, batch_size: int = 200) -> nn.Module:
    """`network` with the running statistics of its normalisations taken anew, from these images.

    Means over whole batches, of which an incomplete last one is left out. Without images they are
    0 and 1, as in a new network.
    """
    whole = len(images) - len(images) % min(batch_size, max(len(images), 1))
    batches = images[:whole].split(batch_size) if whole else ()
    update_bn((b.contiguous(memory_format=torch.channels_last) for b in batches), network)
    return network
