"""Verdicts: does a published claim hold for what we measured? Computed, never typed."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lightlab import published
from lightlab.measure import stats

REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE = "reproduced", "not reproduced", "inconclusive"


def check(
    claim: dict[str, Any],
    measured: ArrayLike,
    profile: str | None,
    interval: tuple[float, float] | None = None,
    n: int | None = None,
) -> dict[str, Any]:
    """The claim with our value, its 95 % interval, n, the verdict and what limits it.

    `measured` is a number (deterministic: its interval is itself) or one value per seed; of the
    kind `order` the differences paired by seed. A number from `n` samples may bring a 95 %
    `interval` of its own. Reproduced: the whole interval lies in `holds_in`; not reproduced: it
    lies outside; else inconclusive. The edge of an order lies outside: no difference is no gain.
    Of the kind `test` the number is a p: above the level it does not show that they are equal.
    """
    x = np.asarray(measured, dtype=float)
    samples = x.ravel()
    if samples.size == 0 or np.isnan(samples).any():
        verdict, value, low, high = INCONCLUSIVE, math.nan, math.nan, math.nan
        note = "no value was measured" if samples.size == 0 else "a measured value is NaN"
    else:
        value, low, high = (float(x),) * 3 if x.ndim == 0 else stats.mean_ci(samples)
        low, high = interval or (low, high)
        verdict, note = _verdict(claim["holds_in"], low, high, strict=claim["kind"] == "order")
        if claim["kind"] == "test" and verdict == NOT_REPRODUCED:
            verdict, note = INCONCLUSIVE, "not told apart, which does not show that they are equal"
    notes = [claim.get("note", ""), note]
    order = published.PROFILES
    if profile in order and order.index(profile) < order.index(claim["profile"]):
        notes.insert(1, f"means something from the profile {claim['profile']} on")
        verdict = INCONCLUSIVE
    ours = {"value": value, "ci_low": low, "ci_high": high}
    ours = {k: v if math.isfinite(v) else None for k, v in ours.items()}
    ours["n"] = n or int(samples.size)
    return claim | ours | {"verdict": verdict, "note": "; ".join(filter(None, notes))}


def _verdict(
    holds_in: list[float | None], low: float, high: float, strict: bool
) -> tuple[str, str]:
    floor = -math.inf if holds_in[0] is None else holds_in[0]
    ceiling = math.inf if holds_in[1] is None else holds_in[1]
    if strict:  # the nearest numbers inside
        floor, ceiling = np.nextafter(floor, math.inf), np.nextafter(ceiling, -math.inf)
    if math.isnan(low):
        return INCONCLUSIVE, "one value has no interval"
    if floor <= low and high <= ceiling:
        return REPRODUCED, ""
    if high < floor or low > ceiling:
        return NOT_REPRODUCED, ""
    return INCONCLUSIVE, "the interval reaches over the claim's edge"
