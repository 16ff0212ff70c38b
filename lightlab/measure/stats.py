"""Means with intervals. Every stochastic number of the workbook passes through here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy  # its `stats` comes in when it is asked for: half a second
from numpy.typing import ArrayLike

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
    half = scipy.stats.t.ppf(0.5 + confidence / 2, x.size - 1) * x.std(ddof=1) / np.sqrt(x.size)
    return mean, mean - float(half), mean + float(half)


def grouped_ci(df: pd.DataFrame, by: str | list[str], value: str) -> pd.DataFrame:
    """`mean_ci` of column `value` in each group of `df`: columns `by`, mean, ci_low, ci_high, n."""
    rows = df.groupby(by, sort=False)[value].agg(["mean", "std", "count"]).reset_index()
    quantile = scipy.stats.t.ppf(0.5 + CONFIDENCE / 2, np.maximum(rows["count"] - 1, 1))
    half = np.where(rows["count"] > 1, quantile * rows["std"] / np.sqrt(rows["count"]), np.nan)
    rows["ci_low"], rows["ci_high"] = rows["mean"] - half, rows["mean"] + half
    return rows.drop(columns="std").rename(columns={"count": "n"})


def ratio_ci(x: ArrayLike, confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """Geometric mean of ratios `x` (n,), all positive, and the ends of its interval: Student's t on
    their logarithms. NaN for the interval of one value.
    """
    mean, low, high = np.exp(mean_ci(np.log(np.asarray(x, dtype=float)), confidence))
    return float(mean), float(low), float(high)


def median_ci(x: ArrayLike) -> tuple[float, float, float]:
    """Median of `x` (n,) and the ends of its interval, two of the values by the binomial law.

    The interval is exact or wider whatever the distribution; NaN where n is too small for one
    (below 6 at 95 %).
    """
    x = np.asarray(x, dtype=float).ravel()
    if x.size == 0 or np.isnan(x).any():
        raise ValueError(f"need at least one value and no NaN, got {x}")
    interval = scipy.stats.quantile_test(x, q=0, p=0.5).confidence_interval(CONFIDENCE)
    low, high = float(interval.low), float(interval.high)
    return float(np.median(x)), low, high


def paired(
    table: pd.DataFrame,
    value: str,
    by: str,
    a: Any,
    b: Any,
    *,
    on: Sequence[str] = ("seed",),
    ratio: bool = False,
) -> pd.Series:
    """Column `value` where `by` is `a` minus (or over: `ratio`) that where it is `b`, by seed, of
    the seeds that have both.

    Rows that agree `on` these columns, "seed" among them, count as their mean and are paired; a
    seed's number is the mean over its pairs. What only one of the two has counts for neither.
    """
    wide = table.groupby([*on, by])[value].mean().unstack()[[a, b]].dropna()
    pairs = wide[a] / wide[b] if ratio else wide[a] - wide[b]
    return pairs.groupby("seed").mean().rename(value)


def difference_table(differences: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """`mean_ci` of every named `paired` difference: what, mean, ci_low, ci_high, n (seeds)."""
    rows = [(what, *mean_ci(x), len(np.ravel(x))) for what, x in differences.items()]
    return pd.DataFrame(rows, columns=["what", "mean", "ci_low", "ci_high", "n"])


def share_ci(k: int, n: int) -> tuple[float, float, float]:
    """The share k / n and the ends of Wilson's interval for it."""
    interval = scipy.stats.binomtest(int(k), int(n)).proportion_ci(CONFIDENCE, method="wilson")
    return k / n, float(interval.low), float(interval.high)


def bootstrap_ci(
    statistic: Callable[..., np.ndarray],
    *samples: ArrayLike,
    seed: int = 0,
    n_boot: int = 2000,
) -> tuple[float, float, float]:
    """`statistic` of `samples`, each (n,), and its percentile bootstrap interval.

    The samples are drawn together (position by position) and the statistic is taken along the last
    axis; draws where it is NaN are left out of the interval.
    """
    columns = [np.asarray(x, dtype=float) for x in samples]
    n = columns[0].size
    rows = np.random.default_rng(seed).integers(n, size=(n_boot, n))
    drawn, tail = statistic(*(x[rows] for x in columns)), (1 - CONFIDENCE) / 2
    if np.isnan(drawn).all():
        return float(statistic(*columns)), float("nan"), float("nan")
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return float(statistic(*columns)), float(low), float(high)


def spearman(x: ArrayLike, y: ArrayLike, **how: Any) -> tuple[float, float, float]:
    """Spearman's rank correlation of `x` and `y` (n,) and its `bootstrap_ci` (`how`).

    NaN where one of them is constant.
    """
    return bootstrap_ci(rank_correlation, *_two_rows(x, y), **how)


def kendall(x: ArrayLike, y: ArrayLike, **how: Any) -> tuple[float, float, float]:
    """Kendall's tau-b of `x` and `y` (n,) and its `bootstrap_ci` (`how`). NaN as for `spearman`."""
    return bootstrap_ci(_kendall, *_two_rows(x, y), **how)


def _two_rows(x: ArrayLike, y: ArrayLike) -> np.ndarray:
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.shape != y.shape or x.ndim != 1 or x.size < 3 or np.isnan([x, y]).any():
        raise ValueError(f"need two equally long rows of 3 or more numbers, got {x} and {y}")
    return np.stack([x, y])


_kendall = np.vectorize(
    lambda x, y: scipy.stats.kendalltau(x, y).statistic, signature="(n),(n)->()"
)


def rank_correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's rho along the last axis, ties at their mean rank; NaN where a side is constant."""
    a, b = (scipy.stats.rankdata(v, axis=-1) for v in (x, y))
    a, b = (v - v.mean(-1, keepdims=True) for v in (a, b))
    scale = np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    with np.errstate(invalid="ignore"):
        return (a * b).sum(-1) / np.where(scale > 0, scale, np.nan)


def relative_fit(X: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Offset and slopes (1 + k,) of the linear function of `X` (n, k) with the least squared
    relative errors at `y` (n,), y > 0.

    ValueError for fewer than k + 2 points, or points that cannot tell the slopes apart.
    """
    X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    n, k = X.shape
    if y.shape != (n,) or n < k + 2 or not (y > 0).all():
        raise ValueError(f"need {k + 2} points or more, y > 0, got {n} and y = {y}")
    design = np.column_stack([np.ones(n), X])
    if np.linalg.matrix_rank(design / np.abs(design).max(0).clip(min=1e-300)) <= k:
        raise ValueError(f"{n} points that cannot tell {k} slopes and an offset apart")
    return np.linalg.lstsq(design / y[:, None], np.ones(n), rcond=None)[0]


def split_half(values: np.ndarray, estimate: Callable = np.median) -> float:
    """Rank correlation of the rows' estimates between even and odd columns of `values` (rows, n).

    How far repeated measurements (columns) agree on the order of things (rows): 1 if entirely,
    about 0 if the order is luck. NaN for fewer than three rows, two columns, or equal estimates.
    """
    if values.shape[0] < 3 or values.shape[1] < 2:
        return float("nan")
    return float(rank_correlation(*_halves(values, estimate)))


def half_noise(values: np.ndarray, estimate: Callable = np.median) -> float:
    """Relative standard error of a row's `estimate` over all columns of `values` (rows, n), > 0.

    Root mean square over the rows of (a − b) / (a + b), a and b the estimates from even and odd
    columns: half their difference has the variance of their mean. NaN for fewer than two columns.
    """
    if values.shape[1] < 2:
        return float("nan")
    a, b = _halves(values, estimate)
    return float(np.sqrt(np.mean(((a - b) / (a + b)) ** 2)))


def _halves(values: np.ndarray, estimate: Callable) -> tuple[np.ndarray, np.ndarray]:
    return estimate(values[:, ::2], axis=1), estimate(values[:, 1::2], axis=1)
