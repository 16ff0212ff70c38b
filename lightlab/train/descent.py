"""Steps down the gradient: a recipe of them, rate, changed images, loss with a teacher."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from numbers import Real

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightlab.data import splits
from lightlab.nets.build import predicting

PADDINGS = ("zeros", "reflect")


class DivergedError(RuntimeError):
    """A loss, or a weight, is no longer a number."""


MEND = "lower lr or lengthen warmup"


@dataclass(frozen=True)
class Recipe:
    """SGD with Nesterov momentum and a learning rate that rises, then falls to 0.

    `warmup` is the share of steps in which it rises to `lr`. Weight decay spares biases and
    normalisation. `shift` moves each image by up to so many pixels, `padding` says what comes in,
    zeros (the mean colour) or its mirror image; `flip` mirrors half of them: not for digits.

    With a teacher (Hinton et al. 2015) the loss is (1 - `teacher_weight`) times the labels' plus
    `teacher_weight` times the teacher's, both outputs divided by `temperature`.

    With `most_seconds` > 0 the schedule follows the time where the epochs would need more; results
    then differ from run to run. ValueError on impossible values.
    """

    epochs: float = 8
    batch_size: int = 128
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    warmup: float = 0.2
    shift: int = 0
    padding: str = "zeros"
    flip: bool = False
    temperature: float = 4.0
    teacher_weight: float = 0.9
    most_seconds: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            if field.type is int:
                value = splits.whole(name, value)
            elif field.type is float:
                number = isinstance(value, Real) and not isinstance(value, bool)
                if not (number and math.isfinite(value)):
                    raise ValueError(f"{name} has to be a finite number, not {value!r}")
                value = float(value)
            elif field.type is bool:
                if value not in (False, True):
                    raise ValueError(f"{name} has to be True or False, not {value!r}")
                value = bool(value)
            object.__setattr__(self, name, value)
        rules = {
            "epochs > 0": self.epochs > 0,
            "batch_size >= 2 (batch normalisation)": self.batch_size >= 2,
            "lr > 0": self.lr > 0,
            "0 < momentum < 1 (Nesterov)": 0 < self.momentum < 1,
            "weight_decay >= 0": self.weight_decay >= 0,
            "0 <= label_smoothing < 1": 0 <= self.label_smoothing < 1,
            "0 <= warmup <= 1": 0 <= self.warmup <= 1,
            "shift >= 0": self.shift >= 0,
            "temperature > 0": self.temperature > 0,
            "0 <= teacher_weight <= 1": 0 <= self.teacher_weight <= 1,
            "most_seconds >= 0": self.most_seconds >= 0,
            f"padding one of {', '.join(PADDINGS)}": self.padding in PADDINGS,
        }
        if broken := [rule for rule, holds in rules.items() if not holds]:
            raise ValueError(f"a recipe needs {', '.join(broken)}")


@dataclass(frozen=True)
class Plan:
    """What a recipe comes to on so many images."""

    batch: int
    per_epoch: int
    n_steps: int


def plan(recipe: Recipe, n_images: int) -> Plan:
    batch = min(recipe.batch_size, n_images)
    per_epoch = n_images // batch
    return Plan(batch, per_epoch, max(1, round(recipe.epochs * per_epoch)))


def samples(recipe: Recipe, n_images: int) -> int:
    """Images that a training sees, repeats counted: its cost is proportional to it."""
    planned = plan(recipe, n_images)
    return planned.batch * planned.n_steps


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
