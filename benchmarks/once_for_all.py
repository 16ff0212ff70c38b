"""Once-for-All: an elastic step, the predictor, evolution, and one sub-network's examination.

Baselines: the step of the network that was cut out, of the same shape; the author's weight decay of
the predictor; random search with as many calls. `python benchmarks/once_for_all.py` writes
benchmarks/once_for_all.md.
"""

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from lightlab import latency, train
from lightlab.data import Split
from lightlab.measure.machine import torch_threads
from lightlab.methods import subnet_search, subnets
from lightlab.methods.price import Price
from lightlab.methods.subnet_search import Evolution, Limits, evolve, random_search
from lightlab.methods.subnets import corners
from lightlab.nets.elastic import ElasticNetwork
from lightlab.space.once_for_all import OFA_MOBILENET_V3, OfaSpace
from lightlab.space.skeleton import Skeleton
from lightlab.train import descent

PAGE = Path(__file__).with_suffix(".md")
SKELETON = Skeleton.small((3, 32, 32), 10, [16, 24, 40], layers=3)
SPACE = OfaSpace(SKELETON, (3, 5), (2, 3, 4), (1, 2, 3), (24, 32))
PAPER = OfaSpace(OFA_MOBILENET_V3, resolutions=(160, 176, 192, 208, 224))  # the tutorial's
ROUNDS, BATCH = 15, 32


def step(net: torch.nn.Module, px: int) -> Callable[[], float]:
    """A whole training step of `net`, in seconds."""
    net = net.to(memory_format=torch.channels_last).train()
    optimizer = descent.sgd(net.parameters(), train.Recipe(lr=1e-3))
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(BATCH, 3, px, px, generator=generator)
    x = x.contiguous(memory_format=torch.channels_last)
    y = torch.arange(BATCH) % 10

    def timed() -> float:
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(net(x), y).backward()
        optimizer.step()
        return time.perf_counter() - begin

    return timed


def elastic_steps() -> list[str]:
    """A row per corner: ms inside, ms cut out, and the median ratio of rounds in turn."""
    rows = []
    with torch_threads(1):
        for name, point in corners(SPACE).items():
            net = ElasticNetwork(SPACE)
            px, cut = SPACE.decode(point).resolution, net.extract(point)
            net.activate(point)
            inside, outside = step(net, px), step(cut, px)
            pairs = np.array([(inside(), outside()) for _ in range(ROUNDS + 2)])[2:]
            ms, ratio = 1e3 * np.median(pairs, axis=0), np.median(pairs[:, 0] / pairs[:, 1])
            rows.append(f"| {name} | {ms[0]:.1f} | {ms[1]:.1f} | {ratio:.2f} |")
    return rows


def predictor(decays: tuple[float, ...]) -> list[str]:
    """A row per number of samples: error by weight decay on a made-up accuracy, beside a line."""
    macs, rng = Price.macs(PAPER), np.random.default_rng(0)
    points = np.array(PAPER.sample(rng, 1200))
    codes, cost = PAPER.encode(points), macs.of(points)
    accuracy = 70 + 4 * np.log(cost / 3e8) + 2 * (points[:, 2] == 1)
    accuracy = accuracy + 0.1 * rng.normal(size=len(points))
    rows = []
    for n in (60, 240, 1000):
        models = [subnet_search.MLP(codes[:n], accuracy[:n], decay=decay) for decay in decays]
        models += [
            subnet_search.linear(codes[:n], accuracy[:n]),
            subnet_search.macs_only(cost[:n], accuracy[:n]),
        ]
        said = [model(codes[1000:], cost[1000:]) for model in models]
        errors = [np.sqrt(np.mean((y - accuracy[1000:]) ** 2)) for y in said]
        rows.append(f"| {n} | {' | '.join(f'{e:.2f}' for e in errors)} |")
    return rows


def speeds() -> list[str]:
    """Predictions a second, evolution and random search with the paper's settings."""
    macs, rng = Price.macs(PAPER), np.random.default_rng(0)
    points = np.array(PAPER.sample(rng, 50_000))
    learnt = points[:200]
    model = subnet_search.MLP(PAPER.encode(learnt), 70 + 4 * np.log(macs.of(learnt) / 3e8))
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        model(PAPER.encode(points))
        seconds.append(time.perf_counter() - begin)
    rows = [f"| predictions a second, codes included | {len(points) / np.median(seconds):,.0f} |"]
    limits, settings = Limits({"MACs": (macs, 250e6)}), Evolution()
    for name, search in (
        ("evolution", lambda score: evolve(PAPER, score, limits, settings)),
        ("random search", lambda score: random_search(PAPER, score, limits, settings.calls)),
    ):
        begin = time.perf_counter()
        found = search(lambda points: model(PAPER.encode(points)))
        took = time.perf_counter() - begin
        words = f"{name}, {settings.calls:,} calls, seconds (found: {found.score:.2f})"
        rows.append(f"| {words} | {took:.1f} |")
    return rows


def examination() -> str:
    """Cutting out, calibrating and testing one sub-network on 2,000 and 2,000 images."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2000, 3, 32, 32, generator=generator)
    split = Split(x, torch.arange(2000) % 10, torch.arange(2000))
    net, seconds = ElasticNetwork(SPACE), []
    for _ in range(5):
        begin = time.perf_counter()
        subnets.accuracies(net, [SPACE.corner()], x, split)
        seconds.append(time.perf_counter() - begin)
    return f"| the largest sub-network calibrated and tested, seconds | {np.median(seconds):.2f} |"


def main() -> None:
    decays = (1e-4, subnet_search.DECAY)
    page = [
        "# Once-for-All",
        "",
        *__doc__.strip().splitlines()[2:],
        "",
        f"{time.strftime('%Y-%m-%d %H:%M')} UTC, {latency.device()['cpu']}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}, torch {torch.__version__}.",
        "",
        f"## A training step of {BATCH} images, one thread: medians of {ROUNDS} rounds in turn",
        "",
        f"Three units of up to three layers, kernels 3, 5; {SPACE.n_archs():,} networks, 32 px.",
        "",
        "| sub-network | inside the supernet, ms | cut out (baseline), ms | ratio |",
        "|---|---|---|---|",
        *elastic_steps(),
        "",
        "## Predictor, evolution, examination",
        "",
        "The paper's space with five resolutions, three perceptrons of 3 × 400; both cores.",
        "",
        "| what | |",
        "|---|---|",
        *speeds(),
        examination(),
        "",
        "## Error on a made-up accuracy: logarithm of the MACs, one kernel, noise of 0.1",
        "",
        "| samples | perceptrons, decay 1e-4 (the author's) | perceptrons, decay 1e-2 | linear "
        "| MACs only |",
        "|---|---|---|---|---|",
        *predictor(decays),
    ]
    PAGE.write_text("\n".join(page) + "\n")
    print("\n".join(page))


if __name__ == "__main__":
    main()
