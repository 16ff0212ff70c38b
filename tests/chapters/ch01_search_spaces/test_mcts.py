"""Monte-Carlo tree search on games that are solved."""

import numpy as np
import pandas as pd
import pytest

from lightlab.chapters.ch01_search_spaces import mcts
from lightlab.chapters.ch01_search_spaces.game import MNK

GAME = MNK(3, 3, 3)
X_TO_WIN = ((1 << 0) | (1 << 1), (1 << 3) | (1 << 4))  # XX. / OO. / ...


@pytest.fixture(scope="module")
def solved() -> dict:
    return mcts.solve(GAME)


def test_solution_has_every_position_and_a_draw(solved: dict) -> None:
    assert len(solved) == 5478
    assert solved[GAME.start] == 0


def test_values_of_a_position_known_by_eye(solved: dict) -> None:
    values = mcts.move_values(GAME, X_TO_WIN, solved)
    assert values[1 << 2] == 1  # completes the row
    assert values[1 << 6] == -1  # lets O complete its own
    assert mcts.perfect_moves(GAME, solved)[X_TO_WIN] == {1 << 2}


def test_uct_takes_the_win_and_counts_its_playouts() -> None:
    search = mcts.UCT(GAME, X_TO_WIN, seed=0).run(200)
    assert search.best_move == 1 << 2
    assert sum(search.visits.values()) == 200
    assert search.visits[1 << 2] > 100


def test_uct_can_go_on_and_repeats_with_its_seed() -> None:
    once = mcts.UCT(GAME, GAME.start, seed=7).run(150)
    twice = mcts.UCT(GAME, GAME.start, seed=7).run(50).run(100)
    assert once.visits == twice.visits
    assert once.states == twice.states


def test_flat_search_grows_no_tree() -> None:
    flat = mcts.UCT(GAME, GAME.start, seed=0, tree=False).run(300)
    assert all(not child.children for child in flat.root.children)
    deep = mcts.UCT(GAME, GAME.start, seed=0).run(300)
    assert any(child.children for child in deep.root.children)


def test_a_finished_game_at_the_end_of_the_tree_is_judged_exactly() -> None:
    """One free cell: the only move ends the game; all playouts say the same."""
    last = next(s for s in GAME.positions()[8] if GAME.outcome(s) is None)
    search = mcts.UCT(GAME, last, seed=0).run(10)
    (child,) = search.root.children
    assert child.reward / child.visits in (0.0, 0.5, 1.0)


def test_telling_position_has_all_three_outcomes(solved: dict) -> None:
    state = mcts.telling_position(GAME, solved)
    assert set(mcts.move_values(GAME, state, solved).values()) == {-1, 0, 1}
    nim_like = MNK(2, 1, 1)
    with pytest.raises(ValueError, match="no position"):
        mcts.telling_position(nim_like, mcts.solve(nim_like))


def test_uct_errs_less_with_more_playouts_and_less_than_a_random_move() -> None:
    errors = mcts.perfect_play(GAME, [10, 200], 30, 3, np.random.default_rng(0))
    mean = errors.groupby(["method", "playouts"])["error"].mean()
    assert mean["UCT", 200] < mean["UCT", 10] < mean["random move", 0]
    assert (mcts.convergence_rate(errors, 30) < 0).all()


def test_convergence_rate_of_a_power_law() -> None:
    n = 10**6  # so many positions that the half error does not show
    playouts = np.array([10, 100, 1000])
    errors = pd.DataFrame(
        {
            "seed": np.repeat([0, 1], 3),
            "method": "UCT",
            "playouts": np.tile(playouts, 2),
            "error": np.concatenate([playouts**-0.5, playouts**-1.0]),
        }
    )
    assert mcts.convergence_rate(errors, n) == pytest.approx([-0.5, -1.0], abs=1e-3)


@pytest.mark.parametrize("tree", [True, False])
def test_exploration_sets_how_evenly_moves_are_tried(tree: bool) -> None:
    """The bound outweighs any mean if c is huge, and no move is tried twice in vain if c is 0."""
    evenly = mcts.UCT(GAME, GAME.start, 0, exploration=1e6, tree=tree).run(90)
    assert set(evenly.visits.values()) == {10}
    greedy = mcts.UCT(GAME, X_TO_WIN, 0, exploration=0.0, tree=tree).run(200)
    assert min(greedy.visits.values()) < 5
    assert greedy.visits[1 << 2] > 150
