"""A sub-network for a device: evolution on the predictor, within a limit (OFA's code).

Candidates beyond the limit are drawn again, never punished.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from lightlab.methods.price import Price
from lightlab.search.searcher import SearchError
from lightlab.space.decisions import Point
from lightlab.space.once_for_all import OfaSpace

Score = Callable[[np.ndarray], np.ndarray]  # of points (n, decisions), (n,)
MAX_DRAWS = 200  # batches of candidates, of which the first within the limits are taken


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
    return min(_cheapest(price, i) for i in range(len(price.fixed)))


def _cheapest(price: Price, resolution: int) -> tuple[float, Point]:
    """Unit by unit: they do not depend on each other."""
    space, total, point = price.space, float(price.fixed[resolution]), [resolution]
    layers = iter(price.added)
    for depths in space.depths:
        unit = [next(layers)[resolution, :-1] for _ in range(depths[-1])]
        summed = np.cumsum([designs.min() for designs in unit])[np.array(depths) - 1]
        depth = int(summed.argmin())
        point.append(depth)
        for j, designs in enumerate(unit):
            best = divmod(int(designs.argmin()), len(space.expands))
            point += best if j < depths[depth] else (0, 0)
        total += float(summed[depth])
    return total, tuple(point)


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
