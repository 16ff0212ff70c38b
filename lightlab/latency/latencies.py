"""Latencies that were measured, how far they can be trusted, and no comparison beyond that."""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise, zip_longest

import numpy as np
import pandas as pd

from lightlab.latency.setting import Setting
from lightlab.measure import stats

MIN_SPLIT_HALF = 0.9  # rank correlation of two halves of the rounds; below it ranks are luck
NEIGHBOURS = 0.99  # confidence with which neighbours in a ranking are told apart
ESTIMATES = {"median": np.nanmedian, "fastest": np.nanmin}


class NoisyError(ValueError):
    """The noise of the measurement drowns the difference that was asked for."""


@dataclass
class Visits:
    """Of every network a value in ms per run and round, and the counts."""

    names: list[str]
    ms: list[list[float]]  # median of a visit's samples
    fastest: list[list[float]]  # least of them
    runs: np.ndarray  # timed runs per network
    disturbed: np.ndarray  # visits that were kept although disturbed, per network
    repeated: np.ndarray  # visits that were made again, per network


@dataclass(frozen=True)
class Timings:
    """Latencies of networks that were timed in turn, each by `estimate` the "median" of its rounds'
    medians or its "fastest" sample.
    """

    visits: Visits = field(repr=False)
    setting: Setting
    device: dict = field(repr=False)
    estimate: str = "median"

    @cached_property
    def rounds_ms(self) -> np.ndarray:
        """(networks, rounds), NaN where a round left a network out."""
        rows = self.visits.ms if self.estimate == "median" else self.visits.fastest
        return np.array(list(zip_longest(*rows, fillvalue=np.nan))).T

    @cached_property
    def table(self) -> pd.DataFrame:
        """name; latency_ms (by `estimate`); median_ms over the rounds, iqr_ms (spread between
        rounds), ci_low_ms and ci_high_ms (95 %, of the median; NaN below six rounds); fastest_ms
        (least sample); n (runs timed); disturbed (rounds kept although another process interfered).
        """
        visits = self.visits
        low, high = zip(*(stats.median_ci(row)[1:] for row in visits.ms), strict=True)
        quartiles = np.array([np.percentile(row, [25, 75]) for row in visits.ms]).T
        return pd.DataFrame(
            {
                "name": visits.names,
                "latency_ms": ESTIMATES[self.estimate](self.rounds_ms, axis=1),
                "median_ms": [float(np.median(row)) for row in visits.ms],
                "iqr_ms": quartiles[1] - quartiles[0],
                "ci_low_ms": low,
                "ci_high_ms": high,
                "fastest_ms": [min(row) for row in visits.fastest],
                "n": visits.runs,
                "disturbed": visits.disturbed,
            }
        )

    @cached_property
    def latency_ms(self) -> dict[str, float]:
        return dict(zip(self.table["name"], self.table["latency_ms"], strict=True))

    @cached_property
    def split_half(self) -> float:
        """Rank correlation of two halves of the rounds, see `stats.split_half`."""
        return stats.split_half(self.rounds_ms, ESTIMATES[self.estimate])

    @cached_property
    def noise_pct(self) -> float:
        """Standard error of a latency in per cent of it, from the halves of the rounds (RMS)."""
        return stats.half_noise(self.rounds_ms, ESTIMATES[self.estimate]) * 100

    @property
    def trusted(self) -> bool:
        return self.split_half >= MIN_SPLIT_HALF

    def ranking(self) -> pd.DataFrame:
        """`table` from the fastest network on, with `rank`, which neighbours share whose ratio may
        be 1, at 99 % since many are judged at once. NoisyError unless the timings are `trusted`.
        """
        if not self.trusted:
            raise NoisyError(
                f"{len(self.visits.names)} networks cannot be ranked: two halves of the rounds "
                f"agree by rho {self.split_half:.2f} < {MIN_SPLIT_HALF:g}; noise of one latency "
                f"{self.noise_pct:.1f} %, load {self.device.get('load_end')}: "
                "more rounds, or a quieter machine"
            )
        ranked = self.table.sort_values("latency_ms", ignore_index=True)
        names = ranked["name"].tolist()
        ties = [
            (a, b)
            for a, b in pairwise(names)
            if not stats.ratio_ci(self.paired(b, a), NEIGHBOURS)[1] > 1
        ]
        tied_above = {b for _, b in ties}
        places = [np.nan if n in tied_above else i for i, n in enumerate(names, 1)]
        return ranked.assign(rank=pd.Series(places).ffill().astype(int))

    def paired(self, name: str, to: str) -> np.ndarray:
        """How many times as long as `to` network `name` took, by round that visited both."""
        rounds = dict(zip(self.visits.names, self.rounds_ms, strict=True))
        if missing := [one for one in (name, to) if one not in rounds]:
            there = ", ".join(map(str, rounds))
            raise KeyError(f"no network {missing[0]!r} was timed; there are {there}")
        ratios = rounds[name] / rounds[to]
        return ratios[~np.isnan(ratios)]

    def ratio(self, name: str, to: str) -> tuple[float, float, float]:
        """Geometric mean of `paired` with its 95 % interval; NoisyError if that holds 1."""
        mean, low, high = stats.ratio_ci(self.paired(name, to))
        if not (low > 1 or high < 1):
            raise NoisyError(
                f"{name} against {to}: {mean:.3f} times as long, interval {low:.3f} to {high:.3f}; "
                "the noise drowns the difference: more rounds, or a quieter machine"
            )
        return mean, low, high


def check_estimate(estimate: str) -> None:
    if estimate not in ESTIMATES:
        raise ValueError(f"estimate is one of {', '.join(ESTIMATES)}, not {estimate!r}")
