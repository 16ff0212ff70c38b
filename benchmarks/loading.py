"""How long until the images of a data set from outside are ready, the first time and later?

Writes benchmarks/loading.md, about a minute. Without a spec it is CIFAR-10 in ../shared/data.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import torch

CIFAR = "parquet:" + str(Path(__file__).parents[2] / "shared/data/cifar10")
# In a process of its own: memory that a process has used before is faster than new memory.
CHILD = """
import sys, time, torch
torch.set_num_threads(1)
from lightlab.measure import data
wall, processor = time.perf_counter(), time.process_time()
ds = data.load(sys.argv[1], n_val=0)
print(len(ds.train), time.perf_counter() - wall, time.process_time() - processor)
"""


def seconds(spec: str, cache: str) -> tuple[int, float, float]:
    """Training images, wall and processor seconds of one `load` in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, spec],
        env=os.environ | {"LIGHTLAB_CACHE": cache, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    n, wall, processor = done.stdout.split()
    return int(n), float(wall), float(processor)


def report(spec: str, repeats: int) -> str:
    """The page: the first load, and the median of those from the cache."""
    with tempfile.TemporaryDirectory() as cache:
        n, *first = seconds(spec, cache)
        later = pd.DataFrame([seconds(spec, cache)[1:] for _ in range(repeats)]).median()
        size = sum(p.stat().st_size for p in Path(cache).iterdir()) / 2**20
    table = pd.DataFrame(
        [["first: read, decode, keep", *first], [f"from the cache, median of {repeats}", *later]],
        columns=["load", "wall s", "processor s"],
    )
    return f"""# Loading images from outside

Made by `python benchmarks/loading.py` with {Path(spec.partition(":")[2]).name}: {n:,} training
images and the test images, standardised float32 in memory, each load in a fresh process (imports
before the clock starts, but for `datasets` at the first load). The cache holds {size:,.0f} MiB.

Hardware: {os.cpu_count()} cores, 1 thread used, load average {os.getloadavg()[0]:.1f}: where that
is above the number of cores, processor seconds are those of a quiet machine. Python
{platform.python_version()}, PyTorch {torch.__version__}.

{table.to_markdown(index=False, floatfmt=".2f")}
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spec", nargs="?", default=CIFAR)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    arguments.out.write_text(report(arguments.spec, arguments.repeats))
