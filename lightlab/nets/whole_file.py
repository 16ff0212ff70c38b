"""Files that are written whole or not at all, whenever the power fails."""

import os
import uuid
from collections.abc import Callable
from pathlib import Path


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
