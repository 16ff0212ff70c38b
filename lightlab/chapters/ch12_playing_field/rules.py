"""The rules that all methods share, and what a method hands over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightlab import latency, train
from lightlab.data import DataSet
from lightlab.disk import Journal
from lightlab.methods.mnasnet import Meter
from lightlab.methods.price import Price, price_latency
from lightlab.nets.build import Network
from lightlab.space.arch import Arch
from lightlab.space.decisions import Point
from lightlab.space.once_for_all import OfaSpace
from lightlab.space.proxyless import ProxylessSpace
from lightlab.space.skeleton import Skeleton

PLAN = latency.Plan.brief(8)
N_TIMED = 12  # random networks, for the table's calibration and as many for its check


@dataclass(frozen=True)
class Pick:
    """The network that a method found for a target, and what the search took for this target and
    once for all, in images seen in training and seconds of one core.
    """

    arch: Arch
    samples: int
    seconds: float
    shared_samples: int = 0
    shared_seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Rules:
    """One space in two forms (see `spaces`), latencies for both, images, and the `recipe` of every
    training: candidates are trained for `proxy_epochs`, a budget is in passes over the images.
    """

    space: ProxylessSpace
    elastic: OfaSpace
    price: Price
    elastic_price: Price
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
        return train.train_each({0: job}, workers=1, progress=False)[0].network()

    def validate(self, network: Network) -> float:
        """Accuracy on the validation images, %."""
        return 100 * train.evaluate(network, self.images.val)["accuracy"]

    def targets(self, n: int) -> np.ndarray:
        """`n` latencies in equal ratios, strictly between the least and the most, (n,) ms."""
        least, most = (
            self.price.fixed[0] + sum(extreme(part[0]) for part in self.price.added)
            for extreme in (np.min, np.max)
        )
        return np.geomspace(least, most, n + 2)[1:-1]


def spaces(
    images: DataSet,
    channels: Sequence[int],
    layers: int,
    kernels: Sequence[int],
    expands: Sequence[float],
) -> tuple[ProxylessSpace, OfaSpace]:
    """Two forms of one space, of the same networks: blocks are left out anywhere, or the first D of
    a stage stay.
    """
    skeleton = Skeleton.small(images.input_shape, len(images.class_names), channels, layers)
    designs = {f"k{k}_e{e}": (k, e) for k in kernels for e in expands}
    ordered = sorted(set(kernels)), sorted(set(expands))
    return ProxylessSpace(skeleton, designs), OfaSpace(skeleton, *ordered, range(1, layers + 1))


def meter(space: ProxylessSpace, device: str, kept: Path) -> Meter:
    """Latencies in the setting `device` ("onnxruntime/1/1"); times lie in the folder `kept`."""
    first, setting = space.decode(space.unrank(0)), latency.Setting.of(device)
    return Meter(first, setting, PLAN, Journal(kept / "times.jsonl"))


def agree(
    space: ProxylessSpace,
    elastic: OfaSpace,
    meter: Meter,
    images: DataSet,
    recipe: train.Recipe,
    proxy_epochs: float,
    seed: int = 0,
) -> tuple[Rules, dict[str, float]]:
    """The rules on this machine, latencies by a table in the setting of `meter`, and how far it is
    right for random networks. All that is timed later is to be timed by the same meter.
    """
    price, checked = price_latency(space, meter, N_TIMED, N_TIMED, seed)
    added = {
        (block, *position.maps): ms
        for position, part in zip(space.positions, price.added, strict=True)
        for block, ms in zip(position.candidates.values(), part[0], strict=True)
    }
    elastic_price = Price.over(
        elastic, lambda arch: price.of(space.find(arch)), lambda *block: added[block]
    )
    rules = Rules(space, elastic, price, elastic_price, images, recipe, proxy_epochs)
    return rules, latency.agreement(checked["predicted_ms"], checked["latency_ms"])
