import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.space.hyper import MAX_LEVELS, Choice, Float, HyperSpace, Int

SPACE = HyperSpace(
    {
        "lr": Float(1e-4, 1.0, log=True),
        "dropout": Float(0.0, 0.5),
        "width": Int(8, 64),
        "batch": Int(16, 1024, log=True),
        "optimizer": Choice(("sgd", "adam", None)),
    }
)
POINT = {"lr": 1e-2, "dropout": 0.125, "width": 8, "batch": 16, "optimizer": "adam"}


@given(st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_decoded_points_survive_the_round_trip(row):
    (point,) = SPACE.from_cube(np.array([row]))
    (again,) = SPACE.from_cube(SPACE.to_cube([point]))
    near = {n: pytest.approx(point[n], rel=1e-12, abs=1e-12) for n in ("lr", "dropout")}
    assert again == point | near


@given(st.integers(1, 500), st.integers(0, 500), st.booleans(), st.floats(0, 1))
def test_integers_stay_integers_within_their_range(low, width, log, u):
    value = Int(low, low + width, log).decode(u)
    assert isinstance(value, int)
    assert low <= value <= low + width


def test_samples_are_uniform_over_values():
    points = SPACE.sample(np.random.default_rng(0), 6000)
    assert SPACE.sample(np.random.default_rng(0), 6000) == points
    counts = np.bincount([p["width"] for p in points])[8:]
    assert len(counts) == 57
    chi2 = np.sum((counts - 6000 / 57) ** 2 / (6000 / 57))
    assert chi2 < 56 + 4 * math.sqrt(2 * 56)
    assert np.mean([p["lr"] < 1e-2 for p in points]) == pytest.approx(0.5, abs=0.03)
    assert np.mean([p["optimizer"] is None for p in points]) == pytest.approx(1 / 3, abs=0.03)


def test_columns_tell_levels_and_order_and_points_their_place():
    (row,) = SPACE.to_cube([POINT])
    assert row[[0, 1, 2, 4]] == pytest.approx([0.5, 0.25, 0.5 / 57, 0.5])
    lr, _dropout, width, batch, optimizer = SPACE.columns
    assert lr.levels is None
    assert (len(width.levels), width.ordered) == (57, True)
    assert batch.levels is None, f"more than {MAX_LEVELS} values are searched as continuous"
    assert (len(optimizer.levels), optimizer.ordered) == (3, False)


def test_a_grid_has_every_combination():
    space = HyperSpace({"a": Int(1, 5), "b": Choice("xyz"), "c": Int(1, 100, log=True)})
    grid = space.grid(3)
    assert len(grid) == len({tuple(p.values()) for p in grid}) == 27
    assert {p["a"] for p in grid} == {1, 3, 5}
    assert {p["c"] for p in grid} == {1, 10, 100}
    assert len(HyperSpace({"a": Int(0, 1), "b": Float(0, 1)}).grid(4)) == 2 * 4
    assert HyperSpace({"b": Float(0, 1)}).grid(1) == [{"b": 0.5}]
    single = HyperSpace({"a": Int(3, 3), "b": Choice(("x",))})
    assert single.sample(np.random.default_rng(0), 2) == [{"a": 3, "b": "x"}] * 2
    assert single.sample(np.random.default_rng(0), 0) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: Float(1.0, 1.0),
        lambda: Float(0.0, 1.0, log=True),
        lambda: Float(0.0, math.inf),
        lambda: Float(math.nan, 1.0),
        lambda: Int(3, 2),
        lambda: Int(0.5, 2),
        lambda: Int(0, 8, log=True),
        lambda: Choice(()),
        lambda: Choice(("a", "a")),
        lambda: HyperSpace({}),
        lambda: SPACE.grid(0),
    ],
)
def test_nonsense_is_refused(make):
    with pytest.raises(ValueError, match=r"."):
        make()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"lr": 2.0}, "lr"),
        ({"lr": "0.1"}, "lr"),
        ({"lr": math.nan}, "lr"),
        ({"width": 8.5}, "width"),
        ({"width": True}, "width"),
        ({"optimizer": "rmsprop"}, "optimizer"),
        ({"momentum": 0.9}, "momentum"),
    ],
)
def test_a_point_of_another_space_is_refused_by_name(change, named):
    with pytest.raises(ValueError, match=named):
        SPACE.to_cube([POINT | change])
    with pytest.raises(ValueError, match="names"):
        SPACE.to_cube([change])
