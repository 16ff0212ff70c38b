"""Costs of all sub-networks of a once-for-all space, from a table: a sum over what stands.

MACs, parameters and a look-up table's latencies add up over the layers, apart from the resolution
and from what all sub-networks share.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lightlab.latency import LookupTable, Plan
from lightlab.measure import cost
from lightlab.space.arch import Arch
from lightlab.space.blocks import Block
from lightlab.space.decisions import Point
from lightlab.space.once_for_all import OfaSpace

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
