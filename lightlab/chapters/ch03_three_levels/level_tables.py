"""What the trials of three levels add up to: curves, shares of variance, summaries."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lightlab.measure import stats

IN_ORDER = "hand"  # the one way whose order means something; grid and random are shuffled
FORMULAS = ("class means", "ridge")


def best_so_far(values: Sequence[float], exchangeable: bool) -> np.ndarray:
    """Best value among the first 1, 2, …, N trials.

    If the order is chance (`exchangeable`) the expectation over all orders takes its place, which
    removes the luck of the draw (Bergstra & Bengio 2012, section 2.1, resample to the same end).
    """
    v = np.asarray(values, dtype=float)
    if not exchangeable:
        return np.maximum.accumulate(v)
    v, N = np.sort(v), len(v)
    return np.array(
        [
            sum(v[r] * math.comb(r, n - 1) for r in range(n - 1, N)) / math.comb(N, n)
            for n in range(1, N + 1)
        ]
    )


def main_effects(trials: pd.DataFrame, factors: Sequence[str], value: str) -> dict[str, float]:
    """Share of the variance of `value` over a full factorial grid that each factor alone explains.

    The classical analysis of variance of a balanced design (Fisher 1925): the shares and the
    interactions left over add up to 1. ValueError unless the design is balanced.
    """
    if trials.groupby(list(factors)).size().nunique() != 1 or len(trials) % math.prod(
        trials[f].nunique() for f in factors
    ):
        raise ValueError(f"the trials are no full grid over {list(factors)}")
    total = trials[value].var(ddof=0)
    if total == 0:
        return dict.fromkeys(factors, math.nan)
    return {
        f: float(trials.groupby(f)[value].transform("mean").var(ddof=0) / total) for f in factors
    }


def curves(histories: pd.DataFrame, searches: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """Validation accuracy against effort: level, way, x, mean, ci_low, ci_high, n.

    Level 1 by epoch of its trainings; the levels above, whose trials `searches` maps, by best so
    far after 1, 2, … networks.
    """
    named = histories.rename(columns={"epoch": "x"})
    tables = [stats.grouped_ci(named, ["way", "x"], "val_accuracy").assign(level=1)]
    for level, trials in searches.items():
        frames = []
        for (way, seed), run in trials.groupby(["way", "seed"], sort=False):
            best = best_so_far(run.sort_values("trial").val_accuracy, exchangeable=way != IN_ORDER)
            frame = pd.DataFrame({"x": np.arange(1, len(best) + 1), "best": best})
            frames.append(frame.assign(way=way, seed=seed))
        best_of = stats.grouped_ci(pd.concat(frames), ["way", "x"], "best")
        tables.append(best_of.assign(level=level))
    return pd.concat(tables, ignore_index=True)


def results(solved: pd.DataFrame, searches: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """One row per level, way and seed: what it found (accuracies) and all that it spent.

    `solved` is level 1; `searches` maps the levels above to their trials.
    """
    frames = [solved.assign(level=1, trainings=solved.macs.gt(0) & ~solved.way.isin(FORMULAS))]
    for level, trials in searches.items():
        by = trials.groupby(["way", "seed"], sort=False)
        spent = by[["samples", "macs", "seconds"]].sum().assign(trainings=by.size())
        found = trials[trials.chosen].set_index(["way", "seed"])
        joined = spent.join(found[["val_accuracy", "test_accuracy", "network"]])
        frames.append(joined.reset_index().assign(level=level))
    return pd.concat(frames, ignore_index=True).astype({"trainings": int})


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Mean test accuracy with its interval and mean cost per level and way, and who found it."""
    rows = stats.grouped_ci(found, ["level", "way"], "test_accuracy")
    columns = ["val_accuracy", "trainings", "samples", "macs", "seconds"]
    cost = found.groupby(["level", "way"], sort=False)[columns].mean().reset_index()
    rows = rows.merge(cost, on=["level", "way"])
    rows.insert(2, "finder", [_finder(way) for way in rows.way])
    return rows


def paired(found: pd.DataFrame, level: int, way: str, other: str) -> np.ndarray:
    """Differences of test accuracy between two ways of one level, paired by seed."""
    return stats.paired(found[found.level == level], "test_accuracy", "way", way, other)


def _finder(way: str) -> str:
    if way in ("drawn", "hand"):
        return "hand"
    return "formula" if way in FORMULAS else "machine"
