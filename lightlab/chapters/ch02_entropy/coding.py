"""Prefix codes: a sequence of yes/no questions for every symbol, and what they cost on average."""

import heapq
import math
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from itertools import count, product

import numpy as np
import pandas as pd

from .entropy import entropy, kl_divergence

Probs = Mapping[Hashable, float]
Code = dict[Hashable, str]  # symbol -> answers to its questions, "0" and "1"


def english() -> str:
    """400,000 letters of English, a–z and space: the language manual that ships with Python."""
    from pydoc_data.topics import topics

    text = "\n".join(topics[name] for name in sorted(topics)).lower()
    return re.sub(r"[^a-z]+", " ", text).strip()


def frequencies(symbols: Iterable[Hashable]) -> dict[Hashable, float]:
    """Share of each symbol, most frequent first; an empty sequence is a ValueError."""
    counts = Counter(symbols)
    if not counts:
        raise ValueError("no symbols to count")
    total = counts.total()
    return {symbol: n / total for symbol, n in sorted(counts.items(), key=lambda kv: -kv[1])}


def estimate(symbols: Iterable[Hashable], alphabet: Iterable[Hashable]) -> dict[Hashable, float]:
    """Believed shares after a look at `symbols`: half a count is added to each of `alphabet`.

    So what was not seen yet stays possible (Krichevsky & Trofimov 1981).
    """
    counts = Counter(dict.fromkeys(alphabet, 0.5))
    counts.update(symbols)
    total = counts.total()
    return {symbol: n / total for symbol, n in counts.items()}


def huffman_code(probs: Probs) -> Code:
    """Prefix code of least expected length (Huffman 1952): merge the two rarest until one is left.

    A single symbol gets the empty code word: there is nothing to ask. No symbol is a ValueError.
    """
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
    """Prefix code with word lengths ⌈−log2 p⌉ (Shannon 1948, §9), words given out in order.

    Not optimal, but the code for which the cost of a wrong `probs` is bounded on both sides.
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


def random_excess(n: int, rng: np.random.Generator) -> np.ndarray:
    """Huffman's questions minus entropy for `n` random alphabets of 2 to 31 symbols, shape (n,).

    Dirichlet(0.3): from even to lopsided.
    """
    excess = np.empty(n)
    for i in range(n):
        p = rng.dirichlet(np.full(2 + i % 30, 0.3))
        probs = dict(enumerate(p))
        excess[i] = expected_length(huffman_code(probs), probs) - entropy(p)
    return excess


def encode(symbols: Iterable[Hashable], code: Code) -> str:
    """The answers of all symbols in a row, as a string of 0 and 1."""
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


def independent_blocks(probs: Probs, n: int) -> dict[tuple, float]:
    """Probabilities of all blocks of `n` symbols that are drawn independently of each other."""
    return {
        block: math.prod(probs[symbol] for symbol in block) for block in product(probs, repeat=n)
    }


def text_blocks(text: str, n: int) -> dict[Hashable, float]:
    """Shares of the blocks of `n` letters in a row as `text` has them, overlapping ones too."""
    return frequencies(text[i : i + n] for i in range(len(text) - n + 1))


def next_letter_entropies(text: str, longest: int) -> np.ndarray:
    """Shannon's F1..F_longest in bits: entropy of a letter when the n − 1 before it are known.

    F_n = H(blocks of n) − H(blocks of n − 1); Shannon 1951, equation 1.
    """
    blocks = [entropy(list(text_blocks(text, n).values())) for n in range(1, longest + 1)]
    return np.diff([0.0, *blocks])


def sound_classes(text: str) -> str:
    """`text` (a–z, space) with v for each vowel and c for each consonant, as in Markov 1913."""
    return re.sub(r"[^ V]", "c", re.sub(r"[aeiou]", "V", text)).lower()


def block_table(symbols: str, max_block: int) -> pd.DataFrame:
    """Huffman codes for blocks of 1..max_block symbols, independent ones and those of the text.

    Columns: reading, n, questions (per symbol), entropy_bits (of a symbol by itself).
    """
    one, rows = frequencies(symbols), []
    for n in range(1, max_block + 1):
        blocks = {
            "letters drawn independently": independent_blocks(one, n),
            "letters as they stand": text_blocks(symbols, n),
        }
        for reading, block in blocks.items():
            rows.append((reading, n, expected_length(huffman_code(block), block) / n))
    table = pd.DataFrame(rows, columns=["reading", "n", "questions"])
    return table.assign(entropy_bits=entropy(list(one.values())))


def wrong_code_costs(
    probs: Probs, beliefs: Mapping[str, Probs], n_letters: int, n_repeats: int, seed: int
) -> pd.DataFrame:
    """Draw letters from `probs`, code them as each of the `beliefs` would, count the answers.

    Columns: belief, repeat, kl_bits, wasted (questions per letter beyond those of the right code;
    Huffman codes of letter pairs), over (answers per letter of the belief's Shannon code minus
    H(p) + KL: between 0 and 1 by the theorem). Ties in building a code are drawn anew each time.
    """
    alphabet = list(probs)
    p = np.array([probs[s] for s in alphabet])
    right, rows = huffman_code(independent_blocks(probs, 2)), []
    for name, belief in beliefs.items():
        kl = kl_divergence(p, [belief[s] for s in alphabet])
        letters, pair_list = shannon_code(belief), list(independent_blocks(belief, 2).items())
        for repeat in range(n_repeats):
            rng = np.random.default_rng([seed, repeat])  # all beliefs get the same letters
            drawn = rng.choice(alphabet, size=n_letters, p=p).tolist()
            two = list(zip(drawn[::2], drawn[1::2], strict=False))
            pairs = huffman_code(dict(pair_list[i] for i in rng.permutation(len(pair_list))))
            wasted = (len(encode(two, pairs)) - len(encode(two, right))) / (2 * len(two))
            over = len(encode(drawn, letters)) / n_letters - entropy(p) - kl
            rows.append((name, repeat, kl, wasted, over))
    return pd.DataFrame(rows, columns=["belief", "repeat", "kl_bits", "wasted", "over"])


def tree_table(code: Code, probs: Probs) -> pd.DataFrame:
    """The tree of questions, a row per node: word, parent, depth, x (0..leaves−1), prob, symbol.

    Leaves stand in the order of their words, each parent midway above its children.
    """
    leaves = sorted(code, key=lambda symbol: code[symbol])
    x = {code[symbol]: float(i) for i, symbol in enumerate(leaves)}
    prob = {code[symbol]: probs[symbol] for symbol in leaves}
    name = {code[symbol]: symbol for symbol in leaves}
    inner = {word[:i] for word in x for i in range(len(word))}
    for word in sorted(inner, key=len, reverse=True):
        x[word] = (x[word + "0"] + x[word + "1"]) / 2
        prob[word] = prob[word + "0"] + prob[word + "1"]
    rows = [
        {
            "word": word,
            "parent": word[:-1] if word else None,
            "depth": len(word),
            "x": x[word],
            "prob": prob[word],
            "symbol": name.get(word),
        }
        for word in sorted(x, key=lambda word: (len(word), word))
    ]
    return pd.DataFrame(rows)
