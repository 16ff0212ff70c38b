"""MnasNet's experiments in small: several searches of one budget, and what their trials say.

Everything is a data frame. Trials: one row per network a search tried, as of `mnasnet.run`, with
the search's arm and seed, and reward, the soft reward whatever the search itself was after.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from lightlab.measure import cost, stats
from lightlab.search import mnasnet, pareto
from lightlab.search.controller import PPO, Controller
from lightlab.search.draws import SearchError
from lightlab.search.mnasnet import HARD, SOFT, Judge
from lightlab.search.random_search import RandomSearch
from lightlab.space.decisions import DecisionSpace
from lightlab.space.spaces import MACRO, MACRO_TIED

DEFAULTS = PPO()
NONE = (0.0, 0.0)  # exponents that leave the accuracy alone
HIERARCHICAL, FLAT = "hierarchical", "flat"


@dataclass(frozen=True)
class Arm:
    """A search: of which space, for which reward, by a controller or at random."""

    space: str
    reward: str  # "soft", "hard", or "none": accuracy alone
    learns: bool = True


# On small images a search is of the hierarchical space unless its name says otherwise …
ARMS = {
    "random": Arm(HIERARCHICAL, "soft", learns=False),
    "soft": Arm(HIERARCHICAL, "soft"),
    "hard": Arm(HIERARCHICAL, "hard"),
    "accuracy only": Arm(HIERARCHICAL, "none"),
    "soft, flat": Arm(FLAT, "soft"),
    "accuracy only, flat": Arm(FLAT, "none"),
}
# … in a table of per-layer networks it is of the whole table, or of the part with tied layers.
TABLE_ARMS = {
    "random": Arm(FLAT, "soft", learns=False),
    "soft": Arm(FLAT, "soft"),
    "hard": Arm(FLAT, "hard"),
    "accuracy only": Arm(FLAT, "none"),
    "random, tied": Arm(HIERARCHICAL, "soft", learns=False),
    "soft, tied": Arm(HIERARCHICAL, "soft"),
    "accuracy only, tied": Arm(HIERARCHICAL, "none"),
}
RANDOM = {"random": ARMS["random"]}
CORNERS = ("soft", "accuracy only", "soft, flat", "accuracy only, flat")


def figure6(histogram: pd.DataFrame, target_ms: float = 75.0) -> pd.DataFrame:
    """The paper's histograms as shares: ratio (middle of a bin over the target), width, hard, soft.

    `histogram`: start_ms, end_ms, and the counts hard and soft.
    """
    start, end = histogram["start_ms"] / target_ms, histogram["end_ms"] / target_ms
    counts = histogram[["hard", "soft"]]
    shares = counts / counts.sum()
    return shares.assign(ratio=(start + end) / 2, width=end - start)


def searches(
    spaces: Mapping[str, DecisionSpace],
    judge: Judge,
    target_ms: float,
    seeds: Iterable[int],
    n_trials: int,
    batch_size: int = 20,
    ppo: PPO = DEFAULTS,
    arms: Mapping[str, Arm] = ARMS,
    soft: tuple[float, float] = SOFT,
) -> pd.DataFrame:
    """The trials of every arm and seed, with front: whether the search found none as fast and as
    accurate. `spaces` by the names that the arms have; `soft` are the exponents of the soft reward.
    """
    exponents, parts = {"soft": soft, "hard": HARD, "none": NONE}, []
    for seed, name in tqdm([(s, a) for s in seeds for a in arms], desc="searching", unit="search"):
        arm, space = arms[name], spaces[arms[name].space]
        searcher = Controller(space, seed, ppo=ppo) if arm.learns else RandomSearch(space, seed)
        value = partial(_value, target_ms, exponents[arm.reward])
        found = mnasnet.run(searcher, space, judge, value, n_trials, batch_size)
        found["reward"] = np.nan
        fine = found["accuracy"].notna()
        found.loc[fine, "reward"] = _value(target_ms, soft, found[fine])
        found["front"], found["ratio"] = front(found), found["latency_ms"] / target_ms
        parts.append(found.assign(arm=name, seed=seed))
    return pd.concat(parts, ignore_index=True)


def _value(target_ms: float, exponents: tuple[float, float], rows: pd.DataFrame) -> np.ndarray:
    return mnasnet.reward(rows["accuracy"], rows["latency_ms"], target_ms, *exponents)


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


def front(trials: pd.DataFrame) -> pd.Series:
    """For each trial whether none of these is as accurate and as fast, and better in one."""
    values = np.column_stack([trials["accuracy"].fillna(-np.inf), -trials["latency_ms"]])
    keep = pareto.is_non_dominated(values) & trials["accuracy"].notna().to_numpy()
    return pd.Series(keep, index=trials.index)


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


def against(outcomes: pd.DataFrame, column: str, a: str, b: str, times: bool = False) -> np.ndarray:
    """`column` of arm `a` minus that of arm `b`, or over it (`times`), one value per seed."""
    wide = outcomes.pivot(index="seed", columns="arm", values=column)
    return (wide[a] / wide[b] if times else wide[a] - wide[b]).to_numpy()


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


def on_table(
    table: pd.DataFrame, judge: Judge, seeds: Sequence[int], n_trials: int = 200
) -> tuple[pd.DataFrame, float]:
    """The `outcomes` of TABLE_ARMS on NAS-Bench-Macro, and the exponent of their soft reward.

    The target is the median of the `table`'s latency_ms; the exponent is fitted to the networks
    that random search draws with the first seed; `judge` looks networks up in the table.
    """
    both = {HIERARCHICAL: MACRO_TIED, FLAT: MACRO}
    target_ms = float(table["latency_ms"].median())
    alone = {"random": TABLE_ARMS["random"]}
    drawn = searches(both, judge, target_ms, seeds[:1], n_trials, arms=alone)
    soft = mnasnet.soft_exponents(mnasnet.fitted_exponent(drawn)[0])
    how = {"arms": TABLE_ARMS, "soft": soft}
    return outcomes(searches(both, judge, target_ms, seeds, n_trials, **how)), soft[1]


# The comparisons that claims are about: column of `outcomes`, the arms, whether as a ratio, and
# what the paper has (figure 6 and table 5; rewards computed).
_COMPARED = {
    "mnasnet.beats_random": ("reward", "soft", "random", False, None),
    "mnasnet.hard_within": ("within", "hard", "soft", False, 0.342),
    "mnasnet.hard_median": ("median", "hard", "soft", True, 0.80),
    "mnasnet.single_objective_slow": ("ratio", "accuracy only", "soft", True, 1.83),
    "mnasnet.hierarchical_better": ("reward", "soft", "soft, flat", False, 4.43),
}


def compared(outcomes: pd.DataFrame) -> dict[str, tuple[str, str, str, bool, float | None]]:
    """_COMPARED with the arms as they are called in these outcomes."""
    found = dict(_COMPARED)
    if "soft, tied" in set(outcomes["arm"]):  # of a table: the whole of it is the flat space
        found["mnasnet.hierarchical_better"] = ("reward", "soft, tied", "soft", False, 4.43)
        # how much of that is the space's alone, whoever searches it
        found["random"] = ("reward", "random, tied", "random", False, None)
    return found


def evidence(outcomes: pd.DataFrame) -> dict[str, np.ndarray]:
    """What the searches' claims take, one value per seed, of small images or of the table."""
    pairs = {
        claim: against(outcomes, column, a, b, times)
        for claim, (column, a, b, times, _) in compared(outcomes).items()
        if claim != "random"
    }
    pairs["mnasnet.hard_within"] = 100 * pairs["mnasnet.hard_within"]
    soft = outcomes.loc[outcomes["arm"] == "soft", "median"].to_numpy()
    return pairs | {"mnasnet.soft_median": soft}


def evidence_table(outcomes: pd.DataFrame) -> pd.DataFrame:
    """The compared searches in numbers: what, first and second with their means, difference (or
    ratio, "×") with its interval over n seeds, and the paper's.
    """
    words = {
        "reward": "best soft reward",
        "within": "share of samples within the target",
        "median": "median latency of the samples",
        "ratio": "latency of what it chooses",
    }
    means = outcomes.groupby("arm")[list(words)].mean()
    rows = []
    for column, a, b, times, published in compared(outcomes).values():
        mean, low, high = stats.mean_ci(against(outcomes, column, a, b, times))
        rows.append(
            {"what": words[column], "first": a, "second": b, "of the first": means.loc[a, column],
             "of the second": means.loc[b, column], "as": "ratio" if times else "difference",
             "value": mean, "ci_low": low, "ci_high": high, "n": outcomes["seed"].nunique(),
             "published": published}
        )  # fmt: skip
    return pd.DataFrame(rows)


def random_costs(spaces: Mapping[str, DecisionSpace], n: int, seed: int = 0) -> pd.DataFrame:
    """MACs of `n` random networks of each space: columns space, macs."""
    rng, price, parts = np.random.default_rng(seed), cost.Prices(), []
    for name, space in spaces.items():
        macs = [price(space.decode(point))[0] for point in space.sample(rng, n)]
        parts.append(pd.DataFrame({"space": name, "macs": macs}))
    return pd.concat(parts, ignore_index=True)
