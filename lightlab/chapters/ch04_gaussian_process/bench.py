"""Searchers against each other: method × problem × seed, one row per trial."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from lightlab.chapters.ch04_gaussian_process.problems import Problem, problem
from lightlab.measure import stats
from lightlab.search.gaussian.bayesopt import BayesianOptimization
from lightlab.search.optuna_search import OptunaSearch
from lightlab.search.random_search import GridSearch, RandomSearch
from lightlab.search.searcher import Searcher
from lightlab.space.hyper import HyperSpace

FLOOR = 1e-9  # regrets below count as this: what is left there is rounding
METHODS = ("ours", "optuna-gp", "tpe", "random", "grid")


def make(
    method: str, space: HyperSpace, seed: int, n_trials: int, n_initial: int, noisy: bool
) -> Searcher | None:
    """A minimising searcher by its name; None for a grid without room for two levels."""
    if method == "ours":
        return BayesianOptimization(space, seed, maximize=False, n_initial=n_initial)
    if method == "random":
        return RandomSearch(space, seed, maximize=False)
    if method == "grid":
        levels = int(n_trials ** (1 / len(space.columns)) + 1e-9)
        return GridSearch(space, levels, seed, maximize=False) if levels > 1 else None
    if method in ("tpe", "optuna-gp"):
        sampler = "tpe" if method == "tpe" else "gp"
        return OptunaSearch(space, sampler, seed, False, n_initial, deterministic=not noisy)
    raise KeyError(f"no method {method!r}: there are {METHODS}")


def run(
    method: str,
    at: Problem,
    seed: int,
    n_trials: int = 50,
    n_initial: int = 10,
    noise_sd: float = 0.0,
) -> pd.DataFrame:
    """One search, one row a trial; no rows for a grid that does not fit.

    `regret` is that of the best point tried, by its true value; `incumbent_regret`, at the end, of
    the point that the searcher itself recommends. The first `n_initial` points (`suggested` False)
    are random and the same for every method but the grid, so that differences are paired by seed.
    `cpu_s`: asking and telling.
    """
    noisy = noise_sd > 0
    search = make(method, at.space, seed, n_trials, n_initial, noisy)
    first = [] if method == "grid" else RandomSearch(at.space, seed).ask(n_initial)
    noise = np.random.default_rng([seed, 1]).standard_normal(n_trials) * noise_sd
    rows = []
    for i in range(n_trials if search is not None else 0):
        start = time.process_time()
        asked = [first[i]] if i < len(first) else search.ask(1)
        asking = time.process_time() - start
        if not asked:
            break
        true = at(asked[0])
        start = time.process_time()
        search.tell(asked, [true + noise[i]], [noise_sd**2] if noisy else None)
        cpu_s = asking + time.process_time() - start
        rows.append((method, at.name, seed, i + 1, true + noise[i], cpu_s, true))
    columns = ["method", "problem", "seed", "trial", "value", "cpu_s", "true_value"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["regret"] = frame.pop("true_value").cummin() - at.optimal_value
    frame["log_regret"] = np.log10(frame["regret"].clip(lower=FLOOR))
    recommended = at(search.incumbent.config) if rows else np.nan
    return frame.assign(
        suggested=frame["trial"] > len(first), incumbent_regret=recommended - at.optimal_value
    )


def run_all(
    n_seeds: Mapping[str, int], problems: Sequence[str], seed: int, n_trials: int, n_initial: int
) -> pd.DataFrame:
    """`run` for each problem, seed and method; `n_seeds` says how many of each method."""
    todo = [
        (method, problem(name), seed + i)
        for name in problems
        for i in range(max(n_seeds.values()))
        for method in n_seeds
        if i < n_seeds[method]
    ]
    frames = [run(*search, n_trials, n_initial) for search in tqdm(todo)]
    return pd.concat([f for f in frames if len(f)], ignore_index=True)


def curves(trials: pd.DataFrame) -> pd.DataFrame:
    """Mean log10 regret after each trial: problem, method, trial, mean, ci_low, ci_high, n."""
    return stats.grouped_ci(trials, ["problem", "method", "trial"], "log_regret")


def final(trials: pd.DataFrame) -> pd.DataFrame:
    """What each search ended with: problem, method, seed, log_regret, cpu_s per suggestion."""
    by = ["problem", "method", "seed"]
    ends = trials.groupby(by, sort=False)["log_regret"].last()
    cpu = trials[trials["suggested"]].groupby(by, sort=False)["cpu_s"].mean()
    return pd.concat([ends, cpu], axis=1).reset_index()


def table(ends: pd.DataFrame) -> pd.DataFrame:
    """Per problem and method: mean log10 regret with interval, CPU ms per suggestion, n seeds."""
    rows = stats.grouped_ci(ends, ["problem", "method"], "log_regret")
    cpu = ends.groupby(["problem", "method"], sort=False)["cpu_s"].mean().mul(1e3)
    return rows.assign(cpu_ms=cpu.to_numpy()).rename(columns={"mean": "log10_regret"})
