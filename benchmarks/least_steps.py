"""How long a supernet of `lightlab fit` has to be trained at least, else a smaller space is taken.

All of CIFAR-10, MINUTES of time, each seed on a core of its own beside the other. Baseline: 5,000
steps, which four epochs of 40,000 images are, as it was once asked for. Network: the largest one of
the space that was taken, in million MACs; accuracy on 10,000 test images of what the search found,
and of the better of MobileNetV2's and V3's designs beside it.
`python benchmarks/least_steps.py` writes benchmarks/least_steps.md (12 minutes, on two cores that
have nothing else to do).
"""

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TQDM_DISABLE", "1")

import joblib
import pandas as pd

from lightlab import data, latency
from lightlab.fit import room, run
from lightlab.fit.budget import Target
from lightlab.measure import cost, stats

PAGE = Path(__file__).with_suffix(".md")
CIFAR10 = Path(__file__).parents[2] / "shared/data/cifar10"
STEPS, SEEDS, MINUTES, TARGET = (5000, 1000), (0, 1), 5.5, Target(latency_ms=0.3)
FOUND, BETTER = "found, %", "better design beside it, %"


def one(steps: int, seed: int) -> dict:
    """One fit, on the core of its seed."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[seed % len(cores)]})
    room._LEAST_STEPS = steps
    images = data.load(f"parquet:{CIFAR10}", n_train=40000, n_val=2000, n_test=10000, seed=seed)
    fitted = run.fit(images, TARGET, 60 * MINUTES, seed=seed, mirror=True)
    table = fitted.comparison.set_index("model")
    found = table.loc[fitted.found.finalists[0].name]
    space = fitted.room.space
    return {
        "least steps": steps,
        "seed": seed,
        "largest, M": cost.macs(space.decode(space.corner())) / 1e6,
        "found, M": found["macs"] / 1e6,
        "ms": found["latency_ms"],
        FOUND: found["accuracy"],
        BETTER: table.drop(found.name)["accuracy"].max(),
    }


def main() -> None:
    if not CIFAR10.exists():
        sys.exit(f"no CIFAR-10 at {CIFAR10}: nothing is measured")
    load = os.getloadavg()[0]
    rows = []
    for steps in STEPS:
        beside = (joblib.delayed(one)(steps, seed) for seed in SEEDS)
        rows += joblib.Parallel(n_jobs=len(SEEDS))(beside)
        print(pd.DataFrame(rows[-len(SEEDS) :]).round(2).to_string(), file=sys.stderr, flush=True)
    table = pd.DataFrame(rows)
    _, low, high = (100 * share for share in stats.share_ci(7000, 10000))
    means = table.groupby("least steps", sort=False)[[FOUND, BETTER]].mean()
    about = (
        f"{time.strftime('%Y-%m-%d %H:%M')} UTC, {latency.device()['cpu']}, "
        f"load before {load:.1f}; 40,000 images, {MINUTES} minutes, "
        f"at most {TARGET.latency_ms} ms. "
        f"95 % of an accuracy of 70 % by the test images alone: {low:.1f} to {high:.1f}."
    )
    page = [
        "# Least steps of a supernet", "", *__doc__.strip().splitlines()[2:], "", about, "",
        table.round(2).to_markdown(index=False), "", "Means over the seeds", "",
        means.round(1).to_markdown(),
    ]  # fmt: skip
    PAGE.write_text("\n".join(page) + "\n")
    print("\n".join(page))


if __name__ == "__main__":
    main()
