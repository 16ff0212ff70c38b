"""Codes against brute force, Shannon's and Gallager's bounds, and their own inverse."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.chapters.ch02_entropy import coding
from lightlab.chapters.ch02_entropy import entropy as e

weights = st.lists(st.integers(1, 1000), min_size=2, max_size=20)


def as_probs(weights: list[int]) -> dict[int, float]:
    return dict(enumerate(float(p) for p in e.normalise(weights)))


def kraft_sum(code: coding.Code) -> float:
    """At most 1 for every prefix code, 1 when no question is idle (Kraft 1949)."""
    return math.fsum(2.0 ** -len(word) for word in code.values())


def is_prefix_free(code: coding.Code) -> bool:
    words = sorted(code.values())
    return not any(b.startswith(a) for a, b in itertools.pairwise(words))


def test_known_code() -> None:
    # Cover & Thomas 2006, example 5.6.1: mean length 2.3 bits
    probs = dict(enumerate([0.25, 0.25, 0.2, 0.15, 0.15]))
    assert coding.expected_length(coding.huffman_code(probs), probs) == pytest.approx(2.3)


def test_powers_of_two_cost_their_entropy() -> None:
    probs = {"a": 1 / 2, "b": 1 / 4, "c": 1 / 8, "d": 1 / 8}
    for code in (coding.huffman_code(probs), coding.shannon_code(probs)):
        assert [len(word) for word in code.values()] == [1, 2, 3, 3]


def test_nothing_to_ask() -> None:
    assert coding.huffman_code({"a": 1.0}) == {"a": ""}
    assert coding.shannon_code({"a": 1.0}) == {"a": ""}
    for make in (coding.huffman_code, coding.frequencies):
        with pytest.raises(ValueError, match="symbol"):
            make({})
    with pytest.raises(ValueError, match="infinitely"):
        coding.shannon_code({"a": 1.0, "b": 0.0})


@given(st.lists(st.integers(1, 30), min_size=2, max_size=6))
def test_huffman_is_optimal(n: list[int]) -> None:
    """Against all word lengths that Kraft's inequality allows."""
    probs = as_probs(n)
    best = min(
        sum(p * length for p, length in zip(probs.values(), lengths, strict=True))
        for lengths in itertools.product(range(1, len(n)), repeat=len(n))
        if sum(2.0**-length for length in lengths) <= 1
    )
    assert coding.expected_length(coding.huffman_code(probs), probs) == pytest.approx(best)


@given(weights)
def test_huffman_bounds(n: list[int]) -> None:
    probs = as_probs(n)
    code = coding.huffman_code(probs)
    excess = coding.expected_length(code, probs) - e.entropy(list(probs.values()))
    assert -1e-9 <= excess < 1
    assert excess <= max(probs.values()) + 0.0861  # Gallager 1978
    assert kraft_sum(code) == pytest.approx(1)
    assert is_prefix_free(code)


@given(weights, st.data())
def test_a_wrong_shannon_code_costs_the_divergence(n: list[int], data: st.DataObject) -> None:
    m = data.draw(st.lists(st.integers(1, 1000), min_size=len(n), max_size=len(n)))
    p, q = as_probs(n), as_probs(m)
    code = coding.shannon_code(q)
    assert is_prefix_free(code)
    assert kraft_sum(code) <= 1 + 1e-12
    ideal = e.cross_entropy(list(p.values()), list(q.values()))
    assert ideal - 1e-9 <= coding.expected_length(code, p) < ideal + 1


@given(weights, st.lists(st.integers(0, 19), max_size=30))
def test_round_trip(n: list[int], picks: list[int]) -> None:
    code = coding.huffman_code(as_probs(n))
    symbols = [pick % len(n) for pick in picks]
    assert coding.decode(coding.encode(symbols, code), code) == symbols


def test_cut_bits_are_reported() -> None:
    with pytest.raises(ValueError, match="inside a code word"):
        coding.decode("0101", {"a": "0", "b": "10", "c": "11"})


def test_blocks() -> None:
    probs = {"a": 0.9, "b": 0.1}
    blocks = coding.independent_blocks(probs, 3)
    assert math.fsum(blocks.values()) == pytest.approx(1)
    assert blocks["a", "a", "b"] == pytest.approx(0.081)
    assert e.entropy(list(blocks.values())) == pytest.approx(3 * e.entropy([0.9, 0.1]))
    per_symbol = [
        coding.expected_length(coding.huffman_code(b), b) / n
        for n, b in ((n, coding.independent_blocks(probs, n)) for n in (1, 2, 3))
    ]
    # 1; pairs .81 .09 .09 .01 → 1.29/2; triples → 1.598/3
    assert per_symbol == pytest.approx([1, 0.645, 0.5326667])
    assert coding.text_blocks("abab", 2) == {"ab": pytest.approx(2 / 3), "ba": pytest.approx(1 / 3)}


def test_estimate() -> None:
    assert coding.estimate("aab", "abc") == pytest.approx({"a": 2.5 / 4.5, "b": 1 / 3, "c": 1 / 9})
    assert coding.estimate("", "ab") == {"a": 0.5, "b": 0.5}


def test_sound_classes() -> None:
    assert coding.sound_classes("every vowel i y") == "vcvcc cvcvc v c"


def test_english_is_english() -> None:
    text = coding.english()
    assert len(text) > 200_000
    assert set(text) == set("abcdefghijklmnopqrstuvwxyz ")
    letters = [letter for letter in coding.frequencies(text) if letter != " "]
    assert letters[0] == "e"


def test_tree_table() -> None:
    rng = random.Random(0)
    probs = as_probs([rng.randint(1, 99) for _ in range(11)])
    code = coding.huffman_code(probs)
    nodes = coding.tree_table(code, probs).set_index("word")
    assert len(nodes) == 2 * len(probs) - 1
    assert nodes.loc[""].prob == pytest.approx(1)
    leaves = nodes[nodes.symbol.notna()]
    assert (leaves.prob * leaves.depth).sum() == pytest.approx(coding.expected_length(code, probs))
    # the mean depth of the leaves is also the sum of the inner nodes' shares
    assert nodes[nodes.symbol.isna()].prob.sum() == pytest.approx(
        coding.expected_length(code, probs)
    )


def test_next_letter_entropies() -> None:
    # after a comes b, after b comes a: the second letter is known
    first, second = coding.next_letter_entropies("ab" * 500, 2)
    assert first == pytest.approx(1)
    assert second == pytest.approx(0, abs=0.01)


def test_block_table() -> None:
    table = coding.block_table("aaab" * 200, 3).set_index(["reading", "n"])
    h = e.entropy([0.75, 0.25])
    assert table.entropy_bits.tolist() == pytest.approx([h] * 6)
    for n in (1, 2, 3):
        assert h <= table.loc[("letters drawn independently", n), "questions"] <= h + 1 / n
    assert table.loc[("letters as they stand", 3), "questions"] < h


def test_random_excess_stays_below_one_question() -> None:
    excess = coding.random_excess(60, np.random.default_rng(0))
    assert excess.min() >= -1e-9
    assert excess.max() < 1


def test_wrong_code_costs() -> None:
    probs = {"a": 0.5, "b": 0.25, "c": 0.125, "d": 0.125}
    beliefs = {"right": probs, "alike": dict.fromkeys(probs, 0.25)}
    costs = coding.wrong_code_costs(probs, beliefs, 4000, 3, 0).groupby("belief").mean()
    assert costs.loc["right"].tolist()[1:3] == pytest.approx([0, 0], abs=1e-12)
    # 2 questions instead of 1.75, with codes that fit both exactly
    assert costs.loc["alike", "kl_bits"] == pytest.approx(0.25)
    assert costs.loc["alike", "wasted"] == pytest.approx(0.25, abs=0.03)
    assert costs.loc["alike", "over"] == pytest.approx(0, abs=1e-12)
