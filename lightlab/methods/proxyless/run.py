"""A ProxylessNAS search from beginning to end, kept on disk and gone on with bit for bit."""

import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
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
from lightlab.train import checkpoint, descent
from lightlab.train.checkpoint import Batches, Keeper, identity
from lightlab.train.evaluate import check
from lightlab.train.recipe import MEND, plan

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
    of those that keep to it. SearchError and TrainError on what cannot be searched or trained.
    """
    run = _Search(space, images, latency, target_ms, settings, seed)
    chosen = partial(likeliest_within, price=latency, target_ms=target_ms)
    if settings.limit:
        chosen(run.chances())  # refuses a target that nothing keeps to before the search, not after
    keeper = None
    if checkpoint is not None:
        rest = {"seed": seed, "settings": asdict(settings)}
        rest |= {"target_ms": target_ms, "latency": latency.plain()}
        own = identity(run.net, images.train, images.val, settings.recipe, None, **rest)
        keeper = Keeper(checkpoint, own)
        if keeper.path.exists():
            run.restore(*keeper.read())
    every = max(1, run.plan.n_steps // _N_ROWS)
    while run.n_done < run.plan.n_steps:
        run.step()
        if run.n_done % every == 0 or run.n_done == run.plan.n_steps:
            run.report()
            if keeper is not None:
                keeper.write(*run.state())
    point = chosen(run.chances()) if settings.limit else run.net.derive()
    return Found(point, space.decode(point), pd.DataFrame(run.rows), run.chances())


def training_macs(space: ProxylessSpace) -> float:
    """Multiply-accumulates of one image in a step of the weights, with even chances."""
    macs = Price.macs(space)
    typical = float(macs.fixed[0] + sum(row[0].sum() / len(row[0]) for row in macs.added))
    return cost.PASSES_PER_TRAINING_STEP * typical


class _Search:
    """All that changes at a step."""

    def __init__(
        self,
        space: ProxylessSpace,
        images: DataSet,
        latency: Price,
        target_ms: float,
        settings: Settings,
        seed: int,
    ) -> None:
        self.net = Supernet(space, seed=seed).to(memory_format=torch.channels_last).train()
        check(self.net, images.train, settings.recipe, images.val, None)
        device = train.accelerator(settings.recipe.batch_size * training_macs(space))
        self.net.to(device)
        self.architect = Architect(self.net, latency, target_ms, settings)
        self.images, self.settings, self.latency = images, settings, latency
        self.plan = plan(settings.recipe, len(images.train))
        self.optimizer = descent.sgd(self.net.weights(), settings.recipe)
        self.batches = {k: Batches(getattr(images, k).to(device)) for k in ("train", "val")}
        self.generator = torch.Generator().manual_seed(seed)
        self.n_done, self.macs, self.samples, self.seconds = 0, 0, 0, 0.0
        self.rows: list[dict[str, Any]] = []
        self._losses: list[float] = []
        self._weights: list[float] = []  # λ of the architecture's steps, where there is one
        self._even = float(sum(np.log(space.n_options)))

    def step(self) -> None:
        """One of the weights, and one of the architecture where its turn is."""
        begin = time.process_time()
        recipe = self.settings.recipe
        self.n_done += 1
        point = self.net.draw("one", self.generator)
        x, y = self.batches["train"].next(self.plan.batch, self.generator)
        x = train.augment(x, recipe, self.generator).contiguous(memory_format=torch.channels_last)
        for group in self.optimizer.param_groups:
            group["lr"] = descent.learning_rate(self.n_done, self.plan.n_steps, recipe)
        self.optimizer.zero_grad(set_to_none=True)
        value = F.cross_entropy(self.net(x), y, label_smoothing=recipe.label_smoothing)
        value.backward()
        self.optimizer.step()
        self._losses.append(value.item())
        macs = round(self.architect.price.of(point))
        self.macs += cost.PASSES_PER_TRAINING_STEP * len(x) * macs
        self.samples += len(x)
        after = self.n_done - self.settings.warmup * self.plan.n_steps
        if after > 0 and self.n_done % self.settings.every == 0:
            x, y = self.batches["val"].next(self.plan.batch, self.generator)
            x = x.contiguous(memory_format=torch.channels_last)
            if self.settings.form != "reinforce":
                self._weights.append(self.architect.latency_weight)
            self.architect.step(x, y, self.generator)
            self.samples += len(x)
        self.seconds += time.process_time() - begin
        if not np.isfinite(self._losses[-1]):
            raise train.DivergedError(
                f"the loss is {self._losses[-1]} at step {self.n_done}: {MEND}"
            )

    def chances(self) -> list[list[float]]:
        """The probabilities of all candidates, position by position."""
        return [p.tolist() for p in self.net.probabilities()]

    def report(self) -> None:
        """Add a row to the history."""
        net = self.net
        point, chances = net.derive(), [p.detach() for p in net.probabilities()]
        net.activate(point)
        accuracy = train.evaluate(net, self.images.val)["accuracy"]
        everything = [range(n) for n in net.space.n_options]
        self.rows.append(
            {
                "step": self.n_done,
                "epoch": self.n_done / self.plan.per_epoch,
                "samples": self.samples,
                "macs": self.macs + self.architect.macs,
                "seconds": self.seconds,
                "loss": float(np.mean(self._losses)),
                "latency_weight": float(np.mean(self._weights)) if self._weights else np.nan,
                "entropy": net.entropy().item() / self._even,
                "expected_ms": self.latency.expected(chances, everything).item(),
                "latency_ms": self.latency.of(point),
                "accuracy": 100 * accuracy,
                "point": "-".join(map(str, point)),
            }
        )
        self._losses.clear()
        self._weights.clear()

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and plain values from which `restore` goes on exactly."""
        tensors = {f"model.{k}": v for k, v in self.net.state_dict().items()}
        for name, optimizer in self._optimizers():
            tensors |= checkpoint.optimizer_state(name, optimizer)
        for name, batches in self.batches.items():
            tensors[f"order.{name}"] = batches.order
        tensors["generator"] = self.generator.get_state()
        values = {k: getattr(self, k) for k in ("n_done", "macs", "samples", "seconds", "rows")}
        return tensors, values | {"arch_macs": self.architect.macs}

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.net.load_state_dict(checkpoint.under("model", tensors))
        for name, optimizer in self._optimizers():
            checkpoint.put_back(name, optimizer, tensors)
        for name, batches in self.batches.items():
            batches.order = tensors[f"order.{name}"]
        self.generator.set_state(tensors["generator"])
        self.architect.macs = values.pop("arch_macs")
        for name, value in values.items():
            setattr(self, name, value)

    def _optimizers(self) -> list[tuple[str, torch.optim.Optimizer]]:
        return [("sgd", self.optimizer), ("adam", self.architect.optimizer)]
