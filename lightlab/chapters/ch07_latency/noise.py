"""How far a timing can be trusted: its own signs of noise, and what more visits mend.

`ms` is everywhere an array (networks, rounds): what each round of a measurement said of each.
"""

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lightlab.latency import Plan, Timings
from lightlab.latency.runtimes import Runner
from lightlab.latency.timing import interleave
from lightlab.measure import stats

PROTOCOLS = ("interleaved", "back to back")


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


def quality(timings: Mapping[str, Timings]) -> pd.DataFrame:
    """How good measurements are, a row each: networks, iqr_pct (a typical network's spread between
    rounds, in per cent of its median), noise_pct, split_half, visits repeated and disturbed.
    """
    rows = {}
    for name, timed in timings.items():
        visits = timed.visits
        spread = [np.subtract(*np.percentile(ms, [75, 25])) / np.median(ms) for ms in visits.ms]
        rows[name] = {
            "networks": len(visits.names),
            "iqr_pct": 100 * float(np.median(spread)),
            "noise_pct": timed.noise_pct,
            "split_half": timed.split_half,
            "repeated": int(visits.repeated.sum()),
            "disturbed": int(visits.disturbed.sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("setting")


def repeat(runners: Mapping[str, Runner], plan: Plan) -> dict[str, list[np.ndarray]]:
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

    Columns protocol, n_visits (1, 2, 4, … and all), percent: median over the networks of the
    absolute logarithm of their medians' ratio, less its own median, for a machine slower as a whole
    changes no comparison; and ci_low, ci_high, a bootstrap interval over the networks.
    """
    rows = []
    for protocol, (a, b) in repeated.items():
        most = a.shape[1]
        for n in [*(2**i for i in range(most.bit_length()) if 2**i < most), most]:
            logs = [np.log(np.median(x[:, :n], axis=1)) for x in (a, b)]
            rows.append((protocol, n, *stats.bootstrap_ci(_typical_gap, logs[0] - logs[1])))
    return pd.DataFrame(rows, columns=["protocol", "n_visits", "percent", "ci_low", "ci_high"])


def _typical_gap(logs: np.ndarray) -> np.ndarray:
    middle = np.median(logs, axis=-1, keepdims=True)
    return 100 * np.median(np.abs(logs - middle), axis=-1)


def single_times(cold: np.ndarray, first: np.ndarray, second: np.ndarray) -> pd.DataFrame:
    """How wrong one would have been by the very first run (`cold`, one time per network), by one
    visit, and by all rounds of `first`, compared with the medians of the repetition `second`.

    Rows are those three, columns as in `error`; of single visits their mean over the rounds.
    """
    truth = np.median(second, axis=1)
    rows = {
        "first run": error(cold, truth),
        "one visit": pd.DataFrame([error(ms, truth) for ms in first.T]).mean().to_dict(),
        f"median of {first.shape[1]} visits": error(np.median(first, axis=1), truth),
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("measurement")


def error(ms: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """How wrong one time per network is: `wrong_pairs` is the share of the pairs of networks in
    another order than by `truth`, `error_pct` the root mean square over the networks of the
    logarithm of their ratio, less the part that all share, which is in `times_as_long`.
    """
    i, j = np.triu_indices(len(truth), 1)
    wrong = np.sign(ms[i] - ms[j]) != np.sign(truth[i] - truth[j])
    logs = np.log(ms / truth)
    return {
        "times_as_long": float(np.exp(logs.mean())),
        "error_pct": float(100 * logs.std()),
        "wrong_pairs": float(wrong.mean()),
    }
