"""Progressive shrinking by how gentle its later phases are, on validation images.

Baseline: uniform sampling at as many passes, taught by the same full network. The published rates
fall to 3 to 9 % of the first; here they are raised to a power (1: published, 0: all equal).
`python benchmarks/shrinking_rates.py` writes benchmarks/shrinking_rates.md.
"""

import time
from pathlib import Path

import pandas as pd

from lightlab import data, latency, train
from lightlab.chapters.ch10_once_for_all.experiment import small_space
from lightlab.methods import phases, subnets
from lightlab.methods.shrinking import begin, shrink_many

PAGE = Path(__file__).with_suffix(".md")
POWERS, SEEDS, PASSES = (1.0, 0.5, 0.25, 0.0), (0, 1, 2), (16, 48)


def accuracies(passes: float) -> pd.DataFrame:
    """Mean validation accuracy of the eight corners: rows arms, columns seeds."""
    sizes = {"n_train": 500, "n_val": 500, "n_test": 500, "seed": 0}
    images = data.load("cluttered-digits", resolution=32, difficulty=0.2, **sizes)
    space = small_space(images, [16, 24], 2, (3, 5), (2, 3, 4))
    recipe = train.Recipe(1, batch_size=32, lr=0.1)
    task = {"space": space, "images": images, "recipe": recipe, "n_rows": 1}
    jobs = {}
    for seed, one in begin(task, passes, SEEDS).items():
        net = one.network
        taught = {**task, "seed": seed, "teacher": net}
        jobs["uniform (baseline)", seed] = {**taught, "phases": phases.uniform(passes)}
        for power in POWERS:
            plan = phases.progressive(passes, fall=power)[1:]
            jobs[f"shrinking, rates ^{power:g}", seed] = {**taught, "phases": plan, "start": net}
    nets = {key: found.network for key, found in shrink_many(jobs).items()}
    marks = subnets.evaluate_corners(nets, images, "val")
    return marks.groupby(["arm", "seed"], sort=False)["accuracy"].mean().unstack()


def main() -> None:
    page = [
        "# Rates of progressive shrinking",
        "",
        *__doc__.strip().splitlines()[2:],
        "",
        f"500 cluttered digits, eight corners, {time.strftime('%Y-%m-%d %H:%M')} UTC, "
        f"{latency.device()['cpu']}.",
    ]
    for passes in PASSES:
        table = accuracies(passes)
        table.columns = [f"seed {s}" for s in table.columns]
        table["mean"] = table.mean(axis=1)
        page += ["", f"## {passes} passes, accuracy in %", "", table.round(1).to_markdown()]
    PAGE.write_text("\n".join(page) + "\n")
    print("\n".join(page))


if __name__ == "__main__":
    main()
