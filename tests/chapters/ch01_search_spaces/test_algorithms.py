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
from lightlab.chapters.ch01_search_spaces.algorithms import Board, a_star, breadth_first

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
    walks = {method: find(maze) for method, find in algorithms.FINDERS.items()}
    for walk in walks.values():
        assert walk.path[0] == maze.start
        assert walk.path[-1] == walk.visited[-1] == maze.goal
        assert all(b in maze.neighbours(a) for a, b in itertools.pairwise(walk.path))
        assert set(walk.path) <= set(walk.visited)
        assert len(set(walk.visited)) == len(walk.visited) <= maze.n_free
    assert walks["depth-first"].length >= truth == walks["breadth-first"].length
    assert walks["A*"].length == truth
    assert set(walks["A*"].visited) <= set(walks["breadth-first"].visited)


def test_a_star_without_an_estimate_is_uniform_cost_search() -> None:
    maze = Board.random(15, 0.25, np.random.default_rng(3))
    blind = a_star(maze, heuristic=lambda *_: 0.0)
    assert blind.length == breadth_first(maze).length
    boards_to = [Board(maze.size, maze.obstacles, maze.start, cell) for cell in blind.visited]
    depth = [breadth_first(board).length for board in boards_to]
    assert depth == sorted(depth)


@pytest.mark.parametrize(
    ("factor", "size", "density", "misses"), [(10.0, 20, 0.35, True), (1.0, 30, 0.3, False)]
)
def test_only_an_overestimate_can_miss_the_shortest_path(factor, size, density, misses) -> None:
    """On large boards open cells are often reached again with fewer steps: the shorter way stays.

    At ten times the true distance it need not.
    """
    rng = np.random.default_rng(0)
    mazes = [Board.random(size, density, rng) for _ in range(40)]
    found = [a_star(m, lambda *at: factor * algorithms.manhattan(*at)).length for m in mazes]
    excess = np.subtract(found, [breadth_first(m).length for m in mazes])
    assert excess.min() == 0
    assert (excess.max() > 0) == misses


def test_a_star_walks_straight_on_an_empty_board() -> None:
    maze = Board.random(20, 0.0, np.random.default_rng(0))
    walk = a_star(maze)
    assert walk.visited == walk.path
    assert walk.length == algorithms.manhattan(maze, maze.start)


def test_no_path_is_an_empty_path_and_everything_reachable_is_visited() -> None:
    maze = Board(5, frozenset((row, 2) for row in range(5)), (2, 0), (2, 4))
    for find in algorithms.FINDERS.values():
        walk = find(maze)
        assert walk.path == []
        assert set(walk.visited) == {(row, column) for row in range(5) for column in range(2)}
    with pytest.raises(ValueError, match="lower density=1"):
        Board.random(10, 1.0, np.random.default_rng(0))


@given(st.lists(st.integers(-100, 100), max_size=60))
def test_sorting_results_and_bounds(values: list[int]) -> None:
    n = len(values)
    by_merging, comparisons = algorithms.merge_sort(values)
    by_insertion, moves = algorithms.insertion_sort(values)
    assert by_merging == by_insertion == sorted(values)
    assert moves == sum(a > b for a, b in itertools.combinations(values, 2))
    worst = n * math.ceil(math.log2(n)) - 2 ** math.ceil(math.log2(n)) + 1 if n else 0
    assert comparisons <= worst  # Knuth, TAOCP 3, 5.2.4


def test_merge_sort_meets_its_worst_case_and_the_number_of_questions() -> None:
    """On average over all orders at least log2 n! comparisons (Knuth, TAOCP 3, 5.3.1)."""
    counts = [algorithms.merge_sort(list(p))[1] for p in itertools.permutations(range(6))]
    assert max(counts) == 6 * 3 - 8 + 1
    assert np.mean(counts) >= math.log2(math.factorial(6))


@given(st.integers(1, 10_000), st.data())
def test_binary_search(n: int, data: st.DataObject) -> None:
    target = data.draw(st.integers(0, n - 1))
    index, comparisons = algorithms.binary_search(range(n), target)
    assert index == target
    assert math.floor(math.log2(n)) <= comparisons <= math.floor(math.log2(n)) + 1


def test_exact_counts() -> None:
    a, b = np.random.default_rng(0).random((2, 5, 5))
    product, macs = algorithms.matrix_product(a.tolist(), b.tolist())
    assert macs == 5**3
    assert np.allclose(product, a @ b)
    assert algorithms.total([1.0] * 17) == (17.0, 17)
    assert algorithms.subset_sum([3, 5, 8, 2], 8) == (2, 2**4)  # {3, 5} and {8}
    square = [[0, 1, 2**0.5, 1], [1, 0, 1, 2**0.5], [2**0.5, 1, 0, 1], [1, 2**0.5, 1, 0]]
    # (n − 1)! tours of n edges
    assert algorithms.shortest_tour(square) == (pytest.approx(4.0), math.factorial(4))
