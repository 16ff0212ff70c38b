"""Points of a space of decisions that a search has not taken yet."""

from collections.abc import Callable, Container

import numpy as np

from lightlab.space.decisions import DecisionSpace, Point

MAX_DRAWS = 100  # draws before a space is taken to be nearly used up
MAX_LISTED = 1_000_000  # points of a space that is then gone through one by one

Feasible = Callable[[Point], bool]


class SearchError(RuntimeError):
    """A search that cannot go on; the message says in one line why."""


def unseen(
    space: DecisionSpace,
    draw: Callable[[], Point],
    taken: Container[Point],
    feasible: Feasible | None = None,
    rng: np.random.Generator | None = None,
) -> Point | None:
    """A feasible point that is not `taken`, by `draw`; None where there is none left.

    After MAX_DRAWS draws in vain a small space is gone through from a random place on. SearchError
    where none of so many draws was feasible in a space that is too large for that.
    """
    drawn: Point | None = None
    for _ in range(MAX_DRAWS):
        point = draw()
        if feasible is not None and not feasible(point):
            continue
        if point not in taken:
            return point
        drawn = point
    if space.size() <= MAX_LISTED:
        return _listed(space, taken, feasible, rng or np.random.default_rng(0))
    if drawn is None:
        raise SearchError(
            f"none of {MAX_DRAWS} points drawn from {space!r} is feasible: loosen the constraint"
        )
    return drawn  # a repeat, in a space that cannot be used up


def _listed(
    space: DecisionSpace,
    taken: Container[Point],
    feasible: Feasible | None,
    rng: np.random.Generator,
) -> Point | None:
    n = space.size()
    first = int(rng.integers(n))
    points = (space.unrank((first + i) % n) for i in range(n))
    found = (p for p in points if p not in taken and (feasible is None or feasible(p)))
    return next(found, None)
