"""Training against a plain PyTorch loop, side by side against in turn, and accuracy by the minute.

Baselines: a plain loop over a `DataLoader` with 0 and with 2 workers, the same network, recipe,
batch and threads, without `channels_last`. Its `Dataset` either decodes the image as it is stored,
as one does who opens this data set and writes a `__getitem__` ("stored"), or finds all images
decoded and standardised in memory ("in memory"); both crop and mirror one image at a time. Every
measurement is a process of its own (one of them changes how glibc gives memory back); the ways
take turns. `python benchmarks/train.py speed many 60 180` writes benchmarks/train.md; parts not
named keep what the page says.
"""

import argparse
import dataclasses
import io
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from lightlab import data, train
from lightlab.measure import cost
from lightlab.nets.build import build
from lightlab.space import scaling

CIFAR = "parquet:" + str(Path(__file__).parents[2] / "shared/data/cifar10")
RECIPE = train.Recipe(
    batch_size=128, lr=0.2, label_smoothing=0.1, shift=4, padding="reflect", flip=True
)
WAYS = (
    "ours",
    "stored, 0 workers",
    "stored, 2 workers",
    "in memory, 0 workers",
    "in memory, 2 workers",
)
WIDTHS = (0.25, 0.5, 1.0)
PAGE = Path(__file__).with_suffix(".md")


class InMemory(Dataset):
    """Standardised images in memory, cropped and mirrored at random one at a time."""

    def __init__(self, split: data.Split) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def image(self, i: int) -> Tensor:
        return self.split.x[i]

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        image = F.pad(self.image(i)[None], [4] * 4, mode="reflect")[0]
        top, left = torch.randint(9, (2,)).tolist()
        image = image[:, top : top + 32, left : left + 32]
        if torch.rand(()) < 0.5:
            image = image.flip(2)
        return image, self.split.y[i]


class Stored(InMemory):
    """The same from the images' bytes, each decoded and standardised when it is asked for."""

    def __init__(self, split: data.Split) -> None:
        super().__init__(split)
        path = next(Path(CIFAR.partition(":")[2]).glob("train*.parquet"))
        column = pyarrow.parquet.read_table(path, columns=["img"]).column("img")
        self.bytes = [cell["bytes"].as_py() for cell in column[: len(split)]]
        self.mean = torch.tensor([0.4914, 0.4822, 0.4465])[:, None, None]
        self.std = torch.tensor([0.2470, 0.2435, 0.2616])[:, None, None]

    def image(self, i: int) -> Tensor:
        pixels = np.array(Image.open(io.BytesIO(self.bytes[i])).convert("RGB"))
        return (torch.from_numpy(pixels).permute(2, 0, 1).float() / 255 - self.mean) / self.std


def plain(model: torch.nn.Module, images: Dataset, epochs: int, workers: int) -> None:
    """The loop of a tutorial, with the same descent."""
    loader = DataLoader(
        images,
        batch_size=128,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    steps = epochs * len(loader)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.2, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=steps)
    criterion = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    model.train()
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            schedule.step()


def one(way: str, width: float, n_images: int, threads: int) -> dict[str, float]:
    """Images per second end to end (data path, descent, book-keeping) after a short warm-up, and
    CPU time, a loader's workers included, which other work on the machine changes less.
    """
    torch.set_num_threads(threads)
    split = data.load(CIFAR, n_train=n_images, n_val=0, n_test=1).train
    model = build(scaling.get("mobilenet_32", width_mult=width))
    took = cpu = 0.0
    for part in (split.take(slice(640)), split):
        images = (Stored if way.startswith("stored") else InMemory)(part)
        start, cpu_start = time.perf_counter(), sum(os.times()[:4])
        if way != "ours":
            plain(model, images, 1, 2 if "2" in way else 0)
        else:
            train.fit(model, part, dataclasses.replace(RECIPE, epochs=1))
        took, cpu = time.perf_counter() - start, sum(os.times()[:4]) - cpu_start
    n = n_images // 128 * 128
    return {"images_s": n / took, "cpu_ms": 1e3 * cpu / n}


def speed(rounds: int, n_images: int, threads: int) -> str:
    """A table of the ways, interleaved, for three widths."""
    rows = []
    for width in WIDTHS:
        found: dict[str, list[dict]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way, got in found.items():
                arguments = [way, str(width), str(n_images), str(threads)]
                done = subprocess.run(
                    [sys.executable, __file__, "--one", *arguments],
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                got.append(json.loads(done.stdout))
                print(width, way, got[-1], flush=True)
        rows += [_row(width, way, found, threads) for way in WAYS]
    head = (
        "| network | way | threads | images/s: median (all) | ours: times as fast "
        "| CPU ms an image: median | ours: times less CPU |"
    )
    return "\n".join([head, "|---|---|---|---|---|---|---|", *rows])


def _row(width: float, way: str, found: dict[str, list[dict]], threads: int) -> str:
    rate, cpu = (
        {w: statistics.median(g[key] for g in got) for w, got in found.items()}
        for key in ("images_s", "cpu_ms")
    )
    every = ", ".join(f"{g['images_s']:.0f}" for g in found[way])
    return (
        f"| ×{width:g} | {way} | {threads} | {rate[way]:.0f} ({every}) "
        f"| {rate['ours'] / rate[way]:.2f} | {cpu[way]:.2f} | {cpu[way] / cpu['ours']:.2f} |"
    )


def many(rounds: int, n_images: int) -> str:
    """Four networks by two workers of one thread, and one after another with two threads."""
    split = data.load(CIFAR, n_train=n_images, n_val=0, n_test=1).train
    recipe = dataclasses.replace(RECIPE, epochs=1)
    rows = []
    for width in (0.25, 0.5):
        arch = scaling.get("mobilenet_32", width_mult=width)
        jobs = {seed: train.Job(arch, split, recipe, seed) for seed in range(4)}
        few = split.take(slice(256))
        train.train_each(
            {seed: dataclasses.replace(j, split=few) for seed, j in jobs.items()}, workers=2
        )
        beside, turns = [], []
        for _ in range(rounds):
            start = time.perf_counter()
            train.train_each(jobs, workers=2)
            beside.append(time.perf_counter() - start)
            torch.set_num_threads(2)
            start = time.perf_counter()
            for job in jobs.values():
                train.fit(job.make(), split, recipe, seed=job.seed)
            turns.append(time.perf_counter() - start)
            print(width, beside[-1], turns[-1], flush=True)
        ratio = statistics.median(a / b for a, b in zip(turns, beside, strict=True))
        rows.append(
            f"| ×{width:g} | {statistics.median(beside):.1f} | {statistics.median(turns):.1f} "
            f"| {ratio:.2f} |"
        )
    head = "| four networks | `train_each`, 2 workers, s | in turn, 2 threads, s | ratio, median |"
    return "\n".join([head, "|---|---|---|---|", *rows])


def budget(seconds: float, width: float, seed: int = 0) -> str:
    """Train about so long on all 50,000 images; the accuracy is that of the 10,000 test images."""
    torch.set_num_threads(os.cpu_count() or 1)
    loads = [os.getloadavg()[0]]
    ds = data.load(CIFAR, n_val=0)
    arch = scaling.get("mobilenet_32", width_mult=width)
    recipe = dataclasses.replace(RECIPE, epochs=100 * 128 / len(ds.train))
    trial = train.fit(build(arch, seed=seed), ds.train, recipe, seed=seed)
    rate = trial["samples"].iloc[-1] / trial["seconds"].iloc[-1]
    recipe = dataclasses.replace(recipe, epochs=rate * seconds / len(ds.train))
    model = build(arch, seed=seed)
    history = train.fit(model, ds.train, recipe, seed=seed)
    last, loads = history.iloc[-1], [*loads, os.getloadavg()[0]]
    accuracy = 100 * train.evaluate(model, ds.test)["accuracy"]
    return (
        f"| {seconds:.0f} | {last['seconds']:.0f} | ×{width:g} | {cost.macs(arch) / 1e6:.2f} "
        f"| {last['epoch']:.1f} | {last['samples'] / last['seconds']:.0f} "
        f"| {seed} | {accuracy:.1f} | {loads[0]:.1f} to {loads[1]:.1f} |"
    )


BUDGETS = {60: 0.5, 180: 1.0}  # seconds -> width multiplier
BUDGET_HEAD = (
    "| budget s | trained s | network | MMACs | epochs | images/s | seed "
    "| test accuracy % | load of the machine |\n|---|---|---|---|---|---|---|---|---|"
)


def write(part: str, content: str) -> None:
    """Put a part into the page between its marks; the other parts stay."""
    page, mark = PAGE.read_text(), f"<!-- {part} -->"
    stamp = (
        f"{time.strftime('%Y-%m-%d %H:%M')} UTC, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}, Python {platform.python_version()}, PyTorch {torch.__version__}"
    )
    new = f"{mark}\n{stamp}:\n\n{content}\n{mark}"
    PAGE.write_text(re.sub(f"{mark}.*{mark}", lambda _: new, page, flags=re.DOTALL))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["speed", "many", "60", "180"])
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=12_928)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    if arguments.one:
        way, width, n_images, threads = arguments.one
        print(json.dumps(one(way, float(width), int(n_images), int(threads))))
        return
    if unknown := set(arguments.parts) - {"speed", "many", "60", "180"}:
        parser.error(f"no part {min(unknown)!r}: speed, many, 60 or 180")
    for part in arguments.parts:
        if part == "speed":
            write(part, speed(arguments.rounds, arguments.images, arguments.threads))
        elif part == "many":
            write(part, many(arguments.rounds, arguments.images // 2))
        else:
            write(part, f"{BUDGET_HEAD}\n{budget(float(part), BUDGETS[int(part)])}")


if __name__ == "__main__":
    main()
