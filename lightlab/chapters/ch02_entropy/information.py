"""Information in bits: entropy, codes as yes/no questions, and which question to ask next."""

import heapq
import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import count, product

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import rel_entr, xlogy

Probs = Mapping[Hashable, float]
Code = dict[Hashable, str]  # symbol -> answers to its questions, "0" and "1"
# A player sees how the objects left would answer, (left, questions), and picks a column.
Player = Callable[[np.ndarray, np.random.Generator], int]


def normalise(counts: ArrayLike) -> np.ndarray:
    """Shares of `counts`; ValueError unless they are finite, none negative, not all 0."""
    counts = np.asarray(counts, dtype=float)
    total = counts.sum()
    if not np.isfinite(total) or total <= 0 or (counts < 0).any():
        raise ValueError("need finite counts ≥ 0, at least one of them > 0")
    return counts / total


def entropy(p: ArrayLike, axis: int | None = None) -> np.ndarray | float:
    """Shannon entropy −Σ p log2 p in bits (1948, §6) over `axis` (None: of all); 0 log 0 is 0."""
    p = np.asarray(p, dtype=float)
    bits = -xlogy(p, p).sum(axis=axis) / np.log(2)
    return np.maximum(bits, 0.0) if np.ndim(bits) else max(float(bits), 0.0)


def kl_divergence(p: ArrayLike, q: ArrayLike) -> float:
    """Σ p log2(p/q) in bits: the questions wasted by believing `q` (Kullback & Leibler 1951)."""
    return float(rel_entr(p, q).sum() / np.log(2))


def english() -> str:
    """400,000 letters of English, a–z and space: the language manual that ships with Python."""
    from pydoc_data.topics import topics

    text = "\n".join(topics[name] for name in sorted(topics)).lower()
    return re.sub(r"[^a-z]+", " ", text).strip()


def sound_classes(text: str) -> str:
    """`text` (a–z, space) with v for each vowel and c for each consonant, as in Markov 1913."""
    return re.sub(r"[^ V]", "c", re.sub(r"[aeiou]", "V", text)).lower()


def frequencies(symbols: Iterable[Hashable]) -> dict[Hashable, float]:
    """Share of each symbol, most frequent first; an empty sequence is a ValueError."""
    counts = Counter(symbols)
    if not counts:
        raise ValueError("no symbols to count")
    total = counts.total()
    return {symbol: n / total for symbol, n in counts.most_common()}


def estimate(symbols: Iterable[Hashable], alphabet: Iterable[Hashable]) -> dict[Hashable, float]:
    """Shares, half a count added to each of `alphabet` (Krichevsky & Trofimov 1981)."""
    counts = Counter(dict.fromkeys(alphabet, 0.5))
    counts.update(symbols)
    total = counts.total()
    return {symbol: n / total for symbol, n in counts.items()}


def independent_blocks(probs: Probs, n: int) -> dict[tuple, float]:
    """Probabilities of all blocks of `n` symbols that are drawn independently of each other."""
    blocks = product(probs, repeat=n)
    return {block: math.prod(probs[symbol] for symbol in block) for block in blocks}


def text_blocks(text: str, n: int) -> dict[Hashable, float]:
    """Shares of the blocks of `n` letters in a row as `text` has them, overlapping ones too."""
    return frequencies(text[i : i + n] for i in range(len(text) - n + 1))


def huffman_code(probs: Probs) -> Code:
    """Prefix code of least expected length (Huffman 1952): merge the two rarest, to the last."""
    if not probs:
        raise ValueError("a code needs at least one symbol")
    ticket = count()  # breaks ties, so that symbols are never compared
    heap = [(p, next(ticket), {symbol: ""}) for symbol, p in probs.items()]
    heapq.heapify(heap)
    while len(heap) > 1:
        (p0, _, zero), (p1, _, one) = heapq.heappop(heap), heapq.heappop(heap)
        merged = {s: "0" + w for s, w in zero.items()} | {s: "1" + w for s, w in one.items()}
        heapq.heappush(heap, (p0 + p1, next(ticket), merged))
    return {symbol: heap[0][2][symbol] for symbol in probs}


def shannon_code(probs: Probs) -> Code:
    """Prefix code with word lengths ⌈−log2 p⌉ (Shannon 1948, §9), not optimal, but the cost of a
    wrong `probs` is bounded on both sides.
    """
    if any(p <= 0 for p in probs.values()):
        raise ValueError("every symbol needs a probability > 0, or its word is infinitely long")
    # 1e-12: a probability of 1/8 that rounding made 0.125 − 1e-17 still gets three questions
    lengths = {symbol: math.ceil(-math.log2(p) - 1e-12) for symbol, p in probs.items()}
    code, word, length = {}, 0, 0
    for symbol in sorted(lengths, key=lengths.__getitem__):
        word <<= lengths[symbol] - length
        length = lengths[symbol]
        code[symbol] = format(word, f"0{length}b") if length else ""
        word += 1
    return {symbol: code[symbol] for symbol in probs}


def expected_length(code: Code, probs: Probs) -> float:
    """Mean number of questions Σ p · length when symbols come with `probs`."""
    return math.fsum(p * len(code[symbol]) for symbol, p in probs.items())


def tree_table(code: Code, probs: Probs) -> pd.DataFrame:
    """The tree of questions, a row per node; leaves in the order of their words, x from 0."""
    name = {word: symbol for symbol, word in code.items()}
    x = {word: float(i) for i, word in enumerate(sorted(name))}
    prob = {word: probs[symbol] for word, symbol in name.items()}
    inner = {word[:i] for word in x for i in range(len(word))}
    for word in sorted(inner, key=len, reverse=True):
        x[word] = (x[word + "0"] + x[word + "1"]) / 2
        prob[word] = prob[word + "0"] + prob[word + "1"]
    rows = []
    for word in sorted(x, key=lambda word: (len(word), word)):
        parent = word[:-1] if word else None
        rows.append((word, parent, len(word), x[word], prob[word], name.get(word)))
    return pd.DataFrame(rows, columns=["word", "parent", "depth", "x", "prob", "symbol"])


def encode(symbols: Iterable[Hashable], code: Code) -> str:
    return "".join(code[symbol] for symbol in symbols)


def decode(bits: str, code: Code) -> list[Hashable]:
    """The symbols whose answers are `bits`; ValueError if the last word is cut short."""
    symbol_of = {word: symbol for symbol, word in code.items()}
    symbols, word = [], ""
    for bit in bits:
        word += bit
        if word in symbol_of:
            symbols.append(symbol_of[word])
            word = ""
    if word:
        raise ValueError(f"the bits end inside a code word: {word!r}")
    return symbols


def threshold_questions(x: np.ndarray) -> tuple[np.ndarray, pd.DataFrame]:
    """All questions "is feature f at least t?" on a table `x` (objects, features), and the answers
    (objects, questions); without those that all objects answer alike.
    """
    pairs = [(f, float(t)) for f in range(x.shape[1]) for t in np.unique(x[:, f])[1:]]
    if not pairs:
        raise ValueError("all objects are alike: nothing to ask")
    asked = pd.DataFrame(pairs, columns=["feature", "threshold"])
    return x[:, asked["feature"]] >= asked["threshold"].to_numpy(), asked


def information_gain(answers: np.ndarray) -> np.ndarray:
    """Bits that each question is expected to give, (questions,), the objects equally likely."""
    yes = answers.mean(axis=0)
    return entropy(np.stack([yes, 1 - yes]), axis=0)


def most_informative(answers: np.ndarray, rng: np.random.Generator) -> int:
    """The question of most information, as in ID3 (Quinlan 1986); ties are drawn."""
    gain = information_gain(answers)
    return int(rng.choice(np.flatnonzero(gain >= gain.max() - 1e-12)))


def any_question(answers: np.ndarray, rng: np.random.Generator) -> int:
    return int(rng.integers(answers.shape[1]))


def any_useful(answers: np.ndarray, rng: np.random.Generator) -> int:
    """A question at random among those that tell at least something."""
    return int(rng.choice(np.flatnonzero(information_gain(answers) > 0)))


PLAYERS: dict[str, Player] = {
    "most information": most_informative,
    "random, but useful": any_useful,
    "random": any_question,
}


def play(
    answers: np.ndarray,
    secret: int,
    player: Player,
    rng: np.random.Generator,
    max_questions: int = 1000,
) -> pd.DataFrame:
    """Ask until one object is left. A row per question, row 0 (question −1) before the first.

    ValueError if two objects cannot be told apart or `max_questions` do not suffice.
    """
    left = np.arange(len(answers))
    rows = [(0, -1, False, len(left), float(np.log2(len(left))))]
    while len(left) > 1:
        question = player(answers[left], rng) if len(rows) <= max_questions else -1
        if question < 0 or not information_gain(answers[left]).any():
            raise ValueError(f"{len(left)} objects left after {len(rows) - 1} questions")
        answer = bool(answers[secret, question])
        left = left[answers[left, question] == answer]
        rows.append((len(rows), question, answer, len(left), float(np.log2(len(left)))))
    return pd.DataFrame(rows, columns=["asked", "question", "answer", "left", "entropy_bits"])


def film(
    images: np.ndarray, answers: np.ndarray, asked: pd.DataFrame, game: pd.DataFrame
) -> tuple[np.ndarray, pd.DataFrame]:
    """Mean of the `images` (n, height, width) still possible at each stage of a `game`, and the
    stages with the question of `threshold_questions` that comes next (NaN at the last).
    """
    left, means = np.arange(len(images)), [images.mean(axis=0)]
    for row in game.iloc[1:].itertuples():
        left = left[answers[left, row.question] == row.answer]
        means.append(images[left].mean(axis=0))
    next_up = asked.loc[game["question"].iloc[1:]].reset_index(drop=True)
    next_up["row"], next_up["column"] = np.divmod(next_up.pop("feature"), images.shape[2])
    next_up["answer"] = np.where(game["answer"].iloc[1:], "yes", "no")
    return np.stack(means), game[["left", "entropy_bits"]].join(next_up)
