"""What a network costs, counted rather than timed."""

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

# A training step is a forward pass, and a backward pass of about two (gradients by activations and
# by weights): the usual count, e.g. Kaplan et al. 2020, section 2.1.
PASSES_PER_TRAINING_STEP = 3


def macs(model: nn.Module, input_shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of one forward pass for one input of `input_shape` (C, H, W).

    Matrix products and convolutions count, as in the papers; biases, normalisation and activations
    do not. Nothing is computed: the model is copied to the meta device.
    """
    shadow = copy.deepcopy(model).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shadow(torch.empty(1, *input_shape, device="meta"))
    return counter.get_total_flops() // 2


def param_count(model: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
