"""What the searches of `mnasnet_study` say, from their trials: curves, outcomes, comparisons."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lightlab.measure import stats
from lightlab.methods.mnasnet import rewards
from lightlab.published import loader
from lightlab.search.draws import SearchError

TARGET_MS = 75.0  # of the paper's searches, on a Pixel 1
# The comparisons that claims are about: what (a column of `outcomes`), the arms, whether as a ratio
COMPARED = {
    "mnasnet.beats_random": ("reward", "soft", "random", False),
    "mnasnet.hard_within": ("within", "hard", "soft", False),
    "mnasnet.hard_median": ("median", "hard", "soft", True),
    "mnasnet.single_objective_slow": ("ratio", "accuracy only", "soft", True),
    "mnasnet.hierarchical_better": ("reward", "soft", "soft, flat", False),
}
# … of a table, the whole of it is the flat space; and how much of it is the space's alone,
# whoever searches it
OF_A_TABLE = COMPARED | {
    "mnasnet.hierarchical_better": ("reward", "soft, tied", "soft", False),
    "random, tied": ("reward", "random, tied", "random", False),
}


def figure6(histogram: pd.DataFrame, target_ms: float = TARGET_MS) -> pd.DataFrame:
    """The paper's histograms as shares: ratio (middle of a bin over the target), width, hard, soft.

    `histogram`: start_ms, end_ms, and the counts hard and soft.
    """
    start, end = histogram["start_ms"] / target_ms, histogram["end_ms"] / target_ms
    counts = histogram[["hard", "soft"]]
    shares = counts / counts.sum()
    return shares.assign(ratio=(start + end) / 2, width=end - start)


def progress(trials: pd.DataFrame, arms: Sequence[str]) -> pd.DataFrame:
    """Best reward so far, and the policy's entropy as a share of its first, by arm and trial.

    Columns arm, trial, best (mean over seeds, with ci_low and ci_high), entropy (mean).
    """
    some = trials[trials["arm"].isin(arms)].sort_values(["arm", "seed", "trial"])
    by = some.groupby(["arm", "seed"], sort=False)
    some = some.assign(
        best=by["reward"].cummax(), share=some["entropy"] / by["entropy"].transform("first")
    )
    some["best"] = some.groupby(["arm", "seed"], sort=False)["best"].ffill()  # over failures
    best = stats.grouped_ci(some, ["arm", "trial"], "best").rename(columns={"mean": "best"})
    entropy = some.groupby(["arm", "trial"], sort=False)["share"].mean().rename("entropy")
    return best.merge(entropy.reset_index(), on=["arm", "trial"])


def outcomes(trials: pd.DataFrame) -> pd.DataFrame:
    """What came of each search, a row per arm and seed.

    Of all that it sampled: within (share that keeps the target), p5, median, p95 (latency over the
    target). Of the trial of highest value to itself: ratio (its latency over the target), accuracy,
    reward (soft), arch.
    """
    by = trials.groupby(["arm", "seed"], sort=False)
    if (failed := by["value"].count() == 0).any():
        arm, seed = failed.idxmax()
        raise SearchError(f"search {arm!r}, seed {seed}: every network failed in training")
    quantiles = {"p5": 0.05, "median": 0.5, "p95": 0.95}
    samples = {name: by["ratio"].quantile(q) for name, q in quantiles.items()}
    within = (trials["ratio"] <= 1).groupby([trials["arm"], trials["seed"]], sort=False).mean()
    best = trials.loc[by["value"].idxmax()].set_index(["arm", "seed"])
    chosen = best[["ratio", "accuracy", "reward", "latency_ms", "arch"]]
    return pd.DataFrame({"within": within, **samples}).join(chosen).reset_index()


def means(outcomes: pd.DataFrame) -> pd.DataFrame:
    """`outcomes` averaged over the seeds, by arm, with their number n."""
    by = outcomes.groupby("arm", sort=False)
    numbers = ["within", "p5", "median", "p95", "ratio", "accuracy", "reward"]
    return by[numbers].mean().assign(n=by.size()).reset_index()


def spent(trials: pd.DataFrame) -> pd.DataFrame:
    """What the searches of an arm cost, a mean over the seeds: trials, networks (different ones),
    samples (images seen in training), train_macs, seconds (of one core), one latency measurement a
    network.
    """
    different = trials.drop_duplicates(["arm", "seed", "arch"])
    by = different.groupby(["arm", "seed"], sort=False)
    table = by[["samples", "train_macs", "seconds"]].sum()
    table.insert(0, "networks", by.size())
    table.insert(0, "trials", trials.groupby(["arm", "seed"], sort=False).size())
    return table.groupby("arm", sort=False).mean()


def published() -> dict[str, float]:
    """What the paper's figure 6 and table 5 have for the comparisons (rewards computed)."""
    figure6 = loader.read_csv("mnasnet_figure6_summary.csv").set_index("reward")
    single, cells, blocks = loader.read_csv("mnasnet_table5.csv").to_dict("records")
    reward = [rewards.reward(row["top1"], row["latency_ms"], TARGET_MS) for row in (blocks, cells)]
    hard, soft = figure6.loc["hard"], figure6.loc["soft"]
    return {
        "mnasnet.hard_within": (hard - soft)["share_within_percent"] / 100,
        "mnasnet.hard_median": (hard / soft)["median_ms"],
        "mnasnet.single_objective_slow": single["latency_ms"] / cells["latency_ms"],
        "mnasnet.hierarchical_better": float(reward[0] - reward[1]),
    }


def compared(outcomes: pd.DataFrame) -> dict[str, np.ndarray]:
    """COMPARED (or OF_A_TABLE), one value per seed."""
    return {
        name: stats.paired(outcomes, column, "arm", a, b, ratio)
        for name, (column, a, b, ratio) in _comparisons(outcomes).items()
    }


def for_claims(outcomes: pd.DataFrame) -> dict[str, np.ndarray]:
    """What the searches' claims take, one value per seed, of small images or of the table."""
    pairs = {claim: v for claim, v in compared(outcomes).items() if claim in COMPARED}
    pairs["mnasnet.hard_within"] = 100 * pairs["mnasnet.hard_within"]
    soft = outcomes.loc[outcomes["arm"] == "soft", "median"].to_numpy()
    return pairs | {"mnasnet.soft_median": soft}


def as_table(outcomes: pd.DataFrame) -> pd.DataFrame:
    """The compared searches in numbers: what, first and second with their means, difference (or
    ratio) with its interval over n seeds, and the paper's.
    """
    words = {
        "reward": "best soft reward",
        "within": "share of samples within the target",
        "median": "median latency of the samples",
        "ratio": "latency of what it chooses",
    }
    means, printed = outcomes.groupby("arm")[list(words)].mean(), published()
    rows, comparisons = [], _comparisons(outcomes)
    for name, values in compared(outcomes).items():
        column, a, b, ratio = comparisons[name]
        mean, low, high = stats.mean_ci(values)
        rows.append(
            {"what": words[column], "first": a, "second": b, "of the first": means.loc[a, column],
             "of the second": means.loc[b, column], "as": "ratio" if ratio else "difference",
             "value": mean, "ci_low": low, "ci_high": high, "n": len(values),
             "published": printed.get(name)}
        )  # fmt: skip
    return pd.DataFrame(rows)


def _comparisons(outcomes: pd.DataFrame) -> dict[str, tuple[str, str, str, bool]]:
    return OF_A_TABLE if "soft, tied" in set(outcomes["arm"]) else COMPARED
