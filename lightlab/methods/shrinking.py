"""A once-for-all network is trained phase by phase, kept on disk, gone on with bit for bit."""

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
from lightlab.methods import subnets
from lightlab.methods.phases import Phase, draw, expected_macs, progressive
from lightlab.nets.elastic import ElasticNetwork
from lightlab.search.searcher import SearchError
from lightlab.space.decisions import Point
from lightlab.space.once_for_all import OfaSpace
from lightlab.train import descent
from lightlab.train.descent import MEND, plan
from lightlab.train.evaluate import check
from lightlab.train.loop import Batches, Keeper, Run
from lightlab.train.parallel import Key, run_beside

N_ROWS = N_KEPT = 8


@dataclass(frozen=True, eq=False)
class Shrunk:
    """A trained once-for-all network and how it came to be: a row of `history` every so often.

    Columns phase, steps, passes (images times sub-networks), macs and seconds (of one core,
    evaluations apart, a teacher's included), loss (since the last row), smallest, middle and
    largest (accuracy in % on the validation images, calibrated).
    """

    network: ElasticNetwork
    history: pd.DataFrame


def shrink(
    space: OfaSpace,
    images: DataSet,
    phases: Sequence[Phase],
    recipe: train.Recipe,
    *,
    start: ElasticNetwork | None = None,
    teacher: ElasticNetwork | None = None,
    seed: int = 0,
    n_rows: int = N_ROWS,
    checkpoint: Path | None = None,
) -> Shrunk:
    """Train the once-for-all network over `space` in these `phases`, from `start` or anew.

    `recipe` gives all but epochs, rate and warm-up, which are the phases'; its `most_seconds` are
    those of each phase. With a `teacher`, of which the largest network answers, the loss is the
    labels' cross-entropy plus that of its answers, which it gives with the statistics of the batch
    (the authors' code). At the start of a phase that says so the channels are sorted. The history
    gets about `n_rows` rows, and one at the end of each phase; with 0 only the last, without
    accuracies: a row takes as long as several steps. `checkpoint` is a file, written N_KEPT times
    and at the end, from which an equal training goes on with equal results.

    SearchError and ValueError on what cannot be trained, DivergedError where the loss is no number.
    """
    run = _Shrinking(space, images, phases, recipe, start, teacher, seed, n_rows)
    rest = {"seed": seed, "phases": [asdict(p) for p in phases], "space": space.identity()}
    rest |= {"n_calibrate": subnets.N_CALIBRATE, "n_rows": n_rows}
    task = run.network, images.train, images.val, recipe, teacher
    run.go(checkpoint and Keeper(checkpoint, *task, **rest))
    run.network.activate(space.corner())
    return Shrunk(run.network.eval().cpu(), pd.DataFrame(run.rows))


def shrink_many(
    jobs: Mapping[Key, dict[str, Any]], workers: int | None = None, resume: Path | None = None
) -> dict[Key, Shrunk]:
    """`shrink` with each of these arguments by name, see `run_beside`."""
    macs = 0.0
    for job in jobs.values():
        taught = job.get("teacher") is not None
        each = expected_macs(job["space"], job["phases"], taught, n=20)
        macs += len(job["images"].train) * each
    return run_beside(shrink, jobs, macs, workers, resume)


def begin(
    task: Mapping[str, Any], passes: float, seeds: Sequence[int], **how: Any
) -> dict[int, Shrunk]:
    """The first phase for each seed: the full network; the history has rows on the way only for the
    first seed. `how` goes to `shrink_many`.
    """
    first = progressive(passes)[:1]
    jobs = {
        s: {"n_rows": N_ROWS if s == min(seeds) else 0, **task, "phases": first, "seed": s}
        for s in seeds
    }
    return shrink_many(jobs, **how)


class _Shrinking(Run):
    """The training in these phases; `turn` is the number of the phase, `place` the steps made in
    it, `lasted` its seconds of wall clock.
    """

    KEPT = ("turn", "place", "passes", "macs", "seconds", "lasted")

    def __init__(
        self,
        space: OfaSpace,
        images: DataSet,
        phases: Sequence[Phase],
        recipe: train.Recipe,
        start: ElasticNetwork | None,
        teacher: ElasticNetwork | None,
        seed: int,
        n_rows: int,
    ) -> None:
        if not phases:
            raise SearchError("there is no phase to train in")
        if start is not None and start.space.identity() != space.identity():
            raise SearchError(f"the network to start from is of another space, {start.space!r}")
        net = ElasticNetwork(space, seed=seed) if start is None else copy.deepcopy(start)
        net.activate(space.corner())
        learnt, val = (
            subnets.split_at(part, space.resolutions[-1]) for part in (images.train, images.val)
        )
        check(net, learnt, recipe, val, None)
        self.prices = cost.Prices()
        macs = recipe.batch_size * self.prices(space.decode(space.corner()))[0]
        device = train.accelerator(cost.PASSES_PER_TRAINING_STEP * macs)
        self.phases, self.images, self.n_rows = tuple(phases), images, n_rows
        self.recipes = [
            replace(
                recipe,
                epochs=phase.epochs,
                lr=recipe.lr * phase.lr,
                warmup=recipe.warmup if phase.warmup is None else phase.warmup,
            )
            for phase in phases
        ]
        self.plans = [plan(each, len(images.train)) for each in self.recipes]
        n_steps = sum(each.n_steps for each in self.plans)
        super().__init__(
            net.to(device),
            {"train": Batches(images.train, device)},
            {"sgd": descent.sgd(net.parameters(), recipe)},
            seed,
            n_steps,
            *(max(1, n_steps // max(1, n)) for n in (n_rows, N_KEPT)),
        )
        self.teacher = None if teacher is None else copy.deepcopy(teacher).train().to(device)
        self.turn = self.place = self.passes = self.macs = 0
        self.seconds = self.lasted = 0.0

    @property
    def due(self) -> bool:
        """Whether it is time for a row: at the end of a phase, too."""
        return super().due or (self.place == 0 and self.n_rows > 0)

    def step(self) -> None:
        """One of the weights, over all sub-networks that are drawn for it."""
        begin, began = time.process_time(), time.perf_counter()
        net, phase, recipe = self.network, self.phases[self.turn], self.recipes[self.turn]
        n_steps = self.plans[self.turn].n_steps
        if self.place == 0 and phase.sorts:
            net.sort_channels(net.space.expands[-phase.sorts :])
        self.place += 1
        self.steps += 1
        points = draw(net.space, phase, self.generator)
        x, y, _ = self.batches["train"].next(self.plans[self.turn].batch, self.generator)
        x = train.augment(x, recipe, self.generator)
        x = subnets.at_resolution(x, net.space.resolutions[points[0][0]])
        x = x.contiguous(memory_format=torch.channels_last)
        sgd, scheduled = self.optimizers["sgd"], partial(descent.scheduled, self.place, n_steps)
        descent.prepare(sgd, scheduled(self.lasted, recipe), n_steps, recipe)
        self.losses.append(self._descend(points, x, y))
        sgd.step()
        self.passes += len(points) * len(x)
        self.seconds += time.process_time() - begin
        self.lasted += time.perf_counter() - began
        if not np.isfinite(self.losses[-1]):
            raise train.DivergedError(
                f"the loss is no number at step {self.place} of phase {phase.name!r}: {MEND}"
            )
        if scheduled(self.lasted, recipe) == n_steps:
            self.turn += 1
            self.place, self.lasted = 0, 0.0
            self.done = self.turn == len(self.phases)
            if not self.done:
                self.optimizers["sgd"] = descent.sgd(net.parameters(), self.recipes[self.turn])

    def _descend(self, points: list[Point], x: Tensor, y: Tensor) -> float:
        """Gradients of all sub-networks, summed; the mean of their losses."""
        total, taught, phase = 0.0, self._taught(x), self.phases[self.turn]
        smoothing = self.recipes[self.turn].label_smoothing
        for i, point in enumerate(points):
            self.network.activate(point)
            outputs = self.network(x)
            hard = F.cross_entropy(outputs, y, label_smoothing=smoothing)
            value = hard if taught is None else F.cross_entropy(outputs, taught)
            if phase.rule == "sandwich":
                taught = outputs.detach().softmax(1) if i == 0 else taught
            elif taught is not None:
                value = value + hard
            value.backward()
            total += value.item()
            macs = self.prices(self.network.active_arch)[0]
            self.macs += cost.PASSES_PER_TRAINING_STEP * len(x) * macs
        return total / len(points)

    @torch.no_grad()
    def _taught(self, x: Tensor) -> Tensor | None:
        """The teacher's probabilities for these images."""
        if self.teacher is None or self.phases[self.turn].rule == "sandwich":
            return None
        self.teacher.activate(self.teacher.space.corner(resolution=x.shape[-1]))
        self.macs += len(x) * self.prices(self.teacher.active_arch)[0]
        return self.teacher(x).softmax(1)

    def report(self) -> None:
        """Add a row to the history."""
        space, images = self.network.space, self.images
        middle = [n // 2 for n in space.n_options]
        points = {"smallest": space.smallest(), "middle": middle, "largest": space.corner()}
        points = points if self.n_rows else {}
        found = subnets.accuracies(self.network, points.values(), images.train.x, images.val)
        self.rows.append(
            {
                "phase": self.phases[self.turn - (self.place == 0)].name,
                **{k: getattr(self, k) for k in ("steps", "passes", "macs", "seconds")},
                "loss": float(np.mean(self.losses)),
                **dict(zip(points, found.tolist(), strict=True)),
            }
        )
        self.losses.clear()
