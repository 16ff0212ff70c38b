"""Sub-networks for many devices: a predictor, choices, designs to compare with, and the costs."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import scipy

from lightlab import latency, train
from lightlab.data import DataSet
from lightlab.measure import stats
from lightlab.measure.machine import torch_threads
from lightlab.methods import baselines, subnet_search, subnets
from lightlab.methods.mnasnet import Meter
from lightlab.methods.price import Price, price_latency
from lightlab.methods.subnet_search import (
    MLP,
    MODELS,
    Evolution,
    Limits,
    Predictor,
    evolve,
    random_search,
)
from lightlab.methods.subnets import Samples
from lightlab.nets.elastic import ElasticNetwork
from lightlab.published import read_csv
from lightlab.search import pareto
from lightlab.space.arch import decode, encode
from lightlab.space.once_for_all import OfaSpace

PLAN = latency.Plan.brief(8)
STREAM = 7919  # another stream than that of the samples that the predictor learnt from
EVOLUTION, CHANCE = "evolution", "random search"
MNASNET, PROXYLESS = "MnasNet's way", "ProxylessNAS's way"
OURS, TUNED = "Once-for-All", "Once-for-All, fine-tuned"


def learn(
    networks: Mapping[int, ElasticNetwork], images: DataSet, n: int
) -> tuple[dict[int, Samples], dict[int, MLP]]:
    """By seed, `n` evaluated sub-networks of a network and a predictor that learnt from them."""
    samples = {s: subnets.sample(net, images, n, s) for s, net in networks.items()}
    models = {
        s: MLP(networks[s].space.encode(x.points), x.accuracy, seed=s) for s, x in samples.items()
    }
    return samples, models


def learning_curve(space: OfaSpace, known: Samples, seed: int) -> pd.DataFrame:
    """How good predictors get with a fifth, two and four fifths of the samples, tested on a fifth,
    thrice: rmse in points, tau Kendall's.
    """
    codes, macs, y = space.encode(known.points), known.macs, known.accuracy
    n_test, most, rows = max(3, round(0.2 * len(y))), round(0.8 * len(y)), []
    for repeat in range(3):
        order = np.random.default_rng([seed, repeat]).permutation(len(y))
        test, rest = order[:n_test], order[n_test:]
        for n, (name, fit) in product((most // 4, most // 2, most), MODELS.items()):
            learnt = rest[:n]
            model = fit(codes[learnt], macs[learnt], y[learnt], seed + repeat)
            said = model(codes[test], macs[test])
            rmse = float(np.sqrt(np.mean((said - y[test]) ** 2)))
            tau = float(scipy.stats.kendalltau(said, y[test]).statistic)
            rows.append((name, n, repeat, rmse, tau))
    return pd.DataFrame(rows, columns=["model", "n", "repeat", "rmse", "tau"])


def price(
    space: OfaSpace, settings: Sequence[str], seed: int = 0
) -> tuple[dict[str, Price], np.ndarray]:
    """Latencies in each setting, measured now, and the seconds of one core it took, (settings,)."""
    prices, seconds = {}, []
    for name in settings:
        begin = time.process_time()
        meter = Meter(space.decode(space.smallest()), latency.Setting.of(name), PLAN)
        prices[name], _ = price_latency(space, meter, seed=seed)
        seconds.append(time.process_time() - begin)
    return prices, np.array(seconds)


def targets(price: Price, n: int) -> np.ndarray:
    """`n` latencies in equal ratios, up to the largest network's, above the smallest's, (n,) ms."""
    least, most = price.of([price.space.smallest(), price.space.largest()])
    return np.geomspace(least, most, n + 1)[1:]


def specialise(
    models: Mapping[int, Predictor], prices: Mapping[str, Price], generations: int
) -> pd.DataFrame:
    """What evolution chooses for every seed's predictor, setting and each of five targets."""
    rows, settings = [], Evolution(generations=generations)
    for (seed, model), (setting, price) in product(models.items(), prices.items()):
        space = price.space
        score = subnet_search.make_score(space, model)
        for target in targets(price, 5):
            begin = time.process_time()
            limits = Limits.latency_ms(price, target)
            chosen = evolve(space, score, limits, settings, STREAM * (seed + 1))
            took, ms = time.process_time() - begin, price.of(chosen.point)
            arch = encode(space.decode(chosen.point))
            rows.append((seed, setting, target, chosen.score, ms, chosen.point, arch, took))
    columns = ["seed", "setting", "target_ms", "predicted", "predicted_ms", "point", "arch"]
    return pd.DataFrame(rows, columns=[*columns, "seconds"])


def contest(
    models: Mapping[int, Predictor], prices: Mapping[str, Price], generations: int
) -> pd.DataFrame:
    """What evolution and as many random draws choose, halfway from the fastest to the slowest."""
    rows, settings = [], Evolution(generations=generations)
    for (seed, model), (setting, price) in product(models.items(), prices.items()):
        limits = Limits.latency_ms(price, targets(price, 2)[0])
        task = price.space, subnet_search.make_score(price.space, model), limits
        for kind, search, how in (
            (EVOLUTION, evolve, settings),
            (CHANCE, random_search, settings.calls),
        ):
            one = search(*task, how, STREAM * (seed + 1))
            rows.append((seed, setting, kind, one.point, one.score, one.calls))
    return pd.DataFrame(rows, columns=["seed", "setting", "kind", "point", "predicted", "calls"])


def examine(
    networks: Mapping[int, ElasticNetwork],
    models: Mapping[int, MLP],
    chosen: pd.DataFrame,
    images: DataSet,
) -> pd.DataFrame:
    """The `chosen` networks and 20 new random ones of each seed, tested once; spread: of the
    predictor's members, excess: predicted minus accuracy.
    """
    jobs, tables = {}, []
    for seed, network in networks.items():
        space = network.space
        ours = list(dict.fromkeys(chosen[chosen["seed"] == seed]["point"]))
        drawn = space.canonical(space.sample(np.random.default_rng([seed, 2]), 20))
        points = [*ours, *map(tuple, drawn.tolist())]
        task = {"supernet": network, "images": images.train.x, "split": images.test}
        jobs[seed] = task | {"points": points}
        said = models[seed].each(space.encode(points))
        table = pd.DataFrame({"seed": seed, "kind": "random", "point": points})
        table.loc[: len(ours) - 1, "kind"] = "chosen"
        tables.append(table.assign(predicted=said.mean(0), spread=said.std(0, ddof=1)))
    found = np.concatenate(list(subnets.evaluate_many(jobs).values()))
    table = pd.concat(tables, ignore_index=True).assign(accuracy=found)
    return table.assign(excess=table["predicted"] - table["accuracy"])


def train_designs(
    space: OfaSpace,
    widths: Sequence[float],
    images: DataSet,
    recipe: train.Recipe,
    seeds: Sequence[int],
    **how: Any,
) -> pd.DataFrame:
    """All `baselines.designs` trained with every seed; `how` goes to `train.start`."""
    parts = (images.train, images.val, images.test)
    at = {px: [subnets.split_at(part, px) for part in parts] for px in space.resolutions}
    once = train.descent.plan(recipe, len(images.train)).n_steps
    jobs = {}
    for (family, arch), seed in product(baselines.designs(space, widths), seeds):
        learnt, val, test = at[arch.resolution]
        job = train.Job(arch, learnt, recipe, seed, val=val, test=test, eval_every=once)
        jobs[family, encode(arch), seed] = replace(job, name=f"{encode(arch)} {seed}")
    table = train.tabulate(train.train_each(jobs, **how), "family", "arch", "seed")
    return table[["family", "arch", "seed", "validated", "accuracy"]]


def measure(archs: Iterable[str], settings: Sequence[str]) -> pd.DataFrame:
    """Networks (as text) timed in turn in every setting."""
    networks = {text: decode(text) for text in archs}
    return latency.measure_settings(networks, settings, PLAN).rename(columns={"network": "arch"})


def trust(served: pd.DataFrame) -> pd.DataFrame:
    """How good the prices were, by setting, and the share of networks that keep to their target."""
    rows = []
    for name, part in served.groupby("setting", sort=False):
        ratio = part["predicted_ms"] / part["latency_ms"]
        tau = scipy.stats.kendalltau(part["predicted_ms"], part["latency_ms"]).statistic
        within = (part["latency_ms"] <= 1.02 * part["target_ms"]).mean()
        rows.append((name, ratio.median(), ratio.min(), ratio.max(), tau, within))
    words = ["predicted / measured", "least", "most", "Kendall's τ", "within target + 2 %"]
    return pd.DataFrame(rows, columns=["setting", *words])


def at_latency(front: pd.DataFrame, latency_ms: float) -> float:
    """Accuracy of a family at that latency: on a straight line over its logarithm between two
    networks that no faster one equals on the validation images; beyond the slowest that of the
    slowest; NaN where none is as fast.
    """
    values = np.column_stack([-front["latency_ms"], front["validated"]])
    rows = front[pareto.is_non_dominated(values)].sort_values("latency_ms")
    x = np.log(rows["latency_ms"].to_numpy())
    return float(np.interp(np.log(latency_ms), x, rows["accuracy"], left=np.nan))


def against(served: pd.DataFrame, designs: pd.DataFrame) -> pd.DataFrame:
    """Gap (points) of each served network to each family of `designs` at its latency in the same
    setting; no row where a family has none as fast.
    """
    rows = []
    for row in served.itertuples():
        there = designs[(designs["setting"] == row.setting) & (designs["seed"] == row.seed)]
        for family, front in there.groupby("family", sort=False):
            gap = row.accuracy - at_latency(front, row.latency_ms)
            rows.append((row.seed, row.setting, row.latency_ms, family, gap))
    return pd.DataFrame(rows, columns=["seed", "setting", "latency_ms", "family", "gap"]).dropna()


def fine_tune(
    networks: Mapping[int, ElasticNetwork],
    served: pd.DataFrame,
    images: DataSet,
    recipe: train.Recipe,
) -> pd.DataFrame:
    """For every seed the first of `served`, cut out and trained on: test accuracy before and after
    (%), seconds of one core of cutting (with calibration) and of tuning.
    """
    rows = []
    for row in served.drop_duplicates("seed").sort_values("seed").itertuples():
        with torch_threads(1):
            begin = time.process_time()
            net = subnets.specialise(networks[row.seed], row.point, images.train.x)
            cut_s, px = time.process_time() - begin, net.arch.resolution
            learnt, test = subnets.split_at(images.train, px), subnets.split_at(images.test, px)
            before, begin = train.evaluate(net, test)["accuracy"], time.process_time()
            train.fit(net, learnt, recipe, seed=row.seed, progress=False)
            tuning_s = time.process_time() - begin
        after = train.evaluate(net, test)["accuracy"]
        rows.append((row.seed, 100 * before, 100 * after, cut_s, tuning_s))
    return pd.DataFrame(rows, columns=["seed", "before", "after", "cut_s", "tuning_s"])


def cost_table(
    fixed: float, each: float, tuning: float, alone: float, mnasnet: float, proxyless: float
) -> pd.DataFrame:
    """Seconds: the others search (`mnasnet`, `proxyless`) and train `alone` for each scenario; ours
    pays `fixed` once, then `each`, and `tuning` if it tunes.
    """
    rows = [
        (MNASNET, 0.0, mnasnet + alone),
        (PROXYLESS, 0.0, proxyless + alone),
        (OURS, fixed, each),
        (TUNED, fixed, each + tuning),
    ]
    return pd.DataFrame(rows, columns=["method", "fixed", "each"])


def total_costs(costs: pd.DataFrame, n: Sequence[int]) -> pd.DataFrame:
    """Seconds for serving `n` scenarios by method."""
    table = costs.merge(pd.DataFrame({"n": n}), how="cross")
    return table.assign(total=table["fixed"] + table["n"] * table["each"])[["method", "n", "total"]]


def crossovers(costs: pd.DataFrame, fixed: np.ndarray, alone: float, share: float) -> pd.DataFrame:
    """From how many scenarios on ours costs less than ProxylessNAS's way, without and with
    fine-tuning (in the paper 75 GPU hours; table 1), over the seeds' `fixed` costs.

    training: of the other's networks, over the supernet's length: the `share` that `alone`, in
    seconds, is, and the paper's quarter.
    """
    table = read_csv("ofa_table1.csv").set_index("model")
    once = table.loc["OFA w/ PS", ["search_fixed", "training_fixed"]].sum()
    other = table.loc["ProxylessNAS", ["search_each", "training_each"]].sum()
    each, rows = costs.set_index("method")["each"], []
    ways, parts = {OURS: 0.0, TUNED: 75.0}, dict.fromkeys((share, 0.25))
    for (method, hours), part in product(ways.items(), parts):
        saved = each[PROXYLESS] + (part / share - 1) * alone - each[method]
        found = stats.mean_ci(fixed / saved) if saved > 0 else (np.inf,) * 3
        rows.append((method, part, *found, once / (other - hours) if part == 0.25 else np.nan))
    columns = ["method", "training", "mean", "ci_low", "ci_high", "published"]
    return pd.DataFrame(rows, columns=columns)
