"""The conditions that all methods share, and what a method hands over."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lightlab import train
from lightlab.data import DataSet
from lightlab.methods.once_for_all.elastic_cost import ElasticCosts
from lightlab.methods.proxy import Meter
from lightlab.methods.proxyless.additive import Additive
from lightlab.methods.proxyless.study import priced
from lightlab.nets.build import Network
from lightlab.search.draws import SearchError
from lightlab.space.arch import Arch
from lightlab.space.decisions import Point
from lightlab.space.spaces import OfaSpace, ProxylessSpace


@dataclass(frozen=True)
class Pick:
    """What a method found for a target: the network, what the search for this target took, and
    what it took once for all targets, in training samples (images seen) and seconds of one core.
    """

    arch: Arch
    samples: int
    seconds: float
    shared_samples: int = 0
    shared_seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Field:
    """One space in two forms that hold the same networks (blocks left out anywhere; the first D of
    a stage), one table's latencies for both, images, and the `recipe` of every training: candidates
    are trained for `proxy_epochs` of it, a budget is in passes over the training images.
    """

    space: ProxylessSpace
    elastic: OfaSpace
    price: Additive
    elastic_price: ElasticCosts
    images: DataSet
    recipe: train.Recipe
    proxy_epochs: float

    def samples(self, passes: float) -> int:
        """Images seen in so many passes."""
        return train.samples(replace(self.recipe, epochs=passes), len(self.images.train))

    def within(self, target_ms: float, point: Point) -> bool:
        """Whether the network of `point` is predicted to be as fast."""
        return self.price.of(point) <= target_ms

    def train(self, arch: Arch, epochs: float, seed: int) -> Network:
        """The network trained from new weights, on one thread."""
        job = train.Job(arch, self.images.train, replace(self.recipe, epochs=epochs), seed)
        return train.fit_many([job], workers=1, progress=False)[0].network()

    def validated(self, network: Network) -> float:
        """Accuracy on the validation images, %."""
        return 100 * train.evaluate(network, self.images.val)["accuracy"]


def conditions(
    space: ProxylessSpace,
    images: DataSet,
    recipe: train.Recipe,
    proxy_epochs: float,
    meter: Meter,
    seed: int = 0,
    n_timed: int = 12,
) -> tuple[Field, pd.DataFrame]:
    """The field on this machine, latencies by a table in the setting of `meter`, and how far it is
    right: see `priced`, `n_timed` random networks. All that is timed later is to be timed by the
    same meter, that counts as the machine was now.

    SearchError unless the designs of `space` are all combinations of some kernels and expansions.
    """
    blocks = [b for b in space.positions[0].candidates.values() if b is not None]
    designs = {(b.kernel_size, b.expand_ratio) for b in blocks}
    kernels, expands = (sorted(set(options)) for options in zip(*designs, strict=True))
    if designs != {(k, e) for k in kernels for e in expands}:
        raise SearchError(f"{sorted(designs)} are not all combinations of kernels and expansions")
    skeleton = space.skeleton
    depths = range(1, max(stage.layers for stage in skeleton.stages) + 1)
    elastic = OfaSpace(skeleton, kernels, expands, depths)
    price, checked = priced(space, meter, n_timed, seed)
    elastic_price = _elastic(price, space, elastic)
    return Field(space, elastic, price, elastic_price, images, recipe, proxy_epochs), checked


def _elastic(price: Additive, space: ProxylessSpace, elastic: OfaSpace) -> ElasticCosts:
    """The same prices for the other form of the space."""
    added = {
        (block, position.in_channels, position.in_size): ms
        for position, row in zip(space.positions, price.candidates, strict=True)
        for block, ms in zip(position.candidates.values(), row, strict=True)
    }
    return ElasticCosts.over(
        elastic, lambda arch: price.of(space.find(arch)), lambda *block: added[block]
    )


def targets(field: Field, n: int) -> np.ndarray:
    """`n` latencies in equal ratios between the fastest network and the slowest, both left out,
    (n,) ms.
    """
    rows = field.price.candidates
    least = field.price.fixed + sum(map(min, rows))
    most = field.price.fixed + sum(map(max, rows))
    return np.geomspace(least, most, n + 2)[1:-1]
