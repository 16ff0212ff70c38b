"""The room's walk against its exact chain, and the second law."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightlab.chapters.ch02_entropy import chances, disorder
from lightlab.chapters.ch02_entropy import entropy as e


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("work_rate", [0.0, 0.3, 1.0])
def test_chances_sum_to_one(work_rate: float) -> None:
    matrix = chances.transition_matrix(5, work_rate)
    assert matrix.sum(axis=1) == pytest.approx(np.ones(25))
    # only the walk without work is as easily left as entered
    assert (np.abs(matrix.sum(axis=0) - 1).max() < 1e-12) == (work_rate == 0)


@given(st.lists(st.integers(0, 9), min_size=16, max_size=16).filter(any))
@settings(max_examples=30)
def test_second_law(counts: list[int]) -> None:
    path = chances.evolve(e.normalise(counts), chances.transition_matrix(4), 30)
    assert np.diff(e.entropy(path, axis=1)).min() >= -1e-12


def test_work_can_lower_entropy() -> None:
    path = chances.evolve(np.full(16, 1 / 16), chances.transition_matrix(4, 0.5), 30)
    assert np.diff(e.entropy(path, axis=1))[0] < -0.1


@pytest.mark.parametrize("work_rate", [0.0, 0.2])
def test_walk_follows_its_chain(work_rate: float) -> None:
    n, side, steps = 40_000, 4, 12
    start = np.zeros((n, 2), dtype=int)
    counts, moves = disorder.simulate(start, side, steps, rng(), work_rate)
    path = chances.evolve(np.eye(16)[0], chances.transition_matrix(side, work_rate), steps)
    # 5 standard errors of a share
    assert np.abs(counts.reshape(steps + 1, -1) / n - path).max() < 5 * 0.5 / np.sqrt(n)
    assert (counts.sum(axis=(1, 2)) == n).all()
    assert (np.diff(moves) >= 0).all()
    assert (moves[-1] > 0) == (work_rate > 0)
    assert not start.any()  # the caller's positions are left alone


def test_stationary() -> None:
    assert chances.stationary(chances.transition_matrix(5)) == pytest.approx(np.full(25, 0.04))
    matrix = chances.transition_matrix(5, 0.4)
    p = chances.stationary(matrix)
    assert p @ matrix == pytest.approx(p, abs=1e-12)
    assert chances.stationary(chances.transition_matrix(5, 1.0))[0] == pytest.approx(1)


def test_carry_takes_the_distance_in_moves() -> None:
    xy = disorder.scatter(200, 9, rng())
    distance = xy.sum(axis=1)
    for _ in range(3):
        xy = disorder.carry(xy)
    assert (xy.sum(axis=1) == np.maximum(distance - 3, 0)).all()
    assert (xy >= 0).all()


@pytest.mark.parametrize("order", disorder.ORDERS)
def test_tidy_up_ends_in_order(order: str) -> None:
    xy = disorder.scatter(300, 6, rng())
    counts, moves = disorder.tidy_up(xy, 6, order, rng(), n_points=20)
    assert counts.shape == (20, 6, 6)
    assert (counts.sum(axis=(1, 2)) == 300).all()
    assert counts[-1, 0, 0] == 300
    assert moves[-1] == xy.sum()  # no move is wasted
    distance = np.add.outer(np.arange(6), np.arange(6))
    assert (xy.sum() - (counts * distance).sum(axis=(1, 2)) == moves).all()


def test_more_work_keeps_more_order() -> None:
    held = chances.balance([4, 6], [0.0, 0.2, 0.5, 1.0])
    for side, rows in held.groupby("side"):
        assert rows.entropy_bits.iloc[0] == pytest.approx(2 * np.log2(side))
        assert rows.entropy_bits.is_monotonic_decreasing
        assert rows.entropy_bits.iloc[-1] == pytest.approx(0, abs=1e-9)


def test_room_table() -> None:
    table = disorder.room_table({"a": np.array([[1, 0], [2, 1]])})
    assert table.values.tolist() == [
        ["a", 0, 0, 0.25],
        ["a", 0, 1, 0],
        ["a", 1, 0, 0.5],
        ["a", 1, 1, 0.25],
    ]


def test_unknown_order_of_work() -> None:
    with pytest.raises(ValueError, match="order of work"):
        disorder.work_schedule(np.ones(3, dtype=int), "later", rng())


def test_occupation_entropy() -> None:
    counts = np.stack([np.full((2, 2), 3), np.array([[12, 0], [0, 0]])])
    assert disorder.occupation_entropy(counts) == pytest.approx([2, 0])


def test_boltzmann_gaps_shrink_below_their_bound() -> None:
    gaps = disorder.boltzmann_gaps(np.full(9, 1 / 9), [10, 1000, 100_000], rng())
    assert (gaps.gap_bits > 0).all()
    assert (gaps.gap_bits < gaps.bound_bits).all()
    assert gaps.gap_bits.is_monotonic_decreasing
    assert gaps.stirling_bits.iloc[-1] == pytest.approx(gaps.gap_bits.iloc[-1], rel=1e-3)


def test_falls_get_shallow_with_more_particles() -> None:
    falls = disorder.falls(4, 60, [5, 5000], seed=0)
    assert falls.deepest_fall_bits.iloc[0] > 10 * falls.deepest_fall_bits.iloc[1]
    assert falls.rise_bits.iloc[1] == pytest.approx(4, abs=0.05)


def test_all_orders_of_work_cost_the_same() -> None:
    xy = disorder.scatter(200, 6, rng())
    curves, halfway = disorder.compare_orders(xy, 6, rng())
    ends = curves.groupby("order").last()
    assert ends.moves.tolist() == pytest.approx([xy.sum() / 200] * 3)
    assert ends.entropy_bits.tolist() == [0, 0, 0]
    assert [counts.sum() for counts in halfway.values()] == [200] * 3


def test_work_runs_are_paired_and_reproducible() -> None:
    runs = disorder.work_runs(4, 100, 10, [0.0, 0.5], 2, seed=3)
    assert runs.equals(disorder.work_runs(4, 100, 10, [0.0, 0.5], 2, seed=3))
    first = runs[(runs.step == 0) & (runs.start == "strewn")]
    assert (first.groupby("repeat").entropy_bits.nunique() == 1).all()
    assert (runs[runs.start == "tidy"].repeat == 0).all()
