"""Two-player games and their search: minimax, alpha–beta, a table of positions, random games.

Every game has `start`, `max_plies`, `moves(state)`, `play(state, move)` and `outcome(state)`. A
value is seen by the player who is to move (negamax): a move's value is minus its successor's.
"""

import math
from array import array
from dataclasses import dataclass, field
from random import Random

import numpy as np

State = tuple[int, int]
MAX_CELLS = 16
_MIX = 0x9E3779B97F4A7C15  # odd, 2**64 / golden ratio: spreads neighbouring keys (Knuth, TAOCP 6.4)


class MNK:
    """The m,n,k game: `m` columns, `n` rows, whoever has `k` in a row first wins.

    A state is (stones of the player to move, of the other), sets of cells as bits; a move is the
    bit of its cell. ValueError beyond 16 cells, where the table of wins ends.
    """

    start: State = (0, 0)

    def __init__(self, m: int, n: int, k: int) -> None:
        if not 0 < m * n <= MAX_CELLS or not 0 < k <= max(m, n):
            raise ValueError(f"need 1 to {MAX_CELLS} cells and 1 <= k <= max(m, n): {m},{n},{k}")
        self.m, self.n, self.k = m, n, k
        self.max_plies, self._full = m * n, (1 << m * n) - 1
        self.cells = [1 << cell for cell in range(m * n)]
        boards = np.arange(1 << m * n)
        self._won = np.any([boards & line == line for line in self._lines()], axis=0).tobytes()

    def moves(self, state: State) -> list[int]:
        """Free cells, row by row."""
        taken = state[0] | state[1]
        return [cell for cell in self.cells if not taken & cell]

    def play(self, state: State, move: int) -> State:
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
        """Number of positions, rotations and reflections of the board counted once."""
        board = np.arange(self.m * self.n).reshape(self.n, self.m)
        turned = [np.rot90(board, i) for i in range(4)]
        views = [v for t in turned for v in (t, t[:, ::-1]) if v.shape == board.shape]
        mine, other = np.array(list(positions), dtype=np.int64).T
        codes = []
        for view in views:
            cells = list(enumerate(view.ravel().tolist()))
            first, second = (sum((s >> c & 1) << i for i, c in cells) for s in (mine, other))
            codes.append(first << MAX_CELLS | second)
        return len(np.unique(np.min(codes, axis=0)))

    def _lines(self) -> list[int]:
        lines = []
        for row, column in np.ndindex(self.n, self.m):
            for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
                cells = [(row + i * down, column + i * right) for i in range(self.k)]
                if all(0 <= r < self.n and 0 <= c < self.m for r, c in cells):
                    lines.append(sum(1 << r * self.m + c for r, c in cells))
        return lines


class UniformTree:
    """`branching` moves at each of `depth` plies; leaves all different, at random.

    Moves are tried at random, or best first as if an oracle had sorted them. State: (ply, index).
    """

    start: State = (0, 0)

    def __init__(
        self, branching: int, depth: int, rng: np.random.Generator, best_first: bool = False
    ) -> None:
        self.branching, self.max_plies = branching, depth
        values = rng.permutation(branching**depth) - branching**depth // 2
        self._leaves = values.tolist()
        self._moves: list[list[list[int]]] = []
        for _ in range(depth):
            children = values.reshape(-1, branching)
            values = -children.min(axis=1)
            ranks = children.argsort(axis=1) if best_first else np.indices(children.shape)[1]
            self._moves.insert(0, ranks.tolist())

    def moves(self, state: State) -> list[int]:
        return self._moves[state[0]][state[1]]

    def play(self, state: State, move: int) -> State:
        return state[0] + 1, state[1] * self.branching + move

    def outcome(self, state: State) -> int | None:
        return self._leaves[state[1]] if state[0] == self.max_plies else None


Game = MNK | UniformTree


class TranspositionTable:
    """`capacity` slots of 24 bytes for positions already solved: key, lower and upper bound.

    The newest entry replaces whatever was in its slot (Breuker et al. 1994, scheme "New").
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._keys = array("q", [-1]) * capacity
        self._low = array("d", [0.0]) * capacity
        self._high = array("d", [0.0]) * capacity
        self.memory_bytes = sum(len(a) * a.itemsize for a in (self._keys, self._low, self._high))

    def bounds(self, state: State) -> tuple[float, float]:
        """Known bounds of the state's value; (−inf, inf) if the table does not hold it."""
        key, slot = self._place(state)
        if self._keys[slot] != key:
            return -math.inf, math.inf
        return self._low[slot], self._high[slot]

    def store(self, state: State, low: float, high: float) -> None:
        key, slot = self._place(state)
        self._keys[slot], self._low[slot], self._high[slot] = key, low, high

    def _place(self, state: State) -> tuple[int, int]:
        key = state[0] << MAX_CELLS | state[1]
        return key, (key * _MIX % 2**64) * self.capacity >> 64


@dataclass
class Visits:
    """The value of a search's start, states visited by ply (repeats counted) and different ones."""

    by_ply: list[int]
    value: int | None = None
    leaves: int = 0
    distinct: set[State] = field(default_factory=set)

    @property
    def states(self) -> int:
        return sum(self.by_ply)


def minimax(game: Game, table: TranspositionTable | None = None) -> Visits:
    """The value of `game.start` under perfect play, by trying everything not in the `table`."""
    return alpha_beta(game, table, cuts=False)


def alpha_beta(game: Game, table: TranspositionTable | None = None, cuts: bool = True) -> Visits:
    """The same value as `minimax`; branches that cannot change it are cut (Knuth & Moore 1975, F2).

    `alpha` is what the player to move has already, `beta` what the other allows at most.
    """
    seen = Visits(by_ply=[0] * (game.max_plies + 1))

    def value(state: State, alpha: float, beta: float, ply: int) -> float:
        seen.by_ply[ply] += 1
        seen.distinct.add(state)
        outcome = game.outcome(state)
        if outcome is not None:
            seen.leaves += 1
            return outcome
        low, high = (-math.inf, math.inf) if table is None else table.bounds(state)
        if low == high or low >= beta:
            return low
        if high <= alpha:
            return high
        best = -math.inf
        for move in game.moves(state):
            window = (-beta, -max(alpha, best)) if cuts else (-math.inf, math.inf)
            best = max(best, -value(game.play(state, move), *window, ply + 1))
            if best >= beta:
                break
        if table is not None:
            # A cut leaves a lower bound, a failure to reach alpha an upper bound.
            table.store(state, best if best > alpha else low, best if best < beta else high)
        return best

    seen.value = int(value(game.start, -math.inf, math.inf, 0))
    return seen


class _Node:
    """A state in the tree. `reward` sums the results for the player who moved into it."""

    def __init__(self, game: MNK, state: State, move: int | None) -> None:
        self.state, self.move = state, move
        self.children: list[_Node] = []
        self.untried = game.moves(state) if game.outcome(state) is None else []
        self.visits, self.reward = 0, 0.0


class UCT:
    """Upper confidence bounds applied to trees (Kocsis & Szepesvári 2006); can go on at any time.

    A win counts 1, a draw ½, a loss 0. `exploration` is c in mean + c·√(ln N / n), in theory √2.
    `tree=False` keeps the root's moves only: flat Monte Carlo.
    """

    def __init__(
        self, game: MNK, state: State, seed: int, exploration: float, tree: bool = True
    ) -> None:
        self.game, self.exploration, self.tree = game, exploration, tree
        self.root = _Node(game, state, None)
        self.states, self.distinct = 1, {state}
        self._rng = Random(seed)

    def run(self, n_playouts: int) -> "UCT":
        """Play `n_playouts` more games: select, expand, simulate, back up."""
        for _ in range(n_playouts):
            path = self._select()
            state, turn = path[-1].state, 1
            while (outcome := self.game.outcome(state)) is None:
                state = self.game.play(state, self._rng.choice(self.game.moves(state)))
                self._count(state)
                turn = -turn
            reward = (1 + turn * outcome) / 2  # for the player to move at the path's end
            for node in reversed(path):
                reward = 1.0 - reward
                node.visits += 1
                node.reward += reward
        return self

    @property
    def visits(self) -> dict[int, int]:
        return {child.move: child.visits for child in self.root.children}

    @property
    def best_move(self) -> int:
        """The move with most playouts; of several, the one with the higher mean."""
        return max(self.root.children, key=lambda c: (c.visits, c.reward / c.visits)).move

    def _select(self) -> list[_Node]:
        """From the root along the largest bound to a node with an untried move; add that child."""
        node, path = self.root, [self.root]
        while not node.untried and node.children:
            node = max(node.children, key=lambda child: self._bound(child, node.visits))
            path.append(node)
            self._count(node.state)
        if node.untried and (self.tree or node is self.root):
            move = node.untried.pop(self._rng.randrange(len(node.untried)))
            child = _Node(self.game, self.game.play(node.state, move), move)
            node.children.append(child)
            path.append(child)
            self._count(child.state)
        return path

    def _bound(self, child: _Node, n_parent: int) -> float:
        mean = child.reward / child.visits
        return mean + self.exploration * math.sqrt(math.log(n_parent) / child.visits)

    def _count(self, state: State) -> None:
        self.states += 1
        self.distinct.add(state)
