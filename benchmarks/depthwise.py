"""A training step of networks with large kernels, against PyTorch's own weight gradient.

Baselines: `F.conv2d` throughout, and what was here before, which padded maps smaller than the
kernel; in the same process, step by step in turn; medians of processor time on one thread.
`python benchmarks/depthwise.py` writes benchmarks/depthwise.md (a minute).
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from lightlab import latency
from lightlab.measure.machine import torch_threads
from lightlab.nets import blocks
from lightlab.nets.build import build
from lightlab.space.arch import Arch
from lightlab.space.proxyless import ProxylessSpace
from lightlab.space.skeleton import Skeleton

PAGE = Path(__file__).with_suffix(".md")
OURS, PLAIN, BEFORE = "in strips", "PyTorch's own", "before"
STEPS, WARM_UP, BATCH = 30, 4, 32
NETWORKS = (([24, 48], 2, 1), ([16, 24, 40], 3, 3), ([24, 48, 96], 3, 3))
BLOCKS = ("k3_e6", "k5_e3", "k5_e6", "k7_e6")


def plain(x: torch.Tensor, weight: torch.Tensor, stride: int) -> torch.Tensor:
    """What is compared with."""
    return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=len(weight))


def padded(x: torch.Tensor, weight: torch.Tensor, stride: int) -> torch.Tensor:
    """What was here before."""
    if x.shape[-1] >= (k := weight.shape[-1]):
        return plain(x, weight, stride)
    return F.conv2d(F.pad(x, [k // 2] * 4), weight, stride=stride, groups=len(weight))


def step_ms(arch: Arch) -> dict[str, float]:
    """Milliseconds of a step in each way."""
    network = build(arch).train().to(memory_format=torch.channels_last)
    x = torch.randn(BATCH, *arch.input_shape).contiguous(memory_format=torch.channels_last)
    y = torch.arange(BATCH) % arch.n_classes
    ways = {PLAIN: plain, BEFORE: padded, OURS: blocks.convolve}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(WARM_UP + STEPS):
        for name, way in ways.items():
            blocks.convolve = way
            begin = time.process_time()
            network.zero_grad()
            F.cross_entropy(network(x), y).backward()
            seconds[name].append(time.process_time() - begin)
    blocks.convolve = ways[OURS]
    return {name: 1e3 * float(np.median(s[WARM_UP:])) for name, s in seconds.items()}


def main() -> None:
    rows = []
    for channels, layers, colours in NETWORKS:
        frame = Skeleton.small((colours, 32, 32), 10, channels, layers=layers)
        space = ProxylessSpace(frame)
        for block in BLOCKS:
            point = [list(p.candidates).index(block) for p in space.positions]
            with torch_threads(1):
                ms = step_ms(space.decode(point))
            what = {"stages": str(channels), "layers": layers, "blocks": block}
            rows.append(what | ms | {"before / now": ms[BEFORE] / ms[OURS]})
    table = pd.DataFrame(rows).round(2)
    about = f"{time.strftime('%Y-%m-%d %H:%M')} UTC, {latency.device()['cpu']}, {BATCH} images."
    text = table.to_markdown(index=False)
    page = ["# Depthwise weight gradients", "", *__doc__.strip().splitlines()[2:], "", about, ""]
    PAGE.write_text("\n".join([*page, "Milliseconds of a step:", "", text, ""]))
    print(text)


if __name__ == "__main__":
    main()
