"""Fronts against definitions and hand-counted examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lightlab.search import pareto

POINTS = np.array([[1.0, 4.0], [2.0, 3.0], [3.0, 1.0], [1.0, 1.0], [2.0, 2.0]])


def test_fronts_by_hand():
    assert pareto.is_non_dominated(POINTS).tolist() == [True, True, True, False, False]
    assert pareto.ranks(POINTS).tolist() == [0, 0, 0, 2, 1]
    assert pareto.crowding(POINTS[:3]).tolist() == [np.inf, 2.0, np.inf]


def test_volumes_by_hand():
    assert pareto.hypervolume(POINTS, np.zeros(2)) == 3 * 1 + 2 * 2 + 1 * 1
    assert pareto.hypervolume(POINTS, np.array([5.0, 5.0])) == 0
    corners = np.array([[1.0, 0.5, 0.5], [0.5, 1.0, 0.5]])
    assert pareto.hypervolume(corners, np.zeros(3)) == pytest.approx(0.25 + 0.25 - 0.125)
    assert pareto.hypervolume(corners, np.ones(3)) == 0
    with pytest.raises(ValueError, match="two objectives"):
        pareto.hypervolume(np.zeros((2, 1)), np.zeros(1))


values = arrays(float, st.tuples(st.integers(1, 12), st.just(2)), elements=st.integers(0, 5))


@given(values)
def test_non_dominated_by_definition(v):
    kept = pareto.is_non_dominated(v)
    for i, row in enumerate(v):
        beaten = any((o >= row).all() and (o > row).any() for o in v)
        assert kept[i] == (not beaten)
    assert ((pareto.ranks(v) == 0) == kept).all()


@given(values)
def test_the_volume_is_that_of_the_unit_squares_below(v):
    below = {(x, y) for a, b in v.astype(int) for x in range(a) for y in range(b)}
    assert pareto.hypervolume(v, np.zeros(2)) == len(below)
