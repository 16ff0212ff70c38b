"""What `lightlab run` costs over bare papermill, on the same notebooks in the same session.

Baseline: the command `papermill in.ipynb out.ipynb`, one call a notebook, one after another.
Ours: `lightlab run --jobs 1` of the same notebooks with an empty run folder, site included.
The two alternate; medians over the rounds.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CELLS = ["seed: int = 0  # seed of all randomness [0..]", *(f"x = {i}" for i in range(9))]


def workbook(root: Path, n: int) -> list[Path]:
    """`n` notebooks of ten cells that do next to nothing."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for i in range(n):
        cells = [
            {
                "cell_type": "code",
                "id": f"c{j}",
                "metadata": {"tags": ["parameters"]} if j == 0 else {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for j, source in enumerate(CELLS)
        ]
        about = {"metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
        nb = {"cells": cells} | about
        for folder in ("notebooks", "params/quick"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / f"notebooks/{i:02d}_empty.ipynb").write_text(json.dumps(nb))
        (root / f"params/quick/{i:02d}_empty.yaml").write_text("seed: 0\n")
    return sorted((root / "notebooks").iterdir())


def seconds(*commands: list[str], cwd: Path) -> float:
    began = time.perf_counter()
    for command in commands:
        subprocess.run(command, cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notebooks", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rows: dict[str, list[float]] = {"papermill": [], "lightlab": [], "again": []}
    lightlab = [sys.executable, "-m", "lightlab", "run", "--jobs", "1"]
    papermill = str(Path(sys.executable).with_name("papermill"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        paths = workbook(root, args.notebooks)
        for _ in range(args.rounds):
            bare = [[papermill, str(p), str(root / f"out-{p.name}")] for p in paths]
            rows["papermill"].append(seconds(*bare, cwd=root))
            shutil.rmtree(root / "results", ignore_errors=True)
            rows["lightlab"].append(seconds(lightlab, cwd=root))
            rows["again"].append(seconds(lightlab, cwd=root))
    median = {k: statistics.median(v) for k, v in rows.items()}
    n, load = args.notebooks, os.getloadavg()[0]
    print(f"{n} notebooks, {args.rounds} rounds, {os.cpu_count()} cores, load {load:.1f}")
    print(f"bare papermill      {median['papermill']:6.2f} s")
    print(f"lightlab run        {median['lightlab']:6.2f} s")
    print(f"lightlab run again  {median['again']:6.2f} s (nothing to do)")
    over = (median["lightlab"] - median["papermill"]) / n
    print(f"overhead            {over:+6.2f} s a notebook (bar: < 0.5)")


if __name__ == "__main__":
    main()
