"""Distillation: another network's outputs beside the labels (Hinton, Vinyals and Dean 2015)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightlab.train.recipe import Recipe


class Teacher:
    """Answers for batches: from a network, in evaluation mode, on the images as they are; or logits
    (N, classes) made before, which know nothing of augmentation.
    """

    def __init__(self, source: nn.Module | Tensor, device: torch.device) -> None:
        self._source = source.to(device)
        if isinstance(source, nn.Module):
            source.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def __call__(self, images: Tensor, index: Tensor) -> Tensor:
        """Logits (B, classes) for `images`, the ones at `index` of the split, augmented or not."""
        if isinstance(self._source, Tensor):
            return self._source[index]
        training = self._source.training
        try:
            return self._source.eval()(images)
        finally:
            self._source.train(training)


def loss(outputs: Tensor, labels: Tensor, taught: Tensor | None, recipe: Recipe) -> Tensor:
    """Mean cross-entropy of the labels, mixed with the divergence from the teacher's logits.

    That is KL(teacher || student) of both softened by T, times T² so that its gradient keeps its
    size (section 2.1 of the paper).
    """
    outputs = outputs.float()
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
