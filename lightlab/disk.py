"""Files: written whole or not at all, hashed, kept to save work, or journalled line by line."""

import hashlib
import json
import math
import os
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import ndarray


def write(path: Path, save: Callable[[Path], Any], durable: bool = True) -> None:
    """Let `save` write a temporary file beside `path`, then rename it; OSError as it comes.

    No reader sees half a file, whenever the power fails, and two writers do not meet: the last one
    wins. `durable=False` saves the fsync.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        save(part)
        if durable:
            sync(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str, durable: bool = True) -> None:
    """`write` a text in UTF-8."""
    write(path, lambda part: part.write_text(text, encoding="utf-8"), durable)


def write_json(path: Path, value: Any, durable: bool = True) -> None:
    """`write` a value as JSON; infinity and NaN become text, for browsers cannot read them."""
    text = json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n", durable)


def plain(value: Any) -> Any:
    """`value` with infinity and NaN as text; the parameters' check reads such text as numbers."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def read_json(path: Path) -> Any:
    """The JSON in `path`, or None where it is missing or torn."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def sync_folder(folder: Path) -> None:
    """fsync every file below `folder` and the folders themselves, before a rename publishes it."""
    for path in [*folder.rglob("*"), folder]:
        if not path.is_symlink():
            sync(path)


def sync(path: Path) -> None:
    """fsync one file or folder."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sha256(content: Path | str | bytes) -> str:
    """SHA-256 of the file at a path, of a text (in UTF-8), or of bytes."""
    if isinstance(content, Path):
        with content.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def digest(value: Any, *arrays: "ndarray") -> str:
    """SHA-256 of any JSON value and of the bytes of arrays, equal for equal ones."""
    sha = hashlib.sha256(json.dumps(plain(value), sort_keys=True).encode())
    for array in arrays:
        sha.update(_contiguous(array).data)
    return sha.hexdigest()


def cached_arrays(
    name: str, make: Callable[[], dict[str, "ndarray"]]
) -> tuple[dict[str, "ndarray"], str]:
    """The arrays kept as `name`, or those of `make()`, which are then kept; and their SHA-256.

    They lie in `$LIGHTLAB_CACHE`, else `~/.cache/lightlab`. A file whose hash does not fit is made
    anew with a warning, and so is what cannot be written.
    """
    from safetensors import SafetensorError  # not for each command
    from safetensors.numpy import save_file

    folder = Path(os.environ.get("LIGHTLAB_CACHE") or Path.home() / ".cache" / "lightlab")
    path = folder / f"{name}.safetensors"
    if path.exists():
        try:
            return _read(path)
        except (OSError, ValueError, SafetensorError) as error:
            warnings.warn(f"cached {path.name} is damaged ({error}): made anew", stacklevel=2)
    made = make()
    sha = _hash(made)
    try:
        kept = {key: _contiguous(array) for key, array in made.items()}
        write(path, lambda part: save_file(kept, part, {"sha256": sha}))
    except (OSError, SafetensorError) as error:
        warnings.warn(f"cannot keep {path.name} ({error}): going on without", stacklevel=2)
    return made, sha


def _read(path: Path) -> tuple[dict[str, "ndarray"], str]:
    """Arrays of the file and their hash; ValueError if they are not those that were written."""
    from safetensors import safe_open
    from safetensors.torch import load_file

    with safe_open(path, "numpy") as file:
        written = (file.metadata() or {}).get("sha256")
    kept = {key: tensor.numpy() for key, tensor in load_file(path).items()}  # mapped, not copied
    if written != _hash(kept):
        raise ValueError("its hash does not fit its content")
    return kept, written


def _hash(kept: dict[str, "ndarray"]) -> str:
    """SHA-256 over names, types, shapes and bytes."""
    sha = hashlib.sha256()
    for key in sorted(kept):
        sha.update(f"{key} {kept[key].dtype} {kept[key].shape}".encode())
        sha.update(_contiguous(kept[key]).data)
    return sha.hexdigest()


def _contiguous(array: "ndarray") -> "ndarray":
    import numpy as np  # not for each command

    return np.ascontiguousarray(array)


class Journal:
    """Rows of plain values, each in the file at `path` as soon as it is added: a kill loses at most
    the line that was being written.

    What a file holds already is there at the beginning; a last line that was cut off is dropped.
    Without `path` nothing is kept. ValueError for a file that holds anything else.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path, self.rows = path and Path(path), []
        if self.path is None or not self.path.exists():
            return
        text = self.path.read_bytes().decode("utf-8", errors="replace")
        whole, _, cut = text.rpartition("\n")
        for number, line in enumerate(filter(None, whole.split("\n")), 1):
            try:
                self.rows.append(dict(json.loads(line)))
            except (TypeError, ValueError):
                raise ValueError(f"{self.path}, line {number}: no JSON; remove the file") from None
        if cut:
            os.truncate(self.path, self.path.read_bytes().rfind(b"\n") + 1)

    def add(self, **row: Any) -> None:
        """One more row, on the disk when this returns."""
        self.rows.append(row)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
                file.flush()
                os.fsync(file.fileno())

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The rows whose `kind` is that."""
        return [row for row in self.rows if row.get("kind") == kind]
