"""What networks of a space cost, as a sum over their blocks: MACs, parameters, or a look-up table's
latencies.

Cai, Zhu & Han 2019, section 3.3: a distribution over networks then has an expected latency,
E[LAT] = sum over the positions of sum_j p_j F(o_j), whose gradient with respect to a logit is
p_k (F(o_k) − E[LAT of the position]).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lightlab.latency import LookupTable, Plan
from lightlab.measure import cost
from lightlab.methods.mnasnet import Meter
from lightlab.space.arch import Arch
from lightlab.space.blocks import Block
from lightlab.space.decisions import Point
from lightlab.space.once_for_all import OfaSpace
from lightlab.space.proxyless import Position, ProxylessSpace


@dataclass(frozen=True)
class Additive:
    """A cost of the networks of a space: what all of them share, and what each candidate adds."""

    fixed: float
    candidates: tuple[tuple[float, ...], ...]

    @classmethod
    def over(
        cls,
        space: ProxylessSpace,
        of: Callable[[Arch], float],
        added: Callable[[Block, Position], float],
    ) -> "Additive":
        """From what a block adds, and one whole network; a block left out adds nothing."""
        found = tuple(
            tuple(0.0 if b is None else float(added(b, p)) for b in p.candidates.values())
            for p in space.positions
        )
        first = (0,) * len(found)
        return cls(float(of(space.decode(first))) - sum(row[0] for row in found), found)

    @classmethod
    def macs(cls, space: ProxylessSpace) -> "Additive":
        """Multiply-accumulates of one image."""
        prices = cost.Prices()
        return cls.over(
            space,
            lambda arch: prices(arch)[0],
            lambda block, at: prices.maps(at.in_channels, at.in_size)[block][0],
        )

    @classmethod
    def latency_ms(cls, space: ProxylessSpace, table: LookupTable) -> "Additive":
        """What `table` predicts; LatencyError names a candidate that it does not hold."""
        return cls.over(
            space,
            table.predict,
            lambda block, at: table.added_ms(block, at.in_channels, at.in_size),
        )

    def of(self, point: Sequence[int]) -> float:
        """Of one network."""
        return self.fixed + sum(row[i] for row, i in zip(self.candidates, point, strict=True))

    def expected(self, chances: Sequence[Tensor], involved: Sequence[Sequence[int]]) -> Tensor:
        """Over the paths that take those of the `involved` candidates by these `chances`, position
        by position; differentiable.
        """
        parts = [
            (p * p.new_tensor([row[i] for i in among])).sum()
            for p, row, among in zip(chances, self.candidates, involved, strict=True)
        ]
        return self.fixed + torch.stack(parts).sum()


def look_up_table(space: ProxylessSpace, plan: Plan, **how: object) -> LookupTable:
    """The table of all candidates of `space`; `how` as in `LookupTable.build`."""
    n = max(space.n_options)
    pure = [space.decode([min(i, m - 1) for m in space.n_options]) for i in range(n)]
    return LookupTable.build(pure, plan=plan, **how)


def priced(
    space: ProxylessSpace, meter: Meter, n: int, seed: int = 0
) -> tuple[Additive, pd.DataFrame]:
    """Latencies of all candidates in the setting of `meter`, and `predictions` of `n` random
    networks that say how far they are right. What the meter's journal holds already is not measured
    again: a search goes on only with the prices that it began with.
    """
    if not meter.journal.of("priced"):
        table, others = _calibrated(space, meter, n, seed)
        price = Additive.latency_ms(space, table)
        checked = predictions(price, others, others.values()).to_dict("list")
        meter.journal.add(kind="priced", **asdict(price), checked=checked)
    (row,) = meter.journal.of("priced")
    price = Additive(row["fixed"], tuple(map(tuple, row["candidates"])))
    return price, pd.DataFrame(row["checked"])


def _calibrated(
    space: ProxylessSpace, meter: Meter, n: int, seed: int
) -> tuple[LookupTable, dict[Point, float]]:
    """The look-up table of all candidates in the setting of `meter`, measured now and calibrated on
    `n` networks of the space: the smallest, the largest, and random ones, which alone are too alike
    for a busy machine. And the latencies of `n` random others, timed in turn with these: what the
    machine did in the meantime is in both.
    """
    how = meter.setting
    table = look_up_table(
        space, meter.plan, runtime=how.runtime, threads=how.threads, batch=how.batch
    )
    drawn = space.sample(np.random.default_rng([seed, 1]), 2 * n - 2)
    points = [space.smallest(), space.largest(), *drawn]
    archs = [space.decode(point) for point in points]
    ms = meter(archs)
    others = dict(zip(points[n:], ms[n:], strict=True))
    return table.calibrate(archs[:n], ms[:n]), others


def predictions(
    price: Additive, points: Iterable[Point], latency_ms: Iterable[float]
) -> pd.DataFrame:
    """predicted_ms of points, beside their measured latency_ms."""
    predicted = [price.of(point) for point in points]
    return pd.DataFrame({"predicted_ms": predicted, "latency_ms": list(latency_ms)})


Added = Callable[[Block, int, int], float]  # of a block for maps of so many channels and pixels


@dataclass(frozen=True, eq=False)
class ElasticCosts:
    """`fixed` (resolutions,) is what all share, `added` (resolutions, layers, kernels, expansions)
    what each layer adds where it stands.
    """

    space: OfaSpace
    fixed: np.ndarray
    added: np.ndarray

    @classmethod
    def over(cls, space: OfaSpace, of: Callable[[Arch], float], added: Added) -> "ElasticCosts":
        """From what a block adds, and one whole network for each resolution."""
        table = np.array([_layers(space, resolution, added) for resolution in space.resolutions])
        costs = cls(space, np.zeros(len(table)), table)
        ends = [(i, *space.smallest()[1:]) for i in range(len(table))]
        whole = np.array([of(space.decode(point)) for point in ends], dtype=float)
        return replace(costs, fixed=whole - costs.of(ends))

    @classmethod
    def macs(cls, space: OfaSpace) -> "ElasticCosts":
        """Multiply-accumulates of one image."""
        return cls._priced(space, 0)

    @classmethod
    def params(cls, space: OfaSpace) -> "ElasticCosts":
        """Trainable parameters of the extracted network."""
        return cls._priced(space, 1)

    @classmethod
    def latency_ms(cls, space: OfaSpace, table: LookupTable) -> "ElasticCosts":
        """What `table` predicts; LatencyError names a layer that it does not hold."""
        return cls.over(space, table.predict, table.added_ms)

    @classmethod
    def _priced(cls, space: OfaSpace, which: int) -> "ElasticCosts":
        prices = cost.Prices()
        return cls.over(
            space,
            lambda arch: prices(arch)[which],
            lambda block, channels, size: prices.maps(channels, size)[block][which],
        )

    def of(self, points: Sequence[Point] | np.ndarray) -> np.ndarray:
        """Of each network, (n,)."""
        index = np.asarray(points, dtype=int).reshape(-1, len(self.space.n_options))
        columns = np.array(self.space.layer_columns)
        resolution, layers = index[:, 0], np.arange(len(columns))
        parts = self.added[resolution[:, None], layers, index[:, columns], index[:, columns + 1]]
        return self.fixed[resolution] + (parts * self.space.present(index)).sum(1)

    def least(self) -> tuple[float, Point]:
        """The smallest cost that there is, exactly, and a network that has it."""
        return min(self._least(i) for i in range(len(self.fixed)))

    def _least(self, resolution: int) -> tuple[float, Point]:
        """Unit by unit: they do not depend on each other."""
        space, total, point = self.space, float(self.fixed[resolution]), [resolution]
        layers = iter(self.added[resolution])
        for depths in space.depths:
            unit = np.array([next(layers) for _ in range(depths[-1])])
            summed = unit.min((1, 2)).cumsum()[np.array(depths) - 1]
            depth = int(summed.argmin())
            point.append(depth)
            for j, layer in enumerate(unit):
                best = np.unravel_index(layer.argmin(), layer.shape)
                point += map(int, best) if j < depths[depth] else (0, 0)
            total += float(summed[depth])
        return total, tuple(point)


def elastic_table(space: OfaSpace, plan: Plan, **how: object) -> LookupTable:
    """The look-up table of all layers of `space`; `how` as in `LookupTable.build`."""
    uniform = [
        space.decode(space.corner(None, expand, kernel, resolution))
        for resolution in space.resolutions
        for kernel in space.kernels
        for expand in space.expands
    ]
    return LookupTable.build(uniform, plan=plan, **how)


def _layers(space: OfaSpace, resolution: int, added: Added) -> list:
    """What every layer adds at that resolution, (layers, kernels, expansions)."""
    frame = replace(space.skeleton, resolution=resolution)
    return [
        [[added(frame.mbconv(i, j, k, e), *at) for e in space.expands] for k in space.kernels]
        for i, unit in enumerate(frame.maps())
        for j, at in enumerate(unit)
    ]
