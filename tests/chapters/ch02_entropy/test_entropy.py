"""Entropy against closed forms, inequalities and its limit log W / N."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.chapters.ch02_entropy import entropy as e

counts = st.lists(st.integers(0, 50), min_size=2, max_size=12).filter(any)
positive = st.lists(st.integers(1, 50), min_size=2, max_size=12)


def test_known_values() -> None:
    assert e.entropy([1.0, 0.0, 0.0]) == 0
    assert e.entropy([1 / 8] * 8) == pytest.approx(3, abs=1e-12)
    assert e.entropy([1 / 2, 1 / 4, 1 / 8, 1 / 8]) == pytest.approx(1.75, abs=1e-12)
    # Shannon 1948, figure 7: p = 0.11 makes a coin worth half a bit
    assert e.entropy([0.11, 0.89]) == pytest.approx(0.4999, abs=1e-4)


def test_entropy_over_an_axis() -> None:
    table = np.array([[0.5, 0.5], [1.0, 0.0]])
    assert e.entropy(table, axis=1) == pytest.approx([1, 0])


@pytest.mark.parametrize("bad", [[], [0, 0], [1, -1, 3], [np.nan, 1], [np.inf, 1]])
def test_normalise_rejects(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="counts"):
        e.normalise(bad)


@given(counts)
def test_entropy_lies_between_nothing_and_all_alike(n: list[int]) -> None:
    assert 0 <= e.entropy(e.normalise(n)) <= math.log2(len(n)) + 1e-12


@given(st.lists(st.lists(st.integers(0, 20), min_size=3, max_size=3), min_size=2, max_size=5))
def test_chain_rule(rows: list[list[int]]) -> None:
    if not np.sum(rows):
        rows[0][0] = 1
    joint = e.normalise(rows)
    share = joint.sum(axis=1)
    within = sum(s * e.entropy(row / s) for s, row in zip(share, joint, strict=True) if s > 0)
    assert e.entropy(joint) == pytest.approx(e.entropy(share) + within, abs=1e-9)


@given(st.data())
def test_gibbs_inequality(data: st.DataObject) -> None:
    p = e.normalise(data.draw(counts))
    q = e.normalise(data.draw(st.lists(st.integers(1, 50), min_size=len(p), max_size=len(p))))
    divergence = e.kl_divergence(p, q)
    assert divergence >= -1e-12
    # Pinsker's inequality: only equal distributions come near 0
    assert divergence >= np.abs(p - q).sum() ** 2 / (2 * math.log(2)) - 1e-12
    assert e.kl_divergence(p, p) == pytest.approx(0, abs=1e-12)


def test_what_is_ruled_out_costs_without_end() -> None:
    assert e.kl_divergence([0.5, 0.5], [1.0, 0.0]) == math.inf
    assert e.kl_divergence([1.0, 0.0], [0.5, 0.5]) == pytest.approx(1)


@given(st.lists(st.integers(0, 12), min_size=2, max_size=8).filter(any))
def test_arrangements_against_whole_numbers(n: list[int]) -> None:
    ways = math.factorial(sum(n)) // math.prod(math.factorial(k) for k in n)
    assert e.log2_arrangements(n) == pytest.approx(math.log2(ways), rel=1e-10, abs=1e-8)


@given(counts)
def test_boltzmann_within_the_method_of_types(n: list[int]) -> None:
    gap = e.entropy(e.normalise(n)) - e.log2_arrangements(n) / sum(n)
    assert -1e-9 <= gap <= e.type_class_bound(sum(n), len(n))


@given(positive)
def test_stirling_within_robbins_bounds(n: list[int]) -> None:
    # Robbins 1955: 1/(12n+1) < ln n! − Stirling < 1/(12n)
    total = sum(n)
    exact = e.entropy(e.normalise(n)) - e.log2_arrangements(n) / total
    # ln W = Stirling's ln W + r(N) − Σ r(n): what the formula leaves out, in nats
    left_out = (e.stirling_gap(n) - exact) * total * math.log(2)
    assert left_out >= 1 / (12 * total + 1) - sum(1 / (12 * k) for k in n) - 1e-9
    assert left_out <= 1 / (12 * total) - sum(1 / (12 * k + 1) for k in n) + 1e-9
