"""Twenty questions on tables where the best game is known."""

import numpy as np
import pytest

from lightlab.chapters.ch02_entropy import questions

BITS = (np.arange(16)[:, None] >> np.arange(4)) & 1 == 1  # 16 objects, 4 questions that halve them


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_halving_needs_log2_questions() -> None:
    rare = np.eye(16, dtype=bool)  # "is it object i?"
    answers = np.concatenate([rare, BITS], axis=1)
    for secret in range(16):
        game = questions.play(answers, secret, questions.most_informative, rng())
        assert list(game.left) == [16, 8, 4, 2, 1]
        assert list(questions.candidates(answers, game, 4)) == [secret]


def test_information() -> None:
    answers = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 0, 0]], dtype=bool)
    assert questions.information(answers) == pytest.approx([0, 1, 0.811278], abs=1e-6)
    assert questions.most_informative(answers, rng()) == 1
    assert {questions.any_useful(answers, np.random.default_rng(i)) for i in range(20)} == {1, 2}


def test_threshold_questions() -> None:
    x = np.array([[1.0, 7.0], [2.0, 7.0], [4.0, 7.0]])
    answers, asked = questions.threshold_questions(x)
    assert list(asked.itertuples(index=False, name=None)) == [(0, 2.0), (0, 4.0)]
    assert answers.tolist() == [[False, False], [True, False], [True, True]]
    with pytest.raises(ValueError, match="alike"):
        questions.threshold_questions(np.ones((3, 2)))


def test_twins_and_endless_games_are_reported() -> None:
    twins = np.array([[True], [True], [False]])
    with pytest.raises(ValueError, match="2 objects left after 1"):
        questions.play(twins, 0, questions.most_informative, rng())
    with pytest.raises(ValueError, match="left after 5"):
        questions.play(np.eye(50, dtype=bool), 49, questions.any_question, rng(), max_questions=5)


def test_play_many_fills_up_found_games() -> None:
    players = {"best": questions.most_informative, "useful": questions.any_useful}
    answers = np.concatenate([np.eye(16, dtype=bool), BITS], axis=1)
    games = questions.play_many(answers, np.array([3, 9]), players, seed=0)
    assert games.groupby(["player", "game"]).size().nunique() == 1
    assert (games.groupby(["player", "game"]).left.last() == 1).all()
    again = questions.play_many(answers, np.array([3, 9]), players, seed=0)
    assert games.equals(again)


def test_film() -> None:
    images = np.array([[[0.0, 1.0]], [[0.0, 3.0]], [[2.0, 3.0]]])
    answers, asked = questions.threshold_questions(images.reshape(3, -1))
    game = questions.play(answers, 2, questions.most_informative, rng())
    means, frames = questions.film(images, answers, asked, game)
    assert means[0].ravel() == pytest.approx([2 / 3, 7 / 3])
    assert means[-1].ravel() == pytest.approx([2, 3])
    assert frames.left.tolist() == game.left.tolist()
    for frame in frames.iloc[:-1].itertuples():
        answer = images[2, int(frame.row), int(frame.column)] >= frame.threshold
        assert frame.answer == ("yes" if answer else "no")
    assert frames.iloc[-1][["row", "column", "threshold"]].isna().all()
