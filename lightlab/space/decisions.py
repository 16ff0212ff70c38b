"""Spaces of decisions: a point is a tuple, for each decision the index of the option taken."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lightlab.space.hyper import Column

Point = tuple[int, ...]


@dataclass(frozen=True)
class Decision:
    """One choice among different `options`. They are ordered, so that what is learnt at 3 and 7
    says something of 5, where they are numbers, unless `ordered` is False.
    """

    name: str
    options: tuple[Any, ...]
    ordered: bool | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(self.options))
        numbers = all(isinstance(o, int | float) and o is not bool(o) for o in self.options)
        if self.ordered and not numbers:
            raise ValueError(
                f"decision {self.name!r}: only numbers are ordered, not {self.options}"
            )
        object.__setattr__(self, "ordered", numbers if self.ordered is None else self.ordered)
        if not self.options:
            raise ValueError(f"decision {self.name!r} has no options")
        if twice := [o for i, o in enumerate(self.options) if o in self.options[:i]]:
            raise ValueError(f"decision {self.name!r} has the option {twice[0]!r} twice")

    def index(self, option: Any) -> int:
        """Of `option`; ValueError where it is none."""
        if option not in self.options:
            raise ValueError(f"{self.name}: {option!r} is not one of {self.options}")
        return self.options.index(option)


class DecisionSpace:
    """All combinations of one option per decision; ValueError without any, or for a name twice.

    `decode` makes of the options by name, in the order of the decisions, what a point stands for;
    without it that is these options themselves.
    """

    def __init__(
        self,
        decisions: Iterable[Decision],
        decode: Callable[[dict[str, Any]], Any] | None = None,
    ) -> None:
        self.decisions = tuple(decisions)
        self._decode = decode
        if not self.decisions:
            raise ValueError("a space needs at least one decision")
        names = [d.name for d in self.decisions]
        if twice := [n for i, n in enumerate(names) if n in names[:i]]:
            raise ValueError(f"there are two decisions {twice[0]!r}")
        self.n_options = tuple(len(d.options) for d in self.decisions)
        # which option stands at each place of a column, and the place of each option
        self._at = [
            np.argsort(d.options) if d.ordered else np.arange(len(d.options))
            for d in self.decisions
        ]
        self._place = [np.argsort(at) for at in self._at]
        self._open = [i for i, n in enumerate(self.n_options) if n > 1]

    def __repr__(self) -> str:
        return f"DecisionSpace of {len(self.decisions)} decisions, {self.size()} points"

    def size(self) -> int:
        """Number of points, exactly."""
        return math.prod(self.n_options)

    def check(self, point: Sequence[int]) -> Point:
        """`point` as a tuple of ints; ValueError if it is not of this space."""
        found = tuple(point)
        if len(found) != len(self.n_options):
            raise ValueError(f"{found} has {len(found)} entries, not {len(self.n_options)}")
        for i, (index, n) in enumerate(zip(found, self.n_options, strict=True)):
            if not (isinstance(index, int | np.integer) and 0 <= index < n):
                name = self.decisions[i].name
                raise ValueError(f"{name}: {index!r} is no index of one of its {n} options")
        return tuple(int(index) for index in found)

    def sample(self, rng: np.random.Generator, n: int | None = None) -> Point | list[Point]:
        """A uniform random point, or a list of `n` independent ones."""
        rows = rng.integers(self.n_options, size=(1 if n is None else n, len(self.n_options)))
        points = [tuple(row) for row in rows.tolist()]
        return points[0] if n is None else points

    def mutate(self, point: Point, rng: np.random.Generator) -> Point:
        """`point` with one decision, drawn uniformly, taken otherwise; ValueError without one."""
        if not self._open:
            raise ValueError("every decision has a single option: there is nothing to search")
        at = self._open[int(rng.integers(len(self._open)))]
        other = int(rng.integers(self.n_options[at] - 1))
        other += other >= point[at]
        return (*point[:at], other, *point[at + 1 :])

    def crossover(self, a: Point, b: Point, rng: np.random.Generator) -> Point:
        """Each decision from `a` or from `b`, with equal chances."""
        from_a = rng.random(len(a)) < 0.5
        return tuple(x if first else y for x, y, first in zip(a, b, from_a, strict=True))

    def neighbors(self, point: Point) -> list[Point]:
        """All points in which one decision is taken otherwise."""
        return [
            (*point[:at], other, *point[at + 1 :])
            for at in self._open
            for other in range(self.n_options[at])
            if other != point[at]
        ]

    def options(self, point: Sequence[int]) -> dict[str, Any]:
        """The options of `point` by the names of their decisions."""
        found = zip(self.decisions, self.check(point), strict=True)
        return {decision.name: decision.options[index] for decision, index in found}

    def point(self, options: Mapping[str, Any]) -> Point:
        """The point of these options, one for every decision; ValueError where one is not there."""
        names = [d.name for d in self.decisions]
        if set(options) != set(names):
            raise ValueError(f"a point needs the decisions {names}, got {list(options)}")
        return tuple(d.index(options[d.name]) for d in self.decisions)

    def decode(self, point: Sequence[int]) -> Any:
        """What `point` stands for."""
        options = self.options(point)
        return options if self._decode is None else self._decode(options)

    def encode(self, points: Sequence[Point]) -> np.ndarray:
        """One-hot rows (n, number of all options), float32: 1 at every option taken."""
        index = np.asarray(points, dtype=int).reshape(-1, len(self.n_options))
        starts = np.concatenate([[0], np.cumsum(self.n_options)[:-1]])
        out = np.zeros((len(index), sum(self.n_options)), dtype=np.float32)
        np.put_along_axis(out, index + starts, 1.0, axis=1)
        return out

    def unrank(self, number: int) -> Point:
        """The point of that number, 0 to size() − 1, the last decision counting fastest."""
        index = []
        for n in reversed(self.n_options):
            number, last = divmod(number, n)
            index.append(last)
        return tuple(reversed(index))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """One column of the unit cube per decision, for models that search a cube."""
        return tuple(
            Column(d.name, tuple((i + 0.5) / n for i in range(n)), ordered=d.ordered)
            for d, n in zip(self.decisions, self.n_options, strict=True)
        )

    def to_cube(self, points: Sequence[Point]) -> np.ndarray:
        """Places of points in the unit cube, (n, d)."""
        index = np.array([self.check(p) for p in points], dtype=int).reshape(
            -1, len(self.n_options)
        )
        places = [place[i] for place, i in zip(self._place, index.T, strict=True)]
        return (np.stack(places, axis=1) + 0.5) / self.n_options

    def from_cube(self, X: np.ndarray) -> list[Point]:
        """The points nearest to the rows of `X` (n, d)."""
        n = np.array(self.n_options)
        places = np.clip((np.atleast_2d(X) * n).astype(int), 0, n - 1)
        index = [at[i].tolist() for at, i in zip(self._at, places.T, strict=True)]
        return list(zip(*index, strict=True))
