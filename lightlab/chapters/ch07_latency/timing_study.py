"""What repeated timings of several networks say: does counting predict time, and how sure is that?

`ms` is everywhere an array (networks, rounds): what each round of a measurement said of each.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lightlab import latency
from lightlab.latency.device import load
from lightlab.latency.timing import Plan, Visits, interleave
from lightlab.latency.timings import Timings
from lightlab.measure import stats
from lightlab.space.arch import Arch

MIN_NETWORKS = 6  # fewer say nothing about ranks


def in_settings(
    archs: Mapping[str, Arch], settings: Mapping[str, Sequence[str]], plan: Plan
) -> dict[str, Timings]:
    """Timings by setting ("runtime threads") of the networks named for it, all interleaved.

    Every round visits every network in every setting, so that settings can be compared round by
    round as networks can. The estimate is the fastest sample. LatencyError as `latency.runner`.
    """
    parsed = {}
    for setting in settings:
        runtime, _, threads = setting.partition(" ")
        if not threads.isdecimal():
            raise latency.LatencyError(f"setting {setting!r} is no runtime and threads: 'torch 2'")
        parsed[setting] = latency.Setting(runtime, int(threads))
    pairs = [(setting, name) for setting, names in settings.items() for name in names]
    runners = {pair: latency.runner(archs[pair[1]], parsed[pair[0]]) for pair in pairs}
    about = {runtime: latency.device(runtime) for runtime in {s.runtime for s in parsed.values()}}
    visits = interleave(runners, plan)
    found = {}
    for setting, names in settings.items():
        rows = [pairs.index((setting, name)) for name in names]
        lists = ([part[i] for i in rows] for part in (visits.ms, visits.fastest))
        counts = (part[rows] for part in (visits.runs, visits.disturbed, visits.repeated))
        own = Visits(list(names), *lists, *counts)
        device = about[parsed[setting].runtime] | {"load_end": load()}
        found[setting] = Timings(own, parsed[setting], device, "fastest")
    return found


def rank_correlations(columns: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Spearman's rho of every two columns over the networks (rows) that both have a value for.

    Columns a, b, rho, ci_low, ci_high (bootstrap over networks), n; NaN for fewer than
    MIN_NETWORKS.
    """
    rows = []
    for a, b in itertools.combinations(columns, 2):
        both = columns[[a, b]].dropna()
        rho, low, high = [np.nan] * 3
        if len(both) >= MIN_NETWORKS:
            rho, low, high = stats.spearman(both[a], both[b], seed=seed)
        rows.append({"a": a, "b": b, "rho": rho, "ci_low": low, "ci_high": high, "n": len(both)})
    return pd.DataFrame(rows)


def against_published(
    published: pd.Series, reference: str, macs: pd.Series, timings: Mapping[str, Timings]
) -> pd.DataFrame:
    """What was published, MACs and our times, all as multiples of those of network `reference`.

    `published` holds times by network and is named after its device; `macs` by network; `timings`
    by setting. One row per other network and kind ("macs", the device, each setting that has the
    reference): name, kind, ratio, ci_low, ci_high (NaN for what is printed or counted).
    """
    names = [name for name in published.index if name != reference]
    rows = [
        {"name": name, "kind": kind, "ratio": values[name] / values[reference]}
        for kind, values in (("macs", macs), (published.name, published))
        for name in names
    ]
    for setting, timed in timings.items():
        for name in names:
            if {name, reference} <= set(timed.visits.names):
                ratio, low, high = stats.ratio_ci(timed.paired(name, reference))
                found = {"ratio": ratio, "ci_low": low, "ci_high": high}
                rows.append({"name": name, "kind": setting, **found})
    return pd.DataFrame(rows, columns=["name", "kind", "ratio", "ci_low", "ci_high"])


def equal_macs_spread(
    timings: Timings, macs: pd.Series, around: str, within: float = 0.1
) -> tuple[str, str, np.ndarray]:
    """Slowest and fastest of the networks whose MACs are `within` a share of those of `around`.

    Their names by all rounds, and one ratio a round. The largest of many noisy ratios is too large,
    so the networks that a round compares are chosen by every second round, of which it is none.
    """
    near = [n for n in timings.visits.names if abs(macs[n] / macs[around] - 1) <= within]
    ms = timings.rounds_ms[[timings.visits.names.index(n) for n in near]]

    def ends(rounds: slice) -> tuple[int, int]:
        chosen = np.nanmedian(ms[:, rounds], axis=1)
        return int(chosen.argmax()), int(chosen.argmin())

    even, odd = slice(0, None, 2), slice(1, None, 2)
    found = []
    for choose, judge in ((even, odd), (odd, even)):
        slow, fast = ends(choose)
        ratio = ms[slow, judge] / ms[fast, judge]
        found.append(ratio[~np.isnan(ratio)])
    slow, fast = ends(slice(None))
    return near[slow], near[fast], np.concatenate(found)


def quiet(*timings: Timings, max_noise_pct: float = 5.0) -> bool:
    """Whether something can be said from all of `timings`: a ranking could be given out, and a
    latency is known to `max_noise_pct`.
    """
    return all(t.trusted and t.noise_pct <= max_noise_pct for t in timings)


def ratio_claim(ratios: ArrayLike, *timings: Timings) -> tuple:
    """What a claim takes of one ratio a round: geometric mean, interval and n; nothing where the
    `timings` that they come from were not `quiet`.
    """
    if not quiet(*timings):
        return ([],)
    mean, low, high = stats.ratio_ci(ratios)
    return mean, (low, high), len(ratios)


def model_bytes(archs: Mapping[str, Arch]) -> pd.DataFrame:
    """Bytes of ONNX models by network, graph and scales included: fp32, int8, and their ratio."""
    rows = {}
    for name, arch in archs.items():
        sizes = [
            len(latency.onnx_model(arch, arch.input_shape, latency.Setting(runtime)))
            for runtime in ("onnxruntime", "onnxruntime-int8")
        ]
        rows[name] = {"fp32": sizes[0], "int8": sizes[1], "ratio": sizes[0] / sizes[1]}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")


def every_time(timings: Mapping[str, Timings]) -> pd.DataFrame:
    """All latencies, a row per setting and network: as `Timings.table`, and the setting."""
    parts = [timed.table.assign(setting=setting) for setting, timed in timings.items()]
    return pd.concat(parts, ignore_index=True)


def quality(timings: Timings) -> dict[str, float]:
    """How good a measurement is: networks, iqr_pct (a typical network's spread between rounds, in
    per cent of its median), noise_pct, split_half, visits repeated and disturbed.
    """
    spread = [np.subtract(*np.percentile(ms, [75, 25])) / np.median(ms) for ms in timings.visits.ms]
    return {
        "networks": len(timings.visits.names),
        "iqr_pct": 100 * float(np.median(spread)),
        "noise_pct": timings.noise_pct,
        "split_half": timings.split_half,
        "repeated": int(np.sum(timings.visits.repeated)),
        "disturbed": int(timings.visits.disturbed.sum()),
    }


def speedup(slow: Timings, fast: Timings) -> pd.DataFrame:
    """How many times faster networks are in the setting of `fast`: name, ratio, ci_low, ci_high.

    Geometric means over the rounds and Student's t interval, the rounds paired by number.
    """
    rows = []
    n = min(slow.rounds_ms.shape[1], fast.rounds_ms.shape[1])
    for name, ms in zip(fast.visits.names, fast.rounds_ms, strict=True):
        found = slow.rounds_ms[slow.visits.names.index(name), :n] / ms[:n]
        ratio, low, high = stats.ratio_ci(found[~np.isnan(found)])
        rows.append({"name": name, "ratio": ratio, "ci_low": low, "ci_high": high})
    return pd.DataFrame(rows)
