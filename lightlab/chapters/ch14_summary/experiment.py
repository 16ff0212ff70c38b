"""What the claims and the costs of a whole run come to. Frames in, frames and numbers out."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from lightlab import published
from lightlab.show import tables

HELD, FAILED, OPEN = tables.SIGNS  # the verdicts
MOST_MINUTES, MOST_GIB = 20, 6  # bars that the workbook set for itself
# Sources of claims that nobody published; those that nobody tested say so as well.
_OF_OURS = ("a bar of ours", "a question of ours", "a common saying")


def counts(claims: pd.DataFrame, by: str) -> pd.DataFrame:
    """How many claims have which verdict, for each value of column `by` or for every profile."""
    rows = list(published.PROFILES if by == "profile" else claims[by].unique())
    found = pd.crosstab(claims[by], claims["verdict"])
    found = found.reindex(index=rows, columns=[HELD, FAILED, OPEN], fill_value=0)
    return found.assign(claims=found.sum(axis=1)).rename_axis(index=by, columns=None)


def is_published(claims: pd.DataFrame) -> pd.Series:
    """Which of the claims somebody published as a result: no saying, and no question of ours."""
    untested = claims["published"].str.contains("not tested")
    return ~(claims["paper"].str.startswith(_OF_OURS) | untested)


def share(claims: pd.DataFrame) -> tuple[float, tuple[float, float], int]:
    """Reproduced claims in per cent of the decided ones, of those that are published; the ends are
    those of all n if every open claim failed, and if every one held: no interval of a sample.
    """
    verdicts = claims.loc[is_published(claims), "verdict"]
    n, held, open_ = len(verdicts), *((verdicts == v).sum() for v in (HELD, OPEN))
    if n == open_:
        return math.nan, (math.nan, math.nan), n
    return 100 * held / (n - open_), (100 * held / n, 100 * (held + open_) / n), n


def pictures(paths: Iterable[Path], width: int) -> list[np.ndarray]:
    """Pictures (height, width, 3), bytes, made smaller where they are wider than `width` pixels."""
    found = []
    for path in paths:
        with Image.open(path) as image:
            small = image.convert("RGB")
        small.thumbnail((width, small.height), Image.Resampling.LANCZOS)
        found.append(np.asarray(small))
    return found


def clock_s(costs: pd.DataFrame) -> float:
    """Seconds with a notebook at work, NaN where one does not say. Columns started, ended."""
    if costs[["started", "ended"]].isna().to_numpy().any():
        return math.nan
    begins, ends = pd.to_datetime(costs["started"]), pd.to_datetime(costs["ended"])
    total, until = 0.0, begins.min()
    for begin, end in sorted(zip(begins, ends, strict=True)):
        total += max(0.0, (end - max(begin, until)).total_seconds())
        until = max(until, end)
    return total


def over_bars(costs: pd.DataFrame) -> dict[str, float]:
    """By how much the run exceeds MOST_MINUTES by the clock and MOST_GIB in one notebook, 0 where
    it does not, NaN where something was not recorded: minutes, gib.
    """
    gib = costs["peak_gib"].to_numpy().max()
    over = {"minutes": clock_s(costs) / 60 - MOST_MINUTES, "gib": gib - MOST_GIB}
    return {what: float(np.maximum(0, by)) for what, by in over.items()}


def machines(manifests: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Profile, code, machine and versions: what, value, and the notebooks that say so."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, manifest in manifests.items():
        facts = {"profile": manifest.get("profile")} | manifest["provenance"]
        for what, value in (facts | facts.pop("packages")).items():
            text = "–" if value is None else str(value)
            found.setdefault(what.replace("_", " "), {}).setdefault(text, []).append(name[:2])
    rows = [
        (what, value, "all" if len(names) == len(manifests) else ", ".join(names))
        for what, values in found.items()
        for value, names in values.items()
    ]
    return pd.DataFrame(rows, columns=["what", "value", "notebooks"])
