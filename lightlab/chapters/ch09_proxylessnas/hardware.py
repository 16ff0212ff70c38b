"""Settings of this machine to search for: their tables, and networks timed in each other's."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lightlab import latency
from lightlab.disk import Journal
from lightlab.methods.mnasnet import Meter, reward
from lightlab.methods.price import Price, predictions, price_latency
from lightlab.published import loader
from lightlab.space.arch import Arch
from lightlab.space.decisions import Point
from lightlab.space.proxyless import ProxylessSpace

PLAN = latency.Plan.brief(8)


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

    def fit(self) -> dict[str, float]:
        """How predictions fit measurements, see `latency.agreement`."""
        return latency.agreement(self.checked["predicted_ms"], self.checked["latency_ms"])


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


def predicted(space: ProxylessSpace, home: Device, points: Iterable[Point]) -> pd.DataFrame:
    """Predicted and measured latency of random networks and of `points`, timed now."""
    points = list(dict.fromkeys(points))
    ours = predictions(home.price, points, home.meter([space.decode(p) for p in points]))
    return pd.concat([home.checked.assign(kind="random"), ours.assign(kind="found")])


def crossed(networks: Mapping[tuple[str, int], Arch], plan: latency.Plan = PLAN) -> pd.DataFrame:
    """Networks, each searched for a setting, timed in all of these, seed by seed; times: over the
    latency of the setting's own network.
    """
    parts = []
    for seed in dict.fromkeys(s for _, s in networks):
        own = {setting: arch for (setting, s), arch in networks.items() if s == seed}
        cells = latency.measure_settings(own, own, plan)
        at_home = cells[cells["network"] == cells["setting"]].set_index("setting")["latency_ms"]
        times = cells["latency_ms"] / cells["setting"].map(at_home)
        parts.append(cells.assign(times=times, seed=seed))
    return pd.concat(parts)


def elsewhere(cells: pd.DataFrame) -> np.ndarray:
    """By seed, how much slower two networks are if they change places, geometric mean over the
    pairs of settings; above 1 each is better off where it was searched for.

    Of the pair, since a network that missed its target is faster or slower in both places.
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
    table = loader.read_csv("proxyless_cross_hardware.csv").set_index("specialised_for")
    names = list(table.index)
    ms = table[[f"{name.lower()}_latency_ms" for name in names]].set_axis(names, axis=1)
    rows = [(a, b, ms.loc[a, b], ms.loc[a, b] / ms.loc[b, b]) for a in names for b in names]
    return pd.DataFrame(rows, columns=["network", "setting", "latency_ms", "times"])
