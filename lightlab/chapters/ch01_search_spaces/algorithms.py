"""Algorithms whose work is counted: path finding on a board, and seven from log n to n!.

The seven return (result, operations); an operation is what the textbook counts.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

Cell = tuple[int, int]
MAX_DRAWS = 1000


@dataclass(frozen=True)
class Board:
    """`size` × `size` cells (row, column), some obstacles; a step to a free neighbour costs 1."""

    size: int
    obstacles: frozenset[Cell]
    start: Cell
    goal: Cell

    @classmethod
    def random(cls, size: int, density: float, rng: np.random.Generator) -> "Board":
        """Each cell an obstacle with chance `density`, start left, goal right; with a path, else
        drawn again, at most `MAX_DRAWS` times: then a ValueError.
        """
        start, goal = (size // 2, size // 5), (size // 2, size - 1 - size // 5)
        for _ in range(MAX_DRAWS):
            cells = np.argwhere(rng.random((size, size)) < density).tolist()
            board = cls(size, frozenset(map(tuple, cells)) - {start, goal}, start, goal)
            if breadth_first(board).path:
                return board
        raise ValueError(
            f"no board of size {size} with a path in {MAX_DRAWS} draws: lower density={density}"
        )

    def neighbours(self, cell: Cell) -> Iterator[Cell]:
        """Free cells above, right, below and left of `cell`, in this order."""
        row, column = cell
        for near in ((row - 1, column), (row, column + 1), (row + 1, column), (row, column - 1)):
            inside = 0 <= near[0] < self.size and 0 <= near[1] < self.size
            if inside and near not in self.obstacles:
                yield near

    @property
    def n_free(self) -> int:
        return self.size**2 - len(self.obstacles)


class Walk:
    """The cells that a search `visited`, in order; its `path` (empty: none found) and `length`."""

    def __init__(self, board: Board, visited: list[Cell], parent: dict[Cell, Cell | None]) -> None:
        self.visited = visited
        self.path: list[Cell] = []
        cell = board.goal if board.goal in visited[-1:] else None
        while cell is not None:
            self.path.insert(0, cell)
            cell = parent[cell]
        self.length = len(self.path) - 1


def breadth_first(board: Board) -> Walk:
    """Visit the cell that waits longest: a queue. Finds a shortest path (Moore 1959)."""
    parent: dict[Cell, Cell | None] = {board.start: None}
    queue, visited = deque([board.start]), []
    while queue:
        cell = queue.popleft()
        visited.append(cell)
        if cell == board.goal:
            break
        for near in board.neighbours(cell):
            if near not in parent:
                parent[near] = cell
                queue.append(near)
    return Walk(board, visited, parent)


def depth_first(board: Board) -> Walk:
    """Visit the cell found last: a stack. Finds some path, seldom a short one."""
    parent: dict[Cell, Cell | None] = {}
    stack: list[tuple[Cell, Cell | None]] = [(board.start, None)]
    while stack:
        cell, came_from = stack.pop()
        if cell in parent:
            continue
        parent[cell] = came_from
        if cell == board.goal:
            break
        stack.extend((near, cell) for near in reversed(list(board.neighbours(cell))))
    return Walk(board, list(parent), parent)


def manhattan(board: Board, cell: Cell) -> int:
    """Steps from `cell` to the goal if nothing stood in the way: never more than the truth."""
    return abs(cell[0] - board.goal[0]) + abs(cell[1] - board.goal[1])


def a_star(board: Board, heuristic: Callable[[Board, Cell], float] = manhattan) -> Walk:
    """Visit the cell with the least g + h, steps so far + estimated to go; then the smaller h.

    The path is shortest if `heuristic` never overestimates and falls by at most 1 per step (Hart,
    Nilsson & Raphael 1968, theorems 1 and 2).
    """
    parent: dict[Cell, Cell | None] = {board.start: None}
    steps, to_go = {board.start: 0}, heuristic(board, board.start)
    heap, visited = [(to_go, to_go, board.start)], {}
    while heap:
        _, _, cell = heapq.heappop(heap)
        if cell in visited:
            continue
        visited[cell] = True
        if cell == board.goal:
            break
        for near in board.neighbours(cell):
            g = steps[cell] + 1
            if g < steps.get(near, board.size**2):
                steps[near], parent[near] = g, cell
                h = heuristic(board, near)
                heapq.heappush(heap, (g + h, h, near))
    return Walk(board, list(visited), parent)


FINDERS: dict[str, Callable[[Board], Walk]] = {
    "breadth-first": breadth_first,
    "depth-first": depth_first,
    "A*": a_star,
}


def binary_search(values: Sequence[int], target: int) -> tuple[int, int]:
    """Index of the first value >= `target` in a sorted sequence; counts comparisons."""
    low, high, comparisons = 0, len(values), 0
    while low < high:
        middle = (low + high) // 2
        comparisons += 1
        if values[middle] < target:
            low = middle + 1
        else:
            high = middle
    return low, comparisons


def total(values: Sequence[float]) -> tuple[float, int]:
    """Sum; counts additions."""
    result, additions = 0.0, 0
    for value in values:
        result += value
        additions += 1
    return result, additions


def merge_sort(values: Sequence[float]) -> tuple[list[float], int]:
    """Sorted values; counts comparisons."""
    if len(values) < 2:
        return list(values), 0
    middle = len(values) // 2
    (left, a), (right, b) = merge_sort(values[:middle]), merge_sort(values[middle:])
    merged, i, j, comparisons = [], 0, 0, a + b
    while i < len(left) and j < len(right):
        comparisons += 1
        if right[j] < left[i]:
            merged.append(right[j])
            j += 1
        else:
            merged.append(left[i])
            i += 1
    return merged + left[i:] + right[j:], comparisons


def insertion_sort(values: Sequence[float]) -> tuple[list[float], int]:
    """Sorted values; counts moves of one place, as many as there are pairs in the wrong order."""
    ordered, moves = list(values), 0
    for i in range(1, len(ordered)):
        value, j = ordered[i], i
        while j > 0 and ordered[j - 1] > value:
            ordered[j] = ordered[j - 1]
            j -= 1
            moves += 1
        ordered[j] = value
    return ordered, moves


def matrix_product(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> tuple[Any, int]:
    """Product of two matrices by its definition; counts multiply–accumulates (MACs)."""
    macs = 0
    product = [[0.0] * len(b[0]) for _ in a]
    for i, row in enumerate(a):
        for j in range(len(b[0])):
            for k, value in enumerate(row):
                product[i][j] += value * b[k][j]
                macs += 1
    return product, macs


def subset_sum(values: Sequence[int], target: int) -> tuple[int, int]:
    """Number of subsets that add up to `target`; counts the subsets, all of which are tried."""
    sums = [0]
    for value in values:
        sums += [s + value for s in sums]
    return sums.count(target), len(sums)


def shortest_tour(distance: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Length of the shortest round trip through all cities by trying each order; counts edges."""
    best, edges = math.inf, 0
    for order in permutations(range(1, len(distance))):
        length, here = 0.0, 0
        for city in (*order, 0):
            length += distance[here][city]
            here = city
            edges += 1
        best = min(best, length)
    return best, edges


@dataclass(frozen=True)
class Law:
    """An algorithm with its theory: `growth(n)` operations up to a factor.

    y(n, operations) against x(n) is a straight line, whose slope (after `read`) should be `theory`.
    """

    algorithm: str
    order: str
    growth: Callable[[int], float]
    inputs: Callable[[int, np.random.Generator], tuple]
    run: Callable[..., tuple[Any, int]]
    theory: float
    meaning: str
    x: Callable[[int], float] = math.log
    y: Callable[[int, float], float] = lambda _, operations: math.log(operations)
    read: Callable[[float], float] = float


def _cities(n: int, rng: np.random.Generator) -> tuple:
    x, y = rng.random((2, n))
    return (np.hypot(x[:, None] - x, y[:, None] - y).tolist(),)


def _numbers(n: int, rng: np.random.Generator) -> tuple:
    return (rng.random(n).tolist(),)


LAWS = (
    Law("binary search", "log n", math.log2,
        lambda n, rng: (range(n), int(rng.integers(n))), binary_search,
        1, "per doubling of n", math.log2, lambda _, operations: operations),
    Law("sum", "n", float, _numbers, total, 1, "exponent"),
    Law("merge sort", "n log n", lambda n: n * math.log2(n), _numbers, merge_sort,
        1, "per value and doubling", math.log2, lambda n, operations: operations / n),
    Law("insertion sort", "n²", lambda n: n**2 / 4, _numbers, insertion_sort, 2, "exponent"),
    Law("matrix product", "n³", lambda n: n**3,
        lambda n, rng: tuple(rng.random((2, n, n)).tolist()), matrix_product, 3, "exponent"),
    Law("subset sum", "2ⁿ", lambda n: 2**n,
        lambda n, rng: (rng.integers(1, 1000, n).tolist(), 1000), subset_sum,
        2, "base", float, read=math.exp),
    Law("shortest tour", "n!", math.factorial, _cities, shortest_tour,
        1, "exponent of n!", lambda n: math.lgamma(n + 1)),
)  # fmt: skip
