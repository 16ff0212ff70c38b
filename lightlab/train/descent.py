"""Steps down the gradient: the learning rate, what decays, and the average of the weights."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lightlab.train.recipe import Recipe


def learning_rate(step: int, n_steps: int, recipe: Recipe) -> float:
    """Up to `lr` at step warmup * n_steps, then down to 0 after the last step (from 1 on)."""
    rise = recipe.warmup * n_steps
    up = step / rise if rise > 0 else math.inf
    down = (n_steps + 1 - step) / (n_steps + 1 - rise)
    if recipe.schedule == "cosine" and down < 1:
        down = 0.5 - 0.5 * math.cos(math.pi * down)
    return recipe.lr * min(up, down, 1.0)


def scheduled(step: int, n_steps: int, seconds: float, recipe: Recipe) -> int:
    """The step that the schedule has come to: this one, or a later one where time is short."""
    most = recipe.most_seconds
    by_time = math.ceil(n_steps * seconds / most) if most else 0
    return min(n_steps, max(step, by_time))


def sgd(parameters: Iterable[nn.Parameter], recipe: Recipe) -> torch.optim.SGD:
    """SGD that decays matrices and kernels only, not biases and normalisation (one dimension)."""
    parameters = list(parameters)
    weights = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
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


def average(model: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of weights and running statistics, empty at first.

    The decay rises to its value as (1 + n) / (10 + n): the first weights are soon forgotten.
    """

    def ramped(averaged: list[Tensor], current: list[Tensor], n: Tensor) -> None:
        seen = int(found.n_averaged)  # on the CPU: a look at `n` would wait for a GPU
        rate = min(decay, (1 + seen) / (10 + seen))
        get_ema_multi_avg_fn(rate)(averaged, current, n)

    found = AveragedModel(model, multi_avg_fn=ramped, use_buffers=True)
    return found
