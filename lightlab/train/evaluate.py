"""What a network says about images that it is not trained on."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightlab.data import Split
from lightlab.train.recipe import TrainError


@torch.no_grad()
def logits(model: nn.Module, split: Split, batch_size: int = 1000) -> Tensor:
    """Outputs (N, classes) of the network in evaluation mode, on the CPU; its mode is kept."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    training = model.training
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
    """Mean cross-entropy `loss` in nats and `accuracy` in 0..1. TrainError on an empty split."""
    if not len(split):
        raise TrainError("cannot evaluate on an empty split")
    outputs = logits(model, split)
    return {
        "loss": F.cross_entropy(outputs, split.y).item(),
        "accuracy": (outputs.argmax(1) == split.y).double().mean().item(),
    }
