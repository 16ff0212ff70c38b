"""Train and evaluate a classifier on tensors in memory. Equal seeds give equal networks."""

import ctypes
import functools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightlab.measure import cost
from lightlab.measure.data import Split


class DivergedError(RuntimeError):
    """The training loss is no longer a number."""


@dataclass(frozen=True)
class Recipe:
    """How to train: SGD with Nesterov momentum and a learning rate that rises, then falls to 0.

    `warmup` is the share of steps in which it rises to `lr`; `shift` moves every image by up to so
    many pixels. Weight decay spares biases and normalisation. ValueError on impossible values.
    """

    epochs: float = 8
    batch_size: int = 128
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    warmup: float = 0.2
    shift: int = 0

    def __post_init__(self) -> None:
        rules = {
            "epochs > 0": self.epochs > 0,
            "batch_size >= 2 (batch normalisation)": self.batch_size >= 2,
            "lr > 0": self.lr > 0,
            "0 < momentum < 1 (Nesterov)": 0 < self.momentum < 1,
            "weight_decay >= 0": self.weight_decay >= 0,
            "0 <= label_smoothing < 1": 0 <= self.label_smoothing < 1,
            "0 <= warmup <= 1": 0 <= self.warmup <= 1,
            "shift >= 0": self.shift >= 0,
        }
        if broken := [rule for rule, holds in rules.items() if not holds]:
            raise ValueError(f"a recipe needs {', '.join(broken)}")


def fit(
    model: nn.Module,
    split: Split,
    recipe: Recipe,
    *,
    seed: int = 0,
    val: Split | None = None,
    eval_every: int | None = None,
    callback: Callable[[nn.Module, dict[str, float]], None] | None = None,
    macs_per_image: int | None = None,
) -> pd.DataFrame:
    """Train `model` in place; returns its history, one row every `eval_every` steps (one epoch).

    Columns: step, epoch, samples, macs (spent so far, backward passes included), loss (mean since
    the last row), val_loss and val_accuracy where there is `val`, seconds (of training only). With
    `val` the first row is the untrained network. `callback(model, row)` sees every row. `seed`
    decides batch order, shifts and dropout; `macs_per_image` spares counting them. DivergedError
    when the loss is NaN or infinite, ValueError on fewer than two images.
    """
    if len(split) < 2:
        raise ValueError(f"cannot train on {len(split)} images")
    _keep_large_buffers()
    device = next(model.parameters()).device
    model.to(memory_format=torch.channels_last).train()
    x, y = split.x.to(device), split.y.to(device)
    batch, per_epoch, n_steps = _plan(recipe, len(split))
    if macs_per_image is None:
        macs_per_image = cost.count_macs(model, tuple(x.shape[1:]))
    optimizer = _optimizer(model, recipe)
    generator = torch.Generator().manual_seed(seed)
    history = _History(model, batch, per_epoch, macs_per_image, val, callback)
    if val is not None:
        history.report(0)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)  # dropout takes its numbers from the global state, restored after
        for step, index in enumerate(_batches(len(split), batch, n_steps, generator), start=1):
            rate = _learning_rate(step, n_steps, recipe)
            images = shift(x[index], recipe.shift, generator) if recipe.shift else x[index]
            loss = _step(model, images, y[index], optimizer, rate, recipe)
            if not math.isfinite(loss):
                raise DivergedError(
                    f"the loss is {loss} at step {step} of {n_steps} (lr {rate:.3g}): "
                    "lower lr or lengthen warmup"
                )
            history.losses.append(loss)
            if step % (eval_every or per_epoch) == 0 or step == n_steps:
                history.report(step)
    return pd.DataFrame(history.rows)


def samples(recipe: Recipe, n_images: int) -> int:
    """Images that training on `n_images` sees, repeats counted: its cost is proportional to it."""
    batch, _, n_steps = _plan(recipe, n_images)
    return batch * n_steps


@torch.no_grad()
def logits(model: nn.Module, split: Split, batch_size: int = 1000) -> Tensor:
    """Outputs (N, classes) of the network in evaluation mode, on the CPU; its mode is kept."""
    training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        outputs = [
            model(x.to(device).contiguous(memory_format=torch.channels_last)).cpu()
            for x in split.x.split(batch_size)
        ]
    finally:
        model.train(training)
    return torch.cat(outputs)


def evaluate(model: nn.Module, split: Split) -> dict[str, float]:
    """Mean cross-entropy `loss` in nats and `accuracy` in 0..1. ValueError on an empty split."""
    if not len(split):
        raise ValueError("cannot evaluate on an empty split")
    outputs = logits(model, split)
    return {
        "loss": F.cross_entropy(outputs, split.y).item(),
        "accuracy": (outputs.argmax(1) == split.y).double().mean().item(),
    }


def shift(images: Tensor, max_px: int, generator: torch.Generator) -> Tensor:
    """Each image (N, C, H, W) moved by up to `max_px` pixels either way; zeros, the mean, come in.

    The whole batch at once: one gather instead of one call per image.
    """
    n, _, height, width = images.shape
    padded = F.pad(images, [max_px] * 4)
    moves = torch.randint(2 * max_px + 1, (2, n, 1), generator=generator)
    rows = (torch.arange(height) + moves[0]).to(images.device)
    columns = (torch.arange(width) + moves[1]).to(images.device)
    image = torch.arange(n, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)


def _plan(recipe: Recipe, n_images: int) -> tuple[int, int, int]:
    """Images per batch, steps per epoch, steps in all."""
    batch = min(recipe.batch_size, n_images)
    per_epoch = n_images // batch
    return batch, per_epoch, max(1, round(recipe.epochs * per_epoch))


class _History:
    """Rows of a training's history, and the clock that stops while a row is made."""

    def __init__(
        self,
        model: nn.Module,
        batch: int,
        per_epoch: int,
        macs_per_image: int,
        val: Split | None,
        callback: Callable[[nn.Module, dict[str, float]], None] | None,
    ) -> None:
        self.rows: list[dict[str, float]] = []
        self.losses: list[float] = []
        self._model, self._val, self._callback = model, val, callback
        self._batch, self._per_epoch = batch, per_epoch
        self._macs = macs_per_image * cost.PASSES_PER_TRAINING_STEP
        self._seconds, self._resumed = 0.0, time.perf_counter()

    def report(self, step: int) -> None:
        """Add the row of `step`, tell the callback, and leave the network in training mode."""
        self._seconds += time.perf_counter() - self._resumed
        row = {
            "step": step,
            "epoch": step / self._per_epoch,
            "samples": step * self._batch,
            "macs": step * self._batch * self._macs,
            "loss": sum(self.losses) / len(self.losses) if self.losses else math.nan,
        }
        if self._val is not None:
            row |= {f"val_{k}": v for k, v in evaluate(self._model, self._val).items()}
        self.rows.append({**row, "seconds": self._seconds})
        self.losses.clear()
        if self._callback is not None:
            self._callback(self._model, self.rows[-1])
        self._model.train()
        self._resumed = time.perf_counter()


def _step(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    optimizer: torch.optim.Optimizer,
    rate: float,
    recipe: Recipe,
) -> float:
    """One step of gradient descent; returns the batch's loss."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    outputs = model(images.contiguous(memory_format=torch.channels_last))
    loss = F.cross_entropy(outputs, labels, label_smoothing=recipe.label_smoothing)
    loss.backward()
    optimizer.step()
    return loss.item()


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD that decays matrices and kernels only, not biases and normalisation (one dimension)."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(
        [group for group in groups if group["params"]],
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=True,
    )


def _learning_rate(step: int, n_steps: int, recipe: Recipe) -> float:
    """The triangle: up to `lr` at step warmup * n_steps, then down to 0 after the last step."""
    rise = recipe.warmup * n_steps
    up = step / rise if rise > 0 else math.inf
    return recipe.lr * min(up, (n_steps + 1 - step) / (n_steps + 1 - rise), 1.0)


def _batches(n: int, batch: int, n_steps: int, generator: torch.Generator) -> Iterator[Tensor]:
    """`n_steps` batches of indices, shuffled every epoch; an incomplete last one is left out."""
    done = 0
    while done < n_steps:
        order = torch.randperm(n, generator=generator)
        for start in range(0, n - batch + 1, batch):
            if done < n_steps:
                yield order[start : start + batch]
            done += 1


@functools.cache
def _keep_large_buffers() -> None:
    """Tell glibc to keep freed memory: giving activations back costs page faults at every step.

    Up to a third of the time of a large network. Elsewhere than on glibc nothing happens.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
    mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
