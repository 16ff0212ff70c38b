"""Path finding: against scipy's shortest paths, and against what the methods promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path

from lightlab.chapters.ch01_search_spaces import board
from lightlab.chapters.ch01_search_spaces.board import Board

boards = st.builds(
    lambda size, density, seed: Board.random(size, density, np.random.default_rng(seed)),
    st.integers(5, 12),
    st.floats(0.0, 0.35),
    st.integers(0, 10_000),
)


def _true_length(maze: Board) -> float:
    """Steps from start to goal by scipy's Dijkstra, from a graph built cell by cell."""
    free = np.ones((maze.size, maze.size), dtype=bool)
    for cell in maze.obstacles:
        free[cell] = False
    index = np.arange(maze.size**2).reshape(free.shape)
    right, down = free[:, :-1] & free[:, 1:], free[:-1] & free[1:]
    a = np.concatenate([index[:, :-1][right], index[:-1][down]])
    b = np.concatenate([index[:, 1:][right], index[1:][down]])
    graph = coo_array((np.ones(len(a)), (a, b)), shape=(maze.size**2,) * 2).tocsr()
    steps = shortest_path(graph, directed=False, indices=index[maze.start])
    return steps[index[maze.goal]]


@given(boards)
@settings(max_examples=60)
def test_paths_are_connected_and_two_methods_are_shortest(maze: Board) -> None:
    truth = _true_length(maze)
    for method, find in board.METHODS.items():
        walk = find(maze)
        assert walk.path[0] == maze.start
        assert walk.path[-1] == walk.visited[-1] == maze.goal
        assert all(b in maze.neighbours(a) for a, b in zip(walk.path, walk.path[1:], strict=False))
        assert set(walk.path) <= set(walk.visited)
        assert len(set(walk.visited)) == len(walk.visited) <= maze.n_free
        assert walk.length >= truth
        if method != "depth-first":
            assert walk.length == truth


@given(boards)
@settings(max_examples=60)
def test_a_star_visits_no_cell_that_breadth_first_leaves_out(maze: Board) -> None:
    assert set(board.a_star(maze).visited) <= set(board.breadth_first(maze).visited)


def test_a_star_without_an_estimate_is_uniform_cost_search() -> None:
    maze = Board.random(15, 0.25, np.random.default_rng(3))
    blind = board.a_star(maze, heuristic=lambda *_: 0.0)
    assert blind.length == board.breadth_first(maze).length
    depth = [_steps(maze, cell) for cell in blind.visited]
    assert depth == sorted(depth)


def _steps(maze: Board, cell: board.Cell) -> int:
    return board.breadth_first(Board(maze.size, maze.obstacles, maze.start, cell)).length


def test_an_overestimate_can_miss_the_shortest_path() -> None:
    def misled(maze: Board, cell: board.Cell) -> float:
        return 10.0 * board.manhattan(maze, cell)

    rng = np.random.default_rng(0)
    mazes = [Board.random(20, 0.35, rng) for _ in range(30)]
    excess = [board.a_star(m, misled).length - board.breadth_first(m).length for m in mazes]
    assert min(excess) >= 0
    assert max(excess) > 0


def test_a_star_walks_straight_on_an_empty_board() -> None:
    maze = Board.random(20, 0.0, np.random.default_rng(0))
    walk = board.a_star(maze)
    assert walk.visited == walk.path
    assert walk.length == board.manhattan(maze, maze.start)


def test_no_path_is_an_empty_path_and_everything_reachable_is_visited() -> None:
    wall = frozenset((row, 2) for row in range(5))
    maze = Board(5, wall, (2, 0), (2, 4))
    for find in board.METHODS.values():
        walk = find(maze)
        assert walk.path == []
        assert set(walk.visited) == {(row, column) for row in range(5) for column in range(2)}


def test_unsolvable_density_ends_with_a_clear_error() -> None:
    with pytest.raises(ValueError, match="lower density=1"):
        Board.random(10, 1.0, np.random.default_rng(0))


def test_visits_counts_agree_with_the_walks() -> None:
    maze = Board.random(12, 0.2, np.random.default_rng(1))
    cells = board.visits(maze)
    assert len(cells) == 3 * 12**2
    assert cells.loc[cells["obstacle"], ["visit", "step"]].isna().all(axis=None)
    for method, mine in cells.groupby("method"):
        walk = board.METHODS[method](maze)
        ordered = mine.dropna(subset="visit").sort_values("visit")
        assert list(zip(ordered["row"], ordered["column"], strict=True)) == walk.visited
        assert mine["step"].max() == walk.length


def test_survey_pairs_methods_and_repeats_with_the_seed() -> None:
    a, b = (board.survey(10, [0.0, 0.2], 4, np.random.default_rng(5)) for _ in range(2))
    assert a.equals(b)
    assert a.groupby(["density", "board"])["method"].nunique().eq(3).all()
    assert a.loc[a["method"] != "depth-first", "excess"].eq(0).all()
    assert a["visited_share"].between(0, 1).all()


def test_a_cell_reached_twice_keeps_the_shorter_way() -> None:
    """Open cells can be reached again with fewer steps; on boards this large it happens often."""
    rng = np.random.default_rng(0)
    for _ in range(40):
        maze = Board.random(30, 0.3, rng)
        assert board.a_star(maze).length == board.breadth_first(maze).length
