"""ProxylessNAS in small: searches by price of latency, others as fast, a network per device."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lightlab import train
from lightlab.chapters.ch09_proxylessnas.hardware import Device
from lightlab.data import DataSet
from lightlab.measure import stats
from lightlab.methods import comparison, subnets
from lightlab.methods.architect import Settings
from lightlab.methods.mnasnet import reward
from lightlab.methods.price import Price
from lightlab.methods.proxyless import Found, search, training_macs
from lightlab.search.searcher import SearchError
from lightlab.space import scaling
from lightlab.space.arch import Arch, decode
from lightlab.space.decisions import Point
from lightlab.space.mnasnet import INSIDE, whereabouts
from lightlab.space.proxyless import ProxylessSpace
from lightlab.space.skeleton import Skeleton
from lightlab.train.parallel import run_beside

FREE, BY_TARGET, REINFORCE = "λ = 0", "λ by target", "REINFORCE"
FOUND, NARROWED = "found", "no latency term, narrowed"
RANDOM, MOBILENET = "random, as fast", "MobileNetV2, as fast"
MNASNET = "MnasNet (08), as fast"

Key = tuple[str, int]  # of a search: its kind or the setting it is for, and its seed
Entry = tuple[str, int, Arch]


def small_space(images: DataSet, channels: Sequence[int], layers: int) -> ProxylessSpace:
    """The space for these images: a stage of so many layers for each of `channels`."""
    n_classes = len(images.class_names)
    return ProxylessSpace(Skeleton.small(images.input_shape, n_classes, channels, layers))


def kinds(
    recipe: train.Recipe, price: float, swept: Sequence[float], **learning: Any
) -> dict[str, Settings]:
    """Searches by name: with each λ of `swept` and none, with one that follows the target (`price`
    at twice the target), and by REINFORCE.
    """
    weights = sorted({0.0, *swept})
    found = {f"λ = {w:g}": Settings(recipe, latency_weight=w, **learning) for w in weights}
    found[BY_TARGET] = Settings(recipe, latency_weight=price, limit=True, **learning)
    found[REINFORCE] = Settings(recipe, form="reinforce", latency_weight=0, **learning)
    return found


def search_many(
    space: ProxylessSpace,
    images: DataSet,
    jobs: Mapping[Key, tuple[Device, Settings]],
    workers: int | None = None,
    resume: Path | None = None,
) -> dict[Key, Found]:
    """A search for each device and settings, side by side, see `run_beside`."""
    calls = {
        key: (space, images, device.price, device.target_ms, settings, key[1])
        for key, (device, settings) in jobs.items()
    }
    n_images = (train.samples(how.recipe, len(images.train)) for _, how in jobs.values())
    return run_beside(search, calls, training_macs(space) * sum(n_images), workers, resume)


def curves(found: Mapping[str, Found]) -> pd.DataFrame:
    """The histories of several searches, with their name as `search`."""
    return pd.concat([one.history.assign(search=name) for name, one in found.items()])


def moments(history: pd.DataFrame, n: int = 4) -> dict[str, Point]:
    """The likeliest network at `n` moments of a search, from beginning to end, by step."""
    at = np.unique(np.linspace(0, len(history) - 1, n).round().astype(int))
    rows = history.iloc[at].itertuples()
    return {f"step {row.step}": tuple(map(int, row.point.split("-"))) for row in rows}


def shapes(space: ProxylessSpace, points: Mapping[str, Point]) -> pd.DataFrame:
    """The blocks of each network; kernel and expand_ratio are 0 where one is left out."""
    rows = []
    for name, point in points.items():
        for position, i in zip(space.positions, point, strict=True):
            block = list(position.candidates.values())[i]
            there = (block.kernel_size, block.expand_ratio, block.stride) if block else (0, 0, 1)
            rows.append((name, position.name, int(position.name.split(".")[0]), *there))
    columns = ["network", "position", "stage", "kernel", "expand_ratio", "stride"]
    return pd.DataFrame(rows, columns=columns)


def mnasnet_chose(folder: Path, like: Arch) -> Arch:
    """The best of notebook 08's soft search (results: `folder`), for the images of `like`."""
    trials = pd.read_csv(folder / "trials.csv")
    soft = trials[trials["arm"] == "soft"]
    best = soft.loc[soft["reward"].idxmax(), "arch"]
    size = {"resolution": like.resolution, "in_channels": like.in_channels}
    return scaling.adapt(decode(best), **size, n_classes=like.n_classes)


def random_as_fast(
    space: ProxylessSpace, price: Price, point: Point, seed: int, n: int = 2000
) -> Point:
    """The first of `n` random points whose predicted latency is within 5 % of that of `point`;
    where there is none, the nearest. SearchError where nothing else is drawn.
    """
    drawn = [p for p in space.sample(np.random.default_rng(seed), n) if p != tuple(point)]
    if not drawn:
        raise SearchError(f"{space!r} holds no other network to compare with")
    off = np.abs(np.log(price.of(drawn) / price.of(point)))
    close = (i for i, distance in enumerate(off) if distance < 0.05)
    return drawn[next(close, int(np.argmin(off)))]


def baselines(
    space: ProxylessSpace, home: Device, found: Mapping[Key, Found], mnasnet: Arch
) -> list[Entry]:
    """By seed, the network found by target and others of its measured latency."""
    entries, centre = [], space.decode(space.centre())
    for seed in (s for kind, s in found if kind == BY_TARGET):
        mine, free = found[BY_TARGET, seed], found[FREE, seed].arch
        (ms,) = home.meter([mine.arch])
        drawn = space.decode(random_as_fast(space, home.price, mine.point, seed))
        others = {NARROWED: free, RANDOM: drawn, MOBILENET: centre, MNASNET: mnasnet}
        entries.append((FOUND, seed, mine.arch))
        for name, arch in others.items():
            entries.append((name, seed, comparison.match_latency(arch, ms, home.meter)[0]))
    return entries


def compare(
    space: ProxylessSpace,
    images: DataSet,
    home: Device,
    found: Mapping[Key, Found],
    before: Path,
    recipe: train.Recipe,
    resume: Path | None = None,
) -> pd.DataFrame:
    """All `found` networks and the baselines trained alike; `before` is notebook 08's folder."""
    mnasnet = mnasnet_chose(before, space.decode(space.centre()))
    entries = baselines(space, home, found, mnasnet)
    entries += [(kind, seed, one.arch) for (kind, seed), one in found.items()]
    return comparison.train_and_time(entries, images, recipe, home.meter, resume=resume)


def compare_devices(
    fitted: Mapping[Key, Found],
    trained: pd.DataFrame,
    images: DataSet,
    recipe: train.Recipe,
    home: Device,
    resume: Path | None = None,
) -> pd.DataFrame:
    """The networks `fitted` to each setting trained alike; those for `home` are in `trained`
    already.
    """
    entries = [(name, s, one.arch) for (name, s), one in fitted.items() if name != home.setting]
    tested = comparison.train_and_time(entries, images, recipe, home.meter, resume=resume)
    at_home = trained[trained["name"] == FOUND].assign(name=home.setting)
    return pd.concat([at_home, tested])


def summary(trained: pd.DataFrame, target_ms: float) -> pd.DataFrame:
    """By name: accuracy, its interval over the seeds and their number, latency / target, MACs."""
    table = stats.grouped_ci(trained, "name", "accuracy").rename(columns={"mean": "accuracy"})
    means = trained.groupby("name", sort=False)[["latency_ms", "macs"]].mean()
    table["latency / target"] = (means["latency_ms"] / target_ms).to_numpy()
    return table.assign(MACs=means["macs"].to_numpy())


def gap(trained: pd.DataFrame, baseline: str) -> pd.Series:
    """Accuracy found minus that of `baseline`, by seed; empty where these are not comparable."""
    if not comparison.comparable(trained, baseline, FOUND):
        return pd.Series(dtype=float)
    return stats.paired(trained, "accuracy", "name", FOUND, baseline)


def reward_gap(trained: pd.DataFrame, target_ms: float, exponent: float) -> pd.Series:
    """Reward of what REINFORCE found minus that of what was found by target, by seed."""
    worth = reward(trained["accuracy"], trained["latency_ms"], target_ms, exponent, exponent)
    return stats.paired(trained.assign(reward=worth), "reward", "name", REINFORCE, FOUND)


def deliver(
    arch: Arch, images: DataSet, recipe: train.Recipe, seed: int, path: Path, resume: Path
) -> float:
    """Train a network and write it as an ONNX file, see `subnets.deliver`."""
    job = train.Job(arch, images.train, recipe, seed)
    done = train.train_each({0: job}, resume=resume)
    return subnets.deliver(done[0].network(), images, path)


def search_cost(found: Mapping[Key, Found], trained: pd.DataFrame, before: Path) -> pd.DataFrame:
    """What a search took, means over the seeds; "over ours" in samples (images of both splits).
    Beside ours notebook 08's, as it was and with the 8,000 networks of MnasNet's paper.
    """
    columns = ["samples", "macs", "seconds"]
    spent = pd.DataFrame([one.history.iloc[-1] for one in found.values()])
    spent["kind"] = [kind for kind, _ in found]
    table = spent.groupby("kind", sort=False)[columns].mean()
    paid = pd.read_csv(before / "tables" / "cost.csv").set_index("arm").loc["soft"]
    theirs = paid[["samples", "train_macs", "seconds"]].to_numpy()
    here, published = "MnasNet here (notebook 08)", "MnasNet with 8,000 networks"
    table.loc[here], table.loc[published] = theirs, theirs * 8000 / paid["networks"]
    table["over ours"] = table["samples"] / table.loc[BY_TARGET, "samples"]
    accuracy = trained.groupby("name", sort=False)["accuracy"].mean().rename({MNASNET: here})
    table["accuracy"] = accuracy.reindex(table.index)
    return table.reset_index()


def released_inside() -> int:
    """How many of the paper's three networks have a point in the ImageNet space of their widths."""
    archs = [scaling.get(f"proxyless_{device}") for device in ("mobile", "gpu", "cpu")]
    return sum(whereabouts(ProxylessSpace.of_widths(a), a) == INSIDE for a in archs)
