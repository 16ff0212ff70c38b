"""Hyperparameter searches at equal training cost, and what their models have learnt.

`trials` is the frame that `compare` returns, `searchers` its searchers by (method, seed); costs are
in trainings of an average configuration, accuracies from 0 to 1 unless said otherwise.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lightlab.chapters.ch05_hyperparameter_tuning.cross_validation import CrossValidation
from lightlab.measure import stats
from lightlab.search import BayesianOptimization, GridSearch, RandomSearch, Searcher, Trial
from lightlab.search.optuna_search import OptunaSearch
from lightlab.search.surrogate import Surrogate
from lightlab.space.hyper import Config, HyperSpace

GRID_LEVELS = 3
MAX_TRIALS = 10_000  # a search that would go on beyond this has a price of nothing

Searchers = Mapping[tuple[str, int], Searcher]


def make_searcher(method: str, space: HyperSpace, seed: int, n_initial: int) -> Searcher:
    """The searcher "bo", "bo-cost" (which minds what a trial costs), "random", "grid" or "tpe";
    models come after `n_initial` points.
    """
    makers = {
        "bo": lambda: BayesianOptimization(space, seed, n_initial=n_initial),
        "bo-cost": lambda: BayesianOptimization(space, seed, n_initial=n_initial, cost_aware=True),
        "random": lambda: RandomSearch(space, seed),
        "grid": lambda: GridSearch(space, GRID_LEVELS, seed),
        "tpe": lambda: OptunaSearch(space, "tpe", seed, n_initial=n_initial),
    }
    return makers[method]()


def search(searcher: Searcher, problem: CrossValidation, budget: float) -> pd.DataFrame:
    """One search until the next trial would pass `budget`, in the unit of `problem.price`.

    One row per trial: its configuration, value, noise_var, held_out and cumulated cost, and value
    and held-out value of the trial that the searcher would recommend by then (incumbent_…).
    """
    rows: list[dict[str, Any]] = []
    held_out: dict[str, float] = {}
    spent = 0.0
    while len(rows) < MAX_TRIALS:
        asked = searcher.ask(1)
        if not asked or spent + (price := problem.price(asked[0])) > budget:
            break
        spent += price
        score = problem(asked[0])
        searcher.tell(asked, [score.mean], [score.noise_var], [price] if price else None)
        held_out[str(asked[0])] = score.held_out
        best = searcher.incumbent
        row = {"trial": len(rows) + 1, "cost": spent, **asked[0], "value": score.mean}
        row |= {"noise_var": score.noise_var, "held_out": score.held_out}
        row["incumbent_value"] = best.value if best else np.nan
        row["incumbent_held_out"] = held_out[str(best.config)] if best else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def compare(
    space: HyperSpace,
    problems: Mapping[int, CrossValidation],
    methods: Sequence[str],
    budget: float,
    *,
    n_initial: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, Searchers]:
    """Every method on the problem of every seed: the trials, and the searchers as they ended.

    `budget` counts trainings of an average configuration: 40 that `rng` draws. ValueError where it
    does not buy a single trial.
    """
    first, *_ = problems.values()
    unit = float(np.mean([first.price(config) for config in space.sample(rng, 40)]))
    tables, searchers = [], {}
    for seed, problem in problems.items():
        for method in methods:
            searcher = make_searcher(method, space, seed, n_initial)
            table = search(searcher, problem, budget * unit)
            if table.empty:
                raise ValueError(f"{method}, seed {seed}: the budget does not buy one trial")
            tables.append(table.assign(method=method, seed=seed))
            searchers[method, seed] = searcher
    trials = pd.concat(tables, ignore_index=True)
    trials["cost"] /= unit
    return trials, searchers


def incumbents_at(trials: pd.DataFrame, costs: Sequence[float]) -> pd.DataFrame:
    """Held-out accuracy of each search's choice at each of `costs`, NaN before its first trial."""
    parts = []
    for (method, seed), part in trials.groupby(["method", "seed"], sort=False):
        last = np.searchsorted(part["cost"].to_numpy(), costs, side="right") - 1
        values = part["incumbent_held_out"].to_numpy()[np.maximum(last, 0)]
        found = pd.DataFrame({"method": method, "seed": seed, "cost": costs})
        parts.append(found.assign(incumbent_held_out=np.where(last >= 0, values, np.nan)))
    return pd.concat(parts, ignore_index=True)


def anytime(trials: pd.DataFrame, budget: float) -> pd.DataFrame:
    """`incumbents_at` from where every search has a trial to `budget`: mean over the seeds."""
    start = trials.groupby(["method", "seed"])["cost"].min().max()
    found = incumbents_at(trials, np.linspace(start, budget, 40))
    return stats.grouped_ci(found, ["method", "cost"], "incumbent_held_out")


def final_accuracy(trials: pd.DataFrame, budget: float) -> pd.DataFrame:
    """Held-out accuracy in per cent when `budget` is spent: method, seed, accuracy."""
    found = incumbents_at(trials, [budget])
    return found[["method", "seed"]].assign(accuracy=100 * found["incumbent_held_out"])


def differences(final: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """`final_accuracy` of a first method minus a second's: a row per pair and seed, with means."""
    parts = []
    for first, second in pairs:
        gap = stats.paired(final, "accuracy", "method", first, second)
        mean, low, high = stats.mean_ci(gap)
        found = pd.DataFrame({"first": first, "second": second, "difference": gap})
        parts.append(found.assign(mean=mean, ci_low=low, ci_high=high))
    return pd.concat(parts)


def retrain_winners(
    trials: pd.DataFrame, searchers: Searchers, problems: Mapping[int, CrossValidation]
) -> pd.DataFrame:
    """The last row of each search, with the accuracy `test` of its choice when trained anew."""
    last = trials.groupby(["method", "seed"], sort=False).last().reset_index()
    last["test"] = [
        problems[s].retrain(searchers[m, s].incumbent.config)
        for m, s in zip(last["method"], last["seed"], strict=True)
    ]
    return last


def trials_of(searchers: Searchers, seed: int) -> list[Trial]:
    """All trials of one seed, whichever search made them; equal configurations once."""
    found = (t for (_, s), searcher in searchers.items() if s == seed for t in searcher.trials)
    return list({str(t.config): t for t in found}.values())


def fit_model(space: HyperSpace, trials: Sequence[Trial]) -> Surrogate:
    """The Gaussian process that Bayesian optimisation would have after these trials."""
    return BayesianOptimization(space, trials=trials).surrogates()[0]


def observations(trials: Sequence[Trial]) -> pd.DataFrame:
    """One row per trial: its hyperparameters, value, and sd of its noise (NaN where unknown)."""
    table = pd.DataFrame([t.config for t in trials])
    sd = [(t.noise_var or (np.nan,))[0] ** 0.5 for t in trials]
    return table.assign(value=[t.values[0] for t in trials], sd=sd)


def replay(space: HyperSpace, trials: Sequence[Trial], sizes: Sequence[int]) -> pd.DataFrame:
    """What a search of one hyperparameter believed after its first `sizes` trials; acqf: expected
    improvement, whose maximum is the next point.
    """
    ((name, dimension),) = space.dimensions.items()
    x = dimension.grid(201)
    parts = []
    for size in sizes:
        model = fit_model(space, trials[:size])
        mean, sd = model.predict([{name: value} for value in x])
        part = pd.DataFrame({"n_trials": size, name: x, "mean": mean, "sd": sd})
        parts.append(part.assign(acqf=model.expected_improvement([{name: v} for v in x])))
    return pd.concat(parts, ignore_index=True)


def slices(space: HyperSpace, model: Surrogate, config: Config) -> pd.DataFrame:
    """The model along each hyperparameter, all others as in `config`: name, x, mean, sd."""
    parts = []
    for name, dimension in space.dimensions.items():
        x = dimension.grid(61)
        mean, sd = model.predict([{**config, name: value} for value in x])
        parts.append(pd.DataFrame({"name": name, "x": x, "mean": mean, "sd": sd}))
    return pd.concat(parts, ignore_index=True).astype({"x": float})


def relevance(models: Mapping[int, Surrogate]) -> pd.DataFrame:
    """Share of each hyperparameter in Σ 1/ℓ², by seed: how fast the model varies along it.

    Automatic relevance determination (Neal 1996): the kernel's squared distance is Σ (Δx/ℓ)².
    """
    rows = []
    for seed, model in models.items():
        inverse = {name: 1 / scale**2 for name, scale in model.length_scales.items()}
        rows += [(seed, name, value / sum(inverse.values())) for name, value in inverse.items()]
    return pd.DataFrame(rows, columns=["seed", "name", "share"])


def lead(shares: pd.DataFrame, name: str) -> pd.Series:
    """The share (`relevance`) of hyperparameter `name` minus the largest of another, by seed."""
    by_seed = shares.pivot(index="seed", columns="name", values="share")
    return by_seed[name] - by_seed.drop(columns=name).max(axis=1)


def effective_dimension(shares: pd.DataFrame) -> pd.Series:
    """1 / Σ share² by seed: d where all d hyperparameters matter alike, 1 where only one does."""
    return 1 / shares["share"].pow(2).groupby(shares["seed"]).sum()
