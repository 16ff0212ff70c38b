"""A sub-network for a device: evolution on a predictor of accuracy, within limits (OFA's code).

Cai et al. 2020, section 3.4 and appendix A: the predictor has three hidden layers of 400 units over
a one-hot code. Candidates beyond a limit are drawn again, never punished.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from sklearn.linear_model import LinearRegression, RidgeCV
from torch import Tensor
from torch.nn import functional as F

from lightlab.measure.machine import torch_threads
from lightlab.methods.price import Price
from lightlab.search.searcher import SearchError
from lightlab.space.decisions import Point
from lightlab.space.once_for_all import OfaSpace

Score = Callable[[np.ndarray], np.ndarray]  # of points (n, decisions), (n,)
Predictor = Callable[[np.ndarray, np.ndarray], np.ndarray]  # codes (n, d), MACs (n,): %, (n,)

MAX_DRAWS = 200  # batches of candidates, of which the first within the limits are taken
LEAST_SAMPLES = 4
MEMBERS, STEPS, DECAY = 3, 150, 1e-2


class MLP:
    """An ensemble of perceptrons that share nothing but the data; their spread is the uncertainty.

    MEMBERS networks of three layers of 400 units, trained together by Adam for STEPS full batches,
    with the first author's rate of 1e-3, and an output that begins at the mean. His weight decay of
    1e-4 is for 16,000 samples: with 240 it leaves nearly twice the error of DECAY
    (benchmarks/once_for_all.md).
    """

    def __init__(
        self, codes: np.ndarray, accuracy: np.ndarray, *, decay: float = DECAY, seed: int = 0
    ) -> None:
        X, y = torch.from_numpy(np.asarray(codes, dtype=np.float32)), np.asarray(accuracy)
        _check(X, y)
        self._mean, self._scale = float(y.mean()), float(y.std()) or 1.0
        target = torch.from_numpy((y - self._mean) / self._scale).float()
        generator = torch.Generator().manual_seed(seed)
        self._layers = []
        for a, b in pairwise([X.shape[1], 400, 400, 400, 1]):
            weight = torch.randn(MEMBERS, a, b, generator=generator) * (2 / a) ** 0.5  # He 2015
            bias = torch.zeros(MEMBERS, 1, b, requires_grad=True)
            self._layers.append((weight.requires_grad_(), bias))
        with torch.no_grad():
            self._layers[-1][0].mul_(0.01)  # begins at the mean
        parameters = [p for layer in self._layers for p in layer]
        adam = torch.optim.Adam(parameters, lr=1e-3, weight_decay=decay, fused=True)
        with torch_threads(1):  # small products: a second thread gains little and may cost all
            for _ in range(STEPS):
                adam.zero_grad(set_to_none=True)
                F.mse_loss(self._forward(X), target.expand(MEMBERS, -1)).backward()
                adam.step()
        for parameter in parameters:
            parameter.requires_grad_(False)

    def _forward(self, X: Tensor) -> Tensor:
        """Outputs (members, n)."""
        h = X.expand(len(self._layers[0][0]), -1, -1)
        for i, (weight, bias) in enumerate(self._layers):
            h = torch.baddbmm(bias, h, weight)
            h = h.relu_() if i < len(self._layers) - 1 else h
        return h[..., 0]

    def each(self, codes: np.ndarray) -> np.ndarray:
        """What every member says, (members, n), in %."""
        rows = torch.from_numpy(np.asarray(codes, dtype=np.float32)).split(8192)
        found = torch.cat([self._forward(part) for part in rows], dim=1)
        return self._mean + self._scale * found.numpy().astype(float)

    def __call__(self, codes: np.ndarray, macs: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """Mean over the members, (n,), in %."""
        return self.each(codes).mean(0)


def linear(codes: np.ndarray, accuracy: np.ndarray) -> Predictor:
    """Ridge regression on the code, its penalty by leave-one-out."""
    _check(codes, accuracy)
    model = RidgeCV(np.logspace(-2, 3, 11)).fit(codes, accuracy)
    return lambda codes, macs: model.predict(codes)  # noqa: ARG005


def macs_only(macs: np.ndarray, accuracy: np.ndarray) -> Predictor:
    """A straight line over the logarithm of the MACs."""
    _check(macs, accuracy)
    model = LinearRegression().fit(np.log(macs)[:, None], accuracy)
    return lambda codes, macs: model.predict(np.log(macs)[:, None])  # noqa: ARG005


MODELS = {
    "perceptrons": lambda codes, macs, y, seed: MLP(codes, y, seed=seed),  # noqa: ARG005
    "linear": lambda codes, macs, y, seed: linear(codes, y),  # noqa: ARG005
    "MACs only": lambda codes, macs, y, seed: macs_only(macs, y),  # noqa: ARG005
}


def _check(codes: np.ndarray | Tensor, accuracy: np.ndarray) -> None:
    if len(codes) != len(accuracy) or len(accuracy) < LEAST_SAMPLES:
        raise ValueError(
            f"{len(codes)} networks and {len(accuracy)} accuracies: a predictor needs as many of "
            f"both, {LEAST_SAMPLES} or more"
        )


def make_score(space: OfaSpace, model: Predictor) -> Score:
    """What evolution asks: the accuracies that `model` predicts for points."""
    macs = Price.macs(space)
    return lambda points: model(space.encode(points), macs.of(points))


@dataclass(frozen=True)
class Evolution:
    """The settings of the authors' code: `population` networks, of which the share `parents` have
    children for so many `generations`; the share `mutated` of these by mutation, each decision
    taken anew with chance `p_gene` (`p_resolution`: the resolution's), the others by crossover.
    """

    population: int = 100
    generations: int = 500
    parents: float = 0.25
    mutated: float = 0.5
    p_gene: float = 0.1
    p_resolution: float = 0.5

    def __post_init__(self) -> None:
        rules = {
            "population >= 4": self.population >= 4,
            "generations >= 1": self.generations >= 1,
            "0 < parents <= 1": 0 < self.parents <= 1,
            "0 <= mutated <= 1": 0 <= self.mutated <= 1,
            "0 < p_gene <= 1": 0 < self.p_gene <= 1,
            "0 <= p_resolution <= 1": 0 <= self.p_resolution <= 1,
        }
        if broken := [rule for rule, holds in rules.items() if not holds]:
            raise SearchError(f"this evolution needs {'; '.join(broken)}")

    @property
    def calls(self) -> int:
        """Of the predictor, in all."""
        return self.population * (1 + self.generations)


@dataclass(frozen=True)
class Chosen:
    """The best network found, what the predictor says of it, and how often that was asked."""

    point: Point
    score: float
    calls: int


def cheapest(price: Price) -> tuple[float, Point]:
    """The smallest cost that there is, exactly, and a network that has it."""
    space, found = price.space, []
    for resolution, total in enumerate(price.fixed.astype(float).tolist()):
        point, layers = [resolution], iter(price.added)
        for depths in space.depths:  # unit by unit: they do not depend on each other
            unit = [next(layers)[resolution, :-1] for _ in range(depths[-1])]
            summed = np.cumsum([designs.min() for designs in unit])[np.array(depths) - 1]
            depth = int(summed.argmin())
            point.append(depth)
            for j, designs in enumerate(unit):
                best = divmod(int(designs.argmin()), len(space.expands))
                point += best if j < depths[depth] else (0, 0)
            total += float(summed[depth])
        found.append((total, tuple(point)))
    return min(found)


@dataclass(frozen=True)
class Limits:
    """What the chosen network may cost: by name a price and the most of it. SearchError, with the
    least that there is, where no network keeps to one of them.
    """

    of: Mapping[str, tuple[Price, float]]

    def __post_init__(self) -> None:
        for name, (costs, most) in self.of.items():
            least, _ = cheapest(costs)
            if not most >= least:
                raise SearchError(
                    f"no network has {name} of {most:.4g}: the smallest possible is {least:.4g}"
                )

    @classmethod
    def latency_ms(cls, price: Price, most: float) -> "Limits":
        return cls({"latency in ms": (price, most)})

    def keep(self, points: np.ndarray) -> np.ndarray:
        """Those of `points` (n, decisions) that keep to all of them."""
        fits = np.ones(len(points), dtype=bool)
        for costs, most in self.of.values():
            fits &= costs.of(points) <= most
        return points[fits]

    def draw(self, n: int, candidates: Callable[[int], np.ndarray]) -> np.ndarray:
        """The first `n` of the `candidates`, drawn batch by batch, that keep to the limits; where
        they are rare, the least expensive networks and those found so far fill up. SearchError
        where no network was found that keeps to all limits at once.
        """
        found: list[np.ndarray] = []
        for _ in range(MAX_DRAWS):
            found.append(self.keep(candidates(n)))
            if sum(map(len, found)) >= n:
                return np.concatenate(found)[:n]
        found.append(self.keep(np.array([cheapest(costs)[1] for costs, _ in self.of.values()])))
        kept = np.concatenate(found)
        if not len(kept):
            raise SearchError(f"found no network within {', '.join(self.of)} at once")
        return kept[np.arange(n) % len(kept)]


def evolve(
    space: OfaSpace,
    score: Score,
    limits: Limits,
    settings: Evolution = Evolution(),
    seed: int = 0,
) -> Chosen:
    """The network of highest `score` within `limits` that evolution finds."""
    how, rng = settings, np.random.default_rng(seed)
    n_parents = max(2, round(how.parents * how.population))
    n_mutated = round(how.mutated * how.population)
    chance = np.full(len(space.n_options), how.p_gene)
    chance[0] = how.p_resolution
    people = limits.draw(how.population, partial(_random, space, rng))
    worth = score(people)

    def mutants(n: int) -> np.ndarray:
        chosen = parents[rng.integers(len(parents), size=n)]
        return np.where(rng.random(chosen.shape) < chance, _random(space, rng, n), chosen)

    def crossed(n: int) -> np.ndarray:
        a, b = parents[rng.integers(len(parents), size=(2, n))]
        return np.where(rng.random(a.shape) < 0.5, a, b)

    for _ in range(how.generations):
        best = np.argsort(-worth, kind="stable")[:n_parents]
        parents, kept = people[best], worth[best]
        makers = (n_mutated, mutants), (how.population - n_mutated, crossed)
        children = np.concatenate([limits.draw(n, make) for n, make in makers if n])
        people = np.concatenate([parents, children])
        worth = np.concatenate([kept, score(children)])
    return _best(space, people, worth, how.calls)


def random_search(
    space: OfaSpace, score: Score, limits: Limits, calls: int, seed: int = 0
) -> Chosen:
    """The best of as many random networks within the limits, in batches of a hundred."""
    rng = np.random.default_rng(seed)
    kept, worth = [], []
    for i in range(math.ceil(calls / 100)):
        points = limits.draw(min(100, calls - 100 * i), partial(_random, space, rng))
        values = score(points)
        kept.append(points[values.argmax()])
        worth.append(float(values.max()))
    return _best(space, np.array(kept), np.array(worth), calls)


def _best(space: OfaSpace, people: np.ndarray, worth: np.ndarray, calls: int) -> Chosen:
    at = int(worth.argmax())
    point = tuple(space.canonical(people[at : at + 1])[0].tolist())
    return Chosen(point, float(worth[at]), calls)


def _random(space: OfaSpace, rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(space.n_options, size=(n, len(space.n_options)))
