"""Does `lightlab fit` keep to its budget and its target, and does searching find a better model?

Cluttered digits, 1,000 to train on, 400 to choose on, 2,000 to test on; and CIFAR-10, 40,000, 5,000
and 5,000. Baseline: MobileNetV2's and V3's designs as deep and wide as the target allows, trained
for the whole budget on all cores ("scaled"). Limits of MACs are the same whatever the machine's
clock does; those of time have to be kept. Rows: spent over budget, whether the target was met when
measured again, milliseconds, MACs, test accuracy of what was delivered, and which network that is.
`python benchmarks/fit.py` writes benchmarks/fit.md (an hour, with nothing else on the machine);
stopped, it goes on from the rows in results/benchmark_fit.jsonl.
"""

import argparse
import json
import os
import time
from itertools import product
from pathlib import Path

os.environ.setdefault("TQDM_DISABLE", "1")

import pandas as pd

from lightlab import data, latency
from lightlab.fit.budget import LATENCY, MACS, Target
from lightlab.fit.methods import NAME as SEARCH
from lightlab.fit.methods import SCALED
from lightlab.fit.run import fit
from lightlab.measure import stats

PAGE = Path(__file__).with_suffix(".md")
DIGITS = {
    "spec": "cluttered-digits",
    "difficulty": 0.2,
    "n_train": 1000,
    "n_val": 400,
    "n_test": 2000,
}
FEW = DIGITS | {"n_train": 300}
CIFAR = {"spec": "parquet:../shared/data/cifar10", "n_train": 40_000, "n_val": 5000, "n_test": 5000}
CASES = [  # images, whether they may be mirrored, target, minutes
    (DIGITS, False, Target(latency_ms=0.05), 0.5),
    (DIGITS, False, Target(max_macs=3e5), 1.5),
    (DIGITS, False, Target(max_macs=3e5), 3.0),
    (FEW, False, Target(max_macs=3e5), 2.5),
    (CIFAR, True, Target(max_macs=6e5), 4.0),
]
BY, ACCURACY = ["images", "target", "minutes"], "delivered, %"


def one(
    rows: Path, sizes: dict, mirror: bool, target: Target, minutes: float, seed: int, method: str
) -> dict:
    """One fit, unless its row is known."""
    name = f"{sizes['n_train']:,} of {sizes['spec'].split('/')[-1]}"
    key = dict(
        zip([*BY, "seed", "method"], (name, str(target), minutes, seed, method), strict=True)
    )
    known = [json.loads(line) for line in rows.read_text().splitlines()] if rows.exists() else []
    for row in known:
        if row | key == row:
            return row
    images = data.load(**sizes, seed=seed)
    fitted = fit(images, target, 60 * minutes, method, seed=seed, mirror=mirror)
    costs = fitted.delivered.again.costs
    row = key | {
        "spent / budget": fitted.spent_s / fitted.budget_s,
        "met": fitted.delivered.met,
        "ms": costs[LATENCY],
        "M MACs": costs[MACS] / 1e6,
        ACCURACY: fitted.tested.accuracy[0],
        "found, %": fitted.answers[fitted.found.finalists[0].name].accuracy[0],
        "network": fitted.delivered.finalist.name,
        "capped": fitted.capped,
    }
    with rows.open("a") as file:
        print(json.dumps(row), file=file)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", default=[SEARCH])
    parser.add_argument("--rows", type=Path, default=Path("results/benchmark_fit.jsonl"))
    asked = parser.parse_args()
    methods = [SCALED, *asked.methods]
    load = os.getloadavg()[0]
    asks = product(CASES, range(asked.seeds), methods)
    table = pd.DataFrame([one(asked.rows, *case, seed, method) for case, seed, method in asks])
    means = stats.grouped_ci(table, [*BY, "method"], ACCURACY)
    gaps = []
    for key, part in table.groupby(BY, sort=False):
        differences = {
            f"{method} − {SCALED}": stats.paired(part, ACCURACY, "method", method, SCALED)
            for method in asked.methods
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
