"""Figures of notebook 01 say what their data say."""

import re

import numpy as np
import pandas as pd

from lightlab.chapters.ch01_search_spaces import algorithms, experiment, figures, game

TICTACTOE = game.MNK(3, 3, 3)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_visits_prints_the_counts_of_the_walks(words) -> None:
    maze = algorithms.Board.random(12, 0.2, rng())
    shown = words(figures.visits(experiment.visits(maze)))
    for method, find in algorithms.FINDERS.items():
        walk = find(maze)
        assert method in shown
        assert f"{len(walk.visited)} visited, path {walk.length} steps" in shown


def test_every_line_has_its_name(words) -> None:
    _, *means = experiment.survey(10, [0.0, 0.2], 3, rng())
    assert set(algorithms.FINDERS) <= set(words(figures.survey(*means)))
    shown = words(figures.growth(experiment.count_operations(6000, 2, rng())))
    assert {word for law in algorithms.LAWS for word in (law.order, law.algorithm)} <= set(shown)
    _, leaves = experiment.order_moves(2, [2, 3, 4], 3, rng())
    shown = words(figures.tree_leaves(leaves, 2))
    assert {"no cuts", "random order", "best move first"} <= set(shown)


def test_sizes_prints_each_size_and_sends_go_off_the_scale(words) -> None:
    known = experiment.known_spaces()
    fig = figures.sizes(known)
    shown = words(fig)
    assert all(figures.power(n) in shown for n in known["size"])
    arrows = [line for line in fig.axes[0].lines if line.get_marker() == ">"]
    assert len(arrows) == known["log10_size"].gt(58).sum() == 1


def test_power() -> None:
    written = ["6,561", r"$2.2 \times 10^{19}$", r"$1.0 \times 10^{6}$"]
    assert [figures.power(n) for n in (6561, 7371**5, 1e6)] == written


def test_game_figures_print_what_was_counted(words) -> None:
    sweep = experiment.sweep_tables(TICTACTOE, [0, 1024])
    shown = words(figures.trade_off(sweep, 5478))
    assert any(re.match(r"18,297 states, \d+ ms", text) for text in shown)
    found = game.alpha_beta(TICTACTOE)
    table = pd.DataFrame({"method": ["alpha–beta"], "states": [found.states]})
    by_ply = pd.DataFrame({"method": "alpha–beta", "ply": range(10), "states": found.by_ply})
    shown = words(figures.game_states(table, by_ply, 5478))
    assert {"18,297", "all 5,478 positions"} <= set(shown)


def test_judgement_and_errors(words) -> None:
    cells = experiment.judge_moves(TICTACTOE, 200, 0, 1.4)
    shown = words(figures.move_judgement(cells))
    for stone, sign in ((1, "X"), (-1, "O")):
        assert shown.count(sign) == 2 * cells["stone"].eq(stone).sum()  # on both boards
    for value, word in ((1, "wins"), (0, "draws"), (-1, "loses")):
        assert shown.count(word) == cells["value"].eq(value).sum()
    assert f"{cells['playout_share'].max():.0%}" in shown
    errors, means = experiment.perfect_play(TICTACTOE, [5, 20], 10, 2, rng(), 1.4)
    shown = words(figures.perfect_play(means))
    guess = errors.loc[errors["method"] == "random move", "error"].mean()
    assert any(f"{guess:.0%}" in text for text in shown)
    assert {"UCT", "flat Monte Carlo"} <= set(shown)
