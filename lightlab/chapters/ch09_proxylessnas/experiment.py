"""ProxylessNAS in small: searches by price of latency, others as fast, a network per device."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lightlab import latency, train
from lightlab.data import DataSet
from lightlab.disk import Journal
from lightlab.measure import stats
from lightlab.methods.architect import Settings
from lightlab.methods.baselines import comparable, match_latency, train_and_time
from lightlab.methods.mnasnet import Meter, reward
from lightlab.methods.price import Price, predictions, price_latency
from lightlab.methods.proxyless import Found, search, training_macs
from lightlab.published import read_csv
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

PLAN = latency.Plan.brief(8)

Key = tuple[str, int]  # of a search: its kind or the setting it is for, and its seed
Entry = tuple[str, int, Arch]


@dataclass(frozen=True, eq=False)
class Device:
    """A setting of this machine ("onnxruntime/1/1"): what times networks in it, their prices,
    random networks to check these on, and the latency asked for.
    """

    setting: str
    meter: Meter
    price: Price
    checked: pd.DataFrame
    target_ms: float


def small_space(images: DataSet, channels: Sequence[int], layers: int) -> ProxylessSpace:
    """The space for these images: a stage of so many layers for each of `channels`."""
    n_classes = len(images.class_names)
    return ProxylessSpace(Skeleton.small(images.input_shape, n_classes, channels, layers))


def measure(
    space: ProxylessSpace, setting: str, share: float, n: int, kept: Path, seed: int
) -> Device:
    """The prices in a setting, calibrated and checked on `n` networks each. The target is a `share`
    of the time of MobileNetV2's design; times are kept in the folder `kept`.
    """
    journal = Journal(kept / f"{setting.replace('/', ' ')}.jsonl")
    meter = Meter(space.decode(space.centre()), latency.Setting.of(setting), PLAN, journal)
    price, checked = price_latency(space, meter, n, n, seed)
    return Device(setting, meter, price, checked, share * price.of(space.centre()))


def kinds(
    recipe: train.Recipe, price: float, swept: Sequence[float], **learning: Any
) -> dict[str, Settings]:
    """Searches by name: each λ of `swept` and 0, one by target (`price` at twice it), REINFORCE."""
    weights = sorted({0.0, *swept})
    found = {f"λ = {w:g}": Settings(recipe, latency_weight=w, **learning) for w in weights}
    found[BY_TARGET] = Settings(recipe, latency_weight=price, limit=True, **learning)
    found[REINFORCE] = Settings(recipe, form="reinforce", latency_weight=0, **learning)
    return found


def search_many(
    space: ProxylessSpace,
    images: DataSet,
    jobs: Mapping[Key, tuple[Device, Settings]],
    resume: Path,
) -> dict[Key, Found]:
    """A search for each device and settings, side by side, see `run_beside`."""
    calls = {
        key: (space, images, device.price, device.target_ms, settings, key[1])
        for key, (device, settings) in jobs.items()
    }
    n_images = sum(train.samples(how.recipe, len(images.train)) for _, how in jobs.values())
    return run_beside(search, calls, training_macs(space) * n_images, resume=resume)


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


def random_as_fast(space: ProxylessSpace, price: Price, point: Point, seed: int) -> Point:
    """The first of 2,000 random points whose predicted latency is within 5 % of that of `point`;
    where there is none, the nearest.
    """
    drawn = [p for p in space.sample(np.random.default_rng(seed), 2000) if p != point]
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
            entries.append((name, seed, match_latency(arch, ms, home.meter)[0]))
    return entries


def compare(
    space: ProxylessSpace,
    images: DataSet,
    home: Device,
    found: Mapping[Key, Found],
    before: Path,
    recipe: train.Recipe,
    resume: Path,
) -> pd.DataFrame:
    """All `found` networks and the baselines trained alike; `before` is notebook 08's folder."""
    mnasnet = mnasnet_chose(before, space.decode(space.centre()))
    entries = baselines(space, home, found, mnasnet)
    entries += [(kind, seed, one.arch) for (kind, seed), one in found.items()]
    return train_and_time(entries, images, recipe, home.meter, resume=resume)


def compare_devices(
    fitted: Mapping[Key, Found],
    trained: pd.DataFrame,
    images: DataSet,
    recipe: train.Recipe,
    home: Device,
    resume: Path,
) -> pd.DataFrame:
    """The networks `fitted` to each setting trained alike, as those at `home` in `trained` were."""
    entries = [(name, s, one.arch) for (name, s), one in fitted.items() if name != home.setting]
    tested = train_and_time(entries, images, recipe, home.meter, resume=resume)
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
    if not comparable(trained, baseline, FOUND):
        return pd.Series(dtype=float)
    return stats.paired(trained, "accuracy", "name", FOUND, baseline)


def reward_gap(trained: pd.DataFrame, target_ms: float, exponent: float) -> pd.Series:
    """Reward of what REINFORCE found minus that of what was found by target, by seed."""
    worth = reward(trained["accuracy"], trained["latency_ms"], target_ms, exponent, exponent)
    return stats.paired(trained.assign(reward=worth), "reward", "name", REINFORCE, FOUND)


def search_cost(found: Mapping[Key, Found], trained: pd.DataFrame, before: Path) -> pd.DataFrame:
    """What a search took, means over the seeds; "over ours" in samples (images of both splits)."""
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


def predicted(space: ProxylessSpace, home: Device, points: Iterable[Point]) -> pd.DataFrame:
    """Predicted and measured latency of random networks and of `points`, timed now."""
    points = list(dict.fromkeys(points))
    ours = predictions(home.price, points, home.meter([space.decode(p) for p in points]))
    return pd.concat([home.checked.assign(kind="random"), ours.assign(kind="found")])


def crossed(networks: Mapping[Key, Arch]) -> pd.DataFrame:
    """Networks timed in each other's setting, by seed; times: over that of the setting's own."""
    parts = []
    for seed in dict.fromkeys(s for _, s in networks):
        own = {setting: arch for (setting, s), arch in networks.items() if s == seed}
        cells = latency.measure_settings(own, own, PLAN)
        at_home = cells[cells["network"] == cells["setting"]].set_index("setting")["latency_ms"]
        times = cells["latency_ms"] / cells["setting"].map(at_home)
        parts.append(cells.assign(times=times, seed=seed))
    return pd.concat(parts)


def elsewhere(cells: pd.DataFrame) -> np.ndarray:
    """By seed, how much slower two networks are if they change places, geometric mean over the
    pairs: of both, since one that missed its target is faster or slower in both places.
    """

    def mean(part: pd.DataFrame) -> float:
        wide = part.pivot(index="network", columns="setting", values="times")
        pairs = itertools.combinations(wide.index, 2)
        return np.exp(np.mean([np.log(wide.loc[a, b] * wide.loc[b, a]) / 2 for a, b in pairs]))

    return cells.groupby("seed")[["network", "setting", "times"]].apply(mean).to_numpy()


def tables(
    cells: pd.DataFrame, tested: pd.DataFrame, devices: Mapping[str, Device], exponent: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means over the seeds by the setting that a network is for: its time in all settings in µs,
    MACs and accuracy; and its worth in each, accuracy · (latency / target)^exponent.
    """
    names = list(devices)
    wide = cells.groupby(["network", "setting"])["latency_ms"].mean().unstack().loc[names, names]
    means = tested.groupby("name")[["macs", "accuracy"]].mean().loc[names]
    worth = {
        name: reward(means["accuracy"], wide[name], device.target_ms, exponent, exponent)
        for name, device in devices.items()
    }
    table = (1e3 * wide).add_prefix("µs, ").join(means)
    worth = pd.DataFrame(worth, index=pd.Index(names, name="network"))
    return table.reset_index(names="network"), worth.reset_index()


def published_crossed() -> pd.DataFrame:
    """The paper's three networks on its three devices, in the columns of `crossed`."""
    table = read_csv("proxyless_cross_hardware.csv").set_index("specialised_for")
    names = list(table.index)
    ms = table[[f"{name.lower()}_latency_ms" for name in names]].set_axis(names, axis=1)
    rows = [(a, b, ms.loc[a, b], ms.loc[a, b] / ms.loc[b, b]) for a in names for b in names]
    return pd.DataFrame(rows, columns=["network", "setting", "latency_ms", "times"])


def released_inside() -> int:
    """How many of the paper's three networks have a point in the ImageNet space of their widths."""
    archs = [scaling.get(f"proxyless_{device}") for device in ("mobile", "gpu", "cpu")]
    return sum(whereabouts(ProxylessSpace.of_widths(a), a) == INSIDE for a in archs)
