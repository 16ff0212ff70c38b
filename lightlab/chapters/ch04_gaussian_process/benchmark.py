"""Searchers against each other on functions whose optimum is known: method × problem × seed."""

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.optim import optimize_acqf
from botorch.test_functions import synthetic
from gpytorch.mlls import ExactMarginalLogLikelihood
from scipy.optimize import minimize
from tqdm.auto import tqdm

from lightlab import published
from lightlab.measure import stats
from lightlab.search.bayesopt import BayesianOptimization
from lightlab.search.optuna_search import OptunaSearch
from lightlab.search.searcher import GridSearch, PointLog, RandomSearch, Searcher
from lightlab.search.surrogate import single_thread
from lightlab.space.hyper import Float, HyperSpace

CLASSIC = ("Branin", "Hartmann-6", "Ackley-5")
HELD_OUT = ("Levy-4", "Rosenbrock-4", "Griewank-5")
# Settings of the search were chosen on these alone; they take part in no reported comparison.
DEVELOPMENT = (
    "StyblinskiTang-5",
    "Rastrigin-4",
    "SixHumpCamel",
    "DixonPrice-4",
    "Shekel",
    "Hartmann-3",
    "Beale",
    "Powell-4",
    "Cosine8",
)
# Ackley's optimum lies in the middle of its usual range, where a first guess would fall on it.
_BOUNDS = {"Ackley-5": [(-20.0, 30.0)] * 5}


class Problem:
    """A function of the hyperparameters x0, x1, … with its lowest value; KeyError unless listed."""

    def __init__(self, name: str) -> None:
        kind, _, dim = name.partition("-")
        if name not in CLASSIC + HELD_OUT + DEVELOPMENT:
            raise KeyError(f"no problem {name!r}: there are {CLASSIC + HELD_OUT + DEVELOPMENT}")
        options: dict[str, Any] = {"dtype": torch.double} | ({"dim": int(dim)} if dim else {})
        if name in _BOUNDS:
            options["bounds"] = _BOUNDS[name]
        self.name = name
        self._function = getattr(synthetic, kind)(negate=kind == "Cosine8", **options)
        bounds = self._function.bounds.T.tolist()
        self.space = HyperSpace({f"x{i}": Float(low, high) for i, (low, high) in enumerate(bounds)})
        self.optimal_value = self._polish()

    def __call__(self, config: dict[str, float]) -> float:
        return self._at(np.array(list(config.values())))

    def _at(self, x: np.ndarray) -> float:
        return self._function(torch.from_numpy(x)[None]).item()

    def _polish(self) -> float:
        """The lowest value to double precision: the published ones carry six digits, fewer than
        a search can reach."""
        bounds = self._function.bounds.T.tolist()
        options = {"ftol": 0.0, "gtol": 1e-14, "maxiter": 200}
        values = []
        for x in self._function.optimizers.double().numpy():
            found = minimize(
                self._with_grad, x, jac=True, method="L-BFGS-B", bounds=bounds, options=options
            )
            values += [self._at(x), float(found.fun)]
        return float(np.nanmin(values))

    def _with_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        X = torch.from_numpy(x.copy()).requires_grad_()
        value = self._function(X[None])[0]
        value.backward()
        return value.item(), X.grad.numpy()


problem = lru_cache(Problem)  # each is made once


class BoTorchDefaults(PointLog):
    """BoTorch as its tutorials use it, nothing chosen: `SingleTaskGP`, LogEI, `optimize_acqf`."""

    def _next(self) -> dict[str, float]:
        X = torch.from_numpy(self.space.to_cube([t.config for t in self.trials]))
        Y = torch.tensor([[self.signs[0] * t.values[0]] for t in self.trials]).double()
        bounds = torch.stack([torch.zeros(X.shape[1]), torch.ones(X.shape[1])]).double()
        with single_thread(), torch.random.fork_rng([]):
            torch.manual_seed(1000 * self.seed + len(X))
            model = SingleTaskGP(X, Y)
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
            acqf = LogExpectedImprovement(model, best_f=Y.max())
            x, _ = optimize_acqf(acqf, bounds, q=1, num_restarts=10, raw_samples=512)
        return self.space.from_cube(x.numpy())[0]


FLOOR = 1e-9  # regrets below count as this: what is left there is rounding
METHODS = ("ours", "no-warp", "botorch", "optuna-gp", "tpe", "random", "grid")


def make(
    method: str, space: HyperSpace, seed: int, n_trials: int, n_initial: int, noisy: bool
) -> Searcher | None:
    """A minimising searcher by its name; None for a grid without room for two levels."""
    if method in ("ours", "no-warp"):
        power = 1.0 if method == "no-warp" else None
        return BayesianOptimization(space, seed, False, n_initial, power=power)
    if method == "botorch":
        return BoTorchDefaults(space, seed, maximize=False)
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


def recorded() -> pd.DataFrame:
    """What exact races ended with that `benchmarks/bo.py` ran: as `final`."""
    rows = published.read_csv("races.csv")
    order = {"problem": [*CLASSIC, *HELD_OUT], "method": METHODS}
    rows = rows[~rows["noisy"] & rows["problem"].isin(order["problem"])].drop(columns="noisy")
    kinds = {name: pd.CategoricalDtype(values, ordered=True) for name, values in order.items()}
    return (
        rows.astype(kinds)
        .sort_values(["problem", "seed", "method"])
        .astype(dict.fromkeys(order, str))
    )


def table(ends: pd.DataFrame) -> pd.DataFrame:
    """Per problem and method: mean log10 regret with interval, CPU ms per suggestion, n seeds."""
    rows = stats.grouped_ci(ends, ["problem", "method"], "log_regret")
    cpu = ends.groupby(["problem", "method"], sort=False)["cpu_s"].mean().mul(1e3)
    return rows.assign(cpu_ms=cpu.to_numpy()).rename(columns={"mean": "log10_regret"})
