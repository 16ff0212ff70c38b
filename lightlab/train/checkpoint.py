"""Trainings kept on disk and gone on with: safetensors, with the plain values as JSON."""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from lightlab import disk
from lightlab.data import Split
from lightlab.train.recipe import Recipe, TrainError

_VERSION = 2  # raise it when what a training keeps changes


class Keeper:
    """Writes and reads the checkpoint of one training; TrainError where neither is possible."""

    def __init__(self, path: Path | str, identity: dict[str, Any]) -> None:
        self.path, self._identity = Path(path), json.loads(json.dumps(identity))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path.parent):
                pass
        except OSError as error:
            raise TrainError(
                f"cannot write a checkpoint in {self.path.parent} ({error.strerror})"
            ) from None

    def write(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Replace the file as a whole, or not at all."""
        plain = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        metadata = {"identity": json.dumps(self._identity), "values": json.dumps(values)}
        try:
            disk.write(self.path, lambda part: save_file(plain, part, metadata))
        except (OSError, SafetensorError) as error:
            raise TrainError(f"cannot write the checkpoint {self.path} ({error})") from None

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What was written; TrainError if it is of another training or damaged."""
        try:
            with safe_open(self.path, "pt") as file:
                metadata = file.metadata() or {}
                identity, values = (json.loads(metadata[k]) for k in ("identity", "values"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
            raise TrainError(
                f"{self.path} is no checkpoint that can be read ({error}): delete it to begin anew"
            ) from None
        if other := _differing(self._identity, identity):
            raise TrainError(
                f"{self.path} is a checkpoint of another training, it differs in "
                f"{', '.join(other)}: give another path, or delete it to begin anew"
            )
        return tensors, values


def _differing(mine: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """What differs, the numbers of the recipe with both values."""
    other = [key for key, value in mine.items() if theirs.get(key) != value and key != "recipe"]
    before = theirs.get("recipe", {})
    return other + [
        f"recipe.{key} ({value}, was {before.get(key)})"
        for key, value in mine["recipe"].items()
        if before.get(key) != value
    ]


def identity(
    model: nn.Module,
    split: Split,
    val: Split | None,
    recipe: Recipe,
    teacher: nn.Module | Tensor | None,
    **settings: Any,
) -> dict[str, Any]:
    """What makes a training this one: its recipe, and hashes of the first weights and the data."""
    return {
        "version": _VERSION,
        "recipe": asdict(recipe),
        "network": _digest(str(model), *model.state_dict().values()),
        "training images": _digest("", split.x, split.y),
        "validation images": None if val is None else _digest("", val.x, val.y),
        "teacher": _teacher(teacher),
        **settings,
    }


def _teacher(teacher: nn.Module | Tensor | None) -> str | None:
    if isinstance(teacher, nn.Module):
        return _digest(str(teacher), *teacher.state_dict().values())
    return None if teacher is None else _digest("", teacher)


def _digest(text: str, *tensors: Tensor) -> str:
    """SHA-256 of a text, and of shapes and bytes."""
    sha = hashlib.sha256(text.encode())
    for tensor in tensors:
        sha.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        sha.update(flat.view(torch.uint8).numpy().data)
    return sha.hexdigest()


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
