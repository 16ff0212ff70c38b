"""Spaces of decisions: closed forms, and properties that hold in every space."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.space.decisions import Decision, DecisionSpace

sizes = st.lists(st.integers(1, 6), min_size=1, max_size=8)


def space_of(n_options) -> DecisionSpace:
    return DecisionSpace([Decision(f"d{i}", tuple(range(n))) for i, n in enumerate(n_options)])


@given(sizes, st.integers(0, 2**32))
def test_points_survive_every_form(n_options, seed):
    space = space_of(n_options)
    rng = np.random.default_rng(seed)
    points = space.sample(rng, 5)
    assert all(space.check(p) == p for p in points)
    assert [space.point(space.options(p)) for p in points] == points
    assert space.from_cube(space.to_cube(points)) == points
    hot = space.encode(points)
    assert hot.shape == (5, sum(n_options))
    assert (hot.sum(1) == len(n_options)).all()
    assert len({row.tobytes() for row in hot}) == len(set(points))
    few = space_of(n_options[:4])
    everything = list(itertools.product(*map(range, few.n_options)))
    assert [few.unrank(i) for i in range(few.size())] == everything


@given(sizes.filter(lambda n: max(n) > 1), st.integers(0, 2**32))
def test_neighbors_and_mutants_differ_in_one_decision_and_children_have_all_from_parents(n, seed):
    space, rng = space_of(n), np.random.default_rng(seed)
    point, other = space.sample(rng, 2)
    around = space.neighbors(point)
    assert len(set(around)) == len(around) == sum(n) - len(n)
    assert {sum(a != b for a, b in zip(point, near, strict=True)) for near in around} == {1}
    assert {space.mutate(point, rng) for _ in range(20)} <= set(around)
    child = space.crossover(point, other, rng)
    assert all(c in pair for c, *pair in zip(child, point, other, strict=True))


def test_samples_are_uniform_and_mutants_over_the_neighbors():
    space = space_of((2, 3))
    points = space.sample(np.random.default_rng(0), 12_000)
    counts = np.array([points.count(space.unrank(i)) for i in range(6)])
    assert counts.min() > 1850  # 2000 each; five standard deviations are 204
    assert space.sample(np.random.default_rng(0)) == points[0]
    rng = np.random.default_rng(0)
    found = [space_of((1, 2, 4)).mutate((0, 0, 0), rng) for _ in range(6_000)]
    assert found.count((0, 1, 0)) == pytest.approx(3_000, abs=200)
    assert found.count((0, 0, 3)) == pytest.approx(1_000, abs=150)


def test_a_table_of_options_is_a_space_that_says_what_it_is():
    space = DecisionSpace([Decision("op", ("skip", ("mb", 3))), Decision("se", (0, 0.25))])
    assert space.decode((1, 0)) == {"op": ("mb", 3), "se": 0}
    assert DecisionSpace(space.decisions, lambda options: options["se"]).decode((0, 1)) == 0.25
    assert space_of([7] * 60).size() == 7**60  # no float is exact there


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Decision("kernel", (3, 5, 3)), "'kernel' has the option 3 twice"),
        (lambda: Decision("kernel", ()), "'kernel' has no options"),
        (lambda: DecisionSpace([]), "at least one decision"),
        (lambda: DecisionSpace([Decision("k", (3,)), Decision("k", (5,))]), "two decisions 'k'"),
        (lambda: space_of((1, 1)).mutate((0, 0), np.random.default_rng(0)), "nothing to search"),
        (lambda: space_of((2,)).check((2,)), "d0: 2 is no index of one of its 2 options"),
        (lambda: space_of((2,)).check((0, 0)), "has 2 entries, not 1"),
        (lambda: space_of((2,)).decode((0.0,)), "0.0 is no index"),
        (lambda: space_of((2,)).point({"d0": 7}), "d0: 7 is not one of"),
        (lambda: space_of((2,)).point({"x": 0}), "needs the decisions"),
    ],
)
def test_what_is_no_space_or_no_point_is_refused(make, told):
    with pytest.raises(ValueError, match=" ") as error:
        make()
    assert told in str(error.value)
