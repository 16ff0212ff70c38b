"""Figures of notebook 01 say what their data say."""

import re

import numpy as np
import pandas as pd
import pytest

from lightlab.chapters.ch01_search_spaces import board, complexity, game, mcts, minimax, sizes
from lightlab.chapters.ch01_search_spaces import figures_games as games
from lightlab.chapters.ch01_search_spaces import figures_spaces as spaces
from lightlab.measure import stats


def test_visits_prints_the_counts_of_the_walks(words) -> None:
    maze = board.Board.random(12, 0.2, np.random.default_rng(0))
    shown = words(spaces.visits(board.visits(maze)))
    for method, find in board.METHODS.items():
        walk = find(maze)
        assert method in shown
        assert f"{len(walk.visited)} visited, path {walk.length} steps" in shown


def test_survey_and_growth_name_every_line(words) -> None:
    frame = board.survey(10, [0.0, 0.2], 3, np.random.default_rng(0))
    by = ["density", "method"]
    summaries = [stats.grouped_ci(frame, by, c) for c in ("visited_share", "excess")]
    assert set(board.METHODS) <= set(words(spaces.survey(*summaries)))
    measured = complexity.measure(6000, 2, np.random.default_rng(0))
    shown = words(spaces.growth(measured))
    assert {law.order for law in complexity.LAWS} <= set(shown)
    assert {law.algorithm for law in complexity.LAWS} <= set(shown)


def test_sizes_prints_each_size_and_sends_go_off_the_scale(words) -> None:
    known = sizes.known_spaces()
    fig = spaces.sizes(known)
    shown = words(fig)
    assert all(spaces.power(n) in shown for n in known["size"])
    arrows = [line for line in fig.axes[0].lines if line.get_marker() == ">"]
    assert len(arrows) == known["log10_size"].gt(58).sum() == 1


@pytest.mark.parametrize(
    ("number", "text"), [(6561, "6,561"), (7371**5, r"$2.2 \times 10^{19}$"), (1e6, None)]
)
def test_power(number: float, text: str | None) -> None:
    assert spaces.power(number) == (text or r"$1.0 \times 10^{6}$")


def test_game_figures_print_what_was_counted(words) -> None:
    tictactoe = game.MNK(3, 3, 3)
    sweep = minimax.table_sweep(tictactoe, [0, 1024])
    shown = words(games.trade_off(sweep, 5478))
    assert any(re.match(r"18,297 states, \d+ ms", text) for text in shown)
    found = minimax.alpha_beta(tictactoe)
    table = pd.DataFrame({"method": ["alpha–beta"], "states": [found.states]})
    by_ply = pd.DataFrame({"method": "alpha–beta", "ply": range(10), "states": found.by_ply})
    shown = words(games.game_states(table, by_ply, 5478))
    assert {"18,297", "all 5,478 positions"} <= set(shown)


def test_judgement_and_errors(words) -> None:
    tictactoe = game.MNK(3, 3, 3)
    state = (1 << 0 | 1 << 1, 1 << 3 | 1 << 4)
    values = mcts.move_values(tictactoe, state, mcts.solve(tictactoe))
    spent = {move: 1 / len(values) for move in values}
    frames = [tictactoe.frame(state, v) for v in (values, spent)]
    shown = words(games.move_judgement(*frames))
    assert (shown.count("X"), shown.count("O"), shown.count("20%")) == (4, 4, 5)
    assert shown.count("wins") == list(values.values()).count(1)
    errors = mcts.perfect_play(tictactoe, [5, 20], 10, 2, np.random.default_rng(0))
    shown = words(games.perfect_play(stats.grouped_ci(errors, ["method", "playouts"], "error")))
    guess = errors.loc[errors["method"] == "random move", "error"].mean()
    assert any(f"{guess:.0%}" in text for text in shown)
    assert {"UCT", "flat Monte Carlo"} <= set(shown)


def test_tree_leaves_names_the_three_orders(words) -> None:
    frame = minimax.ordering(2, [2, 3, 4], 3, np.random.default_rng(0))
    summary = stats.grouped_ci(frame, ["method", "depth"], "leaves")
    shown = words(games.tree_leaves(summary, 2))
    assert {"no cuts", "random order", "best move first"} <= set(shown)
