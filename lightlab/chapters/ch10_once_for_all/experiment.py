"""Once-for-All in small: what nests in a supernet, what shrinking is worth, what sharing costs."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy
import torch

from lightlab import train
from lightlab.data import DataSet
from lightlab.measure import cost, stats
from lightlab.methods import subnets
from lightlab.methods.phases import expected_macs, progressive, sandwich, uniform
from lightlab.methods.shrinking import N_ROWS, Shrunk
from lightlab.nets import weights
from lightlab.nets.elastic import ElasticNetwork
from lightlab.published import read_csv
from lightlab.space.once_for_all import OFA_MOBILENET_V3, OfaSpace, like_mobilenet_v3
from lightlab.space.skeleton import Skeleton

PROGRESSIVE, UNIFORM, SANDWICH = "progressive", "uniform", "sandwich"
EVEN = "progressive, equal rates"  # all phases begin at the first one's rate
PLAIN = ", labels only"
AS_MUCH = "uniform, equal MACs"
# What is compared, and with what, corner by corner.
COMPARED = {
    "shrinking − uniform": (PROGRESSIVE, UNIFORM),
    "shrinking − uniform with equal MACs": (PROGRESSIVE, AS_MUCH),
    "shrinking at equal rates − uniform": (EVEN, UNIFORM),
    "shrinking at equal rates − with equal MACs": (EVEN, AS_MUCH),
    "shrinking − sandwich": (PROGRESSIVE, SANDWICH),
    "shrinking: taught − labels only": (PROGRESSIVE, PROGRESSIVE + PLAIN),
    "uniform: taught − labels only": (UNIFORM, UNIFORM + PLAIN),
    "labels only: shrinking − uniform": (PROGRESSIVE + PLAIN, UNIFORM + PLAIN),
}
ORDERS = SORTED, UNSORTED, RANDOM = "by importance", "as trained", "random"
INHERITED = "inherited"

Trained = dict[tuple[str, int], Shrunk]  # by arm and seed


def small_space(
    images: DataSet,
    channels: Sequence[int],
    depth: int,
    kernels: Sequence[int],
    expands: Sequence[float],
    like_v3: bool = False,
) -> OfaSpace:
    """A space for these images: a unit for each of `channels`, of up to `depth` layers and down to
    two fewer, in ProxylessNAS's style or MobileNetV3's.
    """
    skeleton = Skeleton.small(images.input_shape, len(images.class_names), channels, depth)
    skeleton = like_mobilenet_v3(skeleton) if like_v3 else skeleton
    sides = sorted({max(8, round(skeleton.resolution * scale / 8) * 8) for scale in (0.75, 1)})
    return OfaSpace(skeleton, kernels, expands, range(max(1, depth - 2), depth + 1), sides)


def published_space() -> dict[str, float]:
    """Of the paper's: networks, weights of the supernet and MACs of a sub-network, in millions."""
    space = OfaSpace(OFA_MOBILENET_V3)
    n_weights = sum(p.numel() for p in ElasticNetwork(space).parameters())
    macs = round(cost.macs(space.decode(space.corner(4, 3, 3))) / 1e6)
    return {"networks": space.n_archs(), "weights": n_weights / 1e6, "macs": macs}


def elastic_layers(space: OfaSpace) -> pd.DataFrame:
    """What can be cut from every layer; channels are hidden ones, optional: in deeper networks."""
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


def kernel_values(network: ElasticNetwork) -> pd.DataFrame:
    """The first layer's strongest channel at every kernel size."""
    layer = network.elastic[0].depthwise
    channel = int(layer.conv.weight.detach().abs().sum((1, 2, 3)).argmax())
    before, rows = layer.active_kernel, []
    for size in layer.kernels:
        layer.active_kernel = size
        grid = layer.weight().detach()[channel, 0]
        rows += [(size, i, j, float(grid[i, j])) for i, j in np.ndindex(*grid.shape)]
    layer.active_kernel = before
    return pd.DataFrame(rows, columns=["kernel", "row", "column", "value"])


def importance(network: ElasticNetwork, block: int) -> pd.DataFrame:
    """Importance of one layer's channels, as trained and sorted."""
    values = network.elastic[block].importance().numpy()
    orders = pd.DataFrame({UNSORTED: values, SORTED: np.sort(values)[::-1]})
    return orders.rename_axis("channel").reset_index().melt("channel", var_name="order")


def sort_or_not(
    full: Mapping[int, ElasticNetwork], images: DataSet
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Validation accuracy of the full network cut to each width, by order, and the means."""
    rows = []
    for seed, trained in full.items():
        space = trained.space
        points = {e: space.corner(expand=e) for e in space.expands[:-1]}
        for order in ORDERS:
            net = copy.deepcopy(trained)
            if order != UNSORTED:
                generator = torch.Generator().manual_seed(seed) if order == RANDOM else None
                net.sort_channels(generator=generator)
            found = subnets.accuracies(net, points.values(), images.train.x, images.val)
            rows += [(seed, order, e, value) for e, value in zip(points, found, strict=True)]
    cut = pd.DataFrame(rows, columns=["seed", "order", "expand", "accuracy"])
    return cut, stats.grouped_ci(cut, ["order", "expand"], "accuracy")


def calibrate(networks: Mapping[int, ElasticNetwork], images: DataSet) -> pd.DataFrame:
    """Accuracy of each network's corners (validation images) with the supernet's own statistics, a
    new network's, and those of 200 and of 2,000 images, or all.
    """
    most, parts = min(subnets.N_CALIBRATE, len(images.train)), []
    for n in dict.fromkeys([None, 0, min(200, most), most]):
        keyed = {(INHERITED if n is None else f"{n:,}", s): net for s, net in networks.items()}
        parts.append(subnets.evaluate_corners(keyed, images, "val", n))
    table = pd.concat(parts).rename(columns={"arm": "images"}).sort_values("seed", kind="stable")
    return table[["seed", "images", "corner", "accuracy"]]


def largest_difference(network: ElasticNetwork, n: int, seed: int = 0) -> np.ndarray:
    """Of outputs of `n` random sub-networks, inside and cut out, over the largest output, (n,)."""
    generator, found = torch.Generator().manual_seed(seed), []
    for point in network.space.sample(np.random.default_rng(seed), n):
        network.activate(point)
        x = torch.randn(4, *network.active_arch.input_shape, generator=generator)
        with torch.no_grad():
            inside, outside = network(x), network.extract(point)(x)
        found.append(float((inside - outside).abs().max() / inside.abs().max()))
    return np.array(found)


def phase_table(passes: float, lr: float) -> pd.DataFrame:
    """The published phases beside those of so many passes, with the rates that come of `lr`."""
    plan = progressive(passes)
    epochs, rates = zip(*((round(phase.epochs, 2), lr * phase.lr) for phase in plan), strict=True)
    table = read_csv("ofa_phases.csv")
    return table.assign(**{"epochs here": epochs, "rate here": rates})


def arms(
    task: Mapping[str, Any], passes: float, full: Mapping[int, ElasticNetwork]
) -> dict[tuple[str, int], dict[str, Any]]:
    """Arguments of trainings of equal length, for each seed of `full`: what the first phase left.

    From it shrinking goes on, and it teaches: part of the passes in shrinking, on top for the
    others. AS_MUCH has as many MACs as shrinking, teacher included. `task` is what all share.
    """
    space, rest = task["space"], progressive(passes)[1:]
    macs = expected_macs(space, rest, taught=True)
    even = passes * macs / expected_macs(space, uniform(passes), taught=True)
    plans = {  # phases, from the full network or anew, taught by it or not
        PROGRESSIVE: (rest, True, True),
        EVEN: (progressive(passes, fall=0)[1:], True, True),
        PROGRESSIVE + PLAIN: (rest, True, False),
        UNIFORM: (uniform(passes), False, True),
        UNIFORM + PLAIN: (uniform(passes), False, False),
        AS_MUCH: (uniform(even), False, True),
        SANDWICH: (sandwich(passes), False, False),
    }
    return {
        (arm, seed): {
            **task,
            "phases": phases,
            "seed": seed,
            "start": network if begun else None,
            "teacher": network if taught else None,
            "n_rows": N_ROWS if (arm, seed) == (PROGRESSIVE, min(full)) else 0,
        }
        for arm, (phases, begun, taught) in plans.items()
        for seed, network in full.items()
    }


def spent(begun: Mapping[int, Shrunk], trained: Trained) -> pd.DataFrame:
    """What the trainings took, means over the seeds."""
    columns = ["steps", "passes", "macs", "seconds"]
    before = {("full network, before", seed): one for seed, one in begun.items()}
    ends = (before | trained).items()
    rows = [(arm, *one.history[columns].iloc[-1]) for (arm, _), one in ends]
    table = pd.DataFrame(rows, columns=["arm", *columns])
    return table.groupby("arm", sort=False).mean().reset_index()


def seconds(begun: Mapping[int, Shrunk], trained: Trained, arm: str) -> np.ndarray:
    """Of one core, for an arm's training by seed, (n,), with the first phase where that counts."""
    needed = arm not in (SANDWICH, UNIFORM + PLAIN)
    before = np.array([one.history["seconds"].iloc[-1] for one in begun.values()])
    own = [trained[arm, seed].history["seconds"].iloc[-1] for seed in begun]
    return np.array(own) + needed * before


def compare_arms(trained: Trained, images: DataSet) -> tuple[str, pd.DataFrame]:
    """The best arm of equally many passes by validation, and the tested corners of all arms."""
    networks = {key: one.network for key, one in trained.items()}
    even = {key: network for key, network in networks.items() if key[0] != AS_MUCH}
    means = subnets.evaluate_corners(even, images, "val").groupby("arm")["accuracy"].mean()
    return str(means.idxmax()), subnets.evaluate_corners(networks, images)


def alone(
    task: Mapping[str, Any],
    budgets: Mapping[str, float],
    teachers: Mapping[int, ElasticNetwork],
    **how: Any,
) -> pd.DataFrame:
    """The corners trained each by itself, for so many passes and seeds, taught by the full network;
    arm: the budget's name; `task` as in `arms`; `how` goes to `train.start`.
    """
    space, images = task["space"], task["images"]
    recipe = replace(task["recipe"], temperature=1.0, teacher_weight=0.5)
    jobs, answers = {}, subnets.largest(teachers, images)
    for seed, (corner, point) in product(teachers, subnets.corners(space).items()):
        arch = space.decode(point)
        learnt, test = (subnets.split_at(s, arch.resolution) for s in (images.train, images.test))
        for arm, passes in budgets.items():
            job = train.Job(arch, learnt, replace(recipe, epochs=passes), seed, test=test)
            jobs[corner, arm, seed] = replace(job, teacher=answers[seed])
    table = train.tabulate(train.train_each(jobs, **how), "corner", "arm", "seed")
    return table[["arm", "seed", "corner", "accuracy", "samples", "macs", "seconds"]]


def corner_gap(corners: pd.DataFrame, a: str, b: str) -> pd.Series:
    """Accuracy of arm `a` minus that of `b`, mean over the corners that both have, by seed."""
    return stats.paired(corners, "accuracy", "arm", a, b, on=["seed", "corner"])


def gap_table(corners: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Of all COMPARED; and the paper's first by corner (points)."""
    gaps = {what: corner_gap(corners, *pair) for what, pair in COMPARED.items()}
    return stats.difference_table(gaps), read_csv("ofa_ablation.csv")["gain"]


def agreement(corners: pd.DataFrame, a: str, b: str) -> np.ndarray:
    """Kendall's tau between two arms over the corners, by seed, (n,)."""
    wide = corners.pivot(index=["seed", "corner"], columns="arm", values="accuracy")
    by = wide[[a, b]].dropna().groupby("seed")
    return np.array([scipy.stats.kendalltau(rows[a], rows[b]).statistic for _, rows in by])


def save_elastic(network: ElasticNetwork, path: Path | str) -> None:
    """Write the weights and the space of `network` to `path`; ValueError where that fails."""
    weights.write(network, path, network.space.identity())


def load_elastic(path: Path | str, space: OfaSpace) -> ElasticNetwork:
    """The network over `space` that `save_elastic` wrote, on the CPU, in evaluation mode;
    ValueError where the file is missing, damaged, or of another space.
    """
    state, about = weights.read(path)
    mine = space.identity()
    if about != mine:
        other = sorted(key for key in mine.keys() | about if about.get(key) != mine.get(key))
        raise ValueError(
            f"{path}: is no once-for-all network of this space, it differs in {', '.join(other)}"
        )
    network = ElasticNetwork(space)
    weights.fill(network, state, path)
    return network.eval()
