"""Counted operations against closed forms, results against the standard library."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.chapters.ch01_search_spaces import complexity as c

numbers = st.lists(st.integers(-100, 100), max_size=60)


@given(numbers)
def test_sorting_results_and_bounds(values: list[int]) -> None:
    n = len(values)
    by_merging, comparisons = c.merge_sort(values)
    by_insertion, moves = c.insertion_sort(values)
    assert by_merging == by_insertion == sorted(values)
    inversions = sum(a > b for a, b in itertools.combinations(values, 2))
    assert moves == inversions
    worst = n * math.ceil(math.log2(n)) - 2 ** math.ceil(math.log2(n)) + 1 if n else 0
    assert comparisons <= worst  # Knuth, TAOCP 3, 5.2.4


def test_merge_sort_meets_its_worst_case() -> None:
    worst = max(c.merge_sort(list(p))[1] for p in itertools.permutations(range(6)))
    assert worst == 6 * 3 - 8 + 1


def test_no_comparison_sort_beats_the_number_of_questions() -> None:
    """On average over all orders at least log2 n! comparisons (Knuth, TAOCP 3, 5.3.1)."""
    counts = [c.merge_sort(list(p))[1] for p in itertools.permutations(range(6))]
    assert np.mean(counts) >= math.log2(math.factorial(6))


@given(st.integers(1, 10_000), st.data())
def test_binary_search(n: int, data: st.DataObject) -> None:
    target = data.draw(st.integers(0, n - 1))
    index, comparisons = c.binary_search(range(n), target)
    assert index == target
    assert math.floor(math.log2(n)) <= comparisons <= math.floor(math.log2(n)) + 1


def test_exact_counts() -> None:
    rng = np.random.default_rng(0)
    assert c.total([1.0] * 17) == (17.0, 17)
    a, b = rng.random((2, 5, 5))
    product, macs = c.matrix_product(a.tolist(), b.tolist())
    assert macs == 5**3
    assert np.allclose(product, a @ b)
    assert c.subset_sum([3, 5, 8, 2], 8) == (2, 2**4)  # {3, 5} and {8}
    square = [[0, 1, 2**0.5, 1], [1, 0, 1, 2**0.5], [2**0.5, 1, 0, 1], [1, 2**0.5, 1, 0]]
    length, edges = c.shortest_tour(square)
    assert length == pytest.approx(4.0)
    assert edges == math.factorial(4)  # (n − 1)! tours of n edges


@pytest.mark.parametrize("law", c.LAWS, ids=lambda law: law.algorithm)
def test_sizes_keep_the_budget(law: c.Law) -> None:
    chosen = c.sizes(law, 20_000)
    assert chosen == sorted(set(chosen))
    assert len(chosen) >= 4
    largest = chosen[-1]
    assert law.growth(largest) <= 20_000
    assert largest == c.MAX_N or law.growth(largest + 1) > 20_000


def test_a_budget_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="raise it"):
        c.sizes(c.LAWS[-1], 100)


def test_fitted_slopes_meet_theory() -> None:
    fits = c.fit(c.measure(20_000, 3, np.random.default_rng(0))).set_index("algorithm")
    exact = ["sum", "matrix product", "subset sum", "shortest tour"]
    assert fits.loc[exact, "fitted"].to_numpy() == pytest.approx([1, 3, 2, 1], abs=1e-9)
    assert (fits["fitted"] - fits["theory"]).abs().max() < 0.1
    assert (fits["ci_low"] <= fits["fitted"]).all()
    assert (fits["fitted"] <= fits["ci_high"]).all()


def test_fit_tells_a_wrong_order() -> None:
    """Work of n log n put in the place of the linear sum shows in its exponent."""
    measured = c.measure(20_000, 2, np.random.default_rng(0))
    linear = measured["algorithm"] == "sum"
    measured["operations"] = measured["operations"].astype(float)
    measured.loc[linear, "operations"] *= np.log2(measured.loc[linear, "n"])
    slope = c.fit(measured).set_index("algorithm").at["sum", "fitted"]
    assert slope > 1.1


def test_interval_is_that_of_least_squares() -> None:
    """Slope and half width against the textbook formulas on four points."""
    law = next(law for law in c.LAWS if law.algorithm == "insertion sort")
    n, operations = np.array([10, 20, 40, 80]), np.array([30.0, 90.0, 430.0, 1500.0])
    others = c.measure(20_000, 2, np.random.default_rng(0))
    mine = pd.DataFrame(
        {"algorithm": law.algorithm, "order": law.order, "n": n, "repeat": 0,
         "operations": operations, "seconds": 1.0}
    )  # fmt: skip
    frame = pd.concat([others[others["algorithm"] != law.algorithm], mine])
    row = c.fit(frame).set_index("algorithm").loc[law.algorithm]
    x, y = np.log(n), np.log(operations)
    sxx = ((x - x.mean()) ** 2).sum()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / sxx
    residual = y - y.mean() - slope * (x - x.mean())
    half = 4.302652729911275 * math.sqrt((residual**2).sum() / 2 / sxx)  # t, 2 degrees of freedom
    assert row["fitted"] == pytest.approx(slope)
    assert row["ci_high"] - row["fitted"] == pytest.approx(half)
