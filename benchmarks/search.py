"""Searchers on 6,561 really trained networks: regret and hypervolume against networks evaluated.

NAS-Bench-Macro (Su et al. 2021): eight layers, each identity, MBConv k3 e3 or MBConv k5 e6, trained
three times on CIFAR-10. Baseline: random search without replacement. All settings are the
searchers' defaults; those of evolution were chosen on synthetic landscapes (NK, 8 decisions of 4
options), not on this table. `python benchmarks/search.py [--seeds 50]` writes benchmarks/search.md.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from lightlab.chapters.ch08_mnasnet.space import nas_bench_macro
from lightlab.measure import stats
from lightlab.search import (
    NSGA2,
    BayesianOptimization,
    RandomSearch,
    RegularizedEvolution,
    Searcher,
    pareto,
)
from lightlab.search.controller import Controller
from lightlab.space.mnasnet import IMAGENET, MnasNetSpace
from lightlab.space.skeleton import MACRO

TABLE = Path(__file__).parents[2] / "shared/data/nas_bench_macro_cifar10.csv.gz"
PAGE = Path(__file__).with_suffix(".md")
BUDGETS = (50, 100, 200)
ONE: dict[str, Callable[..., Searcher]] = {
    "random": RandomSearch,
    "regularised evolution": RegularizedEvolution,
    "controller (PPO)": Controller,
    "BO": BayesianOptimization,
}
TWO: dict[str, Callable[..., Searcher]] = {
    "random": RandomSearch,
    "NSGA-II": NSGA2,
    "BO (qLogNEHVI)": BayesianOptimization,
}


def table() -> pd.DataFrame:
    """Accuracy in per cent (mean of three trainings) and MACs in millions, by point."""
    read = nas_bench_macro(TABLE).table
    return read.assign(macs=read["macs"] / 1e6)


def one(name: str, seed: int) -> dict:
    """Regret in % points after each budget, and CPU seconds an ask."""
    accuracy = table()["accuracy"].to_dict()
    best, searcher = max(accuracy.values()), ONE[name](MACRO, seed=seed)
    found, cpu = [], 0.0
    for _ in range(max(BUDGETS)):
        start = time.process_time()
        points = searcher.ask(1)
        cpu += time.process_time() - start
        found.append(accuracy[points[0]])
        start = time.process_time()
        searcher.tell(points, found[-1:])
        cpu += time.process_time() - start
    regret = best - np.maximum.accumulate(found)
    row = {"searcher": name, "seed": seed, "cpu_ms": 1e3 * cpu / max(BUDGETS)}
    return row | {n: regret[n - 1] for n in BUDGETS}


def two(name: str, seed: int, budgets: tuple[int, ...]) -> dict:
    """Share of the table's own hypervolume (accuracy, MACs) after each budget."""
    whole = table()
    both = whole[["accuracy", "macs"]].T.to_dict("list")
    ref = np.array([whole["accuracy"].min(), -whole["macs"].max()])
    signs = np.array([1.0, -1.0])
    most = pareto.hypervolume(whole[["accuracy", "macs"]].to_numpy() * signs, ref)
    searcher = TWO[name](MACRO, seed=seed, maximize=(True, False))
    found, row = [], {"searcher": name, "seed": seed}
    for n in range(1, max(budgets) + 1):
        points = searcher.ask(1)
        found.append(both[points[0]])
        searcher.tell(points, found[-1:])
        if n in budgets:
            row[n] = pareto.hypervolume(np.array(found) * signs, ref) / most
    return row


def asks() -> list[str]:
    """Asks a second of each searcher, one at a time, told after each; and 1,000 at once."""
    out, space = [], MnasNetSpace(IMAGENET)
    for name, kind in (ONE | TWO).items():
        if "BO" in name:
            continue
        several = {"maximize": (True, False)} if kind is NSGA2 else {}
        value = (1.0, 1.0) if several else 1.0
        searcher, spent = kind(space, seed=0, **several), 0.0
        for i in range(200):
            start = time.perf_counter()
            point = searcher.ask(1)
            spent += time.perf_counter() - start
            searcher.tell(point, [np.multiply(value, sum(point[0]) + i / 1000)])
        start = time.perf_counter()
        searcher.ask(1000)
        at_once = 1000 / (time.perf_counter() - start)
        out.append(f"| {name} | {200 / spent:,.0f} | {at_once:,.0f} |")
    return out


def lines(rows: pd.DataFrame, budgets: tuple[int, ...], digits: int) -> list[str]:
    """Mean with 95 % interval per searcher and budget, as rows of a Markdown table."""
    out = []
    for name, part in rows.groupby("searcher", sort=False):
        cells = [name, str(len(part))]
        for n in budgets:
            mean, low, high = stats.mean_ci(part[n])
            cells.append(f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]")
        if "cpu_ms" in part:
            cells.append(f"{part['cpu_ms'].median():.1f}")
        out.append(f"| {' | '.join(cells)} |")
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--several-seeds", type=int, default=10)
    arguments = parser.parse_args()
    if not TABLE.is_file():
        raise SystemExit(f"{TABLE} is missing: this benchmark reads it and nothing else")
    run = joblib.Parallel(n_jobs=joblib.cpu_count())
    jobs = [(name, seed) for name in ONE for seed in range(arguments.seeds)]
    single = pd.DataFrame(run(joblib.delayed(one)(*job) for job in jobs))
    budgets = BUDGETS
    jobs = [(name, seed, budgets) for name in TWO for seed in range(arguments.several_seeds)]
    several = pd.DataFrame(run(joblib.delayed(two)(*job) for job in jobs))
    gap = stats.paired(single, 200, "searcher", "random", "controller (PPO)")
    mean, low, high = stats.mean_ci(gap)
    page = [
        "# Searchers on NAS-Bench-Macro",
        "",
        *__doc__.strip().splitlines()[2:],
        "",
        f"{time.strftime('%Y-%m-%d %H:%M')} UTC, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}, Python {platform.python_version()}.",
        "",
        "## One objective: regret in % points after so many networks, mean [95 % interval]",
        "",
        "| searcher | seeds | 50 | 100 | 200 | CPU ms an ask and tell, median |",
        "|---|---|---|---|---|---|",
        *lines(single, BUDGETS, 3),
        "",
        f"Random minus controller after 200, paired by seed: {mean:.3f} [{low:.3f}, {high:.3f}].",
        "",
        "## Two objectives: share of the table's hypervolume (accuracy, MACs)",
        "",
        "Reference point: the worst of each in the table.",
        "",
        "| searcher | seeds | 50 | 100 | 200 |",
        "|---|---|---|---|---|",
        *lines(several, budgets, 4),
        "",
        "## Asks a second in MnasNet's space of 432⁵ points, one process",
        "",
        "| searcher | one at a time, told in between | 1,000 at once |",
        "|---|---|---|",
        *asks(),
        "",
        "What the numbers say, bar by bar: `search_notes.md`.",
    ]
    PAGE.write_text("\n".join(page) + "\n")
    print("\n".join(page))


if __name__ == "__main__":
    main()
