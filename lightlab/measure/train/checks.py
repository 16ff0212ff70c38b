"""What cannot be trained, said in one line before it begins."""

from torch import Tensor, nn

from lightlab.measure.data import Split
from lightlab.measure.train.evaluate import logits
from lightlab.measure.train.recipe import Recipe, TrainError


def check(
    model: nn.Module,
    split: Split,
    recipe: Recipe,
    val: Split | None,
    teacher: nn.Module | Tensor | None,
) -> None:
    """TrainError unless network, images, labels, recipe and teacher fit each other."""
    if len(split) < 2:
        raise TrainError(f"cannot train on {len(split)} images: at least 2 are needed")
    if val is not None and not len(val):
        raise TrainError("cannot evaluate on an empty split: give val=None or some images")
    side = min(split.x.shape[-2:])
    if recipe.shift and recipe.padding == "reflect" and recipe.shift >= side:
        raise TrainError(f"images of {side} px cannot be shifted by {recipe.shift} px and mirrored")
    classes = _classes(model, split, "the network")
    for name, part in (("training", split), ("validation", val)):
        if part is not None and not 0 <= int(part.y.min()) <= int(part.y.max()) < classes:
            raise TrainError(
                f"{name} labels {int(part.y.min())} to {int(part.y.max())} do not fit a network "
                f"with {classes} outputs: labels count from 0 to {classes - 1}"
            )
    if teacher is not None:
        _check_teacher(teacher, split, classes)


def _classes(model: nn.Module, split: Split, who: str) -> int:
    """Outputs of `model` for one image; TrainError where it cannot take it."""
    shape = "×".join(map(str, split.x.shape[1:]))
    try:
        found = logits(model, split.take(slice(1)))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise TrainError(f"{who} cannot take images of {shape} (C×H×W): {reason}") from None
    if found.ndim != 2:
        raise TrainError(f"{who} answers with {tuple(found.shape)}, not with (images, classes)")
    return found.shape[1]


def _check_teacher(teacher: nn.Module | Tensor, split: Split, classes: int) -> None:
    if isinstance(teacher, Tensor):
        if teacher.shape != (len(split), classes):
            raise TrainError(
                f"the teacher's logits are {tuple(teacher.shape)}, but {len(split)} images and "
                f"{classes} classes need {(len(split), classes)}"
            )
        return
    taught = _classes(teacher, split, "the teacher")
    if taught != classes:
        raise TrainError(f"the teacher knows {taught} classes, the network {classes}")
