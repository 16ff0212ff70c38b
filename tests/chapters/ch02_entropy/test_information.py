"""Entropy and codes against closed forms, bounds and brute force; games whose best is known."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.chapters.ch02_entropy import information
from lightlab.chapters.ch02_entropy.information import (
    entropy,
    expected_length,
    huffman_code,
    kl_divergence,
    most_informative,
    normalise,
    shannon_code,
)

counts = st.lists(st.integers(0, 50), min_size=2, max_size=12).filter(any)
weights = st.lists(st.integers(1, 1000), min_size=2, max_size=20)
powers = {"a": 1 / 2, "b": 1 / 4, "c": 1 / 8, "d": 1 / 8}


def as_probs(weights: list[int]) -> dict[int, float]:
    return dict(enumerate(normalise(weights).tolist()))


def kraft_sum(code: information.Code) -> float:
    """At most 1 for every prefix code, 1 when no question is idle (Kraft 1949)."""
    words = sorted(code.values())
    assert not any(b.startswith(a) for a, b in itertools.pairwise(words))
    return math.fsum(2.0 ** -len(word) for word in words)


def test_known_entropies() -> None:
    assert entropy([1.0, 0.0, 0.0]) == 0
    assert entropy([1 / 8] * 8) == pytest.approx(3, abs=1e-12)
    assert entropy(list(powers.values())) == pytest.approx(1.75, abs=1e-12)
    # Shannon 1948, figure 7: p = 0.11 makes a coin worth half a bit
    assert entropy([0.11, 0.89]) == pytest.approx(0.4999, abs=1e-4)
    assert entropy([[0.5, 0.5], [1.0, 0.0]], axis=1) == pytest.approx([1, 0])
    assert kl_divergence([0.5, 0.5], [1.0, 0.0]) == math.inf  # what is ruled out has no price
    assert kl_divergence([1.0, 0.0], [0.5, 0.5]) == pytest.approx(1)


@pytest.mark.parametrize("bad", [[], [0, 0], [1, -1, 3], [np.nan, 1], [np.inf, 1]])
def test_normalise_rejects(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="counts"):
        normalise(bad)


@given(counts)
def test_entropy_lies_between_nothing_and_all_alike(n: list[int]) -> None:
    assert 0 <= entropy(normalise(n)) <= math.log2(len(n)) + 1e-12


@given(st.lists(st.lists(st.integers(0, 20), min_size=3, max_size=3), min_size=2, max_size=5))
def test_chain_rule(rows: list[list[int]]) -> None:
    if not np.sum(rows):
        rows[0][0] = 1
    joint = normalise(rows)
    share = joint.sum(axis=1)
    within = sum(s * entropy(row / s) for s, row in zip(share, joint, strict=True) if s > 0)
    assert entropy(joint) == pytest.approx(entropy(share) + within, abs=1e-9)


@given(st.data())
def test_gibbs_inequality(data: st.DataObject) -> None:
    p = normalise(data.draw(counts))
    q = normalise(data.draw(st.lists(st.integers(1, 50), min_size=len(p), max_size=len(p))))
    # Pinsker's inequality: only equal distributions come near 0
    assert kl_divergence(p, q) >= np.abs(p - q).sum() ** 2 / (2 * math.log(2)) - 1e-12
    assert kl_divergence(p, p) == pytest.approx(0, abs=1e-12)


def test_known_codes() -> None:
    # Cover & Thomas 2006, example 5.6.1: mean length 2.3 bits
    probs = dict(enumerate([0.25, 0.25, 0.2, 0.15, 0.15]))
    assert expected_length(huffman_code(probs), probs) == pytest.approx(2.3)
    for make in (huffman_code, shannon_code):
        assert [len(word) for word in make(powers).values()] == [1, 2, 3, 3]
        assert make({"a": 1.0}) == {"a": ""}  # nothing to ask


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: huffman_code({}), "symbol"),
        (lambda: information.frequencies({}), "symbol"),
        (lambda: shannon_code({"a": 1.0, "b": 0.0}), "infinitely"),
        (lambda: information.decode("0101", {"a": "0", "b": "10", "c": "11"}), "inside a code"),
        (lambda: information.threshold_questions(np.ones((3, 2))), "alike"),
        (lambda: play([[1], [1], [0]], 0), "2 objects left after 1"),  # twins
        (lambda: play(np.eye(50), 49, information.any_question, 5), "left after 5"),  # endless
    ],
)
def test_what_cannot_be_asked_is_refused(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@given(st.lists(st.integers(1, 30), min_size=2, max_size=6))
def test_huffman_is_optimal(n: list[int]) -> None:
    """Against all word lengths that Kraft's inequality allows."""
    probs = as_probs(n)
    best = min(
        sum(p * length for p, length in zip(probs.values(), lengths, strict=True))
        for lengths in itertools.product(range(1, len(n)), repeat=len(n))
        if sum(2.0**-length for length in lengths) <= 1
    )
    assert expected_length(huffman_code(probs), probs) == pytest.approx(best)


@given(weights, st.lists(st.integers(0, 19), max_size=30))
def test_huffman_bounds_and_round_trip(n: list[int], picks: list[int]) -> None:
    probs = as_probs(n)
    code = huffman_code(probs)
    excess = expected_length(code, probs) - entropy(list(probs.values()))
    assert -1e-9 <= excess < 1
    assert excess <= max(probs.values()) + 0.0861  # Gallager 1978
    assert kraft_sum(code) == pytest.approx(1)
    symbols = [pick % len(n) for pick in picks]
    assert information.decode(information.encode(symbols, code), code) == symbols


@given(weights, st.data())
def test_a_wrong_shannon_code_costs_the_divergence(n: list[int], data: st.DataObject) -> None:
    m = data.draw(st.lists(st.integers(1, 1000), min_size=len(n), max_size=len(n)))
    code = shannon_code(as_probs(m))
    assert kraft_sum(code) <= 1 + 1e-12
    ideal = entropy(normalise(n)) + kl_divergence(normalise(n), normalise(m))
    assert ideal - 1e-9 <= expected_length(code, as_probs(n)) < ideal + 1


def test_blocks() -> None:
    probs = {"a": 0.9, "b": 0.1}
    blocks = [information.independent_blocks(probs, n) for n in (1, 2, 3)]
    assert math.fsum(blocks[2].values()) == pytest.approx(1)
    assert blocks[2]["a", "a", "b"] == pytest.approx(0.081)
    assert entropy(list(blocks[2].values())) == pytest.approx(3 * entropy([0.9, 0.1]))
    lengths = [expected_length(huffman_code(block), block) for block in blocks]
    assert lengths == pytest.approx([1, 1.29, 1.598])  # pairs .81 .09 .09 .01
    pairs = information.text_blocks("abab", 2)
    assert pairs == pytest.approx({"ab": 2 / 3, "ba": 1 / 3})


def test_estimate() -> None:
    found = information.estimate("aab", "abc")
    assert found == pytest.approx({"a": 2.5 / 4.5, "b": 1 / 3, "c": 1 / 9})
    assert information.estimate("", "ab") == {"a": 0.5, "b": 0.5}


def test_english_is_english() -> None:
    text = information.english()
    assert len(text) > 200_000
    assert set(text) == set("abcdefghijklmnopqrstuvwxyz ")
    letters = [letter for letter in information.frequencies(text) if letter != " "]
    assert letters[0] == "e"
    assert information.sound_classes("every vowel i y") == "vcvcc cvcvc v c"


def test_tree_table() -> None:
    rng = random.Random(0)
    probs = as_probs([rng.randint(1, 99) for _ in range(11)])
    code = huffman_code(probs)
    nodes = information.tree_table(code, probs).set_index("word")
    assert len(nodes) == 2 * len(probs) - 1
    assert nodes.loc[""].prob == pytest.approx(1)
    leaves, inner = nodes[nodes.symbol.notna()], nodes[nodes.symbol.isna()]
    mean_depth = pytest.approx(expected_length(code, probs))
    assert (leaves.prob * leaves.depth).sum() == mean_depth
    assert inner.prob.sum() == mean_depth


def play(answers, secret, player=most_informative, most=1000):
    rng = np.random.default_rng(0)
    return information.play(np.asarray(answers, dtype=bool), secret, player, rng, most)


def test_halving_needs_log2_questions() -> None:
    halving = (np.arange(16)[:, None] >> np.arange(4)) & 1 == 1
    answers = np.concatenate([np.eye(16), halving], axis=1)  # rarely yes: "is it object i?"
    for secret in range(16):
        assert play(answers, secret).left.tolist() == [16, 8, 4, 2, 1]


def test_questions_and_what_they_tell() -> None:
    answers = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 0, 0]], dtype=bool)
    assert information.information_gain(answers) == pytest.approx([0, 1, 0.811278], abs=1e-6)
    assert most_informative(answers, np.random.default_rng(0)) == 1
    assert {information.any_useful(answers, np.random.default_rng(i)) for i in range(20)} == {1, 2}
    answers, asked = information.threshold_questions(np.array([[1.0, 7], [2, 7], [4, 7]]))
    assert asked.values.tolist() == [[0, 2.0], [0, 4.0]]
    assert answers.tolist() == [[False, False], [True, False], [True, True]]


def test_film() -> None:
    images = np.array([[[0.0, 1.0]], [[0.0, 3.0]], [[2.0, 3.0]]])
    answers, asked = information.threshold_questions(images.reshape(3, -1))
    game = play(answers, 2)
    means, frames = information.film(images, answers, asked, game)
    assert means[0].ravel() == pytest.approx([2 / 3, 7 / 3])
    assert means[-1].ravel() == pytest.approx([2, 3])
    assert frames.left.tolist() == game.left.tolist()
    for frame in frames.iloc[:-1].itertuples():
        answer = images[2, int(frame.row), int(frame.column)] >= frame.threshold
        assert frame.answer == ("yes" if answer else "no")
    assert frames.iloc[-1][["row", "column", "threshold"]].isna().all()
