"""A ProxylessNAS search from beginning to end, kept on disk and gone on with bit for bit."""

import math
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from lightlab import train
from lightlab.data import DataSet
from lightlab.measure import cost
from lightlab.methods.architect import Architect, Settings, likeliest_within
from lightlab.methods.price import Price
from lightlab.nets.mixed import Supernet
from lightlab.space.arch import Arch
from lightlab.space.decisions import Point
from lightlab.space.proxyless import ProxylessSpace
from lightlab.train import descent
from lightlab.train.descent import MEND, plan
from lightlab.train.evaluate import check
from lightlab.train.loop import Batches, Keeper, Run

_N_ROWS = 12  # of the history, if there are as many steps


@dataclass(frozen=True)
class Found:
    """What a search found, and how: a row of `history` for every so many steps.

    Columns step, epoch, samples (images seen, of both splits), macs, seconds (of one core), loss
    (training) and latency_weight (λ of the architecture's steps, where it has one), both means
    since the last row, entropy (share of that of even chances), expected_ms (of the distribution),
    latency_ms and accuracy (%, validation, with the supernet's weights) of the likeliest network,
    and point, as text. `probabilities` are those at the end.
    """

    point: Point
    arch: Arch
    history: pd.DataFrame
    probabilities: list[list[float]]


def search(
    space: ProxylessSpace,
    images: DataSet,
    latency: Price,
    target_ms: float,
    settings: Settings,
    seed: int = 0,
    checkpoint: Path | None = None,
) -> Found:
    """Search `space` on the training (weights) and validation (architecture) images.

    `checkpoint` is a file, written with every row of the history, from which an equal search goes
    on with equal results. Found is the likeliest network, where the target is a limit the likeliest
    of those that keep to it. SearchError and ValueError on what cannot be searched or trained.
    """
    run = _Search(space, images, latency, target_ms, settings, seed)
    chosen = partial(likeliest_within, price=latency, target_ms=target_ms)
    if settings.limit:
        chosen(run.chances())  # refuses a target that nothing keeps to before the search, not after
    rest = {"seed": seed, "settings": asdict(settings)}
    rest |= {"target_ms": target_ms, "latency": latency.plain()}
    task = run.network, images.train, images.val, settings.recipe, None
    run.go(checkpoint and Keeper(checkpoint, *task, **rest))
    point = chosen(run.chances()) if settings.limit else run.network.derive()
    return Found(point, space.decode(point), pd.DataFrame(run.rows), run.chances())


def training_macs(space: ProxylessSpace) -> float:
    """Multiply-accumulates of one image in a step of the weights, with even chances."""
    macs = Price.macs(space)
    typical = float(macs.fixed[0] + sum(row[0].sum() / len(row[0]) for row in macs.added))
    return cost.PASSES_PER_TRAINING_STEP * typical


class _Search(Run):
    """The weights' and the architecture's steps, in turn."""

    KEPT = ("macs", "arch_macs", "samples", "seconds", "weights")

    def __init__(
        self,
        space: ProxylessSpace,
        images: DataSet,
        latency: Price,
        target_ms: float,
        settings: Settings,
        seed: int,
    ) -> None:
        net, recipe = Supernet(space, seed=seed), settings.recipe
        check(net, images.train, recipe, images.val, None)
        device = train.accelerator(recipe.batch_size * training_macs(space))
        self.architect = Architect(net.to(device), latency, target_ms, settings)
        self.images, self.settings, self.latency = images, settings, latency
        self.plan = plan(recipe, len(images.train))
        sgd = descent.sgd(net.weights(), recipe)
        every = max(1, self.plan.n_steps // _N_ROWS)
        super().__init__(
            net,
            {k: Batches(getattr(images, k), device) for k in ("train", "val")},
            {"sgd": sgd, "adam": self.architect.optimizer},
            seed,
            self.plan.n_steps,
            every,
            every,
        )
        self.macs = self.arch_macs = self.samples = 0  # arch_macs: of the architecture's steps
        self.seconds = 0.0
        self.weights: list[float] = []  # λ of the architecture's steps, where there is one
        self._even = float(sum(np.log(space.n_options)))

    def step(self) -> None:
        """One of the weights, and one of the architecture where its turn is."""
        begin = time.process_time()
        recipe, sgd = self.settings.recipe, self.optimizers["sgd"]
        self.steps += 1
        point = self.network.draw("one", self.generator)
        x, y, _ = self.batches["train"].next(self.plan.batch, self.generator)
        x = train.augment(x, recipe, self.generator).contiguous(memory_format=torch.channels_last)
        descent.prepare(sgd, self.steps, self.n_steps, recipe)
        value = F.cross_entropy(self.network(x), y, label_smoothing=recipe.label_smoothing)
        value.backward()
        sgd.step()
        self.losses.append(value.item())
        macs = round(self.architect.price.of(point))
        self.macs += cost.PASSES_PER_TRAINING_STEP * len(x) * macs
        self.samples += len(x)
        after = self.steps - self.settings.warmup * self.n_steps
        if after > 0 and self.steps % self.settings.every == 0:
            x, y, _ = self.batches["val"].next(self.plan.batch, self.generator)
            x = x.contiguous(memory_format=torch.channels_last)
            if self.settings.form != "reinforce":
                self.weights.append(self.architect.latency_weight)
            self.arch_macs += self.architect.step(x, y, self.generator)
            self.samples += len(x)
        self.seconds += time.process_time() - begin
        if not np.isfinite(self.losses[-1]):
            raise train.DivergedError(f"the loss is {self.losses[-1]} at step {self.steps}: {MEND}")
        self.done = self.steps == self.n_steps

    def chances(self) -> list[list[float]]:
        """The probabilities of all candidates, position by position."""
        return [p.tolist() for p in self.network.probabilities()]

    def report(self) -> None:
        """Add a row to the history."""
        net = self.network
        point, chances = net.derive(), [p.detach() for p in net.probabilities()]
        net.activate(point)
        accuracy = train.evaluate(net, self.images.val)["accuracy"]
        everything = [range(n) for n in net.space.n_options]
        self.rows.append(
            {
                "step": self.steps,
                "epoch": self.steps / self.plan.per_epoch,
                "samples": self.samples,
                "macs": self.macs + self.arch_macs,
                "seconds": self.seconds,
                "loss": float(np.mean(self.losses)),
                "latency_weight": float(np.mean(self.weights)) if self.weights else math.nan,
                "entropy": net.entropy().item() / self._even,
                "expected_ms": self.latency.expected(chances, everything).item(),
                "latency_ms": float(self.latency.of(point)),
                "accuracy": 100 * accuracy,
                "point": "-".join(map(str, point)),
            }
        )
        self.losses.clear()
        self.weights.clear()
