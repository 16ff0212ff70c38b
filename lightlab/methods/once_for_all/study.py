"""Once-for-All's experiments in small: does shrinking help, and what does sharing cost?"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import scipy

from lightlab import train
from lightlab.data import DataSet
from lightlab.measure import cost, stats
from lightlab.methods.once_for_all import subnets
from lightlab.methods.once_for_all.many import shrink_many
from lightlab.methods.once_for_all.phases import (
    Phase,
    expected_macs,
    progressive,
    sandwich,
    uniform,
)
from lightlab.methods.once_for_all.shrinking import N_ROWS, Shrunk
from lightlab.nets.build import Network
from lightlab.nets.elastic import ElasticNetwork
from lightlab.published import loader
from lightlab.search.beside import run_beside
from lightlab.space.decisions import Point
from lightlab.space.spaces import OfaSpace, Skeleton, like_mobilenet_v3

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
SCALES = (0.75, 1.0)  # resolutions, as shares of the images'


def small_space(
    images: DataSet,
    channels: Sequence[int],
    depth: int,
    kernels: Sequence[int],
    expands: Sequence[float],
    like_v3: bool = False,
) -> OfaSpace:
    """A once-for-all space for these images: a unit for each of `channels`, of up to `depth` layers
    and down to two fewer, in ProxylessNAS's style or MobileNetV3's; SpaceError as `OfaSpace`.
    """
    C, H, _ = images.input_shape
    classes = len(images.class_names)
    skeleton = Skeleton.small(H, C, classes, channels, layers=depth, widths=(1,))
    skeleton = like_mobilenet_v3(skeleton) if like_v3 else skeleton
    sides = sorted({max(8, round(H * scale / 8) * 8) for scale in SCALES})
    return OfaSpace(skeleton, kernels, expands, range(max(1, depth - 2), depth + 1), sides)


def phase_table(plan: Sequence[Phase], lr: float) -> pd.DataFrame:
    """The published phases beside those of `plan`, with the rates that come of `lr`."""
    table = loader.read_csv("ofa_phases.csv")
    table["epochs here"] = [round(phase.epochs, 2) for phase in plan]
    table["rate here"] = [lr * phase.lr for phase in plan]
    return table


def begin(
    task: Mapping[str, Any], passes: float, seeds: Sequence[int], **how: Any
) -> dict[int, Shrunk]:
    """The first phase for each seed: the full network; the history has rows on the way only for the
    first seed. `how` goes to `shrink_many`.
    """
    first = progressive(passes)[:1]
    jobs = {
        s: {"n_rows": N_ROWS if s == min(seeds) else 0, **task, "phases": first, "seed": s}
        for s in seeds
    }
    return shrink_many(jobs, **how)


def course(begun: Shrunk, after: Shrunk) -> pd.DataFrame:
    """The history of a shrinking with its first phase before it."""
    first, rest = begun.history, after.history
    return pd.concat([first, rest.assign(passes=rest["passes"] + first["passes"].iloc[-1])])


def spent(begun: Mapping[int, Shrunk], trained: Mapping[tuple[str, int], Shrunk]) -> pd.DataFrame:
    """What the trainings took, means over the seeds: arm, steps, passes, macs, seconds."""
    columns = ["steps", "passes", "macs", "seconds"]
    ends = [("full network, before", one.history.iloc[-1]) for one in begun.values()]
    ends += [(arm, one.history.iloc[-1]) for (arm, _), one in trained.items()]
    table = pd.DataFrame([{"arm": arm, **end[columns]} for arm, end in ends])
    return table.groupby("arm", sort=False).mean().reset_index()


def best_arm(on_validation: pd.DataFrame) -> str:
    """The arm of highest mean accuracy, of those that had equally many passes."""
    even = on_validation[on_validation["arm"] != AS_MUCH]
    return str(even.groupby("arm")["accuracy"].mean().idxmax())


def seconds(
    begun: Mapping[int, Shrunk], trained: Mapping[tuple[str, int], Shrunk], arm: str
) -> np.ndarray:
    """Of one core, for the whole training of an arm, by seed, (n,): with the first phase where it
    starts from that or is taught by it.
    """
    needed = arm not in (SANDWICH, UNIFORM + PLAIN)
    before = np.array([one.history["seconds"].iloc[-1] for one in begun.values()])
    own = [trained[arm, seed].history["seconds"].iloc[-1] for seed in begun]
    return np.array(own) + needed * before


def corners(space: OfaSpace) -> dict[str, Point]:
    """Figure 7's eight: least and greatest depth, width and kernel, as "D2 W3 K3"."""
    depths = sorted({d for options in space.depths for d in options})
    ends = [(options[0], options[-1]) for options in (depths, space.expands, space.kernels)]
    return {f"D{d} W{w:g} K{k}": space.corner(d, w, k) for d, w, k in product(*ends)}


def arms(
    task: Mapping[str, Any], passes: float, full: Mapping[int, ElasticNetwork]
) -> dict[tuple[str, int], dict[str, Any]]:
    """Trainings of equal length, for each seed of `full`: what the first phase left.

    From it shrinking goes on, and it teaches. All have as many passes, of which it is part in
    shrinking; for the others it comes on top. AS_MUCH has as many MACs as shrinking, its teacher's
    included, so it takes about as long. `task` are the arguments of `shrink` that all share; the
    history has rows on the way only for shrinking with the first seed.
    """
    space, rest = task["space"], progressive(passes)[1:]
    macs = expected_macs(space, rest, taught=True)
    even = passes * macs / expected_macs(space, uniform(passes), taught=True)
    plans: dict[str, tuple[tuple[Phase, ...], bool, bool]] = {  # phases, from full, taught
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


def on_corners(
    networks: Mapping[tuple[str, int], ElasticNetwork],
    images: DataSet,
    part: str = "test",
    **how: Any,
) -> pd.DataFrame:
    """Accuracy of the eight corners of every network on that part of the images: rows arm, seed,
    corner, accuracy (%).
    """
    jobs = {
        key: {
            "supernet": net,
            "points": list(corners(net.space).values()),
            "images": images.train.x,
            "split": getattr(images, part),
            **how,
        }
        for key, net in networks.items()
    }
    found = evaluated(jobs)
    rows = [
        (arm, seed, corner, value)
        for (arm, seed), values in found.items()
        for corner, value in zip(corners(networks[arm, seed].space), values, strict=True)
    ]
    return pd.DataFrame(rows, columns=["arm", "seed", "corner", "accuracy"])


def evaluated(jobs: Mapping[Hashable, dict[str, Any]]) -> dict[Any, np.ndarray]:
    """`subnets.accuracies` with each of these arguments, side by side."""
    macs = sum(
        cost.macs(job["supernet"].arch) * len(job["points"]) * 2 * len(job["split"])
        for job in jobs.values()
    )
    return run_beside(subnets.accuracies, jobs, macs)


def whole(supernets: Mapping[int, ElasticNetwork], images: DataSet) -> dict[int, Network]:
    """The largest sub-network of each, calibrated: what teaches the others."""
    return {
        seed: subnets.specialise(net, net.space.corner(), images.train.x)
        for seed, net in supernets.items()
    }


def alone(
    task: Mapping[str, Any],
    budgets: Mapping[str, float],
    teachers: Mapping[int, ElasticNetwork],
    **how: Any,
) -> pd.DataFrame:
    """The corners trained each by itself, for so many passes and seeds, taught by the full network;
    space, images and recipe are those of `task`.

    Rows arm (the budget's name), seed, corner, accuracy (test, %), samples, macs, seconds. `how`
    goes to `train.fit_many`.
    """
    space, images = task["space"], task["images"]
    recipe = replace(task["recipe"], temperature=1.0, teacher_weight=0.5)
    keys, jobs = [], []
    answers = whole(teachers, images)
    for seed, (corner, point) in product(teachers, corners(space).items()):
        arch = space.decode(point)
        learnt, test = (subnets.split_at(s, arch.resolution) for s in (images.train, images.test))
        for arm, passes in budgets.items():
            name, how_long = f"{corner} {arm} {seed}", replace(recipe, epochs=passes)
            keys.append((arm, seed, corner))
            jobs.append(
                train.Job(arch, learnt, how_long, seed, test=test, name=name, teacher=answers[seed])
            )
    spent = ["samples", "macs", "seconds"]
    rows = [
        (*key, 100 * one.metrics["test_accuracy"], *one.history[spent].iloc[-1])
        for key, one in zip(keys, train.fit_many(jobs, **how), strict=True)
    ]
    return pd.DataFrame(rows, columns=["arm", "seed", "corner", "accuracy", *spent])


def mean_gap(table: pd.DataFrame, a: str, b: str) -> np.ndarray:
    """Accuracy of arm `a` minus that of `b`, mean over the corners, by seed, (n,)."""
    wide = table.pivot(index=["seed", "corner"], columns="arm", values="accuracy")[[a, b]].dropna()
    return (wide[a] - wide[b]).groupby("seed").mean().to_numpy()


def gap_table(table: pd.DataFrame) -> pd.DataFrame:
    """`mean_gap` of all that is COMPARED: what, mean, ci_low, ci_high, n."""
    gaps = {what: mean_gap(table, *pair) for what, pair in COMPARED.items()}
    return stats.difference_table(gaps)


def agreement(table: pd.DataFrame, a: str, b: str) -> np.ndarray:
    """Kendall's tau between two arms over the corners, by seed, (n,)."""
    wide = table.pivot(index=["seed", "corner"], columns="arm", values="accuracy")[[a, b]].dropna()
    by = wide.groupby("seed")
    return np.array([scipy.stats.kendalltau(rows[a], rows[b]).statistic for _, rows in by])
