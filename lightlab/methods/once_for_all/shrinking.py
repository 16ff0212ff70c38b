"""A once-for-all network is trained phase by phase, kept on disk, gone on with bit for bit."""

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
from lightlab.methods.once_for_all import subnets
from lightlab.methods.once_for_all.phases import Phase, draw, expected_macs, progressive
from lightlab.nets.elastic import ElasticNetwork
from lightlab.search.searcher import SearchError
from lightlab.space.decisions import Point
from lightlab.space.once_for_all import OfaSpace
from lightlab.train import checkpoint, descent
from lightlab.train.checkpoint import Keeper, identity
from lightlab.train.evaluate import check
from lightlab.train.parallel import Key, run_beside
from lightlab.train.recipe import MEND, Plan, plan

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

    SearchError and TrainError on what cannot be trained, DivergedError where the loss is no number.
    """
    run = _Run(space, images, phases, recipe, start, teacher, seed, n_rows)
    keeper = None
    if checkpoint is not None:
        rest = {"seed": seed, "phases": [asdict(p) for p in phases], "space": space.identity()}
        rest |= {"n_calibrate": subnets.N_CALIBRATE, "n_rows": n_rows}
        own = identity(run.net, images.train, images.val, recipe, teacher, **rest)
        keeper = Keeper(checkpoint, own)
        if keeper.path.exists():
            run.restore(*keeper.read())
    while not run.done:
        run.step()
        if run.due:
            run.report()
        if keeper is not None and (run.done or run.values["steps"] % run.keep_every == 0):
            keeper.write(*run.state())
    run.net.activate(space.corner())
    return Shrunk(run.net.eval().cpu(), pd.DataFrame(run.rows))


def shrink_many(
    jobs: Mapping[Key, dict[str, Any]], workers: int | None = None, resume: Path | None = None
) -> dict[Key, Shrunk]:
    """`shrink` with each of these arguments by name, see `run_beside`."""
    return run_beside(shrink, jobs, sum(map(_macs, jobs.values())), workers, resume)


def _macs(job: dict[str, Any]) -> float:
    taught = job.get("teacher") is not None
    return len(job["images"].train) * expected_macs(job["space"], job["phases"], taught, n=20)


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


class _Run:
    """All that changes at a step."""

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
        if recipe.precision != "float32":
            raise SearchError("shrinking needs a recipe in float32")
        if not phases:
            raise SearchError("there is no phase to train in")
        if start is not None and start.space.identity() != space.identity():
            raise SearchError(f"the network to start from is of another space, {start.space!r}")
        net = ElasticNetwork(space, seed=seed) if start is None else copy.deepcopy(start)
        self.net = net.to(memory_format=torch.channels_last).train()
        self.net.activate(space.corner())
        largest = space.resolutions[-1]
        learnt, val = (subnets.split_at(s, largest) for s in (images.train, images.val))
        check(self.net, learnt, recipe, val, None)
        self.prices = cost.Prices()
        step = recipe.batch_size * self.prices(space.decode(space.corner()))[0]
        device = train.accelerator(cost.PASSES_PER_TRAINING_STEP * step)
        self.net.to(device)
        self.teacher = None if teacher is None else copy.deepcopy(teacher).train().to(device)
        self.images, self.phases, self.seed = images, tuple(phases), seed
        self.n_rows, self.base = n_rows, recipe
        self.batches = checkpoint.Batches(images.train.to(device))
        self.generator = torch.Generator().manual_seed(seed)
        self.values = {"phase": 0, "step": 0, "steps": 0, "passes": 0, "macs": 0, "seconds": 0.0}
        self.values["losses"] = []  # since the last row
        self.values["lasted"] = 0.0  # seconds of wall clock of the phase, rows apart
        self.rows: list[dict[str, Any]] = []
        n_steps = sum(
            plan(replace(recipe, epochs=p.epochs), len(images.train)).n_steps for p in phases
        )
        self.every, self.keep_every = (max(1, n_steps // max(1, n)) for n in (n_rows, N_KEPT))
        self._begin()

    def _begin(self) -> None:
        """Make ready for the phase whose turn it is."""
        self.phase = self.phases[self.values["phase"]]
        phase, base = self.phase, self.base
        warmup = base.warmup if phase.warmup is None else phase.warmup
        self.recipe = replace(base, epochs=phase.epochs, lr=base.lr * phase.lr, warmup=warmup)
        self.plan: Plan = plan(self.recipe, len(self.images.train))
        self.optimizer = descent.sgd(self.net.parameters(), self.recipe)

    @property
    def done(self) -> bool:
        """Whether the last phase has ended."""
        return self.values["phase"] == len(self.phases)

    @property
    def due(self) -> bool:
        """Whether it is time for a row."""
        phase_ended = self.values["step"] == 0 and self.n_rows > 0
        return self.done or phase_ended or self.values["steps"] % self.every == 0

    def step(self) -> None:
        """One of the weights, over all sub-networks that are drawn for it."""
        begin, began = time.process_time(), time.perf_counter()
        values, net, phase = self.values, self.net, self.phase
        if values["step"] == 0 and phase.sorts:
            net.sort_channels(net.space.expands[-phase.sorts :])
        values["step"] += 1
        values["steps"] += 1
        points = draw(net.space, phase, self.generator)
        x, y = self.batches.next(self.plan.batch, self.generator)
        x = train.augment(x, self.recipe, self.generator)
        x = subnets.at_resolution(x, net.space.resolutions[points[0][0]])
        x = x.contiguous(memory_format=torch.channels_last)
        rate = descent.learning_rate(self._scheduled(), self.plan.n_steps, self.recipe)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        values["losses"].append(self._descend(points, x, y))
        self.optimizer.step()
        values["passes"] += len(points) * len(x)
        values["seconds"] += time.process_time() - begin
        values["lasted"] += time.perf_counter() - began
        if not np.isfinite(values["losses"][-1]):
            raise train.DivergedError(
                f"the loss is no number at step {values['step']} of phase {phase.name!r}: {MEND}"
            )
        if self._scheduled() == self.plan.n_steps:
            values["phase"] += 1
            values["step"] = 0
            values["lasted"] = 0.0
            if not self.done:
                self._begin()

    def _scheduled(self) -> int:
        """The step that the phase's schedule has come to."""
        step, lasted = self.values["step"], self.values["lasted"]
        return descent.scheduled(step, self.plan.n_steps, lasted, self.recipe)

    def _descend(self, points: list[Point], x: Tensor, y: Tensor) -> float:
        """Gradients of all sub-networks, summed; the mean of their losses."""
        total, taught = 0.0, self._taught(x)
        for i, point in enumerate(points):
            self.net.activate(point)
            outputs = self.net(x)
            hard = F.cross_entropy(outputs, y, label_smoothing=self.recipe.label_smoothing)
            value = hard if taught is None else F.cross_entropy(outputs, taught)
            if self.phase.rule == "sandwich":
                taught = outputs.detach().softmax(1) if i == 0 else taught
            elif taught is not None:
                value = value + hard
            value.backward()
            total += value.item()
            macs = self.prices(self.net.active_arch)[0]
            self.values["macs"] += cost.PASSES_PER_TRAINING_STEP * len(x) * macs
        return total / len(points)

    @torch.no_grad()
    def _taught(self, x: Tensor) -> Tensor | None:
        """The teacher's probabilities for these images."""
        if self.teacher is None or self.phase.rule == "sandwich":
            return None
        self.teacher.activate(self.teacher.space.corner(resolution=x.shape[-1]))
        self.values["macs"] += len(x) * self.prices(self.teacher.active_arch)[0]
        return self.teacher(x).softmax(1)

    def report(self) -> None:
        """A row of the history."""
        space, images = self.net.space, self.images
        middle = [n // 2 for n in space.n_options]
        points = {"smallest": space.smallest(), "middle": middle, "largest": space.corner()}
        points = points if self.n_rows else {}
        found = subnets.accuracies(self.net, points.values(), images.train.x, images.val)
        self.rows.append(
            {
                "phase": self.phases[self.values["phase"] - (self.values["step"] == 0)].name,
                **{k: self.values[k] for k in ("steps", "passes", "macs", "seconds")},
                "loss": float(np.mean(self.values["losses"])),
                **dict(zip(points, found.tolist(), strict=True)),
            }
        )
        self.values["losses"].clear()

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and plain values from which `restore` goes on exactly."""
        tensors = {f"model.{k}": v for k, v in self.net.state_dict().items()}
        tensors |= checkpoint.optimizer_state("sgd", self.optimizer)
        tensors |= {"order": self.batches.order, "generator": self.generator.get_state()}
        return tensors, {"values": self.values, "rows": self.rows}

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.values, self.rows = values["values"], values["rows"]
        if not self.done:
            self._begin()
        self.net.load_state_dict(checkpoint.under("model", tensors))
        checkpoint.put_back("sgd", self.optimizer, tensors)
        self.batches.order = tensors["order"]
        self.generator.set_state(tensors["generator"])
