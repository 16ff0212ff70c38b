"""Does `lightlab fit` keep to its budget and its target, and which method finds the best model?

    python benchmarks/fit.py [--seeds 3] [--minutes 0.5 1 2] [--target-ms 0.1]

Cluttered digits, one latency target. Baseline: MobileNetV2's and V3's designs as wide as the target
allows, trained for the whole budget ("scaled"). Rows method, minutes, seed: spent over budget,
whether the target was met when measured again, measured latency, test accuracy of what the method
found and of what was delivered. To be run with nothing else on the machine.
"""

import argparse
import os
import sys

os.environ.setdefault("TQDM_DISABLE", "1")

import pandas as pd

from lightlab.measure import data, stats
from lightlab.search.fit.methods import METHODS
from lightlab.search.fit.run import fit
from lightlab.search.fit.target import LATENCY, Target

SIZES = {"n_train": 1000, "n_val": 400, "n_test": 2000}


def one(method: str, minutes: float, seed: int, target: Target) -> dict:
    """One fit."""
    images = data.load("cluttered-digits", difficulty=0.2, seed=seed, **SIZES)
    fitted = fit(images, target, 60 * minutes, method, seed=seed)
    found = fitted.found.finalists[0].name
    row = {
        "method": method,
        "minutes": minutes,
        "seed": seed,
        "spent / budget": fitted.spent_s / fitted.budget_s,
        "met": fitted.delivered.met,
        "ms": fitted.delivered.again.costs[LATENCY],
        "found, %": fitted.answers[found].accuracy[0],
        "delivered, %": fitted.tested.accuracy[0],
    }
    print(pd.DataFrame([row]).to_string(index=False, header=False), file=sys.stderr, flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, nargs="+", default=[0.5, 1.0, 2.0])
    parser.add_argument("--target-ms", type=float, default=0.1)
    asked = parser.parse_args()
    target = Target(latency_ms=asked.target_ms)
    rows = [
        one(method, minutes, seed, target)
        for minutes in asked.minutes
        for seed in range(asked.seeds)
        for method in METHODS
    ]
    table = pd.DataFrame(rows)
    print(table.round(3).to_markdown(index=False))
    for column in ("found, %", "delivered, %"):
        print(f"\n{column}\n")
        print(stats.grouped_ci(table, ["minutes", "method"], column).round(2).to_markdown())
    late = (table["spent / budget"] > 1.15).sum()
    print(f"\n{late} of {len(table)} over the budget by more than 15 %; {table['met'].sum()} met")


if __name__ == "__main__":
    main()
