"""Once-for-All's space: every unit chooses its depth, every layer its kernel and its width.

Cai et al. 2020 (arXiv 1908.09791), section 3.2: of units of at most four inverted bottlenecks the
first D are kept, with kernel 3, 5 or 7 and expansion 3, 4 or 6 each; and the resolution.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from lightlab.space.arch import Arch, Head, encode
from lightlab.space.blocks import Block, decode_block
from lightlab.space.decisions import Decision, DecisionSpace, Point
from lightlab.space.proxyless import PROXYLESS, ZERO, Position
from lightlab.space.skeleton import Skeleton, Stage

KERNELS, EXPANDS, DEPTHS = (3, 5, 7), (3, 4, 6), (2, 3, 4)
RESOLUTIONS = tuple(range(128, 225, 4))
RESOLUTION = "resolution"

# The paper's two: MobileNetV3's order of squeeze-excite and h-swish (width 1.0; 1.2 was used too),
# and ProxylessNAS's widths times 1.3.
OFA_MOBILENET_V3 = Skeleton(
    resolution=224,
    stem=decode_block("conv_k3_s2_c16_hswish"),
    first=(decode_block("mb_k3_s1_e1_c16"),),
    stages=(
        Stage(24, 4, 2, "relu"),
        Stage(40, 4, 2, "relu", 0.25),
        Stage(80, 4, 2, "hswish"),
        Stage(112, 4, 1, "hswish", 0.25),
        Stage(160, 4, 2, "hswish", 0.25),
    ),
    last=(),
    head=Head(960, 1280, act="hswish", hidden_bias=False),
)
OFA_PROXYLESS = PROXYLESS.scaled(1.3)


def like_mobilenet_v3(skeleton: Skeleton) -> Skeleton:
    """`skeleton` as MobileNetV3 is in OFA: h-swish in the stem, the head and the later half of the
    stages, squeeze-excite in every second stage and the last.
    """
    n = len(skeleton.stages)
    stages = tuple(
        replace(
            stage,
            act="relu" if 2 * i < n - 1 else "hswish",
            se_ratio=0.25 if i % 2 or i == n - 1 else 0,
        )
        for i, stage in enumerate(skeleton.stages)
    )
    stem, head = (replace(part, act="hswish") for part in (skeleton.stem, skeleton.head))
    first = tuple(replace(block, act="relu") for block in skeleton.first)
    return replace(skeleton, stem=stem, first=first, stages=stages, head=head)


class OfaSpace(DecisionSpace):
    """The sub-networks of a once-for-all network over `skeleton`, whose stages are its units.

    Decisions RESOLUTION, and for every unit "1.depth", then "1.1.kernel", "1.1.expand" and so on
    for every layer; beyond the depth they say nothing: see `canonical`. A unit of fewer layers than
    the least of `depths` keeps them all. `resolutions` empty: the skeleton's. Points decode to an
    `Arch`. ValueError where a unit's layers are not its greatest depth, a kernel is even, options
    stand twice or not in order, or two neighbouring units could not be told apart.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        kernels: Sequence[int] = KERNELS,
        expands: Sequence[float] = EXPANDS,
        depths: Sequence[int] = DEPTHS,
        resolutions: Sequence[int] = (),
    ) -> None:
        self.kernels, self.expands = tuple(kernels), tuple(expands)
        self.resolutions = tuple(resolutions) or (skeleton.resolution,)
        self.skeleton = replace(skeleton, resolution=max(self.resolutions))
        self.depths = tuple(_depths(stage, depths) for stage in skeleton.stages)
        for options in (self.kernels, self.expands, tuple(depths), self.resolutions):
            if list(options) != sorted(set(options)) or not options:
                raise ValueError(f"options have to rise, from the smallest on: not {options}")
        if even := [k for k in self.kernels if k % 2 == 0]:
            raise ValueError(f"kernels have to be odd, not {even[0]}")
        for i, (one, other) in enumerate(pairwise(skeleton.stages), 1):
            if replace(one, layers=0, stride=1) == replace(other, layers=0):
                raise ValueError(f"units {i} and {i + 1} are alike: give them different channels")
        decisions = [Decision(RESOLUTION, self.resolutions)]
        for i, (stage, options) in enumerate(zip(skeleton.stages, self.depths, strict=True), 1):
            decisions.append(Decision(f"{i}.depth", options))
            for j in range(1, stage.layers + 1):
                decisions.append(Decision(f"{i}.{j}.kernel", self.kernels))
                decisions.append(Decision(f"{i}.{j}.expand", self.expands))
        super().__init__(decisions)
        kinds = [decision.name.rpartition(".")[2] for decision in decisions]
        self.depth_columns = [i for i, kind in enumerate(kinds) if kind == "depth"]
        # of the kernels; the expansion stands behind each
        self.layer_columns = [i for i, kind in enumerate(kinds) if kind == "kernel"]

    def __repr__(self) -> str:
        return f"OfaSpace of {len(self.depths)} units, {self.n_archs()} networks"

    def identity(self) -> dict[str, str]:
        """What tells this space from others, as texts: its largest network and its decisions."""
        decisions = [{"name": d.name, "options": list(d.options)} for d in self.decisions]
        largest = encode(self.decode(self.corner()))
        return {"largest": largest, "decisions": json.dumps(decisions)}

    def n_archs(self) -> int:
        """Sub-networks, resolutions apart: the units' product of sum_D (kernels · expansions)^D."""
        layer = len(self.kernels) * len(self.expands)
        return math.prod(sum(layer**depth for depth in options) for options in self.depths)

    def layers(self, point: Sequence[int]) -> list[Block | None]:
        """Every layer of every unit, None where it does not stand."""
        options = self.options(point)
        found: list[Block | None] = []
        for i, depths in enumerate(self.depths):
            for j in range(depths[-1]):
                kernel, expand = (options[f"{i + 1}.{j + 1}.{w}"] for w in ("kernel", "expand"))
                stands = j < options[f"{i + 1}.depth"]
                found.append(self.skeleton.mbconv(i, j, kernel, expand) if stands else None)
        return found

    def decode(self, point: Sequence[int]) -> Arch:
        """The network of `point`."""
        arch = self.skeleton.arch([block for block in self.layers(point) if block is not None])
        return replace(arch, resolution=self.resolutions[point[0]])

    def positions_at(self, resolution: int) -> list[Position]:
        """Every layer of every unit for images of so many pixels; ZERO last: it does not stand."""
        frame = replace(self.skeleton, resolution=resolution)
        designs = {f"k{k}_e{e}": (k, e) for k in self.kernels for e in self.expands}
        return [
            Position(
                f"{i + 1}.{j + 1}",
                maps,
                {name: frame.mbconv(i, j, *how) for name, how in designs.items()} | {ZERO: None},
            )
            for i, unit in enumerate(frame.maps())
            for j, maps in enumerate(unit)
        ]

    def taken(self, points: Sequence[Point] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the resolution (n,) and of what stands in `positions_at` (n, layers)."""
        index = np.asarray(points, dtype=int).reshape(-1, len(self.n_options))
        columns, n_expands = np.array(self.layer_columns), len(self.expands)
        designs = index[:, columns] * n_expands + index[:, columns + 1]
        none = len(self.kernels) * n_expands
        return index[:, 0], np.where(self.present(index), designs, none)

    def uniform(self) -> list[Arch]:
        """Networks that together hold every layer in every form, at every resolution."""
        return [
            self.decode(self.corner(None, expand, kernel, resolution))
            for resolution in self.resolutions
            for kernel in self.kernels
            for expand in self.expands
        ]

    def present(self, points: Sequence[Point] | np.ndarray) -> np.ndarray:
        """Which layers stand, (n, layers) of bool, unit by unit."""
        index = np.asarray(points, dtype=int).reshape(-1, len(self.n_options))
        parts = []
        for column, options in zip(self.depth_columns, self.depths, strict=True):
            depth = np.array(options)[index[:, column]]
            parts.append(np.arange(options[-1]) < depth[:, None])
        return np.concatenate(parts, axis=1)

    def canonical(self, points: Sequence[Point] | np.ndarray) -> np.ndarray:
        """`points` (n, decisions) with the first option wherever a layer does not stand: equal rows
        are equal networks.
        """
        index = np.array(points, dtype=int).reshape(-1, len(self.n_options))
        gone = ~self.present(index)
        for at, column in enumerate(self.layer_columns):
            index[gone[:, at], column : column + 2] = 0
        return index

    def encode(self, points: Sequence[Point] | np.ndarray) -> np.ndarray:
        """One-hot rows as `DecisionSpace.encode`, with zeros for layers that do not stand (OFA)."""
        index = self.canonical(points)
        rows, gone = super().encode(index), ~self.present(index)
        starts = np.cumsum([0, *self.n_options])
        for at, column in enumerate(self.layer_columns):
            rows[gone[:, at], starts[column] : starts[column + 2]] = 0
        return rows

    def corner(
        self,
        depth: int | None = None,
        expand: float | None = None,
        kernel: int | None = None,
        resolution: int | None = None,
    ) -> Point:
        """The network with the same choice in every layer; None is the largest there is.

        A unit without that depth takes its nearest. ValueError for what is no option.
        """
        point = []
        for decision in self.decisions:
            what = decision.name.rpartition(".")[2]
            wanted = {"depth": depth, "expand": expand, "kernel": kernel}.get(what, resolution)
            if wanted is not None and what == "depth" and depth in set().union(*self.depths):
                wanted = min(decision.options, key=lambda d: abs(d - depth))
            point.append(len(decision.options) - 1 if wanted is None else decision.index(wanted))
        return tuple(point)

    def smallest(self) -> Point:
        """The least of everything."""
        return (0,) * len(self.n_options)

    def largest(self) -> Point:
        """The most of everything."""
        return self.corner()

    def find(self, arch: Arch) -> Point:
        """The canonical point of `arch`; ValueError says where there is none."""
        skeleton, decisions = self.skeleton, self.decisions
        searched = skeleton.searched(replace(arch, resolution=skeleton.resolution))
        point, at = [decisions[0].index(arch.resolution)], 0
        for i, options in enumerate(self.depths):
            layers = []
            for block in searched[at : at + options[-1]]:
                if block != skeleton.mbconv(i, len(layers), block.kernel_size, block.expand_ratio):
                    break
                layers.append(block)
            at += len(layers)
            point.append(decisions[len(point)].index(len(layers)))
            for block in layers:
                point.append(decisions[len(point)].index(block.kernel_size))
                point.append(decisions[len(point)].index(block.expand_ratio))
            point += [0, 0] * (options[-1] - len(layers))
        if at < len(searched):
            raise ValueError(f"no layer is left for {searched[at]}")
        return tuple(point)


def _depths(stage: Stage, depths: Sequence[int]) -> tuple[int, ...]:
    if stage.layers < min(depths):
        return (stage.layers,)
    found = tuple(d for d in depths if d <= stage.layers)
    if found[-1] != stage.layers:
        raise ValueError(f"{stage} has more layers than any of the depths {tuple(depths)}")
    return found
