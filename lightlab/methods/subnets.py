"""Sub-networks of a once-for-all network: cut out, calibrated, evaluated, sampled, delivered."""

import time
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from lightlab import deploy, train
from lightlab.data import DataSet, Split
from lightlab.measure import cost
from lightlab.methods.price import Price
from lightlab.nets.build import Network
from lightlab.nets.elastic import ElasticNetwork, recalibrate
from lightlab.space.arch import Arch
from lightlab.space.decisions import Point
from lightlab.space.once_for_all import OfaSpace
from lightlab.train.parallel import run_beside

N_CALIBRATE = 2000  # training images, as in the authors' code


def at_resolution(images: Tensor, resolution: int) -> Tensor:
    """`images` (N, C, H, W) scaled to squares of so many pixels."""
    if images.shape[-2:] == (resolution, resolution):
        return images
    size = (resolution, resolution)
    return F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)


def split_at(split: Split, resolution: int) -> Split:
    return Split(at_resolution(split.x, resolution), split.y, split.groups)


def specialise(
    supernet: ElasticNetwork,
    arch: Arch | Point,
    images: Tensor,
    n_calibrate: int | None = N_CALIBRATE,
) -> Network:
    """The sub-network as a network of its own, see `calibrate`; without `n_calibrate` it keeps the
    supernet's running statistics.
    """
    network = supernet.extract(arch).to(memory_format=torch.channels_last).eval()
    return network if n_calibrate is None else calibrate(network, images, n_calibrate)


def calibrate(network: Network, images: Tensor, n: int = N_CALIBRATE) -> Network:
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


@dataclass(frozen=True, eq=False)
class Samples:
    """Sub-networks that were really evaluated: `points` (n, decisions), `accuracy` (n,) in % on the
    validation images, `macs` (n,), and the `seconds` of one core that this took.
    """

    points: np.ndarray
    accuracy: np.ndarray
    macs: np.ndarray
    seconds: float


def sample(
    supernet: ElasticNetwork, images: DataSet, n: int, seed: int = 0, workers: int | None = None
) -> Samples:
    """`n` random sub-networks, no two alike where the space has as many, see `run_beside`."""
    space = supernet.space
    drawn = space.canonical(space.sample(np.random.default_rng(seed), 4 * n))
    points = np.array(list(dict.fromkeys(map(tuple, drawn.tolist())))[:n])
    parts = np.array_split(points, max(1, len(points) // 10))
    task = {"supernet": supernet, "images": images.train.x, "split": images.val}
    jobs = {i: task | {"points": part.tolist()} for i, part in enumerate(parts)}
    macs = Price.macs(space).of(points)
    found = run_beside(_timed, jobs, macs.sum() * 2 * len(images.val), workers)
    accuracy = np.concatenate([values for values, _ in found.values()])
    return Samples(points, accuracy, macs, sum(seconds for _, seconds in found.values()))


def _timed(**job: Any) -> tuple[np.ndarray, float]:
    begin = time.process_time()
    return accuracies(**job), time.process_time() - begin


def evaluate_many(jobs: Mapping[Hashable, dict[str, Any]]) -> dict[Any, np.ndarray]:
    """`accuracies` with each of these arguments by name, side by side."""
    macs = sum(
        cost.macs(job["supernet"].arch) * len(job["points"]) * 2 * len(job["split"])
        for job in jobs.values()
    )
    return run_beside(accuracies, jobs, macs)


def corners(space: OfaSpace) -> dict[str, Point]:
    """Figure 7's eight: least and greatest depth, width and kernel, as "D2 W3 K3"."""
    depths = sorted({d for options in space.depths for d in options})
    ends = [(options[0], options[-1]) for options in (depths, space.expands, space.kernels)]
    return {f"D{d} W{w:g} K{k}": space.corner(d, w, k) for d, w, k in product(*ends)}


def evaluate_corners(
    networks: Mapping[tuple[str, int], ElasticNetwork],
    images: DataSet,
    part: str = "test",
    n_calibrate: int | None = N_CALIBRATE,
) -> pd.DataFrame:
    """Accuracy of the eight corners of every network: rows arm, seed, corner, accuracy (%)."""
    task = {"images": images.train.x, "split": getattr(images, part), "n_calibrate": n_calibrate}
    jobs = {
        key: {"supernet": net, "points": list(corners(net.space).values()), **task}
        for key, net in networks.items()
    }
    rows = [
        (*key, corner, value)
        for key, values in evaluate_many(jobs).items()
        for corner, value in zip(corners(networks[key].space), values, strict=True)
    ]
    return pd.DataFrame(rows, columns=["arm", "seed", "corner", "accuracy"])


def largest(supernets: Mapping[int, ElasticNetwork], images: DataSet) -> dict[int, Network]:
    """The largest sub-network of each, calibrated: what teaches the others."""
    return {
        seed: specialise(net, net.space.corner(), images.train.x) for seed, net in supernets.items()
    }


def deliver(network: Network, images: DataSet, path: Path) -> float:
    """Write a specialised network as an ONNX file for images of its own resolution; the largest
    difference between its answers and the network's on the test images.
    """
    facts = {k: getattr(images, k) for k in ("class_names", "mean", "std")}
    deploy.export_onnx(network.arch, network, path, **facts)
    shown = at_resolution(images.test.x, network.arch.resolution)
    return deploy.parity(network, path, shown)["max_abs_diff"]
