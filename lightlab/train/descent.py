"""Steps down the gradient: rate, changed images, loss with a teacher."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightlab.nets.build import predicting
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


def prepare(optimizer: torch.optim.Optimizer, step: int, n_steps: int, recipe: Recipe) -> None:
    """Set the rate of `step` and forget the gradients."""
    rate = learning_rate(step, n_steps, recipe)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)


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


def augment(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Images (N, C, H, W) shifted and mirrored as the recipe says, on their device."""
    if recipe.shift:
        images = shift(images, recipe.shift, generator, recipe.padding)
    if recipe.flip:
        images = flip(images, generator)
    return images


def shift(
    images: Tensor, max_px: int, generator: torch.Generator, padding: str = "zeros"
) -> Tensor:
    """Each image (N, C, H, W) moved by up to `max_px` pixels either way; zeros, the mean colour,
    come in, or with `padding` "reflect" the image's own border mirrored.
    """
    n, _, height, width = images.shape
    mode = {"zeros": "constant", "reflect": "reflect"}[padding]
    padded = F.pad(images.contiguous(memory_format=torch.channels_last), [max_px] * 4, mode)
    moves = torch.randint(2 * max_px + 1, (2, n, 1), generator=generator)[..., 0].to(images.device)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (N, C, moves, moves, H, W), a view
    return windows[torch.arange(n, device=images.device), :, moves[0], moves[1]]


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Half of the images (N, C, H, W) mirrored left to right, drawn one by one."""
    drawn = torch.rand(len(images), 1, 1, 1, generator=generator).to(images.device)
    return torch.where(drawn < 0.5, images.flip(3), images)


class Teacher:
    """Answers for batches: from a network in evaluation mode on the images as they are, or logits
    (N, classes) made before, which know nothing of augmentation.
    """

    def __init__(self, source: nn.Module | Tensor, device: torch.device) -> None:
        self._source = source.to(device)
        if isinstance(source, nn.Module):
            source.to(memory_format=torch.channels_last)

    def __call__(self, images: Tensor, index: Tensor) -> Tensor:
        """Logits (B, classes) for `images`, the ones at `index` of the split."""
        if isinstance(self._source, Tensor):
            return self._source.detach()[index]
        with predicting(self._source):
            return self._source(images)


def loss(outputs: Tensor, labels: Tensor, taught: Tensor | None, recipe: Recipe) -> Tensor:
    """Cross-entropy of the labels, mixed with KL(teacher || student), both softened by T, times T²
    so that its gradient keeps its size (Hinton et al. 2015, section 2.1).
    """
    hard = F.cross_entropy(outputs, labels, label_smoothing=recipe.label_smoothing)
    if taught is None:
        return hard
    t = recipe.temperature
    soft = F.kl_div(
        (outputs / t).log_softmax(1),
        (taught.float() / t).log_softmax(1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - recipe.teacher_weight) * hard + recipe.teacher_weight * t**2 * soft
