"""The rows of a training's history, and the clock that stops while a row is made."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from lightlab.data import Split
from lightlab.measure import cost
from lightlab.train.evaluate import evaluate
from lightlab.train.recipe import MEND, DivergedError, Plan

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
