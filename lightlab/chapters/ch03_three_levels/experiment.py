"""One task solved at three levels: parameters, hyperparameters, architecture.

Validation images select; the test images are used once per search, for what it chose.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from lightlab import train
from lightlab.chapters.ch03_three_levels import layers, linear
from lightlab.chapters.ch03_three_levels.linear import Linear
from lightlab.data import DataSet
from lightlab.measure import cost, stats
from lightlab.published import read_yaml
from lightlab.search.searcher import GridSearch, RandomSearch
from lightlab.space.hyper import HyperSpace

IN_ORDER = "hand"  # the one way whose order means something; grid and random are shuffled
FORMULAS = ("class means", "ridge")


@dataclass(frozen=True)
class Setting:
    """What one training needs: a network (see `layers.stack`) and two numbers of its recipe."""

    network: str
    lr: float
    weight_decay: float

    def recipe(self, base: train.Recipe) -> train.Recipe:
        return replace(base, lr=self.lr, weight_decay=self.weight_decay)

    def build(self, ds: DataSet, seed: int) -> nn.Sequential:
        return layers.stack(self.network, ds.input_shape, len(ds.class_names), seed=seed)


def solve_parameters(
    sets: Mapping[int, DataSet],
    penalty: float,
    trained: Mapping[str, Setting],
    recipe: train.Recipe,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Linear]]:
    """Level 1: weights drawn, from two formulas, and by gradient for the settings `trained`.

    `sets` by seed. One row per way and seed, the trainings' histories, and the linear classifiers
    of the first seed.
    """
    results, histories, shown = [], [], {}
    for seed, ds in sets.items():
        rows, found = solve_untrained(ds, penalty)
        for way, setting in trained.items():
            history, row, classifier = solve_by_gradient(ds, setting, recipe, seed)
            rows.append({"way": way, **row})
            histories.append(history.assign(way=way, seed=seed))
            if classifier is not None:
                found[way] = classifier
        results += [row | {"seed": seed} for row in rows]
        shown = shown or found
    return pd.DataFrame(results), pd.concat(histories, ignore_index=True), shown


def solve_untrained(ds: DataSet, penalty: float) -> tuple[list[dict[str, Any]], dict[str, Linear]]:
    """Three linear classifiers found without training: drawn, class means, ridge regression."""
    drawings = read_yaml("drawn_digits.yaml")["digits"]
    solutions = {
        "drawn": lambda: linear.from_drawings(drawings, ds),
        "class means": lambda: linear.class_means(ds.train),
        "ridge": lambda: linear.ridge(ds.train, penalty),
    }
    rows, found = [], {}
    n, d, classes = len(ds.train), math.prod(ds.input_shape), len(ds.class_names)
    for way, solve in solutions.items():
        start = time.perf_counter()
        found[way] = solve()
        row = {"way": way, "samples": 0 if way == "drawn" else n}
        row |= {"macs": linear.macs(way, n, d, classes), "seconds": time.perf_counter() - start}
        row["val_accuracy"] = found[way].accuracy(ds.val)
        row["test_accuracy"] = found[way].accuracy(ds.test)
        rows.append(row)
    return rows, found


def solve_by_gradient(
    ds: DataSet, setting: Setting, recipe: train.Recipe, seed: int
) -> tuple[pd.DataFrame, dict[str, Any], Linear | None]:
    """Train one network; its history by epoch, its result as a row, its weights if it is linear."""
    model = setting.build(ds, seed)
    history = train.fit(model, ds.train, setting.recipe(recipe), seed=seed, val=ds.val)
    row = dict(history.iloc[-1][["samples", "macs", "seconds", "val_accuracy"]])
    row["test_accuracy"] = train.evaluate(model, ds.test)["accuracy"]
    if setting.network != layers.LINEAR:
        return history, row, None
    weight, bias = (p.detach().numpy().astype(float) for p in model[-1].parameters())
    return history, row, Linear(weight.T, bias)


def descend(sets: Mapping[int, DataSet], penalty: float) -> pd.DataFrame:
    """Ridge regression by steps downhill; gap: to the formula's minimum."""
    frames = []
    for seed, ds in sets.items():
        minimum = linear.ridge_objective(linear.ridge(ds.train, penalty), ds.train, penalty)
        steps = linear.ridge_by_gradient(ds.train, penalty)
        frames.append(steps.assign(seed=seed, gap=steps.objective / minimum - 1))
    return pd.concat(frames, ignore_index=True)


def grid(space: HyperSpace, levels: int, seed: int, base: Setting) -> list[Setting]:
    """Every combination of `levels` values of each number, in random order."""
    return _settings(GridSearch(space, levels, seed).ask(len(space.grid(levels))), base)


def random(space: HyperSpace, n: int, seed: int, base: Setting) -> list[Setting]:
    """`n` points of the space, each number drawn anew."""
    return _settings(RandomSearch(space, seed).ask(n), base)


def _settings(configs: Sequence[dict[str, Any]], base: Setting) -> list[Setting]:
    """Points as settings: `width` makes one dense layer, other sizes are those of `layers.write`;
    what a point leaves open is `base`'s.
    """
    found = []
    for sizes in map(dict, configs):
        numbers = {k: sizes.pop(k, getattr(base, k)) for k in ("lr", "weight_decay")}
        network = f"dense-{sizes['width']}" if "width" in sizes else layers.write(**sizes)
        found.append(Setting(network, **numbers))
    return found


def search(
    sets: Mapping[int, DataSet],
    ways: Mapping[str, Callable[[int], Sequence[Setting]]],
    recipe: train.Recipe,
) -> pd.DataFrame:
    """Levels 2 and 3: `try_all` of what each of `ways` tries for a seed, on its data."""
    frames = [
        try_all(ds, settings_of(seed), recipe, seed).assign(way=way, seed=seed)
        for seed, ds in sets.items()
        for way, settings_of in ways.items()
    ]
    return pd.concat(frames, ignore_index=True)


def try_all(
    ds: DataSet, settings: Sequence[Setting], recipe: train.Recipe, seed: int
) -> pd.DataFrame:
    """Train every setting from the same seed and test the best by validation accuracy, then loss.

    A training that diverges counts as accuracy 0 and is charged in full.
    """
    rows, best = [], (-1.0, 0.0)
    for trial, setting in enumerate(settings):
        model = setting.build(ds, seed)
        spent, score = _train(model, ds, setting.recipe(recipe), seed)
        rows.append({"trial": trial + 1, **vars(setting), **spent, "val_accuracy": score[0]})
        if score > best:
            best, chosen, winner = score, trial, model
    trials = pd.DataFrame(rows).assign(chosen=False, test_accuracy=math.nan)
    trials.loc[chosen, "chosen"] = True
    trials.loc[chosen, "test_accuracy"] = train.evaluate(winner, ds.test)["accuracy"]
    return trials


def _train(
    model: nn.Module, ds: DataSet, recipe: train.Recipe, seed: int
) -> tuple[dict[str, float], tuple[float, float]]:
    """Cost of the training, and (validation accuracy, minus validation loss)."""
    start = time.perf_counter()
    forward = cost.count_macs(model, ds.input_shape)
    try:
        train.fit(model, ds.train, recipe, seed=seed, macs_per_image=forward)
        result = train.evaluate(model, ds.val)
        score = (result["accuracy"], -result["loss"])
    except train.DivergedError:
        score = (0.0, -math.inf)
    samples = train.samples(recipe, len(ds.train))
    spent = {"samples": samples, "macs": samples * forward * cost.PASSES_PER_TRAINING_STEP}
    return spent | {"macs_image": forward, "seconds": time.perf_counter() - start}, score


def best_so_far(values: Sequence[float], exchangeable: bool) -> np.ndarray:
    """Best value among the first 1, 2, …, N trials; where their order is chance (`exchangeable`)
    its expectation over all orders (Bergstra & Bengio 2012, section 2.1, resample to the same end).
    """
    if not exchangeable:
        return np.maximum.accumulate(np.asarray(values, dtype=float))
    v, N = np.sort(values), len(values)
    sums = [sum(v[r] * math.comb(r, n) for r in range(n, N)) for n in range(N)]
    return np.array([total / math.comb(N, n) for n, total in enumerate(sums, 1)])


def variance_shares(grid: pd.DataFrame, factors: Sequence[str]) -> pd.DataFrame:
    """Share of validation accuracy's variance that each factor alone explains, a row per seed
    (Fisher 1925); NaN without variance. ValueError unless each seed's trials are a full grid.
    """
    rows = []
    for _, trials in grid.groupby("seed"):
        n_points = math.prod(trials[f].nunique() for f in factors)
        if trials.groupby(list(factors)).size().nunique() != 1 or len(trials) % n_points:
            raise ValueError(f"the trials are no full grid over {list(factors)}")
        y = trials.val_accuracy
        means = {f: y.groupby(trials[f]).transform("mean") for f in factors}
        total = y.var(ddof=0) or math.nan
        rows.append({f: mean.var(ddof=0) / total for f, mean in means.items()})
    return pd.DataFrame(rows)


def curves(histories: pd.DataFrame, searches: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """Validation accuracy against effort x: epochs at level 1; at the levels above, whose trials
    `searches` maps, the best so far after x networks.
    """
    named = histories.rename(columns={"epoch": "x"})
    tables = [stats.grouped_ci(named, ["way", "x"], "val_accuracy").assign(level=1)]
    for level, trials in searches.items():
        frames = []
        for (way, _), run in trials.groupby(["way", "seed"], sort=False):
            best = best_so_far(run.val_accuracy, exchangeable=way != IN_ORDER)
            frames.append(run.assign(x=run.trial, best=best))
        best_of = stats.grouped_ci(pd.concat(frames), ["way", "x"], "best")
        tables.append(best_of.assign(level=level))
    return pd.concat(tables, ignore_index=True)


def results(solved: pd.DataFrame, searches: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """One row per level, way and seed: what it found and all that it spent; `solved` is level 1."""
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
    means = found.groupby(["level", "way"], sort=False)[columns].mean().reset_index()
    rows = rows.merge(means, on=["level", "way"])
    finders = dict.fromkeys(FORMULAS, "formula") | dict.fromkeys(("drawn", "hand"), "hand")
    rows.insert(2, "finder", rows.way.map(finders).fillna("machine"))
    return rows


def paired(found: pd.DataFrame, level: int, way: str, other: str) -> pd.Series:
    """Differences of test accuracy between two ways of one level, by seed."""
    return stats.paired(found[found.level == level], "test_accuracy", "way", way, other)
