"""What notebook 02 measures: disorder and work, codes and questions, networks while they train."""

import math
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from lightlab import train
from lightlab.chapters.ch02_entropy import disorder, information
from lightlab.chapters.ch02_entropy.disorder import log2_arrangements, occupation_entropy
from lightlab.chapters.ch02_entropy.information import Probs, entropy, expected_length, huffman_code
from lightlab.data import DataSet
from lightlab.measure import stats
from lightlab.nets import build
from lightlab.published import read_yaml


def walk_table(counts: np.ndarray, exact: np.ndarray) -> pd.DataFrame:
    """Bits per particle at each step: of occupations `counts` (steps, side, side), as (log2 W)/N,
    and of the `exact` distribution (steps, cells).
    """
    flat = counts.reshape(len(counts), -1)
    return pd.DataFrame(
        {
            "step": np.arange(len(counts)),
            "entropy_bits": occupation_entropy(counts),
            "arrangements_bits": log2_arrangements(flat, axis=1) / flat[0].sum(),
            "exact_bits": entropy(exact, axis=1),
        }
    )


def boltzmann_gaps(p: np.ndarray, sizes: Sequence[int], rng: np.random.Generator) -> pd.DataFrame:
    """Occupations of different size drawn from `p`: how far (log2 W)/N stays below the entropy,
    counted, by Stirling, and at most (method of types).
    """
    rows = []
    for size in sizes:
        counts = rng.multinomial(size, p)
        gap = entropy(information.normalise(counts)) - log2_arrangements(counts) / size
        bound = disorder.type_class_bound(size, p.size)
        rows.append((size, gap, disorder.stirling_gap(counts), bound))
    return pd.DataFrame(rows, columns=["particles", "gap_bits", "stirling_bits", "bound_bits"])


def falls(side: int, n_steps: int, sizes: Sequence[int], seed: int) -> pd.DataFrame:
    """How often (% of the steps) and how deep entropy falls while particles leave their corner."""
    rows = []
    for size in sizes:
        rng = np.random.default_rng([seed, size])
        counts = disorder.simulate(np.zeros((size, 2), dtype=int), side, n_steps, rng)
        change = np.diff(occupation_entropy(counts))
        rows.append((size, 100 * (change < 0).mean(), -change.min(), change.sum()))
    columns = ["particles", "falling_percent", "deepest_fall_bits", "rise_bits"]
    return pd.DataFrame(rows, columns=columns)


def compare_orders(
    xy: np.ndarray, side: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tidy up in each of ORDERS: the curves, and the rooms after half the work."""
    curves, halfway = [], {}
    for order in disorder.ORDERS:
        counts, moves = disorder.tidy_up(xy, side, order, rng)
        bits = occupation_entropy(counts)
        curve = {"order": order, "moves": moves / len(xy), "entropy_bits": bits}
        curves.append(pd.DataFrame(curve))
        middle = len(counts) // 2
        halfway[f"{order}\nH = {bits[middle]:.1f} bits"] = counts[middle]
    return pd.concat(curves, ignore_index=True), disorder.room_table(halfway)


def work_runs(
    side: int, n_particles: int, n_steps: int, rates: Sequence[float], n_repeats: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Entropy step by step under each work rate; where the strewn ones end, by repeat; the means.

    `start` is "strewn", in repeat 0 also "tidy". The rates share their random numbers, so that
    their differences can be paired by repeat.
    """
    frames = []
    for repeat in range(n_repeats):
        rng = np.random.default_rng([seed, repeat])
        starts = {"strewn": disorder.scatter(n_particles, side, rng)}
        if repeat == 0:
            starts["tidy"] = np.zeros((n_particles, 2), dtype=int)
        for (start, xy), rate in product(starts.items(), rates):
            rng = np.random.default_rng([seed, repeat, 1])
            bits = occupation_entropy(disorder.simulate(xy, side, n_steps, rng, rate))
            frame = pd.DataFrame({"step": np.arange(n_steps + 1), "entropy_bits": bits})
            frames.append(frame.assign(work_rate=rate, start=start, repeat=repeat))
    runs = pd.concat(frames, ignore_index=True)
    last = runs[(runs["start"] == "strewn") & (runs["step"] == n_steps)]
    ends = last.pivot(index="repeat", columns="work_rate", values="entropy_bits")
    return runs, ends, stats.grouped_ci(last[last["work_rate"] > 0], "work_rate", "entropy_bits")


def balance(sides: Sequence[int], work_rates: Sequence[float]) -> pd.DataFrame:
    """Where work and diffusion hold each other, exactly."""
    rows = []
    for side, rate in product(sides, work_rates):
        p = disorder.stationary(disorder.transition_matrix(side, rate))
        rows.append((side, rate, entropy(p)))
    return pd.DataFrame(rows, columns=["side", "work_rate", "entropy_bits"])


def random_excess(n: int, rng: np.random.Generator) -> np.ndarray:
    """Huffman's questions minus entropy for `n` alphabets of 2 to 31 symbols, Dirichlet(0.3)."""
    excess = []
    for i in range(n):
        p = rng.dirichlet(np.full(2 + i % 30, 0.3))
        probs = dict(enumerate(p))
        excess.append(expected_length(huffman_code(probs), probs) - entropy(p))
    return np.array(excess)


def next_letter_entropies(text: str) -> pd.DataFrame:
    """Entropy of a letter when those before it are known: F_n of Shannon 1951, equation 1."""
    blocks = [entropy(list(information.text_blocks(text, n).values())) for n in (1, 2, 3)]
    published = read_yaml("english_entropy.yaml")["bits"]
    ours = np.diff([0.0, *blocks])
    return pd.DataFrame({"letters_known": range(3), "ours_bits": ours, "shannon_bits": published})


def block_codes(sources: Mapping[str, str], max_block: int) -> pd.DataFrame:
    """Huffman codes for blocks of 1..max_block symbols: questions per symbol, its own entropy."""
    rows = []
    for source, symbols in sources.items():
        one = information.frequencies(symbols)
        bits = entropy(list(one.values()))
        for n in range(1, max_block + 1):
            blocks = {
                "letters drawn independently": information.independent_blocks(one, n),
                "letters as they stand": information.text_blocks(symbols, n),
            }
            for reading, block in blocks.items():
                questions = expected_length(huffman_code(block), block) / n
                rows.append((source, reading, n, questions, bits))
    return pd.DataFrame(rows, columns=["source", "reading", "n", "questions", "entropy_bits"])


def wrong_code_costs(
    probs: Probs, beliefs: Mapping[str, Probs], n_letters: int, n_repeats: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw letters from `probs`, code them as each of the `beliefs` would, count the answers.

    wasted: answers per letter beyond the right code's (Huffman, letter pairs, ties drawn anew), its
    means are the second frame;
    over: answers per letter of the belief's Shannon code minus H(p) + KL, in theory from 0 to 1.
    """
    alphabet, p = list(probs), np.array(list(probs.values()))
    right, rows = huffman_code(information.independent_blocks(probs, 2)), []
    for name, belief in beliefs.items():
        kl = information.kl_divergence(p, [belief[s] for s in alphabet])
        letters = information.shannon_code(belief)
        pair_list = list(information.independent_blocks(belief, 2).items())
        for repeat in range(n_repeats):
            rng = np.random.default_rng([seed, repeat])  # all beliefs get the same letters
            drawn = rng.choice(alphabet, size=n_letters, p=p).tolist()
            two = list(zip(drawn[::2], drawn[1::2], strict=False))
            pairs = huffman_code(dict(pair_list[i] for i in rng.permutation(len(pair_list))))
            used, needed = (len(information.encode(two, code)) for code in (pairs, right))
            over = len(information.encode(drawn, letters)) / n_letters - entropy(p) - kl
            rows.append((name, repeat, kl, (used - needed) / (2 * len(two)), over))
    costs = pd.DataFrame(rows, columns=["belief", "repeat", "kl_bits", "wasted", "over"])
    return costs, stats.grouped_ci(costs, ["belief", "kl_bits"], "wasted")


def play_games(
    answers: np.ndarray, secrets: np.ndarray, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All PLAYERS look for the same secrets: the questions needed (a row per game, a column per
    player), and the mean bits left after each, where a found object stays found.
    """
    games = []
    for name, player in information.PLAYERS.items():
        for number, secret in enumerate(secrets):
            rng = np.random.default_rng([seed, number])
            game = information.play(answers, int(secret), player, rng)
            games.append(game.assign(player=name, game=number))
    longest = max(len(game) for game in games)
    filled = [game.set_index("asked").reindex(range(longest), method="ffill") for game in games]
    needed = pd.concat(games).groupby(["game", "player"])["asked"].max().unstack("player")
    left = pd.concat(filled).reset_index()
    return needed, stats.grouped_ci(left, ["player", "asked"], "entropy_bits")


def in_bits(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Mean surprise of `logits` (N, classes) at the true labels, the surprise that they expect, and
    the difference: 0 when the stated chances are true, above 0 when the network is too sure.
    """
    log_p = logits.double().log_softmax(dim=1)
    surprise = -log_p.gather(1, labels[:, None]).mean().item() / math.log(2)
    expected = -(log_p.exp() * log_p).sum(dim=1).mean().item() / math.log(2)
    return {
        "cross_entropy_bits": surprise,
        "predictive_entropy_bits": expected,
        "miscalibration_bits": surprise - expected,
        "accuracy": (logits.argmax(1) == labels).double().mean().item(),
    }


def weights(model: nn.Module) -> np.ndarray:
    """All entries of its matrices and kernels in one row; biases and normalisation left out."""
    parts = [p.detach().cpu().double().flatten() for p in model.parameters() if p.ndim > 1]
    return torch.cat(parts).numpy()


def weights_in_bits(weights: np.ndarray, bin_width: float, n_bins: int) -> dict[str, float]:
    """Bits of the histogram of `weights` (n,): in fixed bins of `bin_width` centred on its
    multiples, and in `n_bins` stretched from the smallest to the largest value.
    """
    fixed = np.unique(np.rint(weights / bin_width), return_counts=True)[1]
    stretched = np.histogram(weights, bins=n_bins)[0]
    counts = {"weights_fixed_bits": fixed, "weights_stretched_bits": stretched}
    return {ruler: float(entropy(information.normalise(n))) for ruler, n in counts.items()}


def train_network(
    dataset: DataSet, hidden: int, recipe: train.Recipe, seed: int, bin_width: float, n_bins: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train a network with one hidden layer and look at it 24 times, evenly on a log axis: the
    curve from step 0 on, test images, and its weights at both ends.
    """
    images, test, rows = dataset.train, dataset.test, []
    model = build.mlp(images.x[0].numel(), (hidden,), seed=seed)
    n_steps = round(recipe.epochs * (len(images) // min(recipe.batch_size, len(images))))
    stops = {0} | {round(s) for s in np.geomspace(1, max(1, n_steps), 24)}

    def look(model: nn.Module, at: dict[str, float]) -> None:
        if at["step"] in stops:
            bits = in_bits(train.logits(model, test), test.y)
            bits |= weights_in_bits(weights(model), bin_width, n_bins)
            spent = {"step": int(at["step"]), "macs": int(at["macs"])}
            rows.append({"decay": recipe.weight_decay, "seed": seed} | spent | bits)

    ends = {"random": weights(model)}
    look(model, {"step": 0, "macs": 0})
    train.fit(model, images, recipe, seed=seed, eval_every=1, callback=look)
    ends["trained"] = weights(model)
    return pd.DataFrame(rows), pd.DataFrame(ends).melt(var_name="moment", value_name="weight")


def train_networks(
    datasets: Mapping[int, DataSet],
    hidden: int,
    epochs: int,
    decays: Sequence[float],
    bin_width: float,
    n_bins: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`train_network` for each seed and weight decay: the curves, the first one's weights.

    Give each seed its own split: networks that share test images are not independent.
    """
    trained = []
    for decay, (seed, dataset) in product(decays, datasets.items()):
        recipe = train.Recipe(epochs=epochs, batch_size=64, lr=0.1, weight_decay=decay)
        trained.append(train_network(dataset, hidden, recipe, seed, bin_width, n_bins))
    return pd.concat([curve for curve, _ in trained], ignore_index=True), trained[0][1]


def means(table: pd.DataFrame, by: list[str], columns: list[str], kind: str) -> pd.DataFrame:
    """Mean of each of `columns` by `by`: columns `kind` (which of them), by, mean, ci_low, …"""
    return stats.grouped_ci(table.melt(by, columns, kind), [kind, *by], "value")
