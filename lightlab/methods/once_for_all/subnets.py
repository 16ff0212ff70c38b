"""Sub-networks of a once-for-all network: cut out, calibrated, evaluated, delivered."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lightlab import deploy, train
from lightlab.data import DataSet, Split
from lightlab.nets.build import Network
from lightlab.nets.elastic import ElasticNetwork, recalibrate
from lightlab.space.arch import Arch
from lightlab.space.decisions import Point

N_CALIBRATE = 2000  # training images, as in the authors' code


def at_resolution(images: Tensor, resolution: int) -> Tensor:
    """`images` (N, C, H, W) scaled to squares of so many pixels; as they are where they are so."""
    if images.shape[-2:] == (resolution, resolution):
        return images
    size = (resolution, resolution)
    return F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)


def split_at(split: Split, resolution: int) -> Split:
    """`split` with its images at that resolution."""
    return Split(at_resolution(split.x, resolution), split.y, split.groups)


def specialise(
    supernet: ElasticNetwork,
    arch: Arch | Point,
    images: Tensor,
    n_calibrate: int | None = N_CALIBRATE,
) -> Network:
    """The sub-network as a network of its own, in evaluation mode, its running statistics taken
    from `n_calibrate` of the training `images`, always the same ones; None keeps the supernet's.
    """
    network = supernet.extract(arch).to(memory_format=torch.channels_last).eval()
    return network if n_calibrate is None else calibrated(network, images, n_calibrate)


def calibrated(network: Network, images: Tensor, n: int = N_CALIBRATE) -> Network:
    """`network` in evaluation mode, its running statistics taken from `n` of the training `images`,
    always the same ones, at its own resolution.
    """
    drawn = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return recalibrate(network.eval(), at_resolution(images[drawn[:n]], network.arch.resolution))


def accuracies(
    supernet: ElasticNetwork,
    points: Iterable[Arch | Point],
    images: Tensor,
    split: Split,
    n_calibrate: int | None = N_CALIBRATE,
) -> np.ndarray:
    """Accuracy of each sub-network on `split` in %, (n,), calibrated as in `specialise`."""
    found, scaled = [], {}
    for point in points:
        network = specialise(supernet, point, images, n_calibrate)
        px = network.arch.resolution
        if px not in scaled:
            scaled[px] = split_at(split, px)
        found.append(100 * train.evaluate(network, scaled[px])["accuracy"])
    return np.array(found)


def deliver(network: Network, images: DataSet, path: Path) -> float:
    """Write a specialised network as an ONNX file for images of its own resolution; the largest
    difference between its answers and the network's on the test images.
    """
    facts = {k: getattr(images, k) for k in ("class_names", "mean", "std")}
    deploy.export_onnx(network.arch, network, path, **facts)
    shown = at_resolution(images.test.x, network.arch.resolution)
    return deploy.parity(network, path, shown)["max_abs_diff"]
