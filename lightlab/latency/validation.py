"""How well a look-up table predicts networks that it has not seen."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lightlab.latency.setting import LatencyError
from lightlab.latency.table import LookupTable
from lightlab.latency.timings import Timings
from lightlab.measure import cost, stats
from lightlab.space.arch import Arch, Block, Head

MIN_HELD_OUT = 10


def validate(
    table: LookupTable,
    archs: Mapping[str, Arch],
    timings: Timings,
    again: Timings,
    n_calibration: int = 20,
) -> pd.DataFrame:
    """Predictions of `archs` against their latencies in `timings`, networks by name.

    The first `n_calibration` networks fit what is fitted, the others are held out. Rows: the plain
    sum of pieces ("sum"), less what joining saves ("corrected"), that with the weights fitted
    ("calibrated"); the rivals "macs", a line through multiply-accumulates, and "counts", these and
    the weights fitted; and "repeat", the same networks measured `again`, less the
    factor by which the calibration networks say that the machine was slower as a whole. That has
    the noise of two measurements, sqrt(2) times that of one; a perfect prediction would be off by
    the noise of `timings` alone, 1 / sqrt(2) of "repeat". Columns as in `agreement`. LatencyError
    with fewer than ten networks held out, or timings of another setting than the table's.
    """
    if len(archs) - n_calibration < MIN_HELD_OUT:
        raise LatencyError(
            f"{len(archs)} networks, {n_calibration} of them for calibration: fewer than "
            f"{MIN_HELD_OUT} are held out"
        )
    if timings.setting != table.setting:
        raise LatencyError(f"the table is for {table.setting}, the timings for {timings.setting}")
    everything = predictions(table, archs, timings, n_calibration)
    held_out = everything[~everything["calibration"]]
    measured = held_out["latency_ms"]
    rows = [
        {"prediction": name, **agreement(held_out[name], measured)}
        for name in ("sum", "corrected", "calibrated", "macs", "counts")
    ]
    few = everything.loc[everything["calibration"]]
    shift = few["latency_ms"] / few["name"].map(again.latency_ms)
    repeat = held_out["name"].map(again.latency_ms) * np.exp(np.log(shift).mean())
    return pd.DataFrame([*rows, {"prediction": "repeat", **agreement(repeat, measured)}])


def predictions(
    table: LookupTable, archs: Mapping[str, Arch], timings: Timings, n_calibration: int = 20
) -> pd.DataFrame:
    """One row per network: name, calibration (whether it was fitted to), latency_ms, macs_m
    (millions), and the predictions of `validate` in ms: sum, corrected, calibrated, macs, counts.
    """
    nets = list(archs.values())
    y = np.array([timings.latency_ms[name] for name in archs])
    counts = np.array([(cost.macs(arch), cost.param_count(arch)) for arch in nets]) / 1e6
    few = slice(n_calibration)
    rivals = {}
    for name, X in (("macs", counts[:, :1]), ("counts", counts)):
        offset, *slopes = stats.relative_fit(X[few], y[few])
        rivals[name] = offset + X @ slopes
    calibrated = table.calibrate(nets[few], y[few])
    return pd.DataFrame(
        {
            "name": list(archs),
            "calibration": np.arange(len(nets)) < n_calibration,
            "latency_ms": y,
            "macs_m": counts[:, 0],
            "sum": [table.predict(arch, "sum") for arch in nets],
            "corrected": [table.predict(arch, "corrected") for arch in nets],
            "calibrated": [calibrated.predict(arch) for arch in nets],
            **rivals,
        }
    )


def agreement(predicted: ArrayLike, measured: ArrayLike) -> dict[str, float]:
    """How `predicted` fits `measured`, both (n,) in ms.

    rmse_pct (with rmse_low, rmse_high) and bias_pct of the relative errors, rmse_ms, r2 (of the
    values as they are, not of a line through them), and Spearman's rho (ci_low, ci_high); the
    intervals are bootstrap ones over the networks.
    """
    p, y = np.asarray(predicted, dtype=float), np.asarray(measured, dtype=float)
    relative = p / y - 1
    rho, low, high = stats.spearman(p, y)
    rmse, rmse_low, rmse_high = stats.bootstrap_ci(_rmse_pct, relative)
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


def _rmse_pct(relative: np.ndarray) -> np.ndarray:
    return 100 * np.sqrt(np.mean(relative**2, axis=-1))


def random_networks(n: int, *, seed: int = 0, classes: int = 10) -> dict[str, Arch]:
    """`n` different MBConv networks for 32 px by name, drawn uniformly from one small space.

    Widths 16, 24, 40, 80, 96 at strides 1, 2, 2, 1, 2 behind a stem of 16 at stride 2; every stage
    one to three blocks of kernel 3, 5 or 7 and expansion 3 or 6; 256 features. LatencyError where
    so many different ones are not found.
    """
    rng = np.random.default_rng(seed)
    found: dict[Arch, None] = {}
    draws = 0
    while len(found) < n:
        draws += 1
        if draws > 100 + 10 * n:
            raise LatencyError(f"{n} different networks were asked for, {len(found)} were found")
        stages = zip(_WIDTHS, _STRIDES, strict=True)
        blocks = [block for width, stride in stages for block in _stage(width, stride, rng)]
        stem = Block("conv", _WIDTHS[0], 3, 2)
        found[Arch(32, stem, tuple(blocks), Head(256), n_classes=classes)] = None
    return {f"net{i:03d}": arch for i, arch in enumerate(found)}


_WIDTHS, _STRIDES = (16, 24, 40, 80, 96), (1, 2, 2, 1, 2)


def _stage(width: int, stride: int, rng: np.random.Generator) -> Sequence[Block]:
    strides = [stride, 1, 1][: rng.integers(1, 4)]
    return [
        Block("mb", width, int(rng.choice((3, 5, 7))), s, int(rng.choice((3, 6)))) for s in strides
    ]
