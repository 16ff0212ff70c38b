"""Two-player games as trees: m,n,k games (tic-tac-toe is 3,3,3) and uniform trees.

Every game here has `start`, `moves(state)`, `play(state, move)` and `outcome(state)`; a value is
always seen by the player who is to move (negamax), so a move's value is minus its successor's.
"""

from typing import Any, Protocol

import numpy as np
import pandas as pd

State = tuple[int, int]
MAX_CELLS = 16


class Game(Protocol):
    """What a game search needs to know."""

    start: Any
    max_plies: int

    def moves(self, state: Any) -> list[int]:
        """Legal moves in a fixed order."""

    def play(self, state: Any, move: int) -> Any:
        """The state after the move; the other player is to move."""

    def outcome(self, state: Any) -> float | None:
        """Value of a finished game for the player to move; None: it goes on."""


class MNK:
    """The m,n,k game: `m` columns, `n` rows, whoever has `k` in a row first wins.

    A state is (stones of the player to move, stones of the other), each a set of cells as bits;
    a move is the bit of its cell. ValueError beyond 16 cells, where the table of wins ends.
    """

    start: State = (0, 0)

    def __init__(self, m: int, n: int, k: int) -> None:
        if not 0 < m * n <= MAX_CELLS or not 0 < k <= max(m, n):
            raise ValueError(f"need 1 to {MAX_CELLS} cells and 1 <= k <= max(m, n): {m},{n},{k}")
        self.m, self.n, self.k = m, n, k
        self.max_plies = m * n
        self._cells = [1 << cell for cell in range(m * n)]
        boards = np.arange(1 << m * n)
        won = np.zeros(boards.size, dtype=bool)
        for line in self._lines():
            won |= boards & line == line
        self._won = won.tobytes()
        self._full = (1 << m * n) - 1

    def __str__(self) -> str:
        return f"{self.m},{self.n},{self.k}"

    def moves(self, state: State) -> list[int]:
        """Free cells, row by row."""
        taken = state[0] | state[1]
        return [cell for cell in self._cells if not taken & cell]

    def play(self, state: State, move: int) -> State:
        """Set a stone; the players change places."""
        return state[1], state[0] | move

    def outcome(self, state: State) -> int | None:
        """−1 if the other player has just completed a row, 0 on a full board, else None."""
        if self._won[state[1]]:
            return -1
        return 0 if state[0] | state[1] == self._full else None

    def positions(self) -> list[set[State]]:
        """All positions that play can reach, by number of stones. A finished game is not left."""
        plies = [{self.start}]
        while plies[-1]:
            going = (state for state in plies[-1] if self.outcome(state) is None)
            plies.append({self.play(state, move) for state in going for move in self.moves(state)})
        return plies[:-1]

    def count_classes(self, positions: set[State]) -> int:
        """Number of positions that differ by more than a rotation or reflection of the board."""
        states = np.array(sorted(positions), dtype=np.int64)
        codes = [table[states[:, 0]] << MAX_CELLS | table[states[:, 1]] for table in self._views()]
        return len(np.unique(np.min(codes, axis=0)))

    def frame(self, state: State, values: dict[int, float]) -> pd.DataFrame:
        """One row per cell: row, column, stone (1 first player, −1 second, 0 free) and the value
        that `values` gives to a move there (NaN: none)."""
        turn = 1 if state[0].bit_count() == state[1].bit_count() else -1
        row, column = np.divmod(np.arange(self.m * self.n), self.m)
        stones = [turn * (bool(state[0] & c) - bool(state[1] & c)) for c in self._cells]
        value = [values.get(cell, np.nan) for cell in self._cells]
        return pd.DataFrame({"row": row, "column": column, "stone": stones, "value": value})

    def _lines(self) -> list[int]:
        lines = []
        for row in range(self.n):
            for column in range(self.m):
                for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
                    cells = [(row + i * down, column + i * right) for i in range(self.k)]
                    if all(0 <= r < self.n and 0 <= c < self.m for r, c in cells):
                        lines.append(sum(1 << r * self.m + c for r, c in cells))
        return lines

    def _views(self) -> list[np.ndarray]:
        """For each symmetry of the board, the image of every set of cells, shape (2**cells,)."""
        board = np.arange(self.m * self.n).reshape(self.n, self.m)
        turned = [np.rot90(board, i) for i in range(4)]
        views = [v for t in turned for v in (t, t[:, ::-1]) if v.shape == board.shape]
        sets = np.arange(1 << board.size)
        return [sum((sets >> int(c) & 1) << i for i, c in enumerate(v.ravel())) for v in views]


class UniformTree:
    """A tree of `branching` moves at each of `depth` plies, its leaves all different, at random.

    `order` sets in which order moves are tried: "random", or "best" first as if an oracle had
    sorted them. State: (ply, index of the node at this ply).
    """

    start = (0, 0)

    def __init__(
        self, branching: int, depth: int, rng: np.random.Generator, order: str = "random"
    ) -> None:
        if order not in ("random", "best"):
            raise ValueError(f"order is 'random' or 'best', not {order!r}")
        self.branching, self.max_plies = branching, depth
        values = rng.permutation(branching**depth) - branching**depth // 2
        self._leaves = values.tolist()
        self._moves: list[list[list[int]]] = []
        for _ in range(depth):
            children = values.reshape(-1, branching)
            values = -children.min(axis=1)
            ranks = children.argsort(axis=1) if order == "best" else np.indices(children.shape)[1]
            self._moves.insert(0, ranks.tolist())

    def moves(self, state: State) -> list[int]:
        """Number of the child, in the order of the tree."""
        return self._moves[state[0]][state[1]]

    def play(self, state: State, move: int) -> State:
        """The child's place."""
        return state[0] + 1, state[1] * self.branching + move

    def outcome(self, state: State) -> int | None:
        """Value of a leaf."""
        return self._leaves[state[1]] if state[0] == self.max_plies else None
