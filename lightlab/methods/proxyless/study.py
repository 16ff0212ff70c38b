"""ProxylessNAS's experiments in small: what stands beside a found network, and on which devices."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from lightlab import latency
from lightlab.methods import specialised
from lightlab.methods.proxy import Meter
from lightlab.methods.proxyless.additive import Additive, look_up_table
from lightlab.methods.proxyless.run import Found
from lightlab.published import loader
from lightlab.search.draws import SearchError
from lightlab.space.arch import Arch, catalog, decode, scaling
from lightlab.space.decisions import Point
from lightlab.space.spaces import INSIDE, ProxylessSpace, whereabouts

FOUND, NARROWED = "found", "no latency term, narrowed"
RANDOM, MOBILENET = "random, as fast", "MobileNetV2, as fast"
MNASNET, BY_TARGET = "MnasNet (08), as fast", "λ by target"
Time = Callable[[Sequence[Arch]], Sequence[float]]
Entry = tuple[str, int, Arch]


def curves(found: Mapping[str, Found]) -> pd.DataFrame:
    """The histories of several searches, with their name as `search`."""
    return pd.concat([f.history.assign(search=name) for name, f in found.items()])


def random_as_fast(
    space: ProxylessSpace, price: Additive, point: Point, seed: int, n: int = 2000
) -> Point:
    """The first of `n` random points, other than `point`, whose predicted latency is within 5 % of
    its; where there is none, the nearest of them. SearchError where nothing else is drawn.
    """
    drawn = [p for p in space.sample(np.random.default_rng(seed), n) if p != tuple(point)]
    if not drawn:
        raise SearchError(f"{space!r} holds no other network to compare with")
    off = [abs(np.log(price.of(p) / price.of(point))) for p in drawn]
    close = (i for i, distance in enumerate(off) if distance < 0.05)
    return drawn[next(close, int(np.argmin(off)))]


def rivals(
    space: ProxylessSpace,
    price: Additive,
    time: Time,
    found: Mapping[int, Arch],
    unconstrained: Mapping[int, Arch],
    mnasnet: Arch,
) -> list[Entry]:
    """By seed, the `found` network and others of its latency, measured by `time`: what the search
    without a latency term chose, narrowed; a random network of the space; MobileNetV2's design;
    what another search found (`mnasnet`).
    """
    entries: list[Entry] = []
    centre = space.decode(space.centre())
    for seed, arch in found.items():
        (ms,) = time([arch])
        drawn = space.decode(random_as_fast(space, price, space.find(arch), seed))
        entries += [
            (FOUND, seed, arch),
            (NARROWED, seed, specialised.as_fast(unconstrained[seed], ms, time)[0]),
            (RANDOM, seed, specialised.as_fast(drawn, ms, time)[0]),
            (MOBILENET, seed, specialised.as_fast(centre, ms, time)[0]),
            (MNASNET, seed, specialised.as_fast(mnasnet, ms, time)[0]),
        ]
    return entries


def mnasnet_chose(folder: Path, like: Arch) -> Arch:
    """The network of highest reward that the soft search of notebook 08 tried, whose results lie in
    `folder`, for the images of `like`.
    """
    trials = pd.read_csv(folder / "trials.csv")
    soft = trials[trials["arm"] == "soft"]
    best = soft.loc[soft["reward"].idxmax(), "arch"]
    size = {"resolution": like.resolution, "in_channels": like.in_channels}
    return scaling.adapt(decode(best), **size, n_classes=like.n_classes)


def crossed(networks: Mapping[str, Arch], plan: latency.Plan | None = None) -> pd.DataFrame:
    """Networks that were searched for a setting each (their names), timed in all of these.

    Rows network, setting, latency_ms, times (latency over that of the setting's own network).
    """
    cells = latency.measure_settings(networks, networks, plan)
    own = cells[cells["network"] == cells["setting"]].set_index("setting")["latency_ms"]
    return cells.assign(times=cells["latency_ms"] / cells["setting"].map(own))


def elsewhere(cells: pd.DataFrame) -> np.ndarray:
    """By seed, how much slower two networks are if they change places: for each pair of settings
    the root of the product of both `times`, geometric mean over the pairs, (n,); above 1 each is
    better off where it was searched for.

    Of the pair, since a network that missed its target is faster or slower in both places.
    """

    def mean(part: pd.DataFrame) -> float:
        wide = part.pivot(index="network", columns="setting", values="times")
        pairs = itertools.combinations(wide.index, 2)
        return np.exp(np.mean([np.log(wide.loc[a, b] * wide.loc[b, a]) / 2 for a, b in pairs]))

    return cells.groupby("seed")[["network", "setting", "times"]].apply(mean).to_numpy()


def shapes(space: ProxylessSpace, points: Mapping[str, Point]) -> pd.DataFrame:
    """What stands at every position: network, position, stage, kernel, expand_ratio (both 0 where
    the block is left out), stride.
    """
    rows = []
    for name, point in points.items():
        for position, i in zip(space.positions, point, strict=True):
            block = list(position.candidates.values())[i]
            there = (block.kernel_size, block.expand_ratio, block.stride) if block else (0, 0, 1)
            rows.append((name, position.name, int(position.name.split(".")[0]), *there))
    columns = ["network", "position", "stage", "kernel", "expand_ratio", "stride"]
    return pd.DataFrame(rows, columns=columns)


def moments(history: pd.DataFrame, n: int = 4) -> dict[str, Point]:
    """The likeliest network at `n` moments of a search, from beginning to end, by step."""
    at = np.unique(np.linspace(0, len(history) - 1, n).round().astype(int))
    return {
        f"step {row.step}": tuple(map(int, row.point.split("-")))
        for row in history.iloc[at].itertuples()
    }


def priced(
    space: ProxylessSpace, meter: Meter, n: int, seed: int = 0
) -> tuple[Additive, pd.DataFrame]:
    """Latencies of all candidates in the setting of `meter`, and how far they are right: see
    `calibrated_table`, its others as in `predictions`. What the meter's journal holds already is
    not measured again: a search goes on only with the prices that it began with.
    """
    if not meter.journal.of("priced"):
        table, others = calibrated_table(space, meter, n, seed)
        price = Additive.latency_ms(space, table)
        checked = predictions(price, others, others.values()).to_dict("list")
        meter.journal.add(kind="priced", **asdict(price), checked=checked)
    (row,) = meter.journal.of("priced")
    price = Additive(row["fixed"], tuple(map(tuple, row["candidates"])))
    return price, pd.DataFrame(row["checked"])


def calibrated_table(
    space: ProxylessSpace, meter: Meter, n: int, seed: int = 0
) -> tuple[latency.LookupTable, dict[Point, float]]:
    """The look-up table of all candidates in the setting of `meter`, measured now and calibrated on
    `n` networks of the space: the smallest, the largest, and random ones, which alone are too alike
    for a busy machine. And the latencies of `n` random others, timed in turn with these: what the
    machine did in the meantime is in both.
    """
    how = meter.setting
    table = look_up_table(
        space, meter.plan, runtime=how.runtime, threads=how.threads, batch=how.batch
    )
    drawn = space.sample(np.random.default_rng([seed, 1]), 2 * n - 2)
    points = [space.smallest(), space.largest(), *drawn]
    archs = [space.decode(point) for point in points]
    ms = meter(archs)
    others = dict(zip(points[n:], ms[n:], strict=True))
    return table.calibrate(archs[:n], ms[:n]), others


def predictions(
    price: Additive, points: Iterable[Point], latency_ms: Iterable[float]
) -> pd.DataFrame:
    """predicted_ms of points, beside their measured latency_ms."""
    predicted = [price.of(point) for point in points]
    return pd.DataFrame({"predicted_ms": predicted, "latency_ms": list(latency_ms)})


def published_crossed() -> pd.DataFrame:
    """The paper's three networks on its three devices, in the columns of `crossed`."""
    table = loader.read_csv("proxyless_cross_hardware.csv").set_index("specialised_for")
    names = list(table.index)
    ms = table[[f"{name.lower()}_latency_ms" for name in names]].set_axis(names, axis=1)
    return pd.DataFrame(
        {
            "network": a,
            "setting": b,
            "latency_ms": ms.loc[a, b],
            "times": ms.loc[a, b] / ms.loc[b, b],
        }
        for a in names
        for b in names
    )


def released_inside() -> int:
    """How many of the paper's three networks have a point in the ImageNet space of their widths."""
    archs = [catalog.get(f"proxyless_{device}") for device in ("mobile", "gpu", "cpu")]
    return sum(whereabouts(ProxylessSpace.of_widths(a), a) == INSIDE for a in archs)
