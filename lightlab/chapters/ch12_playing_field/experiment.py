"""The rules that all methods share; what each method found, what it took, and how they rank."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import scipy

from lightlab import latency, train
from lightlab.chapters.ch12_playing_field import methods
from lightlab.chapters.ch12_playing_field.methods import Pick, Rules
from lightlab.data import DataSet
from lightlab.disk import Journal
from lightlab.measure import cost, stats
from lightlab.methods import baselines
from lightlab.methods.mnasnet import Meter
from lightlab.methods.price import Price, price_latency
from lightlab.search import pareto
from lightlab.space.arch import decode, encode
from lightlab.space.once_for_all import OfaSpace
from lightlab.space.proxyless import ProxylessSpace
from lightlab.space.skeleton import Skeleton
from lightlab.train.parallel import run_beside

PLAN = latency.Plan.brief(8)


def spaces(
    images: DataSet,
    channels: Sequence[int],
    layers: int,
    kernels: Sequence[int],
    expands: Sequence[float],
) -> tuple[ProxylessSpace, OfaSpace]:
    """One space in two forms: blocks are left out anywhere, or the first D of a stage stay."""
    skeleton = Skeleton.small(images.input_shape, len(images.class_names), channels, layers)
    designs = {f"k{k}_e{e}": (k, e) for k in kernels for e in expands}
    ordered = sorted(set(kernels)), sorted(set(expands))
    return ProxylessSpace(skeleton, designs), OfaSpace(skeleton, *ordered, range(1, layers + 1))


def meter(space: ProxylessSpace, device: str, kept: Path) -> Meter:
    """Latencies in the setting `device` ("onnxruntime/1/1"); times lie in the folder `kept`."""
    first, setting = space.decode(space.unrank(0)), latency.Setting.of(device)
    return Meter(first, setting, PLAN, Journal(kept / "times.jsonl"))


def agree(
    space: ProxylessSpace,
    elastic: OfaSpace,
    meter: Meter,
    images: DataSet,
    recipe: train.Recipe,
    proxy_epochs: float,
    seed: int = 0,
) -> tuple[Rules, dict[str, float]]:
    """The rules on this machine, latencies by a table in the setting of `meter`, calibrated on 12
    networks, and how far it is right for as many others. All that is timed later is to be timed by
    the same meter.
    """
    price, checked = price_latency(space, meter, 12, 12, seed)
    added = {
        (block, *position.maps): ms
        for position, part in zip(space.positions, price.added, strict=True)
        for block, ms in zip(position.candidates.values(), part[0], strict=True)
    }
    elastic_price = Price.over(
        elastic, lambda arch: price.of(space.find(arch)), lambda *block: added[block]
    )
    rules = Rules(space, elastic, price, elastic_price, images, recipe, proxy_epochs)
    return rules, latency.agreement(checked["predicted_ms"], checked["latency_ms"])


def play_all(
    rules: Rules,
    targets: Sequence[float],
    budgets: Sequence[float],
    seeds: Sequence[int],
    names: Sequence[str] = tuple(methods.METHODS),
    kept: Path | None = None,
) -> pd.DataFrame:
    """Every search for every budget and seed, side by side: see `rows_of`; `kept`: `run_beside`."""
    jobs = {
        (name, budget, seed): (rules, name, targets, budget, seed)
        for budget in budgets
        for name in names
        for seed in seeds
    }
    seen = sum(rules.samples(budget) for budget in budgets) * len(names) * len(seeds)
    typical = cost.macs(rules.space.decode(rules.space.unrank(0)))
    macs = seen * len(targets) * cost.PASSES_PER_TRAINING_STEP * typical
    return pd.concat(run_beside(_play, jobs, macs, kept=kept).values())


def _play(
    rules: Rules, name: str, targets: Sequence[float], budget: float, seed: int
) -> pd.DataFrame:
    picks = methods.METHODS[name].search(rules, targets, budget, seed)
    return rows_of(name, budget, seed, targets, picks)


def by_hand(
    rules: Rules, targets: Sequence[float], seeds: Sequence[int], meter: methods.Timer
) -> pd.DataFrame:
    """The published designs, found without a search: see `rows_of`, budget 0."""
    parts = []
    for design in methods.HANDS:
        picks = methods.by_hand(rules, design, targets, meter)
        parts += [rows_of(design, 0.0, seed, targets, picks) for seed in seeds]
    return pd.concat(parts)


def rows_of(
    method: str, budget: float, seed: int, targets: Sequence[float], picks: Sequence[Pick]
) -> pd.DataFrame:
    """One row for each target: method, budget, seed, target (number), target_ms, arch (text),
    samples, seconds.
    """
    columns = {
        "target": range(1, len(targets) + 1),
        "target_ms": targets,
        "arch": [encode(pick.arch) for pick in picks],
        "samples": [float(pick.samples) for pick in picks],
        "seconds": [pick.seconds for pick in picks],
    }
    return pd.DataFrame({"method": method, "budget": budget, "seed": seed, **columns})


def finish(
    picks: Sequence[pd.DataFrame], rules: Rules, meter: methods.Timer, resume: Path | None = None
) -> pd.DataFrame:
    """All `picks` with every network trained from new weights by the same recipe, tested once, and
    timed by `meter` in turn with all others: accuracy (test, %), latency_ms, macs.
    """
    table = pd.concat(picks, ignore_index=True)
    entries = [(str(i), row.seed, decode(row.arch)) for i, row in enumerate(table.itertuples())]
    done = baselines.train_and_time(entries, rules.images, rules.recipe, meter, resume=resume)
    return table.assign(**{c: done[c].to_numpy() for c in ("accuracy", "latency_ms", "macs")})


def volumes(results: pd.DataFrame, chance: float) -> pd.DataFrame:
    """What the networks for all targets dominate together: rows method, budget, seed, hypervolume
    (accuracy above `chance` in % times time saved of the slowest), samples and seconds of all.
    """
    slowest = results["latency_ms"].max()
    rows = []
    for key, part in results.groupby(["method", "budget", "seed"], sort=False):
        good = (part["accuracy"] - chance) / (100 - chance), 1 - part["latency_ms"] / slowest
        volume = pareto.hypervolume(np.column_stack(good), np.zeros(2))
        rows.append((*key, volume, part["samples"].sum(), part["seconds"].sum()))
    columns = ["method", "budget", "seed", "hypervolume", "samples", "seconds"]
    return pd.DataFrame(rows, columns=columns)


def last(results: pd.DataFrame) -> pd.DataFrame:
    """The results of every method at its largest budget."""
    return results[results["budget"] == results.groupby("method")["budget"].transform("max")]


def ranks(results: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, float]]:
    """Mean ranks of the searches (those by hand would decide the test alone) over all pairs of
    target and seed, 1 the most accurate: rows method, rank; and p of Friedman's test, cd (Nemenyi's
    critical difference at 95 %), n (pairs) (Demšar 2006, JMLR 7, section 3.2).
    """
    wide = last(results).pivot(index=["target", "seed"], columns="method", values="accuracy")
    wide = wide.drop(columns=list(methods.HANDS), errors="ignore")
    n, k = wide.shape
    table = wide.rank(axis=1, ascending=False).mean().sort_values()
    samples = wide.T.to_numpy()
    p = scipy.stats.friedmanchisquare(*samples).pvalue if k > 2 and n > 1 else np.nan
    q = scipy.stats.studentized_range.ppf(0.95, k, np.inf) / np.sqrt(2)
    numbers = {"p": float(p), "cd": float(q * np.sqrt(k * (k + 1) / (6 * n))), "n": n}
    return table.rename("rank").rename_axis("method").reset_index(), numbers


def gap(results: pd.DataFrame, a: str, b: str) -> pd.Series:
    """Accuracy of `a` minus `b` at their largest budgets, mean over the targets, by seed."""
    return stats.paired(last(results), "accuracy", "method", a, b)


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """By method and budget, means over the targets: accuracy with its interval over the seeds, late
    (times as slow as asked for), samples and seconds.
    """
    late = results.assign(late=results["latency_ms"] / results["target_ms"])
    by = ["method", "budget", "seed"]
    each = late.groupby(by, sort=False)[["accuracy", "late", "samples", "seconds"]].mean()
    each = each.reset_index()
    table = stats.grouped_ci(each, ["method", "budget"], "accuracy")
    rest = each.groupby(["method", "budget"], sort=False)[["late", "samples", "seconds"]].mean()
    return table.merge(rest.reset_index(), on=["method", "budget"])


def paying(results: pd.DataFrame) -> pd.DataFrame:
    """What the next larger budget brings each method: rows method, budget, next, mean (points of
    test accuracy) with ci_low, ci_high, n, seconds (more, for a target), pays (is it above 0?).
    """
    searched = results[results["budget"] > 0]
    rows = []
    for method, part in searched.groupby("method", sort=False):
        for one, more in pairwise(sorted(part["budget"].unique())):
            gain, took = (
                stats.paired(part, c, "budget", more, one) for c in ("accuracy", "seconds")
            )
            mean, low, high = stats.mean_ci(gain)
            rows.append((method, one, more, mean, low, high, len(gain), took.mean(), low > 0))
    columns = ["method", "budget", "next", "mean", "ci_low", "ci_high", "n", "seconds", "pays"]
    return pd.DataFrame(rows, columns=columns)


def best_for(results: pd.DataFrame) -> pd.DataFrame:
    """The method of highest mean accuracy at each budget, those by hand apart: budget, method."""
    means = results[results["budget"] > 0].groupby(["budget", "method"])["accuracy"].mean()
    best = means.groupby("budget").idxmax()
    return pd.DataFrame(best.tolist(), columns=["budget", "method"])


def times_cheaper(results: pd.DataFrame, a: str, b: str) -> tuple[float, float, float]:
    """Seconds of `b` over those of `a` for all targets: geometric mean over seeds, interval."""
    total = last(results).groupby(["seed", "method"])["seconds"].sum().reset_index()
    return stats.ratio_ci(stats.paired(total, "seconds", "method", b, a, ratio=True))
