"""What happens inside a once-for-all network: nested kernels, sorted channels, statistics."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from lightlab.data import DataSet
from lightlab.methods.once_for_all import subnets
from lightlab.methods.once_for_all.study import corners, evaluated
from lightlab.nets.elastic import ElasticNetwork
from lightlab.space.spaces import OfaSpace

ORDERS = ("by importance", "as trained", "random")
INHERITED = "inherited"


def kernel_values(network: ElasticNetwork, block: int = 0) -> pd.DataFrame:
    """The depthwise kernel of one channel, the strongest, at every size: rows kernel, row, column,
    value.
    """
    layer = network.elastic[block].depthwise
    channel = int(layer.conv.weight.detach().abs().sum((1, 2, 3)).argmax())
    before, rows = layer.active_kernel, []
    for size in layer.kernels:
        layer.active_kernel = size
        grid = layer.weight().detach()[channel, 0]
        rows += [(size, i, j, float(grid[i, j])) for i, j in np.ndindex(*grid.shape)]
    layer.active_kernel = before
    return pd.DataFrame(rows, columns=["kernel", "row", "column", "value"])


def importance(network: ElasticNetwork, block: int = 0) -> pd.DataFrame:
    """Importance of one layer's channels, as trained and sorted: rows order, channel, value."""
    values = network.elastic[block].importance().numpy()
    orders = {"as trained": values, "by importance": np.sort(values)[::-1]}
    return pd.concat(
        pd.DataFrame({"order": name, "channel": range(len(v)), "value": v})
        for name, v in orders.items()
    )


def largest_difference(network: ElasticNetwork, n: int, seed: int = 0) -> np.ndarray:
    """Of the outputs of `n` random sub-networks and of the networks cut out of it, relative to the
    largest output, (n,).
    """
    generator, found = torch.Generator().manual_seed(seed), []
    for point in network.space.sample(np.random.default_rng(seed), n):
        network.activate(point)
        x = torch.randn(4, *network.active_arch.input_shape, generator=generator)
        with torch.no_grad():
            inside, outside = network(x), network.extract(point)(x)
        found.append(float((inside - outside).abs().max() / inside.abs().max()))
    return np.array(found)


def calibrated(
    networks: Mapping[int, ElasticNetwork], images: DataSet, n_most: int = subnets.N_CALIBRATE
) -> pd.DataFrame:
    """The corners of each seed's network with the supernet's own statistics, with those of a new
    network, and with those of 200 images and of `n_most`, or all: rows seed, images (as words),
    corner, accuracy on the validation images.
    """
    most, jobs = min(n_most, len(images.train)), {}
    for seed, network in networks.items():
        for n in dict.fromkeys([None, 0, min(200, most), most]):
            jobs[seed, INHERITED if n is None else f"{n:,}"] = {
                "supernet": network,
                "points": list(corners(network.space).values()),
                "images": images.train.x,
                "split": images.val,
                "n_calibrate": n,
            }
    rows = [
        (*key, corner, value)
        for key, found in evaluated(jobs).items()
        for corner, value in zip(corners(networks[key[0]].space), found, strict=True)
    ]
    return pd.DataFrame(rows, columns=["seed", "images", "corner", "accuracy"])


def gain(calibration: pd.DataFrame) -> np.ndarray:
    """Mean accuracy with the most images minus with inherited statistics, by seed, (n,)."""
    most = calibration["images"].iloc[-1]
    wide = calibration.groupby(["seed", "images"])["accuracy"].mean().unstack()
    return (wide[most] - wide[INHERITED]).to_numpy()


def sorted_or_not(full: Mapping[int, ElasticNetwork], images: DataSet, **how: Any) -> pd.DataFrame:
    """The full network cut to each width before it has learnt to be, its channels in one of ORDERS:
    rows seed, order, expand, accuracy on the validation images.
    """
    rows = []
    for seed, trained in full.items():
        space = trained.space
        points = {e: space.corner(expand=e) for e in space.expands[:-1]}
        for order in ORDERS:
            net = copy.deepcopy(trained)
            if order != "as trained":
                generator = torch.Generator().manual_seed(seed) if order == "random" else None
                net.sort_channels(generator=generator)
            found = subnets.accuracies(net, points.values(), images.train.x, images.val, **how)
            rows += [(seed, order, e, value) for e, value in zip(points, found, strict=True)]
    return pd.DataFrame(rows, columns=["seed", "order", "expand", "accuracy"])


def sorting_gain(cut: pd.DataFrame) -> np.ndarray:
    """Accuracy with channels by importance minus in random order, mean over the expansions, by
    seed, (n,).
    """
    wide = cut.groupby(["seed", "order"])["accuracy"].mean().unstack()
    return (wide["by importance"] - wide["random"]).to_numpy()


def elastic_layers(space: OfaSpace) -> pd.DataFrame:
    """What can be cut from every layer: rows layer, unit, expand, channels (hidden, of that
    expansion), optional (only in deeper networks), kernels (as words).
    """
    net, rows, at = space.skeleton, [], 0
    kernels = ", ".join(map(str, space.kernels))
    for i, (unit, depths) in enumerate(zip(net.maps(), space.depths, strict=True)):
        for j, (channels, _) in enumerate(unit):
            for expand in space.expands:
                hidden = net.mbconv(i, j, space.kernels[-1], expand).hidden_channels(channels)
                rows.append((at, i + 1, expand, hidden, j >= depths[0], kernels))
            at += 1
    columns = ["layer", "unit", "expand", "channels", "optional", "kernels"]
    return pd.DataFrame(rows, columns=columns)
