"""Searchers at equal cost: each may spend the same, however many trials that is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from lightlab.search.gaussian.bayesopt import BayesianOptimization
from lightlab.search.peers import OptunaSearch
from lightlab.search.random_search import GridSearch, RandomSearch
from lightlab.search.searcher import Searcher
from lightlab.space.hyper import HyperSpace

MAX_TRIALS = 10_000  # a search that would go on beyond this has a price of nothing


class Outcome(Protocol):
    """What a trial gave: the observation, its variance, and a value nobody selects by."""

    mean: float
    noise_var: float
    held_out: float


class Objective(Protocol):
    """Evaluates a configuration, and says beforehand what that costs."""

    def __call__(self, config: Mapping[str, Any]) -> Outcome: ...

    def price(self, config: Mapping[str, Any]) -> float: ...


def make(method: str, space: HyperSpace, seed: int, n_initial: int, levels: int) -> Searcher:
    """A maximising searcher by its name; KeyError with the names there are."""
    makers: dict[str, Callable[[], Searcher]] = {
        "bo": lambda: BayesianOptimization(space, seed, n_initial=n_initial),
        "random": lambda: RandomSearch(space, seed),
        "grid": lambda: GridSearch(space, levels, seed),
        "tpe": lambda: OptunaSearch(space, "tpe", seed, n_initial=n_initial),
    }
    if method not in makers:
        raise KeyError(f"no method {method!r}: there are {', '.join(makers)}")
    return makers[method]()


def run(searcher: Searcher, objective: Objective, budget: float) -> pd.DataFrame:
    """One search until the next trial would pass `budget`.

    One row per trial: its configuration, value, noise_var, held_out and cumulated cost, and value
    and held-out value of the trial that the searcher would recommend by then (incumbent_…).
    """
    rows: list[dict[str, Any]] = []
    held_out: dict[str, float] = {}
    spent = 0.0
    while len(rows) < MAX_TRIALS:
        asked = searcher.ask(1)
        if not asked or spent + (price := objective.price(asked[0])) > budget:
            break
        spent += price
        outcome = objective(asked[0])
        searcher.tell(asked, [outcome.mean], [outcome.noise_var])
        held_out[str(asked[0])] = outcome.held_out
        best = searcher.incumbent
        rows.append(
            {
                "trial": len(rows) + 1,
                "cost": spent,
                **asked[0],
                "value": outcome.mean,
                "noise_var": outcome.noise_var,
                "held_out": outcome.held_out,
                "incumbent_value": best.value if best else np.nan,
                "incumbent_held_out": held_out[str(best.config)] if best else np.nan,
            }
        )
    return pd.DataFrame(rows)


def compare(
    space: HyperSpace,
    objectives: Iterable[tuple[int, Objective]],
    methods: Sequence[str],
    budget: float,
    *,
    n_initial: int,
    levels: int = 3,
) -> tuple[pd.DataFrame, dict[tuple[str, int], Searcher]]:
    """Every method on every (seed, objective): the trials, and the searchers as they ended.

    Methods with a model place their first `n_initial` points themselves. A budget too small for a
    single trial is a ValueError.
    """
    tables, searchers = [], {}
    for seed, objective in objectives:
        for method in methods:
            searcher = make(method, space, seed, n_initial, levels)
            table = run(searcher, objective, budget)
            if table.empty:
                raise ValueError(f"{method}, seed {seed}: the budget does not buy one trial")
            tables.append(table.assign(method=method, seed=seed))
            searchers[method, seed] = searcher
    return pd.concat(tables, ignore_index=True), searchers


def at_costs(trials: pd.DataFrame, costs: np.ndarray, column: str) -> pd.DataFrame:
    """`column` of each search at each of `costs`: that of its last trial finished by then.

    Columns method, seed, cost, `column`; NaN before the first trial is finished.
    """
    parts = []
    for (method, seed), part in trials.groupby(["method", "seed"], sort=False):
        last = np.searchsorted(part["cost"].to_numpy(), costs, side="right") - 1
        values = np.where(last >= 0, part[column].to_numpy()[np.maximum(last, 0)], np.nan)
        parts.append(pd.DataFrame({"method": method, "seed": seed, "cost": costs, column: values}))
    return pd.concat(parts, ignore_index=True)
