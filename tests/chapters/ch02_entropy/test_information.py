"""Entropy and codes against closed forms, bounds and brute force; games whose best is known."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.chapters.ch02_entropy import information
from lightlab.chapters.ch02_entropy.information import most_informative

BITS = (np.arange(16)[:, None] >> np.arange(4)) & 1 == 1  # 16 objects, 4 questions that halve them
counts = st.lists(st.integers(0, 50), min_size=2, max_size=12).filter(any)
weights = st.lists(st.integers(1, 1000), min_size=2, max_size=20)


def as_probs(weights: list[int]) -> dict[int, float]:
    return dict(enumerate(float(p) for p in information.normalise(weights)))


def kraft_sum(code: information.Code) -> float:
    """At most 1 for every prefix code, 1 when no question is idle (Kraft 1949)."""
    return math.fsum(2.0 ** -len(word) for word in code.values())


def is_prefix_free(code: information.Code) -> bool:
    words = sorted(code.values())
    return not any(b.startswith(a) for a, b in itertools.pairwise(words))


def test_known_values() -> None:
    assert information.entropy([1.0, 0.0, 0.0]) == 0
    assert information.entropy([1 / 8] * 8) == pytest.approx(3, abs=1e-12)
    assert information.entropy([1 / 2, 1 / 4, 1 / 8, 1 / 8]) == pytest.approx(1.75, abs=1e-12)
    # Shannon 1948, figure 7: p = 0.11 makes a coin worth half a bit
    assert information.entropy([0.11, 0.89]) == pytest.approx(0.4999, abs=1e-4)


def test_entropy_over_an_axis() -> None:
    table = np.array([[0.5, 0.5], [1.0, 0.0]])
    assert information.entropy(table, axis=1) == pytest.approx([1, 0])


@pytest.mark.parametrize("bad", [[], [0, 0], [1, -1, 3], [np.nan, 1], [np.inf, 1]])
def test_normalise_rejects(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="counts"):
        information.normalise(bad)


@given(counts)
def test_entropy_lies_between_nothing_and_all_alike(n: list[int]) -> None:
    assert 0 <= information.entropy(information.normalise(n)) <= math.log2(len(n)) + 1e-12


@given(st.lists(st.lists(st.integers(0, 20), min_size=3, max_size=3), min_size=2, max_size=5))
def test_chain_rule(rows: list[list[int]]) -> None:
    if not np.sum(rows):
        rows[0][0] = 1
    joint = information.normalise(rows)
    share = joint.sum(axis=1)
    within = sum(
        s * information.entropy(row / s) for s, row in zip(share, joint, strict=True) if s > 0
    )
    assert information.entropy(joint) == pytest.approx(
        information.entropy(share) + within, abs=1e-9
    )


@given(st.data())
def test_gibbs_inequality(data: st.DataObject) -> None:
    p = information.normalise(data.draw(counts))
    q = information.normalise(
        data.draw(st.lists(st.integers(1, 50), min_size=len(p), max_size=len(p)))
    )
    divergence = information.kl_divergence(p, q)
    assert divergence >= -1e-12
    # Pinsker's inequality: only equal distributions come near 0
    assert divergence >= np.abs(p - q).sum() ** 2 / (2 * math.log(2)) - 1e-12
    assert information.kl_divergence(p, p) == pytest.approx(0, abs=1e-12)


def test_what_is_ruled_out_costs_without_end() -> None:
    assert information.kl_divergence([0.5, 0.5], [1.0, 0.0]) == math.inf
    assert information.kl_divergence([1.0, 0.0], [0.5, 0.5]) == pytest.approx(1)


def test_known_code() -> None:
    # Cover & Thomas 2006, example 5.6.1: mean length 2.3 bits
    probs = dict(enumerate([0.25, 0.25, 0.2, 0.15, 0.15]))
    assert information.expected_length(information.huffman_code(probs), probs) == pytest.approx(2.3)


def test_powers_of_two_cost_their_entropy() -> None:
    probs = {"a": 1 / 2, "b": 1 / 4, "c": 1 / 8, "d": 1 / 8}
    for code in (information.huffman_code(probs), information.shannon_code(probs)):
        assert [len(word) for word in code.values()] == [1, 2, 3, 3]


def test_nothing_to_ask() -> None:
    assert information.huffman_code({"a": 1.0}) == {"a": ""}
    assert information.shannon_code({"a": 1.0}) == {"a": ""}
    for make in (information.huffman_code, information.frequencies):
        with pytest.raises(ValueError, match="symbol"):
            make({})
    with pytest.raises(ValueError, match="infinitely"):
        information.shannon_code({"a": 1.0, "b": 0.0})


@given(st.lists(st.integers(1, 30), min_size=2, max_size=6))
def test_huffman_is_optimal(n: list[int]) -> None:
    """Against all word lengths that Kraft's inequality allows."""
    probs = as_probs(n)
    best = min(
        sum(p * length for p, length in zip(probs.values(), lengths, strict=True))
        for lengths in itertools.product(range(1, len(n)), repeat=len(n))
        if sum(2.0**-length for length in lengths) <= 1
    )
    assert information.expected_length(information.huffman_code(probs), probs) == pytest.approx(
        best
    )


@given(weights)
def test_huffman_bounds(n: list[int]) -> None:
    probs = as_probs(n)
    code = information.huffman_code(probs)
    excess = information.expected_length(code, probs) - information.entropy(list(probs.values()))
    assert -1e-9 <= excess < 1
    assert excess <= max(probs.values()) + 0.0861  # Gallager 1978
    assert kraft_sum(code) == pytest.approx(1)
    assert is_prefix_free(code)


@given(weights, st.data())
def test_a_wrong_shannon_code_costs_the_divergence(n: list[int], data: st.DataObject) -> None:
    m = data.draw(st.lists(st.integers(1, 1000), min_size=len(n), max_size=len(n)))
    p, q = as_probs(n), as_probs(m)
    code = information.shannon_code(q)
    assert is_prefix_free(code)
    assert kraft_sum(code) <= 1 + 1e-12
    true, believed = list(p.values()), list(q.values())
    ideal = information.entropy(true) + information.kl_divergence(true, believed)
    assert ideal - 1e-9 <= information.expected_length(code, p) < ideal + 1


@given(weights, st.lists(st.integers(0, 19), max_size=30))
def test_round_trip(n: list[int], picks: list[int]) -> None:
    code = information.huffman_code(as_probs(n))
    symbols = [pick % len(n) for pick in picks]
    assert information.decode(information.encode(symbols, code), code) == symbols


def test_cut_bits_are_reported() -> None:
    with pytest.raises(ValueError, match="inside a code word"):
        information.decode("0101", {"a": "0", "b": "10", "c": "11"})


def test_blocks() -> None:
    probs = {"a": 0.9, "b": 0.1}
    blocks = information.independent_blocks(probs, 3)
    assert math.fsum(blocks.values()) == pytest.approx(1)
    assert blocks["a", "a", "b"] == pytest.approx(0.081)
    assert information.entropy(list(blocks.values())) == pytest.approx(
        3 * information.entropy([0.9, 0.1])
    )
    per_symbol = [
        information.expected_length(information.huffman_code(b), b) / n
        for n, b in ((n, information.independent_blocks(probs, n)) for n in (1, 2, 3))
    ]
    # 1; pairs .81 .09 .09 .01 → 1.29/2; triples → 1.598/3
    assert per_symbol == pytest.approx([1, 0.645, 0.5326667])
    assert information.text_blocks("abab", 2) == {
        "ab": pytest.approx(2 / 3),
        "ba": pytest.approx(1 / 3),
    }


def test_estimate() -> None:
    assert information.estimate("aab", "abc") == pytest.approx(
        {"a": 2.5 / 4.5, "b": 1 / 3, "c": 1 / 9}
    )
    assert information.estimate("", "ab") == {"a": 0.5, "b": 0.5}


def test_sound_classes() -> None:
    assert information.sound_classes("every vowel i y") == "vcvcc cvcvc v c"


def test_english_is_english() -> None:
    text = information.english()
    assert len(text) > 200_000
    assert set(text) == set("abcdefghijklmnopqrstuvwxyz ")
    letters = [letter for letter in information.frequencies(text) if letter != " "]
    assert letters[0] == "e"


def test_tree_table() -> None:
    rng = random.Random(0)
    probs = as_probs([rng.randint(1, 99) for _ in range(11)])
    code = information.huffman_code(probs)
    nodes = information.tree_table(code, probs).set_index("word")
    assert len(nodes) == 2 * len(probs) - 1
    assert nodes.loc[""].prob == pytest.approx(1)
    leaves = nodes[nodes.symbol.notna()]
    assert (leaves.prob * leaves.depth).sum() == pytest.approx(
        information.expected_length(code, probs)
    )
    # the mean depth of the leaves is also the sum of the inner nodes' shares
    assert nodes[nodes.symbol.isna()].prob.sum() == pytest.approx(
        information.expected_length(code, probs)
    )


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_halving_needs_log2_questions() -> None:
    rare = np.eye(16, dtype=bool)  # "is it object i?"
    answers = np.concatenate([rare, BITS], axis=1)
    for secret in range(16):
        game = information.play(answers, secret, most_informative, rng())
        assert list(game.left) == [16, 8, 4, 2, 1]


def test_information() -> None:
    answers = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 0, 0]], dtype=bool)
    assert information.information_gain(answers) == pytest.approx([0, 1, 0.811278], abs=1e-6)
    assert most_informative(answers, rng()) == 1
    assert {information.any_useful(answers, np.random.default_rng(i)) for i in range(20)} == {1, 2}


def test_threshold_questions() -> None:
    x = np.array([[1.0, 7.0], [2.0, 7.0], [4.0, 7.0]])
    answers, asked = information.threshold_questions(x)
    assert list(asked.itertuples(index=False, name=None)) == [(0, 2.0), (0, 4.0)]
    assert answers.tolist() == [[False, False], [True, False], [True, True]]
    with pytest.raises(ValueError, match="alike"):
        information.threshold_questions(np.ones((3, 2)))


def test_twins_and_endless_games_are_reported() -> None:
    twins = np.array([[True], [True], [False]])
    with pytest.raises(ValueError, match="2 objects left after 1"):
        information.play(twins, 0, most_informative, rng())
    with pytest.raises(ValueError, match="left after 5"):
        information.play(
            np.eye(50, dtype=bool), 49, information.any_question, rng(), max_questions=5
        )


def test_film() -> None:
    images = np.array([[[0.0, 1.0]], [[0.0, 3.0]], [[2.0, 3.0]]])
    answers, asked = information.threshold_questions(images.reshape(3, -1))
    game = information.play(answers, 2, most_informative, rng())
    means, frames = information.film(images, answers, asked, game)
    assert means[0].ravel() == pytest.approx([2 / 3, 7 / 3])
    assert means[-1].ravel() == pytest.approx([2, 3])
    assert frames.left.tolist() == game.left.tolist()
    for frame in frames.iloc[:-1].itertuples():
        answer = images[2, int(frame.row), int(frame.column)] >= frame.threshold
        assert frame.answer == ("yes" if answer else "no")
    assert frames.iloc[-1][["row", "column", "threshold"]].isna().all()
