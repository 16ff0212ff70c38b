"""Hyperparameters of four kinds, and the unit cube in which a search sees them."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_LEVELS = 64  # an integer range with more values is searched as if it were continuous

Config = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """One dimension of the unit cube, as a search knows it.

    `levels` are the places in (0, 1) that stand for a value (None: every place does), `ordered`
    says whether neighbouring levels are alike.
    """

    name: str
    levels: tuple[float, ...] | None = None
    ordered: bool = True


@dataclass(frozen=True)
class Float:
    """A real number in [low, high], even in its logarithm with `log`."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self, self.low < self.high, self.low > 0)

    def column(self, name: str) -> Column:
        return Column(name)

    def encode(self, value: float) -> float:
        if not (_is_number(value) and self.low <= value <= self.high):
            raise ValueError(f"{value!r} is not within [{self.low}, {self.high}]")
        low, high = _scaled(self.log, self.low, self.high)
        return (_scaled(self.log, value)[0] - low) / (high - low)

    def decode(self, u: float) -> float:
        low, high = _scaled(self.log, self.low, self.high)
        value = low + u * (high - low)
        return min(max(math.exp(value) if self.log else value, self.low), self.high)

    def grid(self, n: int) -> list[float]:
        return [self.decode(u) for u in (np.linspace(0, 1, n) if n > 1 else [0.5])]


@dataclass(frozen=True)
class Int:
    """A whole number in [low, high], both ends included; with `log`, even in its logarithm."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        whole = all(isinstance(v, int | np.integer) for v in (self.low, self.high))
        _check_range(self, whole and self.low <= self.high, self.low > 0)

    def column(self, name: str) -> Column:
        if self.high - self.low >= MAX_LEVELS:
            return Column(name)
        return Column(name, tuple(self.encode(v) for v in range(self.low, self.high + 1)))

    def encode(self, value: int) -> float:
        if not (_is_number(value) and self.low <= value <= self.high and value == int(value)):
            raise ValueError(f"{value!r} is not a whole number within [{self.low}, {self.high}]")
        low, high = _scaled(self.log, self.low - 0.5, self.high + 0.5)
        return (_scaled(self.log, int(value))[0] - low) / (high - low)

    def decode(self, u: float) -> int:
        low, high = _scaled(self.log, self.low - 0.5, self.high + 0.5)
        value = low + u * (high - low)
        return min(max(round(math.exp(value) if self.log else value), self.low), self.high)

    def grid(self, n: int) -> list[int]:
        ends = [self.encode(self.low), self.encode(self.high)]
        places = np.linspace(*ends, n) if n > 1 else [0.5]
        return sorted({self.decode(u) for u in places})


@dataclass(frozen=True)
class Choice:
    """One of several options between which there is no order."""

    options: tuple[Any, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(self.options))
        if not self.options or any(o in self.options[:i] for i, o in enumerate(self.options)):
            raise ValueError(f"Choice needs different options, got {self.options}")

    def column(self, name: str) -> Column:
        return Column(name, tuple(self.encode(o) for o in self.options), ordered=False)

    def encode(self, value: Any) -> float:
        value = _from_json(value)
        if value not in self.options:
            raise ValueError(f"{value!r} is not one of {self.options}")
        return (self.options.index(value) + 0.5) / len(self.options)

    def decode(self, u: float) -> Any:
        return self.options[min(int(u * len(self.options)), len(self.options) - 1)]

    def grid(self, _n: int) -> list[Any]:
        return list(self.options)


def _from_json(value: Any) -> Any:
    """An option that was a tuple comes back from JSON as a list."""
    return tuple(map(_from_json, value)) if isinstance(value, list) else value


Dimension = Float | Int | Choice


class HyperSpace:
    """Named hyperparameters; a point is a dict with exactly these names.

    Points go to and from the unit cube of shape (n, d), one column per hyperparameter. A uniform
    draw from the cube decodes to a draw that is uniform over the values (or their logarithms).
    """

    def __init__(self, dimensions: Mapping[str, Dimension]) -> None:
        if not dimensions:
            raise ValueError("a space needs at least one hyperparameter")
        self.dimensions: dict[str, Dimension] = dict(dimensions)
        self.columns = tuple(d.column(name) for name, d in self.dimensions.items())

    def __repr__(self) -> str:
        return f"HyperSpace({self.dimensions})"

    def to_cube(self, points: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Places in the unit cube, (n, d). ValueError names the point that is not of this space."""
        rows = np.empty((len(points), len(self.columns)))
        for row, point in zip(rows, points, strict=True):
            if set(point) != set(self.dimensions):
                names = list(self.dimensions)
                raise ValueError(f"a point needs the names {names}, got {list(point)}")
            for i, (name, dimension) in enumerate(self.dimensions.items()):
                try:
                    row[i] = dimension.encode(point[name])
                except ValueError as e:
                    raise ValueError(f"{name}: {e}") from None
        return rows

    def from_cube(self, X: np.ndarray) -> list[Config]:
        """Points of the nearest levels to the rows of `X` (n, d)."""
        named = self.dimensions.items()
        return [
            {name: d.decode(float(u)) for (name, d), u in zip(named, row, strict=True)}
            for row in np.atleast_2d(X)
        ]

    def sample(self, rng: np.random.Generator, n: int) -> list[Config]:
        """`n` independent uniform points."""
        return self.from_cube(rng.random((n, len(self.columns)))) if n else []

    def grid(self, levels: int) -> list[Config]:
        """Every combination of `levels` evenly placed values of each number and all options."""
        if levels < 1:
            raise ValueError(f"levels has to be at least 1, got {levels}")
        values = itertools.product(*(d.grid(levels) for d in self.dimensions.values()))
        return [dict(zip(self.dimensions, row, strict=True)) for row in values]


def _check_range(dimension: Float | Int, in_order: bool, positive: bool) -> None:
    finite = all(_is_number(v) and math.isfinite(v) for v in (dimension.low, dimension.high))
    if not (finite and in_order):
        raise ValueError(f"{dimension}: low and high have to be finite and in order")
    if dimension.log and not positive:
        raise ValueError(f"{dimension}: a logarithmic range has to be above 0")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _scaled(log: bool, *values: float) -> list[float]:
    return [math.log(v) for v in values] if log else list(values)
