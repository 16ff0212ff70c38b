"""What serving many scenarios costs: once, for each, and from how many on once-for-all pays."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from lightlab.measure import stats
from lightlab.published import loader

MNASNET, PROXYLESS = "MnasNet's way", "ProxylessNAS's way"
OURS, TUNED = "Once-for-All", "Once-for-All, fine-tuned"


def searched_s(folder: Path, row: str) -> float:
    """Seconds of one core of a search, from that row of the table of costs of another notebook's
    results.
    """
    return float(pd.read_csv(folder / "tables" / "cost.csv", index_col=0).loc[row, "seconds"])


def methods(
    fixed: float, each: float, tuning: float, alone: float, mnasnet: float, proxyless: float
) -> pd.DataFrame:
    """Rows method, fixed, each, in seconds: the rivals search (`mnasnet`, `proxyless`) and train
    `alone` for each scenario; ours pays `fixed` once, then `each`, and `tuning` if it tunes.
    """
    rows = [
        (MNASNET, 0.0, mnasnet + alone),
        (PROXYLESS, 0.0, proxyless + alone),
        (OURS, fixed, each),
        (TUNED, fixed, each + tuning),
    ]
    return pd.DataFrame(rows, columns=["method", "fixed", "each"])


def published_crossover(tuned_h: float = 0.0) -> float:
    """Scenarios from which on Once-for-All is cheaper than ProxylessNAS, from table 1 of the paper,
    with so many GPU hours of fine-tuning for each.
    """
    table = loader.read_csv("ofa_table1.csv").set_index("model")
    ours, theirs = table.loc["OFA w/ PS"], table.loc["ProxylessNAS"]
    each = theirs["search_each"] + theirs["training_each"]
    return float((ours["search_fixed"] + ours["training_fixed"]) / (each - tuned_h))


def crossovers(
    costs: pd.DataFrame,
    fixed: np.ndarray,
    alone: float,
    share: float = 1.0,
    tuned_h: float = 75.0,
) -> pd.DataFrame:
    """Crossovers with ProxylessNAS's way, the interval over the seeds' `fixed` costs (n,), with and
    without fine-tuning (in the paper `tuned_h` GPU hours): rows method, training, mean, ci_low,
    ci_high, published (of the paper's quarter).

    `training` is the rival's last training as a share of the supernet's length: the `share` that
    `alone` (in seconds) is of it, and the quarter of the paper (300 of 1,200 hours).
    """
    each = costs.set_index("method")["each"]
    rows = []
    parts = dict.fromkeys((share, 0.25))
    for (method, hours), part in product(((OURS, 0.0), (TUNED, tuned_h)), parts):
        rival = each[PROXYLESS] + (part / share - 1) * alone
        found = crossover(fixed, each[method], rival)
        interval = stats.mean_ci(found) if np.isfinite(found).all() else (np.inf,) * 3
        known = published_crossover(hours) if part == 0.25 else np.nan
        rows.append((method, part, *interval, known))
    columns = ["method", "training", "mean", "ci_low", "ci_high", "published"]
    return pd.DataFrame(rows, columns=columns)


def lines(costs: pd.DataFrame, n: Sequence[int]) -> pd.DataFrame:
    """What serving `n` scenarios costs: columns method, fixed, each to rows method, n, total."""
    return pd.DataFrame(
        [
            {"method": row.method, "n": k, "total": row.fixed + k * row.each}
            for row in costs.itertuples()
            for k in n
        ]
    )


def crossover(fixed: np.ndarray, each: np.ndarray, rival_each: np.ndarray) -> np.ndarray:
    """From how many scenarios on a method of `fixed` cost and cost `each` is cheaper than one that
    pays `rival_each`, seed by seed, (n,); infinite where never.
    """
    saved = np.asarray(rival_each) - np.asarray(each)
    return np.where(saved > 0, np.asarray(fixed) / np.where(saved > 0, saved, 1), np.inf)
