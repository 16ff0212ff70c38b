"""One task solved at three levels: parameters, hyperparameters, architecture.

Validation images select; the test images are used once per search, for what it chose.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from lightlab import train
from lightlab.chapters.ch03_three_levels import closed_form, stack
from lightlab.chapters.ch03_three_levels.closed_form import Linear
from lightlab.data import DataSet
from lightlab.measure import cost


@dataclass(frozen=True)
class Setting:
    """What one training needs: a network (see `nets.stack`) and two numbers of its recipe."""

    network: str
    lr: float
    weight_decay: float


def solve_parameters(
    sets: Mapping[int, DataSet],
    drawings: Sequence[str],
    penalty: float,
    trained: Mapping[str, Setting],
    recipe: train.Recipe,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Linear]]:
    """Level 1: weights drawn, from two formulas, and by gradient for the settings `trained`.

    `sets` by seed. Returns one row per way and seed (way, seed, samples, macs, seconds,
    val_accuracy, test_accuracy), the trainings' histories (way, seed and the columns of
    `train.fit`), and the linear classifiers of the first seed.
    """
    results, histories, shown = [], [], {}
    for seed, ds in sets.items():
        rows, found = by_person_or_formula(ds, drawings, penalty)
        results.append(rows)
        for way, setting in trained.items():
            history, row, linear = by_gradient(ds, setting, recipe, seed)
            results.append(pd.DataFrame([{"way": way, **row}]))
            histories.append(history.assign(way=way, seed=seed))
            if linear is not None:
                found[way] = linear
        for frame in results[-1 - len(trained) :]:
            frame["seed"] = seed
        shown = shown or found
    return (
        pd.concat(results, ignore_index=True),
        pd.concat(histories, ignore_index=True),
        shown,
    )


def search(
    sets: Mapping[int, DataSet],
    ways: Mapping[str, Callable[[int], Sequence[Setting]]],
    recipe: train.Recipe,
) -> pd.DataFrame:
    """Levels 2 and 3: every way's settings tried on every data set (see `try_all`).

    `ways` maps a name to the settings that it tries for a seed; columns way and seed are added.
    """
    frames = [
        try_all(ds, settings_of(seed), recipe, seed).assign(way=way, seed=seed)
        for seed, ds in sets.items()
        for way, settings_of in ways.items()
    ]
    return pd.concat(frames, ignore_index=True)


def by_person_or_formula(
    ds: DataSet, drawings: Sequence[str], penalty: float
) -> tuple[pd.DataFrame, dict[str, Linear]]:
    """Three linear classifiers found without training: drawn, class means, ridge regression.

    One row each (way, samples, macs, seconds, val_accuracy, test_accuracy), and the classifiers.
    """
    find = {
        "drawn": lambda: closed_form.drawn(drawings, ds),
        "class means": lambda: closed_form.class_means(ds.train),
        "ridge": lambda: closed_form.ridge(ds.train, penalty),
    }
    rows, found = [], {}
    n, d, classes = len(ds.train), math.prod(ds.input_shape), len(ds.class_names)
    for way, solve in find.items():
        start = time.perf_counter()
        found[way] = solve()
        rows.append(
            {
                "way": way,
                "samples": 0 if way == "drawn" else n,
                "macs": closed_form.macs(way, n, d, classes),
                "seconds": time.perf_counter() - start,
                "val_accuracy": found[way].accuracy(ds.val),
                "test_accuracy": found[way].accuracy(ds.test),
            }
        )
    return pd.DataFrame(rows), found


def by_gradient(
    ds: DataSet, setting: Setting, recipe: train.Recipe, seed: int
) -> tuple[pd.DataFrame, dict[str, Any], Linear | None]:
    """Train one network; its history by epoch, its result as a row, its weights if it is linear."""
    model = stack.stack(setting.network, ds.input_shape, len(ds.class_names), seed=seed)
    history = train.fit(model, ds.train, _recipe(recipe, setting), seed=seed, val=ds.val)
    last = history.iloc[-1]
    row = {k: last[k] for k in ("samples", "macs", "seconds", "val_accuracy")}
    row["test_accuracy"] = train.evaluate(model, ds.test)["accuracy"]
    linear = None
    if setting.network == stack.LINEAR:
        weight, bias = (p.detach().numpy().astype(float) for p in model[-1].parameters())
        linear = Linear(weight.T, bias)
    return history, row, linear


def try_all(
    ds: DataSet, settings: Sequence[Setting], recipe: train.Recipe, seed: int
) -> pd.DataFrame:
    """Train every setting from the same seed and test the best by validation.

    One row per trial in order: trial (from 1), the setting, samples, macs, macs_image (forward),
    seconds, val_accuracy, chosen, test_accuracy (of the chosen row only). Equal accuracies are
    told apart by validation loss. A training that diverges counts as accuracy 0
    and is charged in full.
    """
    rows, best, chosen = [], (-1.0, 0.0), None
    for trial, setting in enumerate(settings, start=1):
        model = stack.stack(setting.network, ds.input_shape, len(ds.class_names), seed=seed)
        spent, score = _train(model, ds, _recipe(recipe, setting), seed)
        rows.append({"trial": trial, **vars(setting), **spent, "val_accuracy": score[0]})
        if score > best:
            best, chosen = score, (trial - 1, model)
    trials = pd.DataFrame(rows).assign(chosen=False, test_accuracy=math.nan)
    if chosen is not None:
        index, model = chosen
        trials.loc[index, "chosen"] = True
        trials.loc[index, "test_accuracy"] = train.evaluate(model, ds.test)["accuracy"]
    return trials


def settings(configs: Sequence[Mapping[str, Any]], base: train.Recipe | Setting) -> list[Setting]:
    """Searchers' points as settings; what a point leaves open comes from `base`.

    `width` makes one dense layer; convs, kernel, channels, denses, units make a stack of layers.
    """
    found = []
    for c in configs:
        if "width" in c:
            network = f"dense-{c['width']}"
        else:
            network = stack.write(**{k: c[k] for k in _STACK})
        found.append(
            Setting(network, c.get("lr", base.lr), c.get("weight_decay", base.weight_decay))
        )
    return found


_STACK = ("convs", "kernel", "channels", "denses", "units")


def _recipe(recipe: train.Recipe, setting: Setting) -> train.Recipe:
    return replace(recipe, lr=setting.lr, weight_decay=setting.weight_decay)


def _train(
    model: Any, ds: DataSet, recipe: train.Recipe, seed: int
) -> tuple[dict[str, float], tuple[float, float]]:
    """Cost of the training, and (validation accuracy, minus validation loss)."""
    batch = min(recipe.batch_size, len(ds.train))
    samples = round(recipe.epochs * (len(ds.train) // batch)) * batch
    start = time.perf_counter()
    forward = cost.count_macs(model, ds.input_shape)
    try:
        train.fit(
            model,
            ds.train,
            recipe,
            seed=seed,
            eval_every=samples // batch,  # the end only
            macs_per_image=forward,
        )
        result = train.evaluate(model, ds.val)
        score = (result["accuracy"], -result["loss"])
    except train.DivergedError:
        score = (0.0, -math.inf)
    spent = samples * forward * cost.PASSES_PER_TRAINING_STEP
    return {
        "samples": samples,
        "macs": spent,
        "macs_image": forward,
        "seconds": time.perf_counter() - start,
    }, score
