"""The file of a look-up table: JSON, written whole or not at all, checked when read."""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from lightlab.latency.setting import RUNTIMES, LatencyError
from lightlab.nets import whole_file

_Ms = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Setting(BaseModel):
    model_config = ConfigDict(extra="forbid")
    runtime: Literal[RUNTIMES]
    threads: PositiveInt
    batch: PositiveInt


class _Content(BaseModel):
    """What the file holds; nothing else."""

    model_config = ConfigDict(extra="forbid")
    fingerprint: str
    setting: _Setting
    device: dict[str, str | int | float]
    entries: dict[str, Annotated[list[_Ms], Field(min_length=1)]]
    calibration: tuple[float, float, float] | None


def write(path: str | Path, content: dict) -> None:
    """Write under a temporary name and rename, so that no reader sees half a file."""
    whole_file.write(Path(path), lambda part: part.write_text(json.dumps(content, indent=1)))


def read(path: str | Path) -> dict:
    """The content of the file; LatencyError, one line, if it is not that of a table."""
    try:
        text = Path(path).read_text()
    except (OSError, UnicodeDecodeError) as e:
        raise LatencyError(f"cannot read the look-up table {path}: {e}") from e
    try:
        return _Content.model_validate_json(text).model_dump()
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise LatencyError(
            f"{path} is no look-up table ({where}: {first['msg']}): delete it and build it anew"
        ) from e
