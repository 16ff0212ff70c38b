"""MnasNet's experiments in small: several searches of one budget, for one reward or another."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from lightlab.measure import cost
from lightlab.methods.mnasnet import rewards
from lightlab.methods.mnasnet.rewards import HARD, SOFT, Judge
from lightlab.search import pareto
from lightlab.search.controller import PPO, Controller
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
    """The trials of every arm and seed, one row per network a search tried.

    Columns of `rewards.run`, and arm, seed, reward (the soft one, whatever the search was after),
    ratio (latency over the target), front (the search found none as fast and as accurate).
    `spaces` by the names that the arms have; `soft` are the exponents of the soft reward.
    """
    exponents, parts = {"soft": soft, "hard": HARD, "none": NONE}, []
    for seed, name in tqdm([(s, a) for s in seeds for a in arms], desc="searching", unit="search"):
        arm, space = arms[name], spaces[arms[name].space]
        searcher = Controller(space, seed, ppo=ppo) if arm.learns else RandomSearch(space, seed)
        value = partial(_value, target_ms, exponents[arm.reward])
        found = rewards.run(searcher, space, judge, value, n_trials, batch_size)
        found["reward"] = np.nan
        fine = found["accuracy"].notna()
        found.loc[fine, "reward"] = _value(target_ms, soft, found[fine])
        found["front"], found["ratio"] = front(found), found["latency_ms"] / target_ms
        parts.append(found.assign(arm=name, seed=seed))
    return pd.concat(parts, ignore_index=True)


def _value(target_ms: float, exponents: tuple[float, float], rows: pd.DataFrame) -> np.ndarray:
    return rewards.reward(rows["accuracy"], rows["latency_ms"], target_ms, *exponents)


def front(trials: pd.DataFrame) -> pd.Series:
    """For each trial whether none of these is as accurate and as fast, and better in one."""
    values = np.column_stack([trials["accuracy"].fillna(-np.inf), -trials["latency_ms"]])
    keep = pareto.is_non_dominated(values) & trials["accuracy"].notna().to_numpy()
    return pd.Series(keep, index=trials.index)


def on_table(
    table: pd.DataFrame, judge: Judge, seeds: Sequence[int], n_trials: int = 200
) -> tuple[pd.DataFrame, float]:
    """The trials of TABLE_ARMS on NAS-Bench-Macro, and the exponent of their soft reward.

    The target is the median of the `table`'s latency_ms; the exponent is fitted to the networks
    that random search draws with the first seed; `judge` looks networks up in the table.
    """
    both = {HIERARCHICAL: MACRO_TIED, FLAT: MACRO}
    target_ms = float(table["latency_ms"].median())
    alone = {"random": TABLE_ARMS["random"]}
    drawn = searches(both, judge, target_ms, seeds[:1], n_trials, arms=alone)
    soft = rewards.soft_exponents(rewards.fitted_exponent(drawn)[0])
    how = {"arms": TABLE_ARMS, "soft": soft}
    return searches(both, judge, target_ms, seeds, n_trials, **how), soft[1]


def random_costs(spaces: Mapping[str, DecisionSpace], n: int, seed: int = 0) -> pd.DataFrame:
    """MACs of `n` random networks of each space: columns space, macs."""
    rng, price, parts = np.random.default_rng(seed), cost.Prices(), []
    for name, space in spaces.items():
        macs = [price(space.decode(point))[0] for point in space.sample(rng, n)]
        parts.append(pd.DataFrame({"space": name, "macs": macs}))
    return pd.concat(parts, ignore_index=True)
