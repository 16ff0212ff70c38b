"""What repeated timings of several networks say: does counting predict time, and how sure is that?

`ms` is everywhere an array (networks, rounds): what each round of a measurement said of each.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lightlab.measure import latency, stats
from lightlab.measure.latency.timing import Plan, Runner, Visits, interleave
from lightlab.measure.latency.timings import Timings
from lightlab.space.arch import Arch

PROTOCOLS = ("interleaved", "back to back")
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
    about = latency.device()
    visits = interleave(runners, plan)
    found = {}
    for setting, names in settings.items():
        rows = [pairs.index((setting, name)) for name in names]
        lists = ([part[i] for i in rows] for part in (visits.ms, visits.fastest))
        counts = (part[rows] for part in (visits.runs, visits.disturbed, visits.repeated))
        own = Visits(list(names), *lists, *counts)
        found[setting] = Timings(own, parsed[setting], about, "fastest")
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
                ratio, low, high = np.exp(stats.mean_ci(np.log(ratios(timed, name, reference))))
                found = {"ratio": ratio, "ci_low": low, "ci_high": high}
                rows.append({"name": name, "kind": setting, **found})
    return pd.DataFrame(rows, columns=["name", "kind", "ratio", "ci_low", "ci_high"])


def ratios(timings: Timings, name: str, to: str) -> np.ndarray:
    """How many times as long as `to` network `name` took, in every round."""
    rows = dict(zip(timings.visits.names, timings.rounds_ms, strict=True))
    return rows[name] / rows[to]


def equal_macs_spread(
    timings: Timings, macs: pd.Series, around: str, within: float = 0.1
) -> tuple[str, str, np.ndarray]:
    """Slowest and fastest of the networks whose MACs are `within` a share of those of `around`.

    Their names, and their ratio in every odd round: they are chosen by the even rounds alone, since
    the largest of many noisy ratios is too large.
    """
    near = [n for n in timings.visits.names if abs(macs[n] / macs[around] - 1) <= within]
    rows = [timings.visits.names.index(n) for n in near]
    chosen = np.median(timings.rounds_ms[rows, ::2], axis=1)
    slow, fast = near[chosen.argmax()], near[chosen.argmin()]
    return slow, fast, ratios(timings, slow, fast)[1::2]


def repetitions(runners: Mapping[str, Runner], plan: Plan) -> dict[str, list[np.ndarray]]:
    """`ms` of the same networks, measured twice by each protocol.

    "interleaved" visits all of them in every round; "back to back" makes all visits to one network
    before it goes on to the next. The order differs between the two repetitions.
    """
    found: dict[str, list[np.ndarray]] = {protocol: [] for protocol in PROTOCOLS}
    for repetition, protocol in itertools.product(range(2), PROTOCOLS):
        order = np.random.default_rng([plan.seed, repetition]).permutation(len(runners))
        names = [list(runners)[i] for i in order]
        turns = [names] if protocol == "interleaved" else [[name] for name in names]
        visits = [interleave({n: runners[n] for n in turn}, plan, protocol) for turn in turns]
        ms = np.concatenate([np.array(v.ms) for v in visits])
        found[protocol].append(ms[np.argsort(order)])
    return found


def disagreement(repeated: Mapping[str, list[np.ndarray]]) -> pd.DataFrame:
    """How far two repetitions differ about a network after so many visits to each, in per cent.

    Columns protocol, n_visits, percent: root mean square over the networks of the logarithm of
    their medians' ratio, less its mean, for a machine slower as a whole changes no comparison.
    """
    rows = []
    for protocol, (a, b) in repeated.items():
        for n in _doublings(a.shape[1]):
            logs = [np.log(np.median(x[:, :n], axis=1)) for x in (a, b)]
            percent = 100 * float((logs[0] - logs[1]).std())
            rows.append({"protocol": protocol, "n_visits": n, "percent": percent})
    return pd.DataFrame(rows)


def evidence(cold: np.ndarray, first: np.ndarray, second: np.ndarray) -> pd.DataFrame:
    """How wrong one would have been by the very first run (`cold`, one time per network), by one
    visit, and by all rounds of `first`, judged by the medians of the repetition `second`.

    Rows are those three; columns as in `judged`, of single visits their mean over the rounds, and
    times_as_long, the mean time over that of `second`.
    """
    truth = np.median(second, axis=1)
    visits = pd.DataFrame([judged(ms, truth) for ms in first.T]).mean()
    rows = {
        "first run": judged(cold, truth),
        "one visit": visits.to_dict(),
        f"median of {first.shape[1]} visits": judged(np.median(first, axis=1), truth),
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("measurement")


def judged(ms: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """How wrong one time per network is: `wrong_pairs` is the share of the pairs of networks in
    another order than by `truth`, `error_pct` the root mean square over the networks of the
    logarithm of their ratio, less the part that all share, which is in `times_as_long`.
    """
    i, j = np.triu_indices(len(truth), 1)
    wrong = np.sign(ms[i] - ms[j]) != np.sign(truth[i] - truth[j])
    error = np.log(ms / truth)
    return {
        "times_as_long": float(np.exp(error.mean())),
        "error_pct": float(100 * error.std()),
        "wrong_pairs": float(wrong.mean()),
    }


def if_quiet(timings: Timings, values: ArrayLike, max_noise_pct: float = 5.0) -> np.ndarray:
    """`values` that were derived from `timings`; none where these are too noisy to say anything:
    no ranking could be given out, or a latency is known to more than `max_noise_pct` only.
    """
    quiet = timings.trusted and timings.noise_pct <= max_noise_pct
    return np.asarray(values, dtype=float) if quiet else np.array([])


def quality(timings: Timings) -> dict[str, float]:
    """How good a measurement is: networks, noise_pct, split_half, visits repeated and disturbed."""
    return {
        "networks": len(timings.visits.names),
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
    for name, ms in zip(fast.visits.names, fast.rounds_ms, strict=True):
        before = slow.rounds_ms[slow.visits.names.index(name)]
        ratio, low, high = np.exp(stats.mean_ci(np.log(before / ms)))
        rows.append({"name": name, "ratio": ratio, "ci_low": low, "ci_high": high})
    return pd.DataFrame(rows)


def tens(networks: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows ten by ten, as samples of independent networks; what is left over is left out."""
    return [networks.iloc[i : i + 10] for i in range(0, len(networks) - 9, 10)]


def _doublings(n: int) -> list[int]:
    """1, 2, 4, … and `n`."""
    return [*itertools.takewhile(lambda k: k < n, (2**i for i in itertools.count())), n]
