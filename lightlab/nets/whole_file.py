"""Files that are written whole or not at all, whenever the power fails."""

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib


def write(path: Path, save: Callable[[Path], None]) -> None:
    """Let `save` write a temporary file beside `path`, then rename it; OSError as it comes.

    No reader sees half a file, and two writers do not meet: the last one wins.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        save(part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def once(path: Path | None, function: Callable[..., Any], *args: Any) -> Any:
    """What `function` gives for `args`, written to `path` as a pickle; read from there where it is
    known already. Without a path simply called.
    """
    if path is None:
        return function(*args)
    if path.exists():
        return joblib.load(path)
    result = function(*args)
    write(path, lambda part: joblib.dump(result, part))
    return result
