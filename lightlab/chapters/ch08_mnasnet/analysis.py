"""What the searches found and cost, and how they compare with each other and with the paper."""

from collections.abc import Sequence

import pandas as pd
from numpy.typing import ArrayLike

from lightlab.chapters.ch08_mnasnet.space import LAYER_TYPES
from lightlab.measure import stats
from lightlab.methods import baselines, mnasnet
from lightlab.published import read_csv
from lightlab.search.searcher import SearchError

TARGET_MS = 75.0  # of the paper's searches, on a Pixel 1
# The comparisons that claims are about: what (a column of `outcomes`), the arms, whether as a ratio
COMPARED = {
    "mnasnet.beats_random": ("reward", "soft", "random", False),
    "mnasnet.hard_within": ("within", "hard", "soft", False),
    "mnasnet.hard_median": ("median", "hard", "soft", True),
    "mnasnet.single_objective_slow": ("ratio", "accuracy only", "soft", True),
    "mnasnet.hierarchical_better": ("reward", "soft", "soft, flat", False),
}
# … of a table, the whole of it is the flat space; the last: what the space alone brings
OF_A_TABLE = COMPARED | {
    "mnasnet.hierarchical_better": ("reward", "soft, tied", "soft", False),
    "random, tied": ("reward", "random, tied", "random", False),
}
_WORDS = {
    "reward": "best soft reward",
    "within": "share of samples within the target",
    "median": "median latency of the samples",
    "ratio": "latency of what it chooses",
}


def published() -> dict[str, pd.DataFrame]:
    """What the paper printed; ratio is latency over target, of figure 6's bins their middles."""
    table1, table5, table6 = (read_csv(f"mnasnet_table{n}.csv") for n in (1, 5, 6))
    bins = read_csv("mnasnet_figure6_histogram.csv")
    start, end = bins["start_ms"] / TARGET_MS, bins["end_ms"] / TARGET_MS
    shares = bins[["hard", "soft"]] / bins[["hard", "soft"]].sum()
    return {
        "table 1": table1.dropna(subset=["latency_ms"]),
        "table 5": table5.assign(ratio=table5["latency_ms"] / TARGET_MS),
        "table 6": table6,
        "figure 6": shares.assign(ratio=(start + end) / 2, width=end - start),
    }


def _figure6_summary() -> pd.DataFrame:
    return read_csv("mnasnet_figure6_summary.csv").set_index("reward")


def published_gaps() -> dict[str, float]:
    """What the paper's figure 6 and table 5 have for the comparisons (rewards computed)."""
    hard, soft = (_figure6_summary().loc[reward] for reward in ("hard", "soft"))
    single, cells, blocks = read_csv("mnasnet_table5.csv").to_dict("records")
    reward = [mnasnet.reward(row["top1"], row["latency_ms"], TARGET_MS) for row in (blocks, cells)]
    return {
        "mnasnet.hard_within": (hard - soft)["share_within_percent"] / 100,
        "mnasnet.hard_median": (hard / soft)["median_ms"],
        "mnasnet.single_objective_slow": single["latency_ms"] / cells["latency_ms"],
        "mnasnet.hierarchical_better": float(reward[0] - reward[1]),
    }


def progress(trials: pd.DataFrame, arms: Sequence[str]) -> pd.DataFrame:
    """Best reward so far, and the policy's entropy over its first: means over seeds, by arm."""
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
    """What came of each search, by arm and seed. within: share of all that keeps the target;
    p5, median, p95: their latency over it. Of the trial of highest value to itself: ratio,
    accuracy, reward (soft). SearchError for a search of which every network failed.
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


def sampled(outcomes: pd.DataFrame) -> pd.DataFrame:
    """What each arm sampled, means over its n searches, beside the paper's figure 6."""
    by, figure6 = outcomes.groupby("arm", sort=False), _figure6_summary()
    table = by[["within", "p5", "median", "p95"]].mean()
    table.insert(0, "n", by.size())
    table["published within"] = figure6["share_within_percent"] / 100
    table["published median"] = figure6["median_ms"] / TARGET_MS
    return table


def spent(trials: pd.DataFrame) -> pd.DataFrame:
    """What a search cost, means over the seeds; networks: different ones, each timed once."""
    different = trials.drop_duplicates(["arm", "seed", "arch"])
    by = different.groupby(["arm", "seed"], sort=False)
    table = by[["samples", "train_macs", "seconds"]].sum()
    table.insert(0, "networks", by.size())
    table.insert(0, "trials", trials.groupby(["arm", "seed"], sort=False).size())
    return table.groupby("arm", sort=False).mean().reset_index()


def _comparisons(outcomes: pd.DataFrame) -> dict[str, tuple[str, str, str, bool]]:
    return OF_A_TABLE if "soft, tied" in set(outcomes["arm"]) else COMPARED


def gaps(outcomes: pd.DataFrame) -> dict[str, pd.Series]:
    """The comparisons, one value per seed."""
    return {
        name: stats.paired(outcomes, column, "arm", a, b, ratio=ratio)
        for name, (column, a, b, ratio) in _comparisons(outcomes).items()
    }


def gap_table(outcomes: pd.DataFrame) -> pd.DataFrame:
    """The compared searches in numbers, and the paper's."""
    means, printed = outcomes.groupby("arm")[list(_WORDS)].mean(), published_gaps()
    rows, comparisons = [], _comparisons(outcomes)
    for name, values in gaps(outcomes).items():
        column, a, b, ratio = comparisons[name]
        mean, low, high = stats.mean_ci(values)
        rows.append(
            {"what": _WORDS[column], "first": a, "second": b, "of the first": means.loc[a, column],
             "of the second": means.loc[b, column], "as": "ratio" if ratio else "difference",
             "value": mean, "ci_low": low, "ci_high": high, "n": len(values),
             "published": printed.get(name)}
        )  # fmt: skip
    return pd.DataFrame(rows)


def summarise(trained: pd.DataFrame) -> pd.DataFrame:
    """Finalists by mean reward: costs, mean accuracy with its interval over the seeds, reward."""
    table = stats.grouped_ci(trained, ["name", "latency_ms", "macs", "params"], "accuracy")
    reward = table["name"].map(trained.groupby("name")["reward"].mean())
    table = table.rename(columns={"mean": "accuracy"}).assign(reward=reward)
    return table.sort_values("reward", ascending=False)


def search_claims(outcomes: pd.DataFrame) -> dict[str, ArrayLike]:
    """What the searches' claims take, one value per seed, of small images or of the table."""
    found = {claim: v for claim, v in gaps(outcomes).items() if claim in COMPARED}
    found["mnasnet.hard_within"] = 100 * found["mnasnet.hard_within"]
    soft = outcomes.loc[outcomes["arm"] == "soft", "median"].to_numpy()
    return found | {"mnasnet.soft_median": soft}


def final_claims(trained: pd.DataFrame) -> dict[str, ArrayLike]:
    """Claims about the finalists, one value per seed: the found network's reward less the best
    single layer type's, and its accuracy less that of MobileNetV2, if that is as fast.
    """
    means = trained.groupby("name")["reward"].mean()
    variant, v2 = means.loc[list(LAYER_TYPES)].idxmax(), "MobileNetV2, as fast"
    as_fast = baselines.comparable(trained, v2, "found")  # timed again
    beats = stats.paired(trained, "accuracy", "name", "found", v2) if as_fast else []
    return {
        "mnasnet.layer_diversity": stats.paired(trained, "reward", "name", "found", variant),
        "mnasnet.beats_mobilenet_v2": beats,
    }
