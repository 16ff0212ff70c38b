"""Twenty questions: find one object of a table by yes/no questions, the best one first."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from .entropy import entropy

# A player sees how the objects left would answer, (left, questions), and picks a column.
Player = Callable[[np.ndarray, np.random.Generator], int]


def threshold_questions(x: np.ndarray) -> tuple[np.ndarray, pd.DataFrame]:
    """All questions "is feature f at least t?" on a table `x` (objects, features) of numbers.

    Returns the answers (objects, questions) as booleans and the questions (feature, threshold);
    questions that all objects answer alike are left out.
    """
    asked, answers = [], []
    for feature in range(x.shape[1]):
        for threshold in np.unique(x[:, feature])[1:]:
            asked.append((feature, float(threshold)))
            answers.append(x[:, feature] >= threshold)
    if not asked:
        raise ValueError("all objects are alike: nothing to ask")
    return np.stack(answers, axis=1), pd.DataFrame(asked, columns=["feature", "threshold"])


def information(answers: np.ndarray) -> np.ndarray:
    """Bits that each question is expected to give, (questions,), the objects equally likely.

    An answer that splits them half and half gives 1 bit, one that all share gives 0.
    """
    yes = answers.mean(axis=0)
    return entropy(np.stack([yes, 1 - yes]), axis=0)


def most_informative(answers: np.ndarray, rng: np.random.Generator) -> int:
    """The question of most information, as in ID3 (Quinlan 1986); ties are drawn."""
    gain = information(answers)
    return int(rng.choice(np.flatnonzero(gain >= gain.max() - 1e-12)))


def any_question(answers: np.ndarray, rng: np.random.Generator) -> int:
    """A question at random."""
    return int(rng.integers(answers.shape[1]))


def any_useful(answers: np.ndarray, rng: np.random.Generator) -> int:
    """A question at random among those that tell at least something."""
    return int(rng.choice(np.flatnonzero(information(answers) > 0)))


def play(
    answers: np.ndarray,
    secret: int,
    player: Player,
    rng: np.random.Generator,
    max_questions: int = 1000,
) -> pd.DataFrame:
    """Ask until one object is left. A row per question, row 0 before the first.

    Columns: asked, question (column number, −1 in row 0), answer, left, entropy_bits.
    ValueError if two objects cannot be told apart or `max_questions` do not suffice.
    """
    left = np.arange(len(answers))
    rows = [(0, -1, False, len(left), float(np.log2(len(left))))]
    while len(left) > 1:
        question = player(answers[left], rng) if len(rows) <= max_questions else -1
        if question < 0 or not information(answers[left]).any():
            raise ValueError(f"{len(left)} objects left after {len(rows) - 1} questions")
        answer = bool(answers[secret, question])
        left = left[answers[left, question] == answer]
        rows.append((len(rows), question, answer, len(left), float(np.log2(len(left)))))
    return pd.DataFrame(rows, columns=["asked", "question", "answer", "left", "entropy_bits"])


def candidates(answers: np.ndarray, game: pd.DataFrame, asked: int) -> np.ndarray:
    """Numbers of the objects that are still possible after `asked` questions of a `game`."""
    left = np.ones(len(answers), dtype=bool)
    for row in game.iloc[1 : asked + 1].itertuples():
        left &= answers[:, row.question] == row.answer
    return np.flatnonzero(left)


def film(
    images: np.ndarray, answers: np.ndarray, asked: pd.DataFrame, game: pd.DataFrame
) -> tuple[np.ndarray, pd.DataFrame]:
    """Mean of the `images` (n, height, width) still possible at each stage of a `game`.

    Returns the means, and the stages: left, entropy_bits and the question that comes next (row,
    column, threshold, answer; NaN at the last). `asked` comes from `threshold_questions`.
    """
    means = np.stack([images[candidates(answers, game, k)].mean(axis=0) for k in game["asked"]])
    next_up = asked.loc[game["question"].iloc[1:]].reset_index(drop=True)
    next_up["row"], next_up["column"] = np.divmod(next_up.pop("feature"), images.shape[2])
    next_up["answer"] = np.where(game["answer"].iloc[1:], "yes", "no")
    return means, game[["left", "entropy_bits"]].join(next_up)


def play_many(
    answers: np.ndarray, secrets: np.ndarray, players: dict[str, Player], seed: int
) -> pd.DataFrame:
    """All `players` look for the same secrets: the rows of `play`, with columns player and game.

    A found object stays found: games are filled up with entropy 0 to the longest game's length.
    """
    games = []
    for name, player in players.items():
        for number, secret in enumerate(secrets):
            rng = np.random.default_rng([seed, number])
            games.append(play(answers, int(secret), player, rng).assign(player=name, game=number))
    longest = max(len(game) for game in games)
    filled = [
        game.set_index("asked").reindex(range(longest), method="ffill").reset_index()
        for game in games
    ]
    return pd.concat(filled, ignore_index=True)
