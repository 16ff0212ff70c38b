"""A folder of arrays that are dear to make: written whole or not at all, checked when read."""

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from safetensors.torch import load_file

from lightlab.nets import whole_file

ENVIRONMENT = "LIGHTLAB_CACHE"
_HASH = "sha256"


def folder() -> Path:
    """Where cached arrays lie: `$LIGHTLAB_CACHE`, else `~/.cache/lightlab`."""
    return Path(os.environ.get(ENVIRONMENT) or Path.home() / ".cache" / "lightlab")


def arrays(
    name: str, make: Callable[[], dict[str, np.ndarray]]
) -> tuple[dict[str, np.ndarray], str]:
    """The arrays kept as `name`, or those of `make()`, which are then kept; and their SHA-256.

    A file whose hash does not fit is made anew with a warning, and so is what cannot be written.
    """
    path = folder() / f"{name}.safetensors"
    if path.exists():
        try:
            return _read(path)
        except (OSError, ValueError, SafetensorError) as error:
            warnings.warn(f"cached {path.name} is damaged ({error}): made anew", stacklevel=2)
    made = make()
    sha = _hash(made)
    try:
        plain = {k: np.ascontiguousarray(v) for k, v in made.items()}
        whole_file.write(path, lambda part: save_file(plain, part, {_HASH: sha}))
    except (OSError, SafetensorError) as error:
        warnings.warn(f"cannot keep {path.name} ({error}): going on without", stacklevel=2)
    return made, sha


def digest(settings: object, *parts: np.ndarray) -> str:
    """SHA-256 of settings (as JSON) and arrays."""
    sha = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for part in parts:
        sha.update(np.ascontiguousarray(part).data)
    return sha.hexdigest()


def _read(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """Arrays of the file and their hash; ValueError if they are not those that were written."""
    with safe_open(path, "numpy") as file:
        written = (file.metadata() or {}).get(_HASH)
    kept = {key: tensor.numpy() for key, tensor in load_file(path).items()}  # mapped, not copied
    if written != _hash(kept):
        raise ValueError("its hash does not fit its content")
    return kept, written


def _hash(kept: dict[str, np.ndarray]) -> str:
    """SHA-256 over names, types, shapes and bytes."""
    sha = hashlib.sha256()
    for key in sorted(kept):
        sha.update(f"{key} {kept[key].dtype} {kept[key].shape}".encode())
        sha.update(np.ascontiguousarray(kept[key]).data)
    return sha.hexdigest()
