"""What a network says about images, and what cannot be trained, said before it begins."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightlab.data import Split
from lightlab.nets.build import predicting
from lightlab.train.descent import Recipe


def logits(model: nn.Module, split: Split, batch_size: int = 1000) -> Tensor:
    """Outputs (N, classes) of the network in evaluation mode, on the CPU; its mode is kept."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    with predicting(model):
        outputs = [
            model(x.to(device).contiguous(memory_format=torch.channels_last)).cpu()
            for x in split.x.split(batch_size)
        ]
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


def check(
    model: nn.Module,
    split: Split,
    recipe: Recipe,
    val: Split | None,
    teacher: nn.Module | Tensor | None,
) -> None:
    """ValueError unless network, images, labels, recipe and teacher fit each other."""
    if len(split) < 2:
        raise ValueError(f"cannot train on {len(split)} images: at least 2 are needed")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("the network has no parameter to train")
    side = min(split.x.shape[-2:])
    if recipe.shift >= side:
        raise ValueError(
            f"shift {recipe.shift} would leave nothing of images of {side} px: shift below {side}"
        )
    classes = _classes(model, split, "the network")
    for name, part in (("training", split), ("validation", val)):
        if part is not None:
            _check_part(part, name, split, classes)
    if teacher is not None:
        _check_teacher(teacher, split, classes)


def check_test(model: nn.Module, split: Split, test: Split) -> None:
    _check_part(test, "test", split, _classes(model, split, "the network"))


def _check_part(part: Split, name: str, split: Split, classes: int) -> None:
    if not len(part):
        raise ValueError(f"cannot evaluate on an empty split: there are no {name} images")
    if part.x.shape[1:] != split.x.shape[1:]:
        found, wanted = ("×".join(map(str, p.x.shape[1:])) for p in (part, split))
        raise ValueError(f"{name} images are {found} (C×H×W), training images {wanted}")
    if not all(end.isfinite() for end in part.x.aminmax()):  # one pass, no copy: NaN is in both
        raise ValueError(f"{name} images hold NaN or infinity")
    if part.y.dtype != torch.long:
        raise ValueError(f"{name} labels have to be int64, not {part.y.dtype}")
    low, high = int(part.y.min()), int(part.y.max())
    if not 0 <= low <= high < classes:
        raise ValueError(
            f"{name} labels {low} to {high} do not fit a network with {classes} outputs: labels "
            f"count from 0 to {classes - 1}"
        )


def _classes(model: nn.Module, split: Split, who: str) -> int:
    shape = "×".join(map(str, split.x.shape[1:]))
    try:
        found = logits(model, split.take(slice(1)))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{who} cannot take images of {shape} (C×H×W): {reason}") from None
    if found.ndim != 2:
        raise ValueError(f"{who} answers with {tuple(found.shape)}, not with (images, classes)")
    return found.shape[1]


def _check_teacher(teacher: nn.Module | Tensor, split: Split, classes: int) -> None:
    if isinstance(teacher, Tensor):
        if teacher.shape != (len(split), classes):
            raise ValueError(
                f"the teacher's logits are {tuple(teacher.shape)}, but {len(split)} images and "
                f"{classes} classes need {(len(split), classes)}"
            )
        return
    taught = _classes(teacher, split, "the teacher")
    if taught != classes:
        raise ValueError(f"the teacher knows {taught} classes, the network {classes}")
