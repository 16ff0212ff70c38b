"""Images changed at random, a whole batch at a time; all numbers come from the generator given."""

import torch
from torch import Tensor
from torch.nn import functional as F

from lightlab.train.recipe import Recipe


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
    """Each image (N, C, H, W) moved by up to `max_px` pixels either way.

    Zeros, the mean colour, come in, or with `padding` "reflect" the image's own border mirrored.
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
