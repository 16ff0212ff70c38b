"""Does `lightlab fit` keep to its budget and its target, and which method finds the best model?

Cluttered digits, 1,000 to train on, 400 to choose on, 2,000 to test on. Baseline: MobileNetV2's and
V3's designs as deep and wide as the target allows, trained for the whole budget on all cores
("scaled"); beside the methods that search they have 30 % of it. Rows: spent over budget, whether
the target was met when measured again, milliseconds, test accuracy of what was delivered.
`python benchmarks/fit.py [--seeds 3] [--minutes 0.5] [--target-ms 0.1 0.03]` writes
benchmarks/fit.md (10 minutes, with nothing else on the machine).
"""

import argparse
import os
import sys
import time
from itertools import product
from pathlib import Path

os.environ.setdefault("TQDM_DISABLE", "1")

import pandas as pd

from lightlab.measure import data, latency, stats
from lightlab.search.fit.methods import METHODS, SCALED
from lightlab.search.fit.run import fit
from lightlab.search.fit.target import LATENCY, Target

PAGE = Path(__file__).with_suffix(".md")
SIZES = {"n_train": 1000, "n_val": 400, "n_test": 2000}
BY, ACCURACY = ["at most, ms", "minutes"], "delivered, %"


def one(target_ms: float, minutes: float, seed: int, method: str) -> dict:
    """One fit."""
    images = data.load("cluttered-digits", difficulty=0.2, seed=seed, **SIZES)
    fitted = fit(images, Target(latency_ms=target_ms), 60 * minutes, method, seed=seed)
    row = dict(zip(BY, (target_ms, minutes), strict=True)) | {
        "seed": seed,
        "method": method,
        "spent / budget": fitted.spent_s / fitted.budget_s,
        "met": fitted.delivered.met,
        "ms": fitted.delivered.again.costs[LATENCY],
        ACCURACY: fitted.tested.accuracy[0],
    }
    print(pd.DataFrame([row]).to_string(index=False, header=False), file=sys.stderr, flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, nargs="+", default=[0.5])
    parser.add_argument("--target-ms", type=float, nargs="+", default=[0.1, 0.03])
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    asks = product(asked.target_ms, asked.minutes, range(asked.seeds), METHODS)
    table = pd.DataFrame([one(*ask) for ask in asks])
    means = stats.grouped_ci(table, [*BY, "method"], ACCURACY)
    gaps = []
    for key, part in table.groupby(BY):
        differences = {
            f"{SCALED} − {method}": stats.paired(part, ACCURACY, "method", SCALED, method)
            for method in METHODS
            if method != SCALED
        }
        gaps.append(stats.difference_table(differences).assign(**dict(zip(BY, key, strict=True))))
    late = (table["spent / budget"] > 1.15).sum()
    about = f"{time.strftime('%Y-%m-%d %H:%M')} UTC, {latency.device()['cpu']}, load {load:.1f}"
    page = [
        "# Which method of `lightlab fit`", "", *__doc__.strip().splitlines()[2:], "",
        f"{about}. Of {len(table)} fits {table['met'].sum()} kept to the target, and {late} were "
        "more than 15 % over the budget.", "", table.round(3).to_markdown(index=False), "",
        "Means over the seeds, 95 %", "", means.round(2).to_markdown(index=False), "",
        "Differences in points, paired by seed, 95 %", "",
        pd.concat(gaps).round(2).to_markdown(index=False),
    ]  # fmt: skip
    PAGE.write_text("\n".join(page) + "\n")
    print("\n".join(page))


if __name__ == "__main__":
    main()
