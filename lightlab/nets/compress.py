"""Structured pruning: of a trained network a smaller one, with the channels that matter most.

Channels that an addition or a depthwise convolution ties together stay or go together. Importance
is the L1 norm of a filter (Li et al. 2017, arXiv 1608.08710) or the scale of its normalisation
(Liu et al. 2017, arXiv 1708.06519).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lightlab.nets.blocks import ConvBNAct, PlainConv, SqueezeExcite
from lightlab.nets.build import Network, blank
from lightlab.space.arch import Arch
from lightlab.space.blocks import Block

IMPORTANCES = ("l1", "bn_scale", "random")


@dataclass(frozen=True)
class Ties:
    """Which channels go together, as numbers of groups: of the maps that leave the stem and every
    block, of blocks' hidden channels, of the head; `sizes` has the channels of every group.
    """

    maps: tuple[int, ...]
    hidden: tuple[int, ...]
    features: int
    units: int
    sizes: tuple[int, ...]


def ties(arch: Arch) -> Ties:
    """The groups of `arch`: a block that adds its input shares its group, as do hidden channels
    without expansion; a head without features or hidden units has the group before it.
    """
    sizes = [arch.stem.out_channels]
    maps, hidden = [0], []

    def new(channels: int) -> int:
        sizes.append(channels)
        return len(sizes) - 1

    for block in arch.blocks:
        before, channels = maps[-1], sizes[maps[-1]]
        inside = before if _plain(block) else new(block.hidden_channels(channels))
        after = before if block.skip_of(channels) != "none" else new(block.out_channels)
        maps.append(after)
        hidden.append(after if block.op == "conv" else inside)
    head = arch.head
    features = new(head.features) if head.features else maps[-1]
    units = new(head.hidden) if head.hidden else features
    return Ties(tuple(maps), tuple(hidden), features, units, tuple(sizes))


def prune(
    network: Network,
    arch: Arch,
    blocks: Sequence[int] | None = None,
    importance: str = "l1",
    seed: int = 0,
) -> Network:
    """`arch` with the part of the weights of `network` that matters most.

    `arch` has fewer channels, smaller kernels (their centre is taken), fewer blocks or another
    resolution; `blocks` are the numbers of those that stay (all). `importance` is one of
    IMPORTANCES, `seed` that of "random". Running statistics are inherited: see `recalibrate`.
    ValueError where `arch` is not a smaller form of the network's.
    """
    blocks = list(range(len(network.arch.blocks)) if blocks is None else blocks)
    kept = kept_channels(network, arch, blocks, importance, seed)
    small, everything = blank(arch), slice(None)
    theirs = _layers(small, ties(arch), range(len(blocks)))
    mine = _layers(network, ties(network.arch), blocks)
    for (to, *_), (layer, *groups) in zip(theirs, mine, strict=True):
        outputs, inputs = (kept.get(group, everything) for group in groups)
        if isinstance(layer, ConvBNAct):
            to.take(layer, outputs, inputs)
        elif isinstance(layer, SqueezeExcite):  # those stay whose gates weigh most
            to.take(layer, outputs, _best(layer.importance(), to.reduce.out_channels))
        elif isinstance(layer, nn.Linear):
            with torch.no_grad():
                to.weight.copy_(layer.weight[outputs][:, inputs])
                if layer.bias is not None:
                    to.bias.copy_(layer.bias[outputs])
    return small.train(network.training)


def kept_channels(
    network: Network, arch: Arch, blocks: Sequence[int], importance: str = "l1", seed: int = 0
) -> dict[int, Tensor]:
    """The numbers of the channels that stay in each group of `ties`, rising; see `prune`."""
    if importance not in IMPORTANCES:
        raise ValueError(f"importance is one of {', '.join(IMPORTANCES)}, not {importance!r}")
    whole = ties(network.arch)
    sizes = _sizes(network.arch, arch, list(blocks), whole)
    worth = _worth(network, whole, importance, torch.Generator().manual_seed(seed))
    return {group: _best(worth[group], n) for group, n in sizes.items()}


def _plain(block: Block) -> bool:
    """Whether the block has no hidden channels of its own."""
    return block.op != "mb" or block.expand_ratio == 1


def _sizes(large: Arch, small: Arch, blocks: list[int], whole: Ties) -> dict[int, int]:
    if len(blocks) != len(small.blocks) or blocks != sorted(set(blocks)):
        raise ValueError(f"{len(small.blocks)} blocks cannot be those of the numbers {blocks}")
    for i in sorted(set(range(len(large.blocks))) - set(blocks)):
        if whole.maps[i] != whole.maps[i + 1]:
            raise ValueError(f"block {i} does not add its input: it cannot be left out")
    for name in ("in_channels", "n_classes"):
        if getattr(large, name) != getattr(small, name):
            raise ValueError(f"{name} is {getattr(small, name)}, it was {getattr(large, name)}")
    _check(large.stem, small.stem, "the stem")
    for name in ("features", "hidden"):
        if bool(getattr(large.head, name)) != bool(getattr(small.head, name)):
            raise ValueError(f"the head of the smaller network differs in its {name}")
    part = ties(small)
    pairs = [(whole.maps[0], part.maps[0])]
    for j, i in enumerate(blocks):
        _check(large.blocks[i], small.blocks[j], f"block {i}")
        pairs += [(whole.hidden[i], part.hidden[j]), (whole.maps[i + 1], part.maps[j + 1])]
    pairs += [(whole.features, part.features), (whole.units, part.units)]
    found: dict[int, int] = {}
    for group, theirs in pairs:
        n = part.sizes[theirs]
        if found.setdefault(group, n) != n or n > whole.sizes[group]:
            raise ValueError(
                f"a group of {whole.sizes[group]} channels that go together cannot have {n}"
            )
    tied = set(pairs)
    if len({g for g, _ in tied}) < len(tied) or len({t for _, t in tied}) < len(tied):
        raise ValueError(
            "the smaller network adds maps that the trained one does not, or not those"
        )
    return found


def _check(large: Block, small: Block, name: str) -> None:
    same = ("op", "stride", "act", "se_of")
    differs = [name for name in same if getattr(large, name) != getattr(small, name)]
    if bool(large.se_ratio) != bool(small.se_ratio):
        differs.append("se_ratio")
    if _plain(large) != _plain(small):
        differs.append("expand_ratio")
    if small.kernel_size > large.kernel_size:
        differs.append("kernel_size")
    if differs:
        raise ValueError(f"{name}: {small} is no smaller form of {large}: {', '.join(differs)}")


def _layers(
    network: Network, whole: Ties, blocks: Iterable[int]
) -> Iterator[tuple[nn.Module, int | None, int | None]]:
    """Every layer with the groups of its outputs and of its inputs; those of images and classes are
    None. Of squeeze-excite both are that of the maps that it scales.
    """
    yield network.stem, whole.maps[0], None
    yield network.stem.se, whole.maps[0], whole.maps[0]
    for i in blocks:
        block, before, after = network.blocks[i], whole.maps[i], whole.maps[i + 1]
        hidden = whole.hidden[i]
        if isinstance(block, PlainConv):
            yield block, after, before
        else:
            yield getattr(block, "expand", nn.Identity()), hidden, before
            yield block.depthwise, hidden, hidden
            yield block.project, after, hidden
        yield block.se, hidden, hidden
    yield network.features, whole.features, whole.maps[-1]
    yield network.hidden, whole.units, whole.features
    yield network.classifier, None, whole.units


def _worth(
    network: Network, whole: Ties, importance: str, generator: torch.Generator
) -> list[Tensor]:
    """Importance of every channel: its sum over the layers that make it, in shares of each one's
    mean, so that no layer counts more for its size.
    """
    if importance == "random":
        return [torch.rand(n, generator=generator) for n in whole.sizes]
    worth = [torch.zeros(n) for n in whole.sizes]
    for layer, group, _ in _layers(network, whole, range(len(network.blocks))):
        if group is None or not isinstance(layer, ConvBNAct | nn.Linear):
            continue
        if importance == "bn_scale" and isinstance(layer, ConvBNAct):
            values = layer.norm.weight
        else:
            weight = getattr(layer, "conv", layer).weight
            values = weight.flatten(1).abs().sum(1)
        values = values.detach().abs().cpu()
        worth[group] += values / values.mean().clamp(min=1e-12)
    return worth


def _best(worth: Tensor, n: int) -> Tensor:
    """The numbers of the `n` largest, in their old order."""
    return worth.argsort(descending=True, stable=True)[:n].sort().values
