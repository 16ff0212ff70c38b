"""Costs that add up over a network's blocks, so that they have an expectation over its paths.

Cai, Zhu & Han 2019, section 3.3: the latency of a network is that of its operations one by one, and
of a distribution over networks E[LAT] = sum over the positions of sum_j p_j F(o_j), whose gradient
with respect to a logit is p_k (F(o_k) − E[LAT of the position]).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lightlab.latency import LookupTable, Plan
from lightlab.measure import cost
from lightlab.space.arch import Arch, Block
from lightlab.space.spaces import Position, ProxylessSpace


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

        def added(block: Block, at: Position) -> float:
            return prices.maps(at.in_channels, at.in_size)[block][0]

        return cls.over(space, lambda arch: prices(arch)[0], added)

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


def look_up_table(space: ProxylessSpace, plan: Plan | None = None, **how: object) -> LookupTable:
    """The table of all candidates of `space`; `how` as in `LookupTable.build`."""
    n = max(space.n_options)
    pure = [space.decode([min(i, m - 1) for m in space.n_options]) for i in range(n)]
    return LookupTable.build(pure, **({"plan": plan} if plan else {}), **how)
