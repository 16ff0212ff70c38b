"""One more device for a supernet of the cifar10 profile: its cost over that of the training.

Baseline: the supernet trained as long as the arms that notebook 10 compares, the first of its
`lengths`. Parameters are those of `params/cifar10/10_once_for_all.yaml`, with the arm that was best
there; one seed, one core, validation images. `python benchmarks/one_more_device.py` writes
benchmarks/one_more_device.md (half an hour).
"""

import time
from pathlib import Path

import pandas as pd
import yaml

from lightlab.measure import data, latency, predict, stats, subnets, train
from lightlab.measure.threads import torch_threads
from lightlab.search.once_for_all import evolve, serving, study
from lightlab.search.once_for_all.shrinking import shrink

PAGE = Path(__file__).with_suffix(".md")
ARM, BAR = study.UNIFORM + study.PLAIN, 1.0  # per cent, of the issue that asked for it
PLAN = latency.Plan(rounds=8, samples=5, sample_ms=0.3, min_busy=0, warmup_ms=3.0)


def main() -> None:
    root = Path(__file__).parents[1]
    p = yaml.safe_load((root / "params/cifar10/10_once_for_all.yaml").read_text())
    sizes = {"n_train": p["n_train"], "n_val": p["n_eval"], "n_test": p["n_eval"], "seed": 0}
    kind, folder = p["dataset"].split(":")
    images = data.load(f"{kind}:{root / folder}", resolution=32, **sizes)
    how = {"batch_size": 32, "lr": 0.1, "shift": 4, "flip": True, "padding": "reflect"}
    space = study.small_space(images, p["channels"], p["depth"], p["kernels"], p["expands"])
    each = p["lengths"][0]
    task = {"space": space, "images": images, "recipe": train.Recipe(each, **how)}
    full = study.begin(task, each, [0])
    rows = []
    for passes in p["lengths"]:
        job = study.arms(task, passes, {0: full[0].network})[ARM, 0]
        with torch_threads(1):
            shrunk = shrink(**job)
        trained = shrunk.history["seconds"].iloc[-1]
        corners = study.on_corners({(ARM, 0): shrunk.network}, images, "val")["accuracy"].mean()
        rows += [
            {"passes": passes, "training, s": trained, "corners, %": corners} | one
            for one in devices(space, shrunk.network, images, p)
        ]
    table = pd.DataFrame(rows)
    table["share, %"] = 100 * table["one more, s"] / table["training, s"]
    write(table, p)


def devices(space: object, network: object, images: data.DataSet, p: dict) -> list[dict]:
    """Seconds of one core for each setting: table, choice, cutting out with calibration."""
    known = serving.sample(network, images, p["n_samples"], 0)
    score = serving.scorer(space, predict.MLP(known.codes(space), known.accuracy, seed=0))
    evolution = evolve.Evolution(generations=p["generations"])
    rows = []
    for name in p["devices"]:
        price = serving.priced(space, name, PLAN, 0)
        served = serving.serve({0: score}, {name: price}, evolution)
        point = served["point"].iloc[len(served) // 2]
        begin = time.process_time()
        with torch_threads(1):
            subnets.specialise(network, point, images.train.x)
        cut = time.process_time() - begin
        choice = served["seconds"].mean()
        parts = {"table, s": price.seconds, "choice, s": choice, "cut, s": cut}
        rows.append({"setting": name, **parts, "one more, s": sum(parts.values())})
    return rows


def write(table: pd.DataFrame, p: dict) -> None:
    page = [
        "# One more device",
        "",
        *__doc__.strip().splitlines()[2:],
        "",
        f"{p['n_train']:,} images of CIFAR-10, {time.strftime('%Y-%m-%d %H:%M')} UTC, "
        f"{latency.device()['cpu']}.",
        "",
        table.round(2).to_markdown(index=False),
        "",
    ]
    for passes, part in table.groupby("passes"):
        mean, low, high = stats.mean_ci(part["share, %"].to_numpy())
        page.append(
            f"- {passes:g} passes: {mean:.2f} % [{low:.2f}, {high:.2f}] over the settings "
            f"(bar {BAR:g} %)."
        )
    PAGE.write_text("\n".join(page) + "\n")
    print("\n".join(page))


if __name__ == "__main__":
    main()
