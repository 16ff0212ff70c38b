"""Games and exact searches, against published counts and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightlab.chapters.ch01_search_spaces.game import MNK, UniformTree
from lightlab.chapters.ch01_search_spaces.mcts import solve
from lightlab.chapters.ch01_search_spaces.minimax import (
    TranspositionTable,
    alpha_beta,
    minimax,
    ordering,
    table_sweep,
)


@pytest.fixture(scope="module")
def tictactoe() -> MNK:
    return MNK(3, 3, 3)


def test_published_counts_of_tic_tac_toe(tictactoe: MNK) -> None:
    """255,168 games, 549,946 nodes, 5,478 positions (Schaefer 2002, Bottomley 2001)."""
    seen = minimax(tictactoe)
    assert (seen.leaves, seen.states, len(seen.distinct), seen.value) == (255168, 549946, 5478, 0)
    assert seen.by_ply == [1, 9, 72, 504, 3024, 15120, 54720, 148176, 200448, 127872]


def test_positions_up_to_symmetry(tictactoe: MNK) -> None:
    """OEIS A008907, by number of stones; together 765."""
    plies = tictactoe.positions()
    classes = [tictactoe.count_classes(states) for states in plies]
    assert classes == [1, 3, 12, 38, 108, 174, 204, 153, 57, 15]
    assert tictactoe.count_classes(set().union(*plies)) == 765


def test_games_won_and_drawn(tictactoe: MNK) -> None:
    """131,184 games are won by the first, 77,904 by the second player, 46,080 are drawn."""
    ends = {1: 0, -1: 0, 0: 0}

    def play(state: tuple[int, int], turn: int) -> None:
        outcome = tictactoe.outcome(state)
        if outcome is not None:
            ends[turn * outcome] += 1
            return
        for move in tictactoe.moves(state):
            play(tictactoe.play(state, move), -turn)

    play(tictactoe.start, 1)
    assert ends == {1: 131184, -1: 77904, 0: 46080}


@pytest.mark.parametrize(
    ("game", "value"), [((3, 3, 3), 0), ((4, 3, 3), 1), ((4, 3, 4), 0), ((2, 2, 2), 1)]
)
def test_known_values(game: tuple[int, int, int], value: int) -> None:
    """Uiterwijk & van den Herik 2000."""
    table = TranspositionTable(1 << 15)
    assert alpha_beta(MNK(*game), table).value == value


def test_alpha_beta_on_tic_tac_toe(tictactoe: MNK) -> None:
    plain = alpha_beta(tictactoe)
    assert plain.states == 18297  # moves row by row
    assert alpha_beta(tictactoe, TranspositionTable(1 << 18)).states < 5478


def test_a_rectangular_board_has_four_symmetries() -> None:
    game = MNK(3, 2, 3)
    one_stone = game.positions()[1]
    assert len(one_stone) == 6
    assert game.count_classes(one_stone) == 2  # corners and middles


def test_frame_shows_the_first_player_as_one(tictactoe: MNK) -> None:
    state = tictactoe.play(tictactoe.play((0, 0), 1), 1 << 4)
    state = tictactoe.play(state, 1 << 8)
    frame = tictactoe.frame(state, {1 << 2: 0.5})
    assert frame["stone"].tolist() == [1, 0, 0, 0, -1, 0, 0, 0, 1]
    assert frame.set_index(["row", "column"]).at[(0, 2), "value"] == 0.5


@pytest.mark.parametrize("bad", [(5, 5, 3), (3, 3, 4), (0, 3, 1)])
def test_impossible_games_are_refused(bad: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="cells"):
        MNK(*bad)


@given(st.integers(2, 4), st.integers(1, 6), st.integers(0, 10_000))
@settings(max_examples=40)
def test_cuts_never_change_the_value(branching: int, depth: int, seed: int) -> None:
    """Knuth & Moore 1975: same value; best order visits b^⌈d/2⌉ + b^⌊d/2⌋ − 1 leaves, no order
    fewer, none more than all."""
    trees = [
        UniformTree(branching, depth, np.random.default_rng(seed), order)
        for order in ("random", "best")
    ]
    full, random, best = minimax(trees[0]), alpha_beta(trees[0]), alpha_beta(trees[1])
    assert full.value == random.value == best.value
    fewest = branching ** -(-depth // 2) + branching ** (depth // 2) - 1
    assert best.leaves == fewest <= random.leaves <= full.leaves == branching**depth


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(ValueError, match="worst"):
        UniformTree(2, 2, np.random.default_rng(0), "worst")


def test_ordering_compares_the_same_trees() -> None:
    frame = ordering(2, [2, 5], 3, np.random.default_rng(0))
    assert len(frame) == 3 * 2 * 3
    assert frame.groupby(["depth", "tree"])["value"].nunique().eq(1).all()


@given(st.integers(1, 300))
@settings(max_examples=15)
def test_a_table_of_any_size_keeps_the_value(capacity: int) -> None:
    game = MNK(3, 3, 3)
    seen = alpha_beta(game, TranspositionTable(capacity))
    assert seen.value == 0
    assert seen.states <= 18297


def test_table_replaces_what_was_in_the_slot() -> None:
    table = TranspositionTable(1)
    table.store((1, 2), 0.0, 0.0)
    assert table.bounds((1, 2)) == (0.0, 0.0)
    table.store((4, 8), -1.0, 1.0)
    assert table.bounds((4, 8)) == (-1.0, 1.0)
    assert table.bounds((1, 2)) == (-np.inf, np.inf)
    assert table.memory_bytes == 24


def test_sweep_trades_memory_for_visits() -> None:
    frame = table_sweep(MNK(3, 3, 2), [0, 32, 4096])
    for _, mine in frame.groupby("method"):
        assert mine["memory_bytes"].tolist() == [0, 32 * 24, 4096 * 24]
        assert mine["states"].is_monotonic_decreasing
        assert mine["value"].eq(1).all()
    enough = frame.query("method == 'minimax' and capacity == 4096")["states"].item()
    assert enough < frame["states"].max() / 2


@pytest.mark.parametrize("search", [minimax, alpha_beta])
def test_bounds_in_the_table_enclose_the_true_value(search) -> None:
    game = MNK(3, 3, 3)
    table = TranspositionTable(1 << 18)
    search(game, table)
    values = solve(game)
    bounds = {state: table.bounds(state) for state in values}
    assert all(low <= values[state] <= high for state, (low, high) in bounds.items())
    unfinished = [state for state in values if game.outcome(state) is None]
    solved = [state for state in unfinished if len(set(bounds[state])) == 1]
    if search is minimax:
        assert len(solved) > 0.95 * len(unfinished)  # all were, a few were replaced
    assert bounds[game.start] == (0, 0)
