"""Once-for-All's network: one set of weights of which every sub-network takes a part."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lightlab.nets.build import Network, blank, initialise
from lightlab.nets.elastic_layers import ElasticMBConv
from lightlab.space.arch import Arch
from lightlab.space.decisions import Point, SpaceError
from lightlab.space.once_for_all import OfaSpace


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
        """Be the sub-network `arch`, or that of a point, until another is; SpaceError where it is
        not of the space.
        """
        point = self.space.find(arch) if isinstance(arch, Arch) else arch
        for elastic, block in zip(self.elastic, self.space.layers(point), strict=True):
            elastic.activate(block)
        self.active_arch = self.space.decode(point)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] != self.active_arch.resolution:
            raise SpaceError(
                f"the active sub-network is for images of {self.active_arch.resolution} px, not of "
                f"{x.shape[-1]} px"
            )
        return super().forward(x)

    def extract(self, arch: Arch | Point) -> Network:
        """The sub-network as an ordinary network of its own, with copies of its weights and the
        running statistics as they are (see `recalibrate`); what is active stays so.

        SpaceError where it is not of the space.
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


@torch.no_grad()
def recalibrate(network: nn.Module, images: Tensor, batch_size: int = 200) -> nn.Module:
    """`network` with the running statistics of its normalisations taken anew, from these images.

    Means over whole batches, of which an incomplete last one is left out. Without images they are
    0 and 1, as in a new network.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [(m.momentum, m.training) for m in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    whole = len(images) - len(images) % min(batch_size, max(len(images), 1))
    for batch in images[:whole].split(batch_size):
        network(batch.contiguous(memory_format=torch.channels_last))
    for norm, (momentum, training) in zip(norms, before, strict=True):
        norm.momentum = momentum
        norm.train(training)
    return network
