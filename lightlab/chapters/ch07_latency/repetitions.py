"""The same networks timed over and over: how wrong is one time, and what do more visits mend?

`ms` is everywhere an array (networks, rounds): what each round of a measurement said of each.
"""

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd

from lightlab.latency.timing import Plan, Runner, interleave
from lightlab.measure import stats

PROTOCOLS = ("interleaved", "back to back")


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

    Columns protocol, n_visits, percent: median over the networks of the absolute logarithm of their
    medians' ratio, less its own median, for a machine slower as a whole changes no comparison; and
    ci_low, ci_high, a bootstrap interval over the networks.
    """
    rows = []
    for protocol, (a, b) in repeated.items():
        for n in _doublings(a.shape[1]):
            logs = [np.log(np.median(x[:, :n], axis=1)) for x in (a, b)]
            percent, low, high = stats.bootstrap_ci(_typical_gap, logs[0] - logs[1])
            found = {"percent": percent, "ci_low": low, "ci_high": high}
            rows.append({"protocol": protocol, "n_visits": n} | found)
    return pd.DataFrame(rows)


def _typical_gap(logs: np.ndarray) -> np.ndarray:
    middle = np.median(logs, axis=-1, keepdims=True)
    return 100 * np.median(np.abs(logs - middle), axis=-1)


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


def _doublings(n: int) -> list[int]:
    """1, 2, 4, … and `n`."""
    return [*itertools.takewhile(lambda k: k < n, (2**i for i in itertools.count())), n]
