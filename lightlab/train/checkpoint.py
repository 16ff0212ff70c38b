"""Trainings kept on disk: tensors and plain values in one file, that of one training only."""

import hashlib
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lightlab import disk
from lightlab.data import Split
from lightlab.train.recipe import Recipe, TrainError

_VERSION = 3  # raise it when what a training keeps changes


class Keeper:
    """Writes and reads the checkpoint of one training: of this recipe and these settings, first
    weights and data; TrainError where that is not possible.
    """

    def __init__(
        self,
        path: Path | str,
        model: nn.Module,
        split: Split,
        val: Split | None,
        recipe: Recipe,
        teacher: nn.Module | Tensor | None,
        **settings: Any,
    ) -> None:
        self.path = Path(path)
        identity = {
            "version": _VERSION,
            "recipe": asdict(recipe),
            "network": _hash(model),
            "training images": _hash(split),
            "validation images": _hash(val),
            "teacher": _hash(teacher),
            **settings,
        }
        self._identity = json.loads(json.dumps(identity))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path.parent):
                pass
        except OSError as error:
            raise TrainError(
                f"cannot write a checkpoint in {self.path.parent} ({error.strerror})"
            ) from None

    def write(self, state: dict[str, Any]) -> None:
        """Replace the file as a whole, or not at all."""
        kept = {"identity": self._identity, "state": state}
        try:
            disk.write(self.path, lambda part: torch.save(kept, part))
        except (OSError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise TrainError(f"cannot write the checkpoint {self.path} ({reason})") from None

    def read(self) -> dict[str, Any]:
        """What was written; TrainError if it is of another training or damaged."""
        try:
            kept = torch.load(self.path, map_location="cpu", weights_only=True)
            identity, state = kept["identity"], kept["state"]
        except Exception as error:  # damage shows in many ways
            reason = (
                error.strerror if isinstance(error, OSError) else "damaged, or of an older version"
            )
            raise TrainError(
                f"{self.path} is no checkpoint that can be read ({reason}): delete it to begin anew"
            ) from None
        if other := _differing(self._identity, identity):
            raise TrainError(
                f"{self.path} is a checkpoint of another training, it differs in "
                f"{', '.join(other)}: give another path, or delete it to begin anew"
            )
        return state


def _differing(mine: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """What differs, the numbers of the recipe with both values."""
    other = [key for key, value in mine.items() if theirs.get(key) != value and key != "recipe"]
    before = theirs.get("recipe", {})
    return other + [
        f"recipe.{key} ({value}, was {before.get(key)})"
        for key, value in mine["recipe"].items()
        if before.get(key) != value
    ]


def _hash(what: nn.Module | Split | Tensor | None) -> str | None:
    """SHA-256 of a network's layers, and of shapes and bytes."""
    if what is None:
        return None
    if isinstance(what, nn.Module):
        text, tensors = str(what), what.state_dict().values()
    else:
        text, tensors = "", [what.x, what.y] if isinstance(what, Split) else [what]
    sha = hashlib.sha256(text.encode())
    for tensor in tensors:
        sha.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        sha.update(flat.view(torch.uint8).numpy().data)
    return sha.hexdigest()
