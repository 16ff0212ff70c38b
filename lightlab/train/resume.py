"""Parts of training loops of one's own that can be kept on disk and gone on with exactly."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lightlab.data import Split


class Batches:
    """Images of a split in batches, shuffled anew whenever too few are left; all of its state is
    `order`, the indices to come.
    """

    def __init__(self, split: Split) -> None:
        self.split, self.order = split, torch.empty(0, dtype=torch.long)

    def next(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images (n, C, H, W) and labels (n,); all of the split where it has fewer."""
        n = min(n, len(self.split))
        if len(self.order) < n:
            self.order = torch.randperm(len(self.split), generator=generator)
        index, self.order = self.order[:n], self.order[n:]
        index = index.to(self.split.y.device)
        return self.split.x[index], self.split.y[index]


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries whose names begin with `prefix` and a dot, without these."""
    start = f"{prefix}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def optimizer_state(name: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What `optimizer` remembers of every parameter, as "name.number.what"."""
    return {
        f"{name}.{i}.{key}": value
        for i, parameter in enumerate(_parameters(optimizer))
        for key, value in optimizer.state.get(parameter, {}).items()
        if value is not None
    }


def put_back(name: str, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give `optimizer` what `optimizer_state` kept, in the memory formats of its parameters."""
    parameters = _parameters(optimizer)
    for key, value in under(name, tensors).items():
        i, _, what = key.partition(".")
        parameter = parameters[int(i)]
        like = value if value.ndim == 0 else torch.empty_like(parameter).copy_(value)
        optimizer.state[parameter][what] = like.detach().requires_grad_(False)


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [p for group in optimizer.param_groups for p in group["params"]]
