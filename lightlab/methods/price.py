"""What the networks of a space cost, as a sum over their blocks: MACs, parameters, or the latencies
of a look-up table.

Cai, Zhu & Han 2019, section 3.3: a distribution over networks then has an expected latency,
E[LAT] = sum over the positions of sum_j p_j F(o_j), whose gradient with respect to a logit is
p_k (F(o_k) − E[LAT of the position]).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lightlab.latency import LookupTable
from lightlab.measure import cost
from lightlab.methods.mnasnet import Meter
from lightlab.space.arch import Arch
from lightlab.space.blocks import Block
from lightlab.space.decisions import Point
from lightlab.space.once_for_all import OfaSpace
from lightlab.space.proxyless import ProxylessSpace


@dataclass(frozen=True, eq=False)
class Price:
    """One cost of all networks of `space`: `fixed` (resolutions,) is what they share, `added` holds
    for each position what its candidates add, (resolutions, candidates).
    """

    space: ProxylessSpace | OfaSpace
    fixed: np.ndarray
    added: Sequence[np.ndarray]

    @classmethod
    def over(
        cls,
        space: ProxylessSpace | OfaSpace,
        of: Callable[[Arch], float],
        block: Callable[[Block, int, int], float],
    ) -> "Price":
        """From whole networks, and from what a block adds to one on maps of so many channels and
        pixels; a block left out adds nothing.
        """
        n = len(space.resolutions)
        added = [
            np.array([[block(b, *p.maps) if b else 0.0 for b in p.candidates.values()] for p in at])
            for at in zip(*map(space.positions_at, space.resolutions), strict=True)
        ]
        price = cls(space, np.zeros(n), added)
        some = [(i, *[0] * (len(space.n_options) - 1)) for i in range(n)]  # one a resolution
        whole = np.array([of(space.decode(point)) for point in some], dtype=float)
        return replace(price, fixed=whole - price.of(some))

    @classmethod
    def macs(cls, space: ProxylessSpace | OfaSpace) -> "Price":
        """Multiply-accumulates of one image."""
        return cls._counted(space, 0)

    @classmethod
    def param_count(cls, space: ProxylessSpace | OfaSpace) -> "Price":
        """Trainable parameters."""
        return cls._counted(space, 1)

    @classmethod
    def latency_ms(cls, space: ProxylessSpace | OfaSpace, table: LookupTable) -> "Price":
        """What `table` predicts; ValueError names a block that it does not hold."""
        return cls.over(space, table.predict, table.added_ms)

    @classmethod
    def _counted(cls, space: ProxylessSpace | OfaSpace, which: int) -> "Price":
        prices = cost.Prices()
        return cls.over(
            space,
            lambda arch: prices(arch)[which],
            lambda block, channels, size: prices.maps(channels, size)[block][which],
        )

    def of(self, points: Sequence[Point] | np.ndarray | Point) -> Any:
        """Of each network, (n,); of a single point one number."""
        at, taken = self.space.taken(points)
        found = self.fixed[at] + sum(part[at, taken[:, j]] for j, part in enumerate(self.added))
        single = np.shape(points) == (len(self.space.n_options),)
        return float(found[0]) if single else found

    def expected(self, chances: Sequence[Tensor], involved: Sequence[Sequence[int]]) -> Tensor:
        """Over the paths that take those of the `involved` candidates by these `chances`, position
        by position; differentiable. Of a space with one resolution.
        """
        parts = [
            (p * p.new_tensor(part[0, list(among)])).sum()
            for p, part, among in zip(chances, self.added, involved, strict=True)
        ]
        return float(self.fixed[0]) + torch.stack(parts).sum()

    def plain(self) -> dict[str, Any]:
        """`fixed` and `added` as lists of numbers."""
        return {"fixed": self.fixed.tolist(), "added": [part.tolist() for part in self.added]}


def price_latency(
    space: ProxylessSpace | OfaSpace, meter: Meter, n: int = 12, n_checked: int = 0, seed: int = 0
) -> tuple[Price, pd.DataFrame]:
    """Latencies in the setting of `meter`: a look-up table measured now and calibrated on `n`
    networks: the smallest, the largest, and random ones, alone too alike for a busy machine. And
    `predictions` of `n_checked` other random networks, timed in turn with these.

    What the meter's journal holds already is not measured again: a search goes on only with the
    prices that it began with.
    """
    if not meter.journal.of("price"):
        table = LookupTable.build(space.uniform(), setting=meter.setting, plan=meter.plan)
        drawn = space.sample(np.random.default_rng([seed, 1]), n - 2 + n_checked)
        points = [space.smallest(), space.largest(), *drawn]
        archs = [space.decode(point) for point in points]
        ms = meter(archs)
        price = Price.latency_ms(space, table.calibrate(archs[:n], ms[:n]))
        checked = predictions(price, points[n:], ms[n:]).to_dict("list")
        meter.journal.add(kind="price", **price.plain(), checked=checked)
    (row,) = meter.journal.of("price")
    price = Price(space, np.array(row["fixed"]), [np.array(part) for part in row["added"]])
    return price, pd.DataFrame(row["checked"])


def predictions(price: Price, points: Sequence[Point], latency_ms: Iterable[float]) -> pd.DataFrame:
    """predicted_ms of points, beside their measured latency_ms."""
    return pd.DataFrame({"predicted_ms": price.of(points), "latency_ms": list(latency_ms)})
