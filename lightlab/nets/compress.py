"""Structured pruning: of a trained network a smaller one, with the channels that matter most.

Channels that an addition or a depthwise convolution ties together stay or go together. Importance
is the L1 norm of a filter (Li et al. 2017, arXiv 1608.08710) or the scale of its normalisation
(Liu et al. 2017, arXiv 1708.06519).
"""

from collections.abc import Iterator, Sequence
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
    small = blank(arch)
    with torch.no_grad():
        _hand_over(network, small, blocks, ties(network.arch), kept)
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


def _producers(network: Network, whole: Ties) -> Iterator[tuple[int, nn.Module, nn.Module | None]]:
    """Every layer that makes channels of a group: group, layer, its normalisation."""
    yield whole.maps[0], network.stem.conv, network.stem.norm
    for i, block in enumerate(network.blocks):
        if isinstance(block, PlainConv):
            yield whole.maps[i + 1], block.conv, block.norm
            continue
        if isinstance(getattr(block, "expand", None), ConvBNAct):
            yield whole.hidden[i], block.expand.conv, block.expand.norm
        yield whole.hidden[i], block.depthwise.conv, block.depthwise.norm
        yield whole.maps[i + 1], block.project.conv, block.project.norm
    if isinstance(network.features, ConvBNAct):
        yield whole.features, network.features.conv, network.features.norm
    if isinstance(network.hidden, nn.Linear):
        yield whole.units, network.hidden, None


def _worth(
    network: Network, whole: Ties, importance: str, generator: torch.Generator
) -> list[Tensor]:
    """Importance of every channel: its sum over the layers that make it, in shares of each one's
    mean, so that no layer counts more for its size.
    """
    worth = [torch.zeros(n) for n in whole.sizes]
    if importance == "random":
        return [torch.rand(n, generator=generator) for n in whole.sizes]
    for group, layer, norm in _producers(network, whole):
        by_scale = importance == "bn_scale" and norm is not None
        values = norm.weight if by_scale else layer.weight.flatten(1).abs().sum(1)
        values = values.detach().abs().cpu()
        worth[group] += values / values.mean().clamp(min=1e-12)
    return worth


def _best(worth: Tensor, n: int) -> Tensor:
    """The numbers of the `n` largest, in their old order."""
    return worth.argsort(descending=True, stable=True)[:n].sort().values


def _hand_over(
    large: Network, small: Network, blocks: list[int], whole: Ties, kept: dict[int, Tensor]
) -> None:
    channels = torch.arange(large.arch.in_channels)
    _copy_conv(large.stem, small.stem, kept[whole.maps[0]], channels)
    _copy_se(large.stem.se, small.stem.se, kept[whole.maps[0]])
    for i, theirs in zip(blocks, small.blocks, strict=True):
        ends = kept[whole.maps[i]], kept[whole.hidden[i]], kept[whole.maps[i + 1]]
        _copy_block(large.blocks[i], theirs, *ends)
    last = kept[whole.maps[-1]]
    if isinstance(large.features, ConvBNAct):
        _copy_conv(large.features, small.features, kept[whole.features], last)
    if isinstance(large.hidden, nn.Linear):
        _copy_linear(large.hidden, small.hidden, kept[whole.units], kept[whole.features])
    classes = torch.arange(large.arch.n_classes)
    _copy_linear(large.classifier, small.classifier, classes, kept[whole.units])


def _copy_block(
    mine: nn.Module, theirs: nn.Module, before: Tensor, hidden: Tensor, after: Tensor
) -> None:
    if isinstance(mine, PlainConv):
        _copy_conv(mine, theirs, after, before)
        _copy_se(mine.se, theirs.se, after)
        return
    if isinstance(getattr(mine, "expand", None), ConvBNAct):
        _copy_conv(mine.expand, theirs.expand, hidden, before)
    _copy_conv(mine.depthwise, theirs.depthwise, hidden, hidden)
    _copy_se(mine.se, theirs.se, hidden)
    _copy_conv(mine.project, theirs.project, after, hidden)


def _copy_conv(mine: ConvBNAct, theirs: ConvBNAct, outputs: Tensor, inputs: Tensor) -> None:
    weight, kernel = mine.conv.weight[outputs], theirs.conv.kernel_size[0]
    if mine.conv.groups == 1:
        weight = weight[:, inputs]
    rim = (weight.shape[-1] - kernel) // 2
    theirs.conv.weight.copy_(weight[..., rim : rim + kernel, rim : rim + kernel])
    for name, value in theirs.norm.state_dict().items():
        source = mine.norm.state_dict()[name]
        value.copy_(source[outputs] if source.ndim else source)


def _copy_se(mine: nn.Module, theirs: nn.Module, channels: Tensor) -> None:
    """Of the squeezed channels those stay whose gates weigh most."""
    if not isinstance(mine, SqueezeExcite):
        return
    squeezed = theirs.reduce.out_channels
    inner = _best(mine.restore.weight.abs().sum((0, 2, 3)), squeezed)
    theirs.reduce.weight.copy_(mine.reduce.weight[inner][:, channels])
    theirs.reduce.bias.copy_(mine.reduce.bias[inner])
    theirs.restore.weight.copy_(mine.restore.weight[channels][:, inner])
    theirs.restore.bias.copy_(mine.restore.bias[channels])


def _copy_linear(mine: nn.Linear, theirs: nn.Linear, outputs: Tensor, inputs: Tensor) -> None:
    theirs.weight.copy_(mine.weight[outputs][:, inputs])
    if mine.bias is not None:
        theirs.bias.copy_(mine.bias[outputs])
