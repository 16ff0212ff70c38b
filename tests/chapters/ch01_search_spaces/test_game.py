"""Games and their searches, against published counts, closed forms and solved positions."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightlab.chapters.ch01_search_spaces.game import (
    MNK,
    UCT,
    Game,
    TranspositionTable,
    UniformTree,
    alpha_beta,
    minimax,
)

GAME = MNK(3, 3, 3)
C = math.sqrt(2)
X_TO_WIN = ((1 << 0) | (1 << 1), (1 << 3) | (1 << 4))  # XX. / OO. / ...


@functools.cache
def true_value(game: Game, state: tuple[int, int]) -> int:
    """By the definition, without cuts or table."""
    outcome = game.outcome(state)
    moves = [] if outcome is not None else game.moves(state)
    return max((-true_value(game, game.play(state, move)) for move in moves), default=outcome)


def test_published_counts_of_tic_tac_toe() -> None:
    """255,168 games, 549,946 nodes, 5,478 positions (Schaefer 2002, Bottomley 2001)."""
    seen = minimax(GAME)
    assert (seen.leaves, seen.states, len(seen.distinct), seen.value) == (255168, 549946, 5478, 0)
    assert seen.by_ply == [1, 9, 72, 504, 3024, 15120, 54720, 148176, 200448, 127872]
    assert alpha_beta(GAME).states == 18297  # moves row by row
    assert alpha_beta(GAME, TranspositionTable(1 << 18)).states < 5478


def test_positions_up_to_symmetry() -> None:
    """OEIS A008907, by number of stones; together 765."""
    plies = GAME.positions()
    classes = [GAME.count_classes(states) for states in plies]
    assert classes == [1, 3, 12, 38, 108, 174, 204, 153, 57, 15]
    assert GAME.count_classes(set().union(*plies)) == 765
    rectangle = MNK(3, 2, 3)  # four symmetries: six cells are corners or middles
    assert rectangle.count_classes(rectangle.positions()[1]) == 2


def test_games_won_and_drawn() -> None:
    """131,184 games are won by the first, 77,904 by the second player, 46,080 are drawn."""
    ends = {1: 0, -1: 0, 0: 0}

    def play(state: tuple[int, int], turn: int) -> None:
        outcome = GAME.outcome(state)
        if outcome is not None:
            ends[turn * outcome] += 1
            return
        for move in GAME.moves(state):
            play(GAME.play(state, move), -turn)

    play(GAME.start, 1)
    assert ends == {1: 131184, -1: 77904, 0: 46080}


@pytest.mark.parametrize(
    ("game", "value"), [((3, 3, 3), 0), ((4, 3, 3), 1), ((4, 3, 4), 0), ((2, 2, 2), 1)]
)
def test_known_values(game: tuple[int, int, int], value: int) -> None:
    """Uiterwijk & van den Herik 2000."""
    assert alpha_beta(MNK(*game), TranspositionTable(1 << 15)).value == value


@pytest.mark.parametrize("bad", [(5, 5, 3), (3, 3, 4), (0, 3, 1)])
def test_impossible_games_are_refused(bad: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="cells"):
        MNK(*bad)


@given(st.integers(2, 4), st.integers(1, 6), st.integers(0, 10_000))
@settings(max_examples=40)
def test_cuts_never_change_the_value(branching: int, depth: int, seed: int) -> None:
    """Knuth & Moore 1975: same value; best order visits b^⌈d/2⌉ + b^⌊d/2⌋ − 1 leaves, no order
    fewer, none more than all."""
    drawn, sorted_ = (
        UniformTree(branching, depth, np.random.default_rng(seed), best_first)
        for best_first in (False, True)
    )
    full, random, best = minimax(drawn), alpha_beta(drawn), alpha_beta(sorted_)
    assert full.value == random.value == best.value == true_value(drawn, (0, 0))
    fewest = branching ** -(-depth // 2) + branching ** (depth // 2) - 1
    assert best.leaves == fewest <= random.leaves <= full.leaves == branching**depth


@given(st.integers(1, 300))
@settings(max_examples=15)
def test_a_table_of_any_size_keeps_the_value(capacity: int) -> None:
    seen = alpha_beta(GAME, TranspositionTable(capacity))
    assert seen.value == 0
    assert seen.states <= 18297


def test_table_replaces_what_was_in_the_slot() -> None:
    table = TranspositionTable(1)
    for state, bounds in {(1, 2): (0.0, 0.0), (4, 8): (-1.0, 1.0)}.items():
        table.store(state, *bounds)
        assert table.bounds(state) == bounds
    assert table.bounds((1, 2)) == (-np.inf, np.inf)
    assert table.memory_bytes == 24


@pytest.mark.parametrize("search", [minimax, alpha_beta])
def test_bounds_in_the_table_enclose_the_true_value(search) -> None:
    table = TranspositionTable(1 << 18)
    search(GAME, table)
    positions = set().union(*GAME.positions())
    bounds = {state: table.bounds(state) for state in positions}
    assert all(low <= true_value(GAME, state) <= high for state, (low, high) in bounds.items())
    unfinished = [state for state in positions if GAME.outcome(state) is None]
    solved = [state for state in unfinished if len(set(bounds[state])) == 1]
    if search is minimax:
        assert len(solved) > 0.95 * len(unfinished)  # all were, a few were replaced
    assert bounds[GAME.start] == (0, 0)


def test_uct_takes_the_win_can_go_on_and_repeats_with_its_seed() -> None:
    found = UCT(GAME, X_TO_WIN, 7, C).run(200)
    assert found.best_move == 1 << 2
    assert sum(found.visits.values()) == 200
    assert found.visits[1 << 2] > 100
    again = UCT(GAME, X_TO_WIN, 7, C).run(50).run(150)
    assert (found.visits, found.states) == (again.visits, again.states)


def test_a_finished_game_at_the_end_of_the_tree_is_judged_exactly() -> None:
    """One free cell: the only move ends the game; all playouts say the same."""
    last = next(s for s in GAME.positions()[8] if GAME.outcome(s) is None)
    (child,) = UCT(GAME, last, 0, C).run(10).root.children
    assert child.reward / child.visits in (0.0, 0.5, 1.0)


@pytest.mark.parametrize("tree", [True, False])
def test_exploration_sets_how_evenly_moves_are_tried_and_flat_search_grows_no_tree(tree) -> None:
    """The bound outweighs any mean if c is huge, and no move is tried twice in vain if c is 0."""
    even = UCT(GAME, GAME.start, 0, 1e6, tree).run(90)
    assert set(even.visits.values()) == {10}
    assert any(child.children for child in even.root.children) == tree
    greedy = UCT(GAME, X_TO_WIN, 0, 0.0, tree).run(200).visits
    assert min(greedy.values()) < 5
    assert greedy[1 << 2] > 150
