"""Width or depth where there is little time to train: what `lightlab fit` gives up first.

Networks at the corners of its spaces, from the narrowest to width 1 and of one to three layers a
unit, trained for STEPS steps. Baseline: the narrowest with three layers, which stood in for spaces
that the budget could not train before. Latency (ONNX Runtime, one thread), a step on one core, test
accuracy with its interval over the seeds. `python benchmarks/spaces.py` writes benchmarks/spaces.md
(ten minutes); CIFAR-10 is left out where it is not at hand.
"""

import os
import time
from pathlib import Path

os.environ.setdefault("TQDM_DISABLE", "1")

import pandas as pd

from lightlab import data, latency, train
from lightlab.data import DataSet
from lightlab.fit import room
from lightlab.measure import cost, stats
from lightlab.measure.machine import torch_threads
from lightlab.nets.build import build

PAGE = Path(__file__).with_suffix(".md")
CIFAR10 = Path(__file__).parents[2] / "shared/data/cifar10"
STEPS, SEEDS, BATCH = 300, (0, 1, 2), 32
WIDTHS, DEPTHS, EXPAND, KERNEL = (0, 1, 3), (3, 2, 1), 4, 3  # numbers in room.WIDTHS


def small(name: str) -> DataSet:
    """A few hundred images, 32 px."""
    sizes = {"n_train": 400, "n_val": 100, "n_test": 2000, "resolution": 32}
    if name == "cluttered digits":
        return data.load("cluttered-digits", difficulty=0.2, **sizes)
    return data.load(f"parquet:{CIFAR10}", **sizes)


def compared(name: str) -> pd.DataFrame:
    """A row for each width and depth."""
    images = small(name)
    networks = {}
    for i in WIDTHS:
        for depth in DEPTHS:
            space = room.spaces(images, depth)[i]
            networks[room.WIDTHS[i], depth] = space.decode(space.corner(depth, EXPAND, KERNEL))
    timed = latency.measure_many({str(k): a for k, a in networks.items()}, estimate="fastest")
    recipe = train.Recipe(
        STEPS * BATCH / (len(images.train) // BATCH * BATCH),
        batch_size=BATCH, lr=0.1, shift=3, padding="reflect", label_smoothing=0.05,
    )  # fmt: skip
    rows = []
    for (width, depth), arch in networks.items():
        found, seconds = [], 0.0
        for seed in SEEDS:
            network = build(arch, seed=seed)
            begin = time.process_time()
            train.fit(network, images.train, recipe, seed=seed, macs_per_image=0, progress=False)
            seconds += time.process_time() - begin
            found.append(100 * train.evaluate(network, images.test)["accuracy"])
        mean, low, high = stats.mean_ci(found)
        rows.append(
            {
                "images": name,
                "width": width,
                "layers": depth,
                "MACs, M": cost.macs(arch) / 1e6,
                "latency, µs": 1e3 * timed.latency_ms[str((width, depth))],
                "step, ms": 1e3 * seconds / len(SEEDS) / STEPS,
                "accuracy, %": f"{mean:.1f} [{low:.1f}, {high:.1f}]",
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    names = ["cluttered digits"] + ["CIFAR-10"] * CIFAR10.exists()
    with torch_threads(1):
        table = pd.concat([compared(name) for name in names])
    about = (
        f"{time.strftime('%Y-%m-%d %H:%M')} UTC, {latency.device()['cpu']}, load "
        f"{os.getloadavg()[0]:.1f}; 400 images, {STEPS} steps of {BATCH}, {len(SEEDS)} seeds."
    )
    text = table.round(2).to_markdown(index=False)
    PAGE.write_text(f"# Width or depth\n\n{__doc__.strip()}\n\n{about}\n\n{text}\n")
    print(text)


if __name__ == "__main__":
    main()
