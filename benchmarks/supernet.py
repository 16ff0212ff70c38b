"""A step over a supernet: bytes kept and time, by its form and the number of candidates.

Baseline: the weighted sum of all candidates (DARTS) with as many of them. The candidates are copies
of MBConv6 3×3, so that only their number changes. `python benchmarks/supernet.py` writes
benchmarks/supernet.md.
"""

import os
import platform
import time
from pathlib import Path

import pandas as pd
import torch

from lightlab import latency
from lightlab.chapters.ch09_proxylessnas import gates
from lightlab.space.skeleton import Skeleton

PAGE = Path(__file__).with_suffix(".md")
NAMES = {
    "sum": "weighted sum (baseline)",
    "all": "all gates",
    "two": "two paths",
    "one": "weight step of one path",
}
NUMBERS = range(2, 8)


def lines(steps: pd.DataFrame, column: str, digits: int) -> list[str]:
    """A row per form: the values over the candidates, and the last over the first."""
    wide = steps.pivot(index="form", columns="candidates", values=column)
    return [
        f"| {name} | {' | '.join(f'{v:.{digits}f}' for v in wide.loc[form])} "
        f"| {wide.loc[form, 7] / wide.loc[form, 2]:.2f} |"
        for form, name in NAMES.items()
    ]


def main() -> None:
    skeleton = Skeleton.small((3, 32, 32), 10, [24, 48, 96], layers=3)
    steps = gates.steps(skeleton, NUMBERS, batch=64, rounds=11, device="cpu")
    head = f"| form | {' | '.join(f'N = {n}' for n in NUMBERS)} | 7 over 2 |"
    rule = "|---" * (len(NUMBERS) + 2) + "|"
    page = [
        "# Steps over a supernet",
        "",
        *__doc__.strip().splitlines()[2:],
        "",
        f"Nine positions, 32 px, 64 images, one core; {time.strftime('%Y-%m-%d %H:%M')} UTC, "
        f"{latency.device()['cpu']}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}, torch {torch.__version__}.",
        "",
        "## Kept for the backward pass, MiB (weights apart)",
        "",
        head,
        rule,
        *lines(steps, "mib", 1),
        "",
        "## Time of a step, forward and backward, one thread: median of 11 rounds in turn, ms",
        "",
        head,
        rule,
        *lines(steps, "ms", 1),
    ]
    PAGE.write_text("\n".join(page) + "\n")
    print("\n".join(page))


if __name__ == "__main__":
    main()
