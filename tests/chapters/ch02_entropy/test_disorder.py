"""The room's walk against its exact chain, the second law, and Boltzmann's count."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightlab.chapters.ch02_entropy import disorder
from lightlab.chapters.ch02_entropy.disorder import transition_matrix
from lightlab.chapters.ch02_entropy.information import entropy, normalise


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("work_rate", [0.0, 0.3, 1.0])
def test_chances_sum_to_one(work_rate: float) -> None:
    matrix = transition_matrix(5, work_rate)
    assert matrix.sum(axis=1) == pytest.approx(np.ones(25))
    # only the walk without work is as easily left as entered
    assert (np.abs(matrix.sum(axis=0) - 1).max() < 1e-12) == (work_rate == 0)
    p = disorder.stationary(matrix)
    assert p @ matrix == pytest.approx(p, abs=1e-12)
    if work_rate in (0, 1):  # evenly filled without work, all tidy without end
        assert p[0] == pytest.approx({0: 0.04, 1: 1}[work_rate])
        assert p.max() == pytest.approx(p[0])


@given(st.lists(st.integers(0, 9), min_size=16, max_size=16).filter(any))
@settings(max_examples=30)
def test_second_law(counts: list[int]) -> None:
    path = disorder.evolve(normalise(counts), transition_matrix(4), 30)
    assert np.diff(entropy(path, axis=1)).min() >= -1e-12


@pytest.mark.parametrize("work_rate", [0.0, 0.2])
def test_walk_follows_its_chain(work_rate: float) -> None:
    n, side, steps = 40_000, 4, 12
    start = np.zeros((n, 2), dtype=int)
    counts = disorder.simulate(start, side, steps, rng(), work_rate)
    path = disorder.evolve(np.eye(16)[0], transition_matrix(side, work_rate), steps)
    # 5 standard errors of a share
    assert np.abs(counts.reshape(steps + 1, -1) / n - path).max() < 5 * 0.5 / np.sqrt(n)
    assert (counts.sum(axis=(1, 2)) == n).all()
    assert not start.any()  # the caller's positions are left alone


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
    with pytest.raises(ValueError, match="order of work"):
        disorder.work_schedule(np.ones(3, dtype=int), "later", rng())


def test_rooms_are_tables_of_shares() -> None:
    table = disorder.room_table({"a": np.array([[1, 0], [2, 1]])})
    rows = [["a", 0, 0, 0.25], ["a", 0, 1, 0], ["a", 1, 0, 0.5], ["a", 1, 1, 0.25]]
    assert table.values.tolist() == rows
    rest = disorder.room_at_rest(4, 0.0)
    assert rest.room.unique().tolist() == ["work rate 0.00: 4.00 bits"]
    assert rest.share.tolist() == pytest.approx([1 / 16] * 16)


def test_occupation_entropy() -> None:
    counts = np.stack([np.full((2, 2), 3), np.array([[12, 0], [0, 0]])])
    assert disorder.occupation_entropy(counts) == pytest.approx([2, 0])


@given(st.lists(st.integers(0, 50), min_size=2, max_size=12).filter(any))
def test_arrangements_are_whole_numbers_within_the_method_of_types(n: list[int]) -> None:
    ways = math.factorial(sum(n)) // math.prod(math.factorial(k) for k in n)
    log_w = disorder.log2_arrangements(n)
    assert log_w == pytest.approx(math.log2(ways), rel=1e-10, abs=1e-8)
    gap = entropy(normalise(n)) - log_w / sum(n)
    assert -1e-9 <= gap <= disorder.type_class_bound(sum(n), len(n))


@given(st.lists(st.integers(1, 50), min_size=2, max_size=12))
def test_stirling_within_robbins_bounds(n: list[int]) -> None:
    # Robbins 1955: 1/(12n+1) < ln n! − Stirling < 1/(12n)
    total = sum(n)
    exact = entropy(normalise(n)) - disorder.log2_arrangements(n) / total
    # ln W = Stirling's ln W + r(N) − Σ r(n): what the formula leaves out, in nats
    left_out = (disorder.stirling_gap(n) - exact) * total * math.log(2)
    assert left_out >= 1 / (12 * total + 1) - sum(1 / (12 * k) for k in n) - 1e-9
    assert left_out <= 1 / (12 * total) - sum(1 / (12 * k + 1) for k in n) + 1e-9
