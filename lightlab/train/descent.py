"""Steps down the gradient: the learning rate, and what decays."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from lightlab.train.recipe import Recipe


def learning_rate(step: int, n_steps: int, recipe: Recipe) -> float:
    """Up to `lr` at step warmup * n_steps, then down to 0 after the last step (from 1 on)."""
    rise = recipe.warmup * n_steps
    up = step / rise if rise > 0 else math.inf
    down = (n_steps + 1 - step) / (n_steps + 1 - rise)
    return recipe.lr * min(up, down, 1.0)


def scheduled(step: int, n_steps: int, seconds: float, recipe: Recipe) -> int:
    """The step that the schedule has come to: this one, or a later one where time is short."""
    most = recipe.most_seconds
    by_time = math.ceil(n_steps * seconds / most) if most else 0
    return min(n_steps, max(step, by_time))


def sgd(parameters: Iterable[nn.Parameter], recipe: Recipe) -> torch.optim.SGD:
    """SGD that decays matrices and kernels only, not biases and normalisation (one dimension)."""
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(
        [group for group in groups if group["params"]],
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=True,
    )
