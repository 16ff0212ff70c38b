"""How to train: every number of it, in one hashable value."""

import math
import numbers
from dataclasses import dataclass, fields

from lightlab.data import splits

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
        plain = {int: splits.whole, float: _real, bool: _bool}
        for field in fields(self):
            if make := plain.get(field.type):
                value = make(field.name, getattr(self, field.name))
                object.__setattr__(self, field.name, value)
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


def whole(name: str, value: object, least: int | None = None) -> int:
    try:
        return splits.whole(name, value, least)
    except ValueError as error:
        raise ValueError(str(error)) from None


def _real(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ValueError(f"{name} has to be a finite number, not {value!r}")
    return float(value)


def _bool(name: str, value: object) -> bool:
    if value not in (False, True):
        raise ValueError(f"{name} has to be True or False, not {value!r}")
    return bool(value)


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
