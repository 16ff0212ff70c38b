"""Means with intervals. Every stochastic number of the workbook passes through here."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats as _stats

CONFIDENCE = 0.95


def mean_ci(x: ArrayLike, confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """Mean and the ends of Student's t interval for it, of independent values `x` of shape (n,).

    One value gives (x, nan, nan): no spread can be told from it. NaN in `x` is a ValueError.
    """
    x = np.asarray(x, dtype=float).ravel()
    if x.size == 0 or np.isnan(x).any():
        raise ValueError(f"need at least one value and no NaN, got {x}")
    mean = float(x.mean())
    if x.size == 1:
        return mean, float("nan"), float("nan")
    half = _stats.t.ppf(0.5 + confidence / 2, x.size - 1) * x.std(ddof=1) / np.sqrt(x.size)
    return mean, mean - float(half), mean + float(half)


def grouped_ci(
    df: pd.DataFrame, by: str | list[str], value: str, confidence: float = CONFIDENCE
) -> pd.DataFrame:
    """`mean_ci` of column `value` in each group of `df`: columns `by`, mean, ci_low, ci_high, n."""
    rows = df.groupby(by, sort=False)[value].agg(["mean", "std", "count"]).reset_index()
    quantile = _stats.t.ppf(0.5 + confidence / 2, np.maximum(rows["count"] - 1, 1))
    half = np.where(rows["count"] > 1, quantile * rows["std"] / np.sqrt(rows["count"]), np.nan)
    rows["ci_low"], rows["ci_high"] = rows["mean"] - half, rows["mean"] + half
    return rows.drop(columns="std").rename(columns={"count": "n"})


def paired_ci(
    a: ArrayLike, b: ArrayLike, confidence: float = CONFIDENCE
) -> tuple[float, float, float]:
    """Mean difference a − b and its interval, the values paired by position (seed)."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"paired values need equal shapes, got {a.shape} and {b.shape}")
    return mean_ci(a - b, confidence)
