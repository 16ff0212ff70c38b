"""What a GPU changes: training steps, memory of a supernet's step, latency.

Baselines: one core of the same machine; the weighted sum of all candidates (DARTS); the published
latencies of the three specialised ProxylessNAS networks. `python benchmarks/gpu.py` writes
benchmarks/gpu.md; without a GPU it says so and measures nothing.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from torch.nn import functional as F

from lightlab import latency, train
from lightlab.chapters.ch09_proxylessnas import gates
from lightlab.chapters.ch09_proxylessnas.experiment import published_crossed
from lightlab.measure import cost
from lightlab.measure.machine import torch_threads
from lightlab.nets.build import build
from lightlab.space import scaling
from lightlab.space.arch import Arch
from lightlab.space.scaling import scale
from lightlab.space.skeleton import Skeleton
from lightlab.train import descent

PAGE = Path(__file__).with_suffix(".md")
STEPS, ROUNDS, BATCH = 10, 7, 64
DEVICES = ("cpu", "cuda")
SETTINGS = ("cuda/1/1", "cuda/1/8", "cuda/1/128", "onnxruntime/1/1")
RELEASED = {
    name: scaling.get(f"proxyless_{arch}")
    for name, arch in {"GPU": "gpu", "CPU": "cpu", "phone": "mobile"}.items()
}


def steps(arch: Arch, on: str) -> Callable[[], float]:
    """Seconds of a training step of `arch` on that device, the mean of STEPS."""
    net = build(arch).to(on, memory_format=torch.channels_last).train()
    optimizer = descent.sgd(net.parameters(), train.Recipe(lr=1e-3))
    x = torch.randn(BATCH, *arch.input_shape).to(on, memory_format=torch.channels_last)
    y = (torch.arange(BATCH) % arch.n_classes).to(on)

    def timed() -> float:
        begin = time.perf_counter()
        for _ in range(STEPS):
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
        torch.cuda.synchronize()
        return (time.perf_counter() - begin) / STEPS

    return timed


def where_it_pays() -> list[str]:
    """A row per network: step on one core and on the GPU, and the median ratio of rounds."""
    rows, base = [], scaling.get("mobilenet_32")
    with torch_threads(1):
        for px, width in ((16, 0.25), (16, 0.5), (16, 1.0), (32, 0.5), (32, 1.0)):
            arch = replace(scale(base, width_mult=width), resolution=px)
            both = [steps(arch, on) for on in DEVICES]
            times = [[timed() for timed in both] for _ in range(ROUNDS + 1)][1:]
            cpu, gpu = (1e3 * statistics.median(t) for t in zip(*times, strict=True))
            ratio = statistics.median(c / g for c, g in times)
            macs = cost.PASSES_PER_TRAINING_STEP * BATCH * cost.macs(arch)
            rows.append(
                f"| {px} px, × {width} | {macs / 1e9:.2f} | {cpu:.1f} | {gpu:.1f} | {ratio:.1f} |"
            )
    head = "| MobileNetV1, 64 images | GMACs | one core, ms | GPU, ms | times |"
    return [head, "|---" * 5 + "|", *rows]


def memory() -> list[str]:
    """A row per form of a step: peak MiB and ms with 2 to 7 candidates."""
    skeleton = Skeleton.small((3, 32, 32), 10, [24, 48, 96], layers=3)
    found = gates.steps(skeleton, range(2, 8), batch=256, rounds=7, device="cuda")
    found = found.rename(columns={"cuda_mib": "peak MiB", "mib": "kept MiB"})
    rows = []
    for what, digits in (("peak MiB", 0), ("kept MiB", 0), ("ms", 1)):
        wide = found.pivot(index="form", columns="candidates", values=what)
        for form in gates.GRADIENTS:
            values = " | ".join(f"{v:.{digits}f}" for v in wide.loc[form])
            growth = wide.loc[form, 7] / wide.loc[form, 2]
            rows.append(f"| {what} | {form} | {values} | {growth:.2f} |")
    head = " | ".join(f"N = {n}" for n in range(2, 8))
    return [f"| what | form | {head} | 7 over 2 |", "|---" * 9 + "|", *rows]


def crossed() -> list[str]:
    """The released networks in these settings, ms and over the setting's best, beside the paper."""
    cells = latency.measure_settings(RELEASED, SETTINGS)
    published = published_crossed().assign(setting=lambda t: "paper, " + t["setting"])
    both = pd.concat([published, cells])
    wide = both.pivot(index="setting", columns="network", values="latency_ms")[[*RELEASED]]
    rows = [
        f"| {setting} | {' | '.join(f'{ms:.2f} ({ms / row.min():.2f})' for ms in row)} |"
        for setting, row in wide.iterrows()
    ]
    return [f"| timed on | {' | '.join(f'for {n}' for n in RELEASED)} |", "|---" * 4 + "|", *rows]


def main() -> None:
    if not torch.cuda.is_available():
        print("no GPU here: nothing measured, benchmarks/gpu.md is as it was")
        return
    gpu = torch.cuda.get_device_properties(0)
    page = [
        "# With a GPU",
        "",
        *__doc__.strip().splitlines()[2:],
        "",
        f"{time.strftime('%Y-%m-%d %H:%M')} UTC: {gpu.name}, {gpu.total_memory / 2**30:.0f} GiB; "
        f"{latency.device()['cpu']}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
        f"Python {platform.python_version()}, torch {torch.__version__}.",
    ]
    parts = {
        "A training step: one core or the GPU, medians of rounds in turn": where_it_pays,
        "A step over a supernet of nine positions, 256 images of 32 px": memory,
        "The released networks of ProxylessNAS, ms (over the best of the row)": crossed,
    }
    for title, part in parts.items():
        page += ["", f"## {title}", "", *part()]
        print("\n".join(page[-30:]), flush=True)
        PAGE.write_text("\n".join(page) + "\n")


if __name__ == "__main__":
    main()
