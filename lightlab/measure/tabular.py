"""Networks that others trained, as a table: a search over it costs nothing but the search."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lightlab import disk
from lightlab.space.decisions import SpaceError
from lightlab.space.skeleton import MACRO

_COLUMNS = {"mean_acc": "accuracy", "flops": "macs", "params": "params"}


class TableError(ValueError):
    """A table that cannot be read; one line says what is wrong with it and what to do."""


@dataclass(frozen=True)
class Tabular:
    """A table by point, and where it comes from."""

    table: pd.DataFrame
    spec: str
    fingerprint: str


def nas_bench_macro(path: str | Path) -> Tabular:
    """NAS-Bench-Macro's table of 6,561 networks trained on CIFAR-10 (Su et al. 2021), by point.

    Index: points of `spaces.MACRO`; columns accuracy (%, mean of three trainings), macs, params.
    `path` is a CSV file, packed or not, with columns arch (eight digits 0..2), mean_acc, flops and
    params. TableError for anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise TableError(f"{path}: no such file; give the path of NAS-Bench-Macro's CSV table")
    try:
        read = pd.read_csv(path, dtype={"arch": str})
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise TableError(f"{path}: cannot be read as CSV ({type(error).__name__})") from None
    if missing := [c for c in ("arch", *_COLUMNS) if c not in read.columns]:
        raise TableError(f"{path}: has no column {missing[0]!r}; is it NAS-Bench-Macro's table?")
    try:
        points = [MACRO.check(tuple(map(int, text))) for text in read["arch"]]
    except (SpaceError, ValueError, TypeError) as error:
        raise TableError(f"{path}: arch: {error}") from None
    if len(points) < MACRO.size():
        raise TableError(f"{path}: has {len(points)} of the {MACRO.size()} networks")
    if len(set(points)) < len(points):
        raise TableError(f"{path}: a network stands there twice")
    table = read[list(_COLUMNS)].rename(columns=_COLUMNS)
    if wrong := [c for c in table if not pd.api.types.is_numeric_dtype(table[c])]:
        raise TableError(f"{path}: column {wrong[0]} holds other things than numbers")
    if not (
        table["accuracy"].between(0, 100).all() and (table[["macs", "params"]] > 0).all(axis=None)
    ):
        raise TableError(f"{path}: a value is missing, or no accuracy in per cent or no count")
    table = table.set_index(pd.Index(points, tupleize_cols=False, name="point"))
    fingerprint = disk.sha256(path)
    return Tabular(table, f"table:{path}", fingerprint)
