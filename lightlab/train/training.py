"""A training in progress: its steps, its rows, and all that has to be kept to go on."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from lightlab.data import Split
from lightlab.measure import cost
from lightlab.nets.weights import not_finite
from lightlab.train import descent, device
from lightlab.train.checkpoint import optimizer_state, put_back, under
from lightlab.train.descent import Teacher, augment, loss
from lightlab.train.evaluate import evaluate
from lightlab.train.recipe import MEND, DivergedError, Plan, Recipe

Callback = Callable[[nn.Module, dict[str, float]], None]


def bar_options(shown: bool) -> dict[str, bool]:
    """For tqdm: hide the bar, or leave it to the environment's TQDM_DISABLE, which a value of our
    own would override. None would not do: in JupyterLab no bar would be seen.
    """
    return {} if shown else {"disable": True}


class History:
    """Losses since the last row, and the rows so far."""

    def __init__(
        self, plan: Plan, macs_per_image: int, val: Split | None, callback: Callback | None
    ) -> None:
        self.rows: list[dict[str, float]] = []
        self.losses: list[float] = []
        self._plan, self._val, self._callback = plan, val, callback
        self._macs = macs_per_image * cost.PASSES_PER_TRAINING_STEP
        self._seconds, self._resumed = 0.0, time.perf_counter()

    @property
    def seconds(self) -> float:
        """Of training so far, outside of pauses."""
        return self._seconds + time.perf_counter() - self._resumed

    @contextmanager
    def pause(self) -> Iterator[None]:
        """What happens in here is not training time."""
        self._seconds = self.seconds
        yield
        self._resumed = time.perf_counter()

    def report(self, step: int, model: nn.Module) -> None:
        """Add the row of `step` and tell the callback, in a pause."""
        row = {
            "step": step,
            "epoch": step / self._plan.per_epoch,
            "samples": step * self._plan.batch,
            "macs": step * self._plan.batch * self._macs,
            "loss": sum(self.losses) / len(self.losses) if self.losses else math.nan,
        }
        if self._val is not None:
            row |= {f"val_{k}": v for k, v in evaluate(model, self._val).items()}
            if step and not math.isfinite(row["val_loss"]):
                raise DivergedError(
                    f"the validation loss is {row['val_loss']} after step {step} of "
                    f"{self._plan.n_steps}: {MEND}"
                )
        self.rows.append({**row, "seconds": self._seconds})
        self.losses.clear()
        if self._callback is not None:
            self._callback(model, self.rows[-1])

    def state(self) -> dict[str, Any]:
        """All of it as plain values, in a pause."""
        return {"rows": self.rows, "losses": self.losses, "seconds": self._seconds}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.rows, self.losses = list(state["rows"]), list(state["losses"])
        self._seconds, self._resumed = state["seconds"], time.perf_counter()


_LOOK_EVERY = 25  # steps between looks at a GPU's losses: each look waits for all of them


class Training:
    """Going through it trains, one step number after another."""

    def __init__(
        self,
        model: nn.Module,
        split: Split,
        recipe: Recipe,
        plan: Plan,
        generator: torch.Generator,
        teacher: nn.Module | Tensor | None,
        history: History,
    ) -> None:
        self.step, self.device = 0, next(model.parameters()).device
        self.ended = False  # all steps are made, or the time is up
        self._model = model.to(memory_format=torch.channels_last).train()
        self._masks = set(not_finite(model.state_dict()))  # what holds infinity on purpose
        self._x, self._y = split.x.to(self.device), split.y.to(self.device)
        self._recipe, self._plan, self._history = recipe, plan, history
        self._teacher = None if teacher is None else Teacher(teacher, self.device)
        self._optimizer = descent.sgd(model.parameters(), recipe)
        self._generator = generator
        self._order = torch.empty(0, dtype=torch.long, device=self.device)
        self._unseen: list[Tensor] = []  # losses not looked at yet
        self._attrs: dict[str, Any] = {"precision": recipe.precision}

    def __iter__(self) -> Iterator[int]:
        if self._attrs["precision"] == "auto":
            self._attrs = self._timed()
        while not self.ended:
            self.step += 1
            self._descend()
            self.ended = self._scheduled() == self._plan.n_steps
            if self.device.type == "cpu" or self.step % _LOOK_EVERY == 0:
                self._look()
            yield self.step

    def _scheduled(self) -> int:
        """The step that the schedule has come to."""
        seconds = self._history.seconds
        return descent.scheduled(self.step, self._plan.n_steps, seconds, self._recipe)

    def report(self) -> None:
        """A row of the history."""
        self._look()
        with self._history.pause():
            self._history.report(self.step, self._model)
            self._model.train()

    def finish(self) -> pd.DataFrame:
        """The history; DivergedError if a weight is no number: the last loss is that before it."""
        if broken := set(not_finite(self._model.state_dict())) - self._masks:
            raise DivergedError(f"{min(broken)} is no number after the last step: {MEND}")
        table = pd.DataFrame(self._history.rows)
        table.attrs |= self._attrs
        return table

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and plain values from which `restore` goes on exactly."""
        self._look()
        with self._history.pause():
            tensors = {f"model.{k}": v for k, v in self._model.state_dict().items()}
            tensors |= optimizer_state("sgd", self._optimizer)
            tensors |= {"order": self._order, "random.batches": self._generator.get_state()}
            tensors["random.cpu"] = torch.get_rng_state()
            if self.device.type == "cuda":
                tensors["random.cuda"] = torch.cuda.get_rng_state(self.device)
            values = {"step": self.step, "ended": self.ended, "attrs": self._attrs}
            values["history"] = self._history.state()
        return tensors, values

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._model.load_state_dict(under("model", tensors))
        put_back("sgd", self._optimizer, tensors)
        self._order = tensors["order"].to(self.device)
        self._generator.set_state(tensors["random.batches"])
        torch.set_rng_state(tensors["random.cpu"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"], self.device)
        self.step, self.ended, self._attrs = (values[k] for k in ("step", "ended", "attrs"))
        self._history.restore(values["history"])

    def _batch(self) -> Tensor:
        """Indices of the step's images: shuffled every epoch, without an incomplete last batch."""
        place = (self.step - 1) % self._plan.per_epoch
        if place == 0:
            order = torch.randperm(len(self._y), generator=self._generator)
            self._order = order.to(self.device)  # once an epoch: the batches are parts of it there
        return self._order[place * self._plan.batch :][: self._plan.batch]

    def _descend(self) -> None:
        """One step of gradient descent."""
        index = self._batch()
        images = augment(self._x[index], self._recipe, self._generator)
        images = images.contiguous(memory_format=torch.channels_last)
        rate = descent.learning_rate(self._scheduled(), self._plan.n_steps, self._recipe)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        taught = self._teacher(images, index) if self._teacher else None
        with device.computing(self._model, self._attrs["precision"]):
            outputs = self._model(images)
        value = loss(outputs, self._y[index], taught, self._recipe)
        value.backward()
        self._optimizer.step()
        self._unseen.append(value.detach())

    def _look(self) -> None:
        """Hand the losses to the history; DivergedError at the first that is no number."""
        if not self._unseen:
            return
        found = torch.stack(self._unseen).tolist()
        self._unseen.clear()
        for step, value in enumerate(found, start=self.step - len(found) + 1):
            if not math.isfinite(value):
                rate = descent.learning_rate(step, self._plan.n_steps, self._recipe)
                raise DivergedError(
                    f"the loss is {value} at step {step} of {self._plan.n_steps} (lr {rate:.3g}): "
                    f"{MEND}"
                )
        self._history.losses += found

    def _timed(self) -> dict[str, Any]:
        """The faster precision for this network on this machine, and how it was found."""
        if self._plan.n_steps < device.LEAST_STEPS:
            return {"precision": "float32"}
        batch = slice(self._plan.batch)
        images = self._x[batch].contiguous(memory_format=torch.channels_last)
        chosen, times = device.faster(
            self._model, lambda network: loss(network(images), self._y[batch], None, self._recipe)
        )
        return {"precision": chosen, **times}
