"""Path finding on a board: the same loop with three frontiers, and what each of them visits.

The problem space is the board: every free cell is a state, every step to a neighbour costs 1.
The search space of a method is the set of cells that it really takes from its frontier.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

Cell = tuple[int, int]
MAX_DRAWS = 1000


@dataclass(frozen=True)
class Board:
    """`size` × `size` cells, some of them obstacles; cells are (row, column)."""

    size: int
    obstacles: frozenset[Cell]
    start: Cell
    goal: Cell

    @classmethod
    def random(cls, size: int, density: float, rng: np.random.Generator) -> "Board":
        """Each cell is an obstacle with probability `density`; start left, goal right, both free.

        Boards without a path are drawn again, at most `MAX_DRAWS` times: then a ValueError.
        """
        start, goal = (size // 2, size // 5), (size // 2, size - 1 - size // 5)
        for _ in range(MAX_DRAWS):
            blocked = zip(*np.nonzero(rng.random((size, size)) < density), strict=True)
            cells = {(int(row), int(column)) for row, column in blocked} - {start, goal}
            board = cls(size, frozenset(cells), start, goal)
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
        """Number of states of the problem space."""
        return self.size**2 - len(self.obstacles)


@dataclass(frozen=True)
class Walk:
    """Cells in the order of their visit, and the path found (empty: there is none)."""

    visited: list[Cell]
    path: list[Cell]

    @property
    def length(self) -> int:
        """Steps of the path."""
        return len(self.path) - 1


def breadth_first(board: Board) -> Walk:
    """Visit the cell that waits longest: a queue. Finds a shortest path (Moore 1959)."""
    parent: dict[Cell, Cell | None] = {board.start: None}
    queue, visited = deque([board.start]), []
    while queue:
        cell = queue.popleft()
        visited.append(cell)
        if cell == board.goal:
            return Walk(visited, _path_to(cell, parent))
        for near in board.neighbours(cell):
            if near not in parent:
                parent[near] = cell
                queue.append(near)
    return Walk(visited, [])


def depth_first(board: Board) -> Walk:
    """Visit the cell found last: a stack. Finds some path, seldom a short one."""
    parent: dict[Cell, Cell | None] = {}
    stack: list[tuple[Cell, Cell | None]] = [(board.start, None)]
    visited = []
    while stack:
        cell, came_from = stack.pop()
        if cell in parent:
            continue
        parent[cell] = came_from
        visited.append(cell)
        if cell == board.goal:
            return Walk(visited, _path_to(cell, parent))
        stack.extend((near, cell) for near in reversed(list(board.neighbours(cell))))
    return Walk(visited, [])


def manhattan(board: Board, cell: Cell) -> int:
    """Steps from `cell` to the goal if nothing stood in the way: never more than the truth."""
    return abs(cell[0] - board.goal[0]) + abs(cell[1] - board.goal[1])


def a_star(board: Board, heuristic: Callable[[Board, Cell], float] = manhattan) -> Walk:
    """Visit the cell with the least g + h: steps so far + estimated steps to go.

    Equal sums: the smaller h first. The path is shortest if `heuristic` never overestimates and
    falls by at most 1 per step (Hart, Nilsson & Raphael 1968, theorems 1 and 2).
    """
    parent: dict[Cell, Cell | None] = {board.start: None}
    steps = {board.start: 0}
    to_go = heuristic(board, board.start)
    heap, closed, visited = [(to_go, to_go, board.start)], set(), []
    while heap:
        _, _, cell = heapq.heappop(heap)
        if cell in closed:
            continue
        closed.add(cell)
        visited.append(cell)
        if cell == board.goal:
            return Walk(visited, _path_to(cell, parent))
        for near in board.neighbours(cell):
            g = steps[cell] + 1
            if g < steps.get(near, board.size**2):
                steps[near], parent[near] = g, cell
                h = heuristic(board, near)
                heapq.heappush(heap, (g + h, h, near))
    return Walk(visited, [])


METHODS: dict[str, Callable[[Board], Walk]] = {
    "breadth-first": breadth_first,
    "depth-first": depth_first,
    "A*": a_star,
}


def visits(board: Board, methods: list[str] | None = None) -> pd.DataFrame:
    """One row per method and cell: row, column, obstacle, and the place of the cell in the order
    of visits and on the path, counted from 0 (NaN: not visited, not on the path)."""
    rows, columns = np.divmod(np.arange(board.size**2), board.size)
    frames = []
    for method in methods or METHODS:
        walk = METHODS[method](board)
        order = {cell: i for i, cell in enumerate(walk.visited)}
        place = {cell: i for i, cell in enumerate(walk.path)}
        cells = list(zip(rows.tolist(), columns.tolist(), strict=True))
        frame = pd.DataFrame({"method": method, "row": rows, "column": columns})
        frame["obstacle"] = [cell in board.obstacles for cell in cells]
        frame["visit"] = [order.get(cell, np.nan) for cell in cells]
        frame["step"] = [place.get(cell, np.nan) for cell in cells]
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def survey(
    size: int, densities: list[float], n_boards: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Every method on the same `n_boards` random boards per density.

    Columns: density, board, method, visited (cells), visited_share (of the free cells), length
    (steps), excess (steps more than the shortest path).
    """
    rows = []
    for density in densities:
        for number in range(n_boards):
            board = Board.random(size, density, rng)
            shortest = breadth_first(board).length
            for method, walk in ((m, find(board)) for m, find in METHODS.items()):
                rows.append(
                    {
                        "density": density,
                        "board": number,
                        "method": method,
                        "visited": len(walk.visited),
                        "visited_share": len(walk.visited) / board.n_free,
                        "length": walk.length,
                        "excess": walk.length - shortest,
                    }
                )
    return pd.DataFrame(rows)


def _path_to(cell: Cell | None, parent: dict[Cell, Cell | None]) -> list[Cell]:
    path = []
    while cell is not None:
        path.append(cell)
        cell = parent[cell]
    return path[::-1]
