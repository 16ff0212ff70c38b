"""How well predicted latencies fit measured ones."""

import numpy as np
from numpy.typing import ArrayLike

from lightlab.measure import stats


def agreement(predicted: ArrayLike, measured: ArrayLike) -> dict[str, float]:
    """How `predicted` fits `measured`, both (n,) in ms.

    rmse_pct (with rmse_low, rmse_high) and bias_pct of the relative errors, rmse_ms, r2 (of the
    values as they are, not of a line through them), and Spearman's rho (ci_low, ci_high); the
    intervals are bootstrap ones over the networks.
    """
    p, y = np.asarray(predicted, dtype=float), np.asarray(measured, dtype=float)
    relative = p / y - 1
    rho, low, high = stats.spearman(p, y)
    rmse, rmse_low, rmse_high = stats.bootstrap_ci(
        lambda x: 100 * np.sqrt(np.mean(x**2, axis=-1)), relative
    )
    return {
        "rmse_pct": rmse,
        "rmse_low": rmse_low,
        "rmse_high": rmse_high,
        "bias_pct": 100 * float(relative.mean()),
        "rmse_ms": float(np.sqrt(np.mean((p - y) ** 2))),
        "r2": 1 - float(np.sum((p - y) ** 2) / np.sum((y - y.mean()) ** 2)),
        "spearman": rho,
        "ci_low": low,
        "ci_high": high,
        "n": len(y),
    }
