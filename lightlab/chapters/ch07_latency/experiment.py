"""The papers' networks timed in several settings: does counting predict time, and what does int8?

A setting is written "runtime threads", e.g. "onnxruntime 1".
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lightlab import deploy, latency, train
from lightlab.data import DataSet
from lightlab.latency.latencies import Timings, Visits
from lightlab.latency.setting import load
from lightlab.latency.timing import Plan, interleave
from lightlab.measure import stats
from lightlab.nets.build import build
from lightlab.nets.weights import save_weights
from lightlab.published import read_csv
from lightlab.space import scaling
from lightlab.space.arch import Arch
from lightlab.space.scaling import adapt

MIN_NETWORKS = 6  # fewer say nothing about ranks
# how names of networks begin, longest first, and the family that readers know
_FAMILIES = {
    "mobilenet_v1_full": "full convolutions",
    "mobilenet_v1": "MobileNetV1",
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v3": "MobileNetV3",
    "mnasnet": "MnasNet",
    "proxyless": "ProxylessNAS",
    "ofa": "OFA",
}


def _published() -> tuple[pd.DataFrame, pd.DataFrame]:
    """MnasNet's table 6, and ProxylessNAS's networks on several devices, by network."""
    files = ("mnasnet_table6.csv", "proxyless_cross_hardware.csv")
    return tuple(read_csv(file).set_index("arch") for file in files)


def compared() -> list[str]:
    """Names of the papers' networks: MobileNetV1, those of MnasNet's table 6, ProxylessNAS's."""
    return ["mobilenet_v1", *(name for table in _published() for name in table.index)]


def networks(
    names: Sequence[str], families: Sequence[str], widths: Sequence[float], resolution: int
) -> dict[str, Arch]:
    """Networks for images of `resolution` px: `names` of the catalog and those that begin as one of
    `families`, A1 without squeeze-excite, MobileNetV1 and V2 of other `widths`.
    """
    chosen = [n for n in scaling.names() if n in names or n.startswith(tuple(families))]
    found = {name: scaling.get(name, resolution=resolution) for name in chosen}
    a1 = found["mnasnet_a1"]
    bare = tuple(replace(block, se_ratio=0) for block in a1.blocks)
    found["mnasnet_a1 without se"] = replace(a1, blocks=bare)
    for width, name in itertools.product(widths, ("mobilenet_v1", "mobilenet_v2")):
        found[f"{name} x{width:g}"] = scaling.get(name, width_mult=width, resolution=resolution)
    return found


def time_networks(
    archs: Mapping[str, Arch], settings: Mapping[str, Sequence[str]], plan: Plan
) -> dict[str, Timings]:
    """Timings by setting of the networks named for it, by their fastest samples.

    Every round visits every network in every setting, so that settings can be compared round by
    round as networks can.
    """
    parsed = {}
    for setting in settings:
        runtime, _, threads = setting.partition(" ")
        if not threads.isdecimal():
            raise ValueError(f"setting {setting!r} is no runtime and threads: 'torch 2'")
        parsed[setting] = latency.Setting(runtime, int(threads))
    pairs = [(setting, name) for setting, names in settings.items() for name in names]
    runners = {(s, name): latency.runner(archs[name], parsed[s]) for s, name in pairs}
    about = {setting: latency.device(how.runtime) for setting, how in parsed.items()}
    visits, found = interleave(runners, plan), {}
    for setting, names in settings.items():
        rows = [pairs.index((setting, name)) for name in names]
        lists = ([part[i] for i in rows] for part in (visits.ms, visits.fastest))
        counts = (part[rows] for part in (visits.runs, visits.disturbed, visits.repeated))
        own, device = Visits(list(names), *lists, *counts), about[setting] | {"load_end": load()}
        found[setting] = Timings(own, parsed[setting], device, "fastest")
    return found


def points(times: pd.DataFrame, macs: pd.Series) -> pd.DataFrame:
    """`times` (networks, settings) in ms as rows name, setting, latency_ms, family, macs."""
    rows = times.rename_axis("name").reset_index()
    rows = rows.melt("name", var_name="setting", value_name="latency_ms").dropna()
    return rows.assign(family=rows["name"].map(family), macs=rows["name"].map(macs))


def family(name: str) -> str:
    return next((f for start, f in _FAMILIES.items() if name.startswith(start)), "other")


def rank_correlations(columns: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Spearman's rho of every two columns over the networks (rows) that both have a value for.

    Columns a, b, rho, ci_low, ci_high (bootstrap), n; NaN for fewer than MIN_NETWORKS.
    """
    rows = []
    for a, b in itertools.combinations(columns, 2):
        both, found = columns[[a, b]].dropna(), [np.nan] * 3
        if len(both) >= MIN_NETWORKS:
            found = stats.spearman(both[a], both[b], seed=seed)
        rows.append((a, b, *found, len(both)))
    return pd.DataFrame(rows, columns=["a", "b", "rho", "ci_low", "ci_high", "n"])


def against_a1(macs: pd.Series, timings: Mapping[str, Timings]) -> pd.DataFrame:
    """MnasNet's table 6, MACs and our times as multiples of A1's, see `against_published`."""
    table, _ = _published()
    phone = table["latency_ms"].rename("Pixel 1, published")
    phone["mnasnet_a1 without se"] = np.nan
    found = against_published(phone, "mnasnet_a1", macs, timings)
    labels = table["model"].to_dict() | {"mnasnet_a1 without se": "A1 without squeeze-excite"}
    return found.assign(name=found["name"].map(labels))


def against_phone(macs: pd.Series, timings: Mapping[str, Timings]) -> pd.DataFrame:
    """ProxylessNAS's networks on a Xeon, MACs and our times as multiples of its phone's network."""
    _, devices = _published()
    xeon = devices["cpu_latency_ms"].rename("Xeon, published")
    found = against_published(xeon, "proxyless_mobile", macs, timings)
    return found.assign(name="searched for a " + found["name"].map(devices["specialised_for"]))


def against_published(
    published: pd.Series, reference: str, macs: pd.Series, timings: Mapping[str, Timings]
) -> pd.DataFrame:
    """What was published, named after its device, MACs and our times, as multiples of those of the
    network `reference`: name, kind ("macs", the device, each setting that has the reference),
    ratio, ci_low, ci_high (NaN for what is printed or counted).
    """
    names = [name for name in published.index if name != reference]
    rows = [
        (name, kind, values[name] / values[reference], np.nan, np.nan)
        for kind, values in (("macs", macs), (published.name, published))
        for name in names
    ]
    for setting, timed in timings.items():
        for name in names:
            if {name, reference} <= set(timed.visits.names):
                rows.append((name, setting, *stats.ratio_ci(timed.paired(name, reference))))
    return pd.DataFrame(rows, columns=["name", "kind", "ratio", "ci_low", "ci_high"])


def equal_macs_spread(
    timings: Timings, macs: pd.Series, around: str
) -> tuple[str, str, np.ndarray]:
    """Slowest and fastest of the networks within 10 % of the MACs of network `around`: their names
    by all rounds, and one ratio a round. The largest of many noisy ratios is too large, so the
    networks that a round compares are chosen by every second round, of which it is none.
    """
    near = [n for n in timings.visits.names if abs(macs[n] / macs[around] - 1) <= 0.1]
    ms = timings.rounds_ms[[timings.visits.names.index(n) for n in near]]
    even, odd, both, ratios = slice(0, None, 2), slice(1, None, 2), slice(None), []
    for choose, measure in ((even, odd), (odd, even), (both, both)):
        medians = np.nanmedian(ms[:, choose], axis=1)
        slow, fast = medians.argmax(), medians.argmin()
        ratios.append(ms[slow, measure] / ms[fast, measure])
    found = np.concatenate(ratios[:2])
    return near[slow], near[fast], found[~np.isnan(found)]


def train_and_quantise(
    images: DataSet, width_mult: float, epochs: float, seed: int, files: Sequence[Path]
) -> pd.DataFrame:
    """A small MobileNet trained and tested at each step: weights, ONNX and 8-bit integers in the
    three `files`. Rows as in `latency.compare_files`, seed, torch_accuracy (of the network in
    PyTorch), torch_max_abs_diff (of its logits from the ONNX file's).
    """
    weights, *onnx = files
    channels, side, _ = images.input_shape
    small = scaling.get("mobilenet_32", width_mult=width_mult)
    classes = len(images.class_names)
    small = adapt(small, resolution=side, in_channels=channels, n_classes=classes)
    network = build(small, seed=seed)
    recipe = train.Recipe(epochs=epochs, lr=0.2, batch_size=64)
    train.fit(network, images.train, recipe, seed=seed)
    save_weights(network, weights)
    deploy.export_onnx(small, network, onnx[0], data=images)
    deploy.quantize_int8(*onnx, images.train.x[:200])
    torch_top1 = train.evaluate(network, images.test)["accuracy"]
    parity = deploy.parity(network, onnx[0], images.test.x)["max_abs_diff"]
    found = latency.compare_files(*onnx, images.test)
    return found.assign(seed=seed, torch_accuracy=torch_top1, torch_max_abs_diff=parity)


def speedup(slow: Timings, fast: Timings) -> pd.DataFrame:
    """How many times faster networks are in the setting of `fast`, round by round."""
    rows = []
    n = min(slow.rounds_ms.shape[1], fast.rounds_ms.shape[1])
    for name, ms in zip(fast.visits.names, fast.rounds_ms, strict=True):
        ratios = slow.rounds_ms[slow.visits.names.index(name), :n] / ms[:n]
        rows.append((name, *stats.ratio_ci(ratios[~np.isnan(ratios)])))
    return pd.DataFrame(rows, columns=["name", "ratio", "ci_low", "ci_high"])


def times_smaller(archs: Iterable[Arch]) -> np.ndarray:
    """Bytes of ONNX models in float32 over those in int8, graph and scales included, (n,)."""
    settings = [latency.Setting(runtime) for runtime in ("onnxruntime", "onnxruntime-int8")]
    sizes = [[len(latency.onnx_model(a, a.input_shape, s)) for s in settings] for a in archs]
    return np.array([fp32 / int8 for fp32, int8 in sizes])


def quiet(*timings: Timings, max_noise_pct: float = 5.0) -> bool:
    """Whether all of `timings` can be ranked, and a latency is known to `max_noise_pct`."""
    return all(t.trusted and t.noise_pct <= max_noise_pct for t in timings)


def ratio_claim(ratios: ArrayLike, *timings: Timings) -> tuple:
    """What a claim takes of one ratio a round; nothing where `timings` were not `quiet`."""
    if not quiet(*timings):
        return ([],)
    mean, low, high = stats.ratio_ci(ratios)
    return mean, (low, high), len(ratios)


def quality(timings: Mapping[str, Timings]) -> pd.DataFrame:
    """How good measurements are, a row each: networks, iqr_pct (a typical network's spread between
    rounds, in per cent of its median), noise_pct, split_half, visits repeated and disturbed.
    """
    rows = [
        {
            "networks": len(timed.visits.names),
            "iqr_pct": 100 * float((timed.table["iqr_ms"] / timed.table["median_ms"]).median()),
            "noise_pct": timed.noise_pct,
            "split_half": timed.split_half,
            "repeated": int(timed.visits.repeated.sum()),
            "disturbed": int(timed.visits.disturbed.sum()),
        }
        for timed in timings.values()
    ]
    return pd.DataFrame(rows, index=pd.Index(timings, name="setting"))
