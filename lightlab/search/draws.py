"""Points of a space of decisions that a search has not taken yet."""

import itertools
from collections.abc import Callable, Container, Sequence
from dataclasses import replace

import numpy as np

from lightlab.search.searcher import Trial
from lightlab.space.decisions import DecisionSpace, Point

MAX_DRAWS = 100  # draws of a searcher's own before it is helped out
MAX_UNIFORM = 20_000  # uniform points of a large space that are then tried
MAX_LISTED = 1_000_000  # points of a space that is then gone through one by one

Feasible = Callable[[Point], bool]


class SearchError(RuntimeError):
    """A search that cannot go on; the message says in one line why."""


def unseen(
    space: DecisionSpace,
    draw: Callable[[], Point],
    taken: Container[Point],
    feasible: Feasible | None,
    rng: np.random.Generator,
) -> Point | None:
    """A feasible point that is not `taken`, by `draw`; None where there is none left.

    After MAX_DRAWS draws in vain a small space is gone through from a random place on; in a large
    one MAX_UNIFORM uniform points are tried. SearchError where not one point is feasible, as far as
    these tell.
    """
    point, any_feasible = _first(MAX_DRAWS, draw, taken, feasible)
    if point is not None:
        return point
    n = space.size()
    if n <= MAX_LISTED:
        numbers = itertools.count(int(rng.integers(n)))
        point, more = _first(n, lambda: space.unrank(next(numbers) % n), taken, feasible)
    else:
        point, more = _first(MAX_UNIFORM, lambda: space.sample(rng), taken, feasible)
    if not (any_feasible or more):
        raise SearchError(f"no point of {space!r} was found feasible: loosen the constraint")
    return point


def _first(
    n: int, draw: Callable[[], Point], taken: Container[Point], feasible: Feasible | None
) -> tuple[Point | None, bool]:
    """The first of `n` draws that is feasible and not taken, and whether any was feasible."""
    any_feasible = False
    for _ in range(n):
        point = draw()
        if feasible is None or feasible(point):
            any_feasible = True
            if point not in taken:
                return point, True
    return None, any_feasible


def checked(space: DecisionSpace, trials: Sequence[Trial]) -> list[Trial]:
    """The trials with their points as tuples; SpaceError for one that is not of `space`."""
    return [replace(t, config=space.check(t.config)) for t in trials]
