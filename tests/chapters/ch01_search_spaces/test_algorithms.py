"""Path finding against scipy's shortest paths; counted operations against closed forms."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path

from lightlab.chapters.ch01_search_spaces import algorithms
from lightlab.chapters.ch01_search_spaces.algorithms import Board

numbers = st.lists(st.integers(-100, 100), max_size=60)
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
    for method, find in algorithms.FINDERS.items():
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
    assert set(algorithms.a_star(maze).visited) <= set(algorithms.breadth_first(maze).visited)


def test_a_star_without_an_estimate_is_uniform_cost_search() -> None:
    maze = Board.random(15, 0.25, np.random.default_rng(3))
    blind = algorithms.a_star(maze, heuristic=lambda *_: 0.0)
    assert blind.length == algorithms.breadth_first(maze).length
    depth = [_steps(maze, cell) for cell in blind.visited]
    assert depth == sorted(depth)


def _steps(maze: Board, cell: algorithms.Cell) -> int:
    return algorithms.breadth_first(Board(maze.size, maze.obstacles, maze.start, cell)).length


def test_an_overestimate_can_miss_the_shortest_path() -> None:
    def misled(maze: Board, cell: algorithms.Cell) -> float:
        return 10.0 * algorithms.manhattan(maze, cell)

    rng = np.random.default_rng(0)
    mazes = [Board.random(20, 0.35, rng) for _ in range(30)]
    excess = [
        algorithms.a_star(m, misled).length - algorithms.breadth_first(m).length for m in mazes
    ]
    assert min(excess) >= 0
    assert max(excess) > 0


def test_a_star_walks_straight_on_an_empty_board() -> None:
    maze = Board.random(20, 0.0, np.random.default_rng(0))
    walk = algorithms.a_star(maze)
    assert walk.visited == walk.path
    assert walk.length == algorithms.manhattan(maze, maze.start)


def test_no_path_is_an_empty_path_and_everything_reachable_is_visited() -> None:
    wall = frozenset((row, 2) for row in range(5))
    maze = Board(5, wall, (2, 0), (2, 4))
    for find in algorithms.FINDERS.values():
        walk = find(maze)
        assert walk.path == []
        assert set(walk.visited) == {(row, column) for row in range(5) for column in range(2)}


def test_unsolvable_density_ends_with_a_clear_error() -> None:
    with pytest.raises(ValueError, match="lower density=1"):
        Board.random(10, 1.0, np.random.default_rng(0))


def test_a_cell_reached_twice_keeps_the_shorter_way() -> None:
    """Open cells can be reached again with fewer steps; on boards this large it happens often."""
    rng = np.random.default_rng(0)
    for _ in range(40):
        maze = Board.random(30, 0.3, rng)
        assert algorithms.a_star(maze).length == algorithms.breadth_first(maze).length


@given(numbers)
def test_sorting_results_and_bounds(values: list[int]) -> None:
    n = len(values)
    by_merging, comparisons = algorithms.merge_sort(values)
    by_insertion, moves = algorithms.insertion_sort(values)
    assert by_merging == by_insertion == sorted(values)
    inversions = sum(a > b for a, b in itertools.combinations(values, 2))
    assert moves == inversions
    worst = n * math.ceil(math.log2(n)) - 2 ** math.ceil(math.log2(n)) + 1 if n else 0
    assert comparisons <= worst  # Knuth, TAOCP 3, 5.2.4


def test_merge_sort_meets_its_worst_case() -> None:
    worst = max(algorithms.merge_sort(list(p))[1] for p in itertools.permutations(range(6)))
    assert worst == 6 * 3 - 8 + 1


def test_no_comparison_sort_beats_the_number_of_questions() -> None:
    """On average over all orders at least log2 n! comparisons (Knuth, TAOCP 3, 5.3.1)."""
    counts = [algorithms.merge_sort(list(p))[1] for p in itertools.permutations(range(6))]
    assert np.mean(counts) >= math.log2(math.factorial(6))


@given(st.integers(1, 10_000), st.data())
def test_binary_search(n: int, data: st.DataObject) -> None:
    target = data.draw(st.integers(0, n - 1))
    index, comparisons = algorithms.binary_search(range(n), target)
    assert index == target
    assert math.floor(math.log2(n)) <= comparisons <= math.floor(math.log2(n)) + 1


def test_exact_counts() -> None:
    rng = np.random.default_rng(0)
    assert algorithms.total([1.0] * 17) == (17.0, 17)
    a, b = rng.random((2, 5, 5))
    product, macs = algorithms.matrix_product(a.tolist(), b.tolist())
    assert macs == 5**3
    assert np.allclose(product, a @ b)
    assert algorithms.subset_sum([3, 5, 8, 2], 8) == (2, 2**4)  # {3, 5} and {8}
    square = [[0, 1, 2**0.5, 1], [1, 0, 1, 2**0.5], [2**0.5, 1, 0, 1], [1, 2**0.5, 1, 0]]
    length, edges = algorithms.shortest_tour(square)
    assert length == pytest.approx(4.0)
    assert edges == math.factorial(4)  # (n − 1)! tours of n edges
