"""NAS-Bench-Macro with a latency of this device: accuracies are the table's, times ours."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from lightlab import latency
from lightlab.space.arch import Arch, encode
from lightlab.space.spaces import MACRO

_PLAN = latency.Plan(rounds=8, samples=5, sample_ms=0.3, min_busy=0)


def with_latency(table: pd.DataFrame, seed: int = 0, n_calibration: int = 16) -> pd.DataFrame:
    """`tabular.nas_bench_macro`'s table and, of every network, arch (as text) and latency_ms: by a
    look-up table of its blocks measured here (ONNX Runtime, one thread, batch 1), calibrated on the
    three pure networks and `n_calibration` others. LatencyError where a busy machine spoilt it.
    """
    archs = [MACRO.decode(point) for point in table.index]
    pure = [MACRO.decode((option,) * 8) for option in range(3)]  # every piece, and the extremes
    lookup = latency.LookupTable.build(pure, plan=_PLAN)
    chosen = np.random.default_rng(seed).choice(len(archs), n_calibration, replace=False)
    some = {str(i): arch for i, arch in enumerate([*pure, *(archs[i] for i in chosen)])}
    timed = latency.measure_many(some, plan=_PLAN, estimate="fastest")
    lookup = lookup.calibrate(some.values(), timed.latency_ms.values())
    found = np.array([lookup.predict(arch) for arch in archs])
    if not found.min() > 0:
        raise latency.LatencyError(
            f"the look-up table predicts {found.min():.3g} ms: the machine was too busy, run again"
        )
    return table.assign(arch=[encode(arch) for arch in archs], latency_ms=found)


def judge(table: pd.DataFrame) -> Callable[[Sequence[Arch]], pd.DataFrame]:
    """Judges networks of the space, as `proxy.Proxy` does, by looking them up; nothing is spent."""
    known = table.drop_duplicates("arch").set_index("arch")
    free = {"samples": 0, "train_macs": 0, "seconds": 0.0}

    def look_up(archs: Sequence[Arch]) -> pd.DataFrame:
        return known.loc[[encode(arch) for arch in archs]].reset_index().assign(**free)

    return look_up
