"""The conditions that all methods share, and what a method hands over."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightlab.measure import latency, train
from lightlab.measure.additive import Additive
from lightlab.measure.data import DataSet
from lightlab.measure.elastic_cost import ElasticCosts
from lightlab.measure.proxy import Meter
from lightlab.nets import whole_file
from lightlab.nets.build import Network
from lightlab.search.draws import SearchError
from lightlab.search.proxyless.study import calibrated_table
from lightlab.space.arch import Arch
from lightlab.space.decisions import Point
from lightlab.space.spaces import OfaSpace, ProxylessSpace, Skeleton


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
    images: DataSet,
    skeleton: Skeleton,
    designs: Mapping[str, tuple[int, int]],
    recipe: train.Recipe,
    proxy_epochs: float,
    where: str,
    plan: latency.Plan,
    seed: int = 0,
    n_timed: int = 12,
    kept: Path | None = None,
) -> Field:
    """The field on this machine: the table of all pieces of the space, measured now in the setting
    `where` and calibrated on `n_timed` random networks; or, where it lies in the folder `kept`
    already, that one: it must not change under a race that was interrupted.

    SearchError unless `designs` are all combinations of some kernels and some expansions.
    """
    kernels, expands = (sorted(set(options)) for options in zip(*designs.values(), strict=True))
    if set(designs.values()) != {(k, e) for k in kernels for e in expands}:
        raise SearchError(f"{list(designs)} are not all combinations of kernels and expansions")
    space = ProxylessSpace(skeleton, designs)
    depths = range(1, max(stage.layers for stage in skeleton.stages) + 1)
    elastic = OfaSpace(skeleton, kernels, expands, depths)
    first = space.decode((0,) * len(space.n_options))
    meter = Meter(first, latency.Setting.of(where), plan)
    path = kept and Path(kept) / "table.pickle"
    table, _ = whole_file.once(path, calibrated_table, space, meter, n_timed, seed)
    prices = Additive.latency_ms(space, table), ElasticCosts.latency_ms(elastic, table)
    return Field(space, elastic, *prices, images, recipe, proxy_epochs)


def targets(field: Field, n: int) -> np.ndarray:
    """`n` latencies in equal ratios between the fastest network and the slowest, both left out,
    (n,) ms.
    """
    rows = field.price.candidates
    least = field.price.fixed + sum(map(min, rows))
    most = field.price.fixed + sum(map(max, rows))
    return np.geomspace(least, most, n + 2)[1:-1]
