"""Is Bayesian optimisation here as good as its peers, and as cheap? Regret on known optima.

Writes lightlab/published/races.csv, which notebook 04 reads, while it runs (started again, it goes
on: remove it to begin anew) and benchmarks/bo.md at its end.
About 45 minutes of one idle core with the defaults: OMP_NUM_THREADS=1 python benchmarks/bo.py
"""

import argparse
import itertools
import os
import platform
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lightlab.chapters.ch04_gaussian_process import benchmark
from lightlab.chapters.ch04_gaussian_process.benchmark import (
    CLASSIC,
    DEVELOPMENT,
    HELD_OUT,
    problem,
)
from lightlab.measure import stats

HERE = Path(__file__).parent
ROWS = HERE.parent / "lightlab" / "published" / "races.csv"
KEYS = ["noisy", "seed", "problem", "method"]
NOISY_METHODS = ("ours", "optuna-gp", "tpe", "random")
NOISE = 0.1  # standard deviation of the noise, in standard deviations of the function


def noise_sd(name: str) -> float:
    """A tenth of the function's own spread over its range."""
    at = problem(name)
    points = at.space.sample(np.random.default_rng(0), 2000)
    return NOISE * float(np.std([at(p) for p in points]))


def measure(args: argparse.Namespace, path: Path) -> pd.DataFrame:
    """One row per search, appended to `path`; searches that are there already are not repeated."""
    done = pd.read_csv(path, comment="#") if path.exists() else pd.DataFrame(columns=KEYS)
    had = set(done[KEYS].itertuples(index=False, name=None))
    exact = itertools.product([False], range(args.seeds), args.functions, benchmark.METHODS)
    noisy = itertools.product([True], range(args.noisy_seeds), args.functions, NOISY_METHODS)
    todo = sorted([*exact, *noisy], key=lambda job: job[1])
    for job in (j for j in todo if j not in had):
        is_noisy, seed, name, method = job
        sd = noise_sd(name) if is_noisy else 0.0
        trials = benchmark.run(method, problem(name), seed, args.trials, args.initial, sd)
        if trials.empty:
            continue
        last = trials.iloc[-1]
        left = max(last["incumbent_regret" if is_noisy else "regret"], benchmark.FLOOR)
        row = dict(zip(KEYS, job, strict=True)) | {
            "log_regret": np.log10(left),
            "cpu_s": trials.loc[trials["suggested"], "cpu_s"].mean(),
        }
        pd.DataFrame([row]).to_csv(path, mode="a", header=not path.exists(), index=False)
        print(*row.values(), flush=True)
    return pd.read_csv(path, comment="#")


def difference(ends: pd.DataFrame, name: str, peer: str) -> str:
    """Mean difference peer − ours in decades with its 95 % interval, paired by seed."""
    part = ends[ends["problem"] == name]
    mean, low, high = stats.mean_ci(stats.paired(part, "log_regret", "method", peer, "ours"))
    return f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"


def tables(rows: pd.DataFrame) -> list[str]:
    """Regret, differences and CPU time as Markdown, without noise and with."""
    parts = []
    for is_noisy, ends in rows.groupby("noisy"):
        found = benchmark.table(ends)
        found["text"] = [
            f"{m:.2f} ± {h - m:.2f}" for m, h in zip(found.log10_regret, found.ci_high, strict=True)
        ]
        n = ends.groupby(["problem", "method"]).size()
        seeds = str(n.min()) if n.min() == n.max() else f"{n.min()} to {n.max()}"
        regret = found.pivot(index="problem", columns="method", values="text")
        cpu = found.pivot(index="problem", columns="method", values="cpu_ms")
        names = list(dict.fromkeys(ends["problem"]))
        peers = [m for m in benchmark.METHODS if m in set(ends["method"]) - {"ours", "grid"}]
        gaps = pd.DataFrame(
            {p: [difference(ends, name, p) for name in names] for p in peers}, index=names
        )
        gaps["CPU, ours / Optuna GP"] = (cpu["ours"] / cpu["optuna-gp"]).map("{:.2f}".format)
        order = [m for m in benchmark.METHODS if m in regret]
        title = f"with noise ({NOISE:g} sd of the function)" if is_noisy else "without noise"
        parts += [
            f"## Observations {title}, {seeds} seeds",
            "log10 regret, mean ± half of its 95 % interval:",
            regret.loc[names, order].fillna("–").to_markdown(),
            "Peer minus ours in decades (positive: ours is better), paired by seed, 95 % interval:",
            gaps.to_markdown(),
            "CPU milliseconds per suggestion:",
            cpu.loc[names, order].round(1).astype(object).fillna("–").to_markdown(),
        ]
    return parts


def report(rows: pd.DataFrame, args: argparse.Namespace) -> str:
    """The page benchmarks/bo.md; its notes are in bo_notes.md."""
    packages = ["numpy", "scipy", "torch", "botorch", "optuna"]
    versions = ", ".join(f"{p} {version(p)}" for p in packages)
    head = [
        "# Bayesian optimisation against its peers",
        f"{args.trials} trials, the first {args.initial} random and the same for every method but "
        f"the grid. {os.cpu_count()} × {platform.machine()}, one thread, Python "
        f"{platform.python_version()}, {versions}. "
        "Made by `OMP_NUM_THREADS=1 python benchmarks/bo.py`; every search is a row of "
        "`lightlab/published/races.csv`.",
        (HERE / "bo_notes.md").read_text(encoding="utf-8").strip(),
    ]
    return "\n\n".join([*head, *tables(rows)]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    every = (*CLASSIC, *HELD_OUT)
    parser.add_argument(
        "--functions", nargs="+", choices=(*every, *DEVELOPMENT), default=every, metavar="NAME"
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--noisy-seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--initial", type=int, default=10)
    parser.add_argument("--rows", type=Path, default=ROWS, help="the CSV file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    page = report(measure(args, args.rows), args)
    (HERE / "bo.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
