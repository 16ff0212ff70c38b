"""Does the default data set show what the workbook is about: width, resolution, operator?

Writes benchmarks/data.md. About ten minutes on one core: python benchmarks/data.py
"""

import argparse
import os
import platform
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pandas as pd
import torch

from lightlab import data, train
from lightlab.measure import cost, machine, stats
from lightlab.nets.build import build
from lightlab.space import scaling
from lightlab.space.arch import Arch
from lightlab.space.scaling import adapt

RECIPE = train.Recipe(epochs=8, batch_size=128, lr=0.2, weight_decay=5e-4, label_smoothing=0.1)
CASES = [  # network, width multiplier, resolution
    ("separable", 0.25, 32),
    ("separable", 0.5, 32),
    ("separable", 1.0, 32),
    ("full", 0.25, 32),
    ("separable", 0.5, 24),
    ("separable", 0.5, 16),
]
CONTRASTS = [  # better expected, worse expected
    (1, 0, "width 0.5 over 0.25"),
    (2, 1, "width 1.0 over 0.5"),
    (1, 4, "32 px over 24 px"),
    (4, 5, "24 px over 16 px"),
    (3, 0, "full over separable convolution at width 0.25"),
]


def measure(seeds: int, n_train: int) -> pd.DataFrame:
    """One row per case and seed; the seed draws the data, the weights and the batch order."""
    rows = []
    for seed in range(seeds):
        for case, (kind, width, resolution) in enumerate(CASES):
            ds = data.load(seed=seed, n_train=n_train, resolution=resolution)
            model = build(network(kind, width, resolution), seed=seed)
            history = train.fit(model, ds.train, RECIPE, seed=seed)
            rows.append(
                {
                    "case": case,
                    "network": f"{kind} ×{width:g}",
                    "px": resolution,
                    "kMACs": cost.count_macs(model, ds.input_shape) / 1e3,
                    "parameters": cost.param_count(model),
                    "accuracy": 100 * train.evaluate(model, ds.test)["accuracy"],
                    "seconds": history["seconds"].iloc[-1],
                }
            )
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def network(kind: str, width: float, resolution: int) -> Arch:
    """MobileNetV1's layers for small grey images, or the twin with full convolutions."""
    arch = scaling.get("mobilenet_32_shallow", width_mult=width)
    if kind == "full":
        arch = replace(arch, blocks=[replace(block, op="conv") for block in arch.blocks])
    return adapt(arch, resolution=resolution, in_channels=1, n_classes=10, min_map=1)


def generation_seconds(repeats: int = 3) -> dict[str, float]:
    """Least seconds to draw 12,000 pictures into an empty cache, and to read them back."""
    seconds: dict[str, list[float]] = {"drawn": [], "from the cache": []}
    for _ in range(repeats):
        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.dict(os.environ, {"LIGHTLAB_CACHE": folder}),
        ):
            for times in seconds.values():
                start = time.perf_counter()
                data.load(n_train=10_000, n_val=0, n_test=2_000)
                times.append(time.perf_counter() - start)
    return {what: min(times) for what, times in seconds.items()}


def interval(low: float, high: float) -> str:
    """An interval in percentage points."""
    return f"{low:.1f} to {high:.1f}"


def report(table: pd.DataFrame, seconds: dict[str, float], n_train: int) -> str:
    """The page: what was run where, the cases, and the differences paired by seed."""
    seeds = len(table) // len(CASES)
    rows = []
    for _, part in table.groupby("case"):
        mean, low, high = stats.mean_ci(part["accuracy"])
        first = part.iloc[0]
        rows.append(
            {
                "network": first["network"],
                "px": str(first["px"]),
                "kMACs": f"{first['kMACs']:,.0f}",
                "parameters": f"{first['parameters']:,}",
                "accuracy %": f"{mean:.1f}",
                "95 % interval": interval(low, high),
                "sd": f"{part['accuracy'].std():.1f}",
                "seconds": f"{part['seconds'].median():.0f}",
            }
        )
    differences = []
    for better, worse, what in CONTRASTS:
        mean, low, high = stats.mean_ci(stats.paired(table, "accuracy", "case", better, worse))
        differences.append(
            {"difference": what, "points": f"{mean:.1f}", "95 % interval": interval(low, high)}
        )
    drawn = ", ".join(f"{what} {value:.2f} s" for what, value in seconds.items())
    return f"""# Cluttered digits: what the default difficulty shows

Made by `python benchmarks/data.py`. {n_train:,} training images of 1,097 scanned digits, 2,000 test
images of 500 others; {RECIPE.epochs} epochs, batch {RECIPE.batch_size}, peak learning rate
{RECIPE.lr}, label smoothing {RECIPE.label_smoothing}, stem of stride 2; seeds 0 to {seeds - 1},
each with its own data, weights and batch order; t intervals.

Hardware: {machine.processor()["model name"]}, {torch.get_num_threads()} thread(s), other work
beside it: compare seconds only with each other. Python {platform.python_version()}, PyTorch
{torch.__version__}.

{pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)}

Differences, paired by seed; an interval that includes 0 says that so few seeds cannot tell:

{pd.DataFrame(differences).to_markdown(index=False, disable_numparse=True)}

12,000 images at 32 px: {drawn}.
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    drawn = generation_seconds()
    results = measure(arguments.seeds, arguments.images)
    arguments.out.write_text(report(results, drawn, arguments.images))
