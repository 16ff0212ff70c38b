"""Monte-Carlo tree search: judge moves by random games, and send more games where it pays."""

import math
from collections.abc import Sequence
from random import Random

import numpy as np
import pandas as pd

from lightlab.chapters.ch01_search_spaces.game import MNK, State

SQRT2 = math.sqrt(2.0)


class _Node:
    """A state in the tree. `reward` sums the results for the player who moved into it."""

    __slots__ = ("children", "move", "reward", "state", "untried", "visits")

    def __init__(self, game: MNK, state: State, move: int | None) -> None:
        self.state, self.move = state, move
        self.children: list[_Node] = []
        self.untried = game.moves(state) if game.outcome(state) is None else []
        self.visits, self.reward = 0, 0.0


class UCT:
    """Upper confidence bounds applied to trees (Kocsis & Szepesvári 2006); can go on at any time.

    A win counts 1, a draw ½, a loss 0. `exploration` is c in mean + c·√(ln N / n): √2 by the
    theory for rewards in [0, 1]. `tree=False` keeps the root's moves only: flat Monte Carlo.
    """

    def __init__(
        self,
        game: MNK,
        state: State,
        seed: int,
        exploration: float = SQRT2,
        tree: bool = True,
    ) -> None:
        self.game, self.exploration, self.tree = game, exploration, tree
        self.root = _Node(game, state, None)
        self.states = 1
        self.distinct = {state}
        self._rng = Random(seed)

    def run(self, n_playouts: int) -> "UCT":
        """Play `n_playouts` more games: select, expand, simulate, back up."""
        for _ in range(n_playouts):
            path = self._select()
            reward = self._simulate(path[-1].state)
            for node in reversed(path):
                reward = 1.0 - reward
                node.visits += 1
                node.reward += reward
        return self

    @property
    def visits(self) -> dict[int, int]:
        """Playouts spent on each move of the root."""
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

    def _simulate(self, state: State) -> float:
        """Random moves to the end; the reward for the player to move in `state`."""
        turn = 1
        while (outcome := self.game.outcome(state)) is None:
            state = self.game.play(state, self._rng.choice(self.game.moves(state)))
            self._count(state)
            turn = -turn
        return (1 + turn * outcome) / 2

    def _count(self, state: State) -> None:
        self.states += 1
        self.distinct.add(state)


def solve(game: MNK) -> dict[State, int]:
    """Value of every reachable position for the player to move, from the last ply backwards."""
    values: dict[State, int] = {}
    for states in reversed(game.positions()):
        for state in states:
            outcome = game.outcome(state)
            if outcome is None:
                outcome = max(-values[game.play(state, move)] for move in game.moves(state))
            values[state] = outcome
    return values


def move_values(game: MNK, state: State, values: dict[State, int]) -> dict[int, int]:
    """Value of each move for the player who makes it, `values` from `solve`."""
    return {move: -values[game.play(state, move)] for move in game.moves(state)}


def perfect_moves(game: MNK, values: dict[State, int]) -> dict[State, set[int]]:
    """Positions where a wrong move is possible, each with its moves that keep the value."""
    positions = {}
    for state in sorted(values):
        if game.outcome(state) is None:
            moves = move_values(game, state, values)
            best = {move for move, value in moves.items() if value == values[state]}
            if len(best) < len(moves):
                positions[state] = best
    return positions


def telling_position(game: MNK, values: dict[State, int]) -> State:
    """The position with most moves among those where one move wins, one draws and one loses.

    ValueError if the game has none.
    """
    found = [s for s in perfect_moves(game, values) if len(_outcomes(game, s, values)) == 3]
    if not found:
        raise ValueError(f"{game} has no position with winning, drawing and losing moves")
    return max(found, key=lambda state: (len(game.moves(state)), state))


def _outcomes(game: MNK, state: State, values: dict[State, int]) -> set[int]:
    return set(move_values(game, state, values).values())


def perfect_play(
    game: MNK,
    playouts: Sequence[int],
    n_positions: int,
    n_seeds: int,
    rng: np.random.Generator,
    exploration: float = SQRT2,
) -> pd.DataFrame:
    """How often UCT, flat Monte Carlo and a random player choose a perfect move.

    Per seed, all see the same `n_positions` positions, drawn evenly from those where one can err.
    Columns: seed, method, playouts, error (share of positions with a move that loses value).
    """
    perfect = perfect_moves(game, solve(game))
    states = list(perfect)
    rows = []
    for seed in range(n_seeds):
        drawn = [states[i] for i in rng.choice(len(states), n_positions, replace=False)]
        guess = np.mean([1 - len(perfect[s]) / len(game.moves(s)) for s in drawn])
        rows.append({"seed": seed, "method": "random move", "playouts": 0, "error": guess})
        for method, tree in (("UCT", True), ("flat Monte Carlo", False)):
            seeds = rng.integers(2**31, size=n_positions).tolist()
            searches = [
                UCT(game, s, i, exploration, tree) for s, i in zip(drawn, seeds, strict=True)
            ]
            done = 0
            for n in sorted(playouts):
                for search in searches:
                    search.run(n - done)
                done = n
                wrong = [s.best_move not in perfect[s.root.state] for s in searches]
                rows.append(
                    {"seed": seed, "method": method, "playouts": n, "error": np.mean(wrong)}
                )
    return pd.DataFrame(rows)


def convergence_rate(errors: pd.DataFrame, n_positions: int, method: str = "UCT") -> np.ndarray:
    """Slope of log error against log playouts for each seed, shape (n_seeds,).

    No error among n positions is read as half an error among n + 1, so that its logarithm exists.
    """
    mine = errors[errors["method"] == method].pivot(
        index="seed", columns="playouts", values="error"
    )
    smoothed = (mine.to_numpy() * n_positions + 0.5) / (n_positions + 1)
    return np.polyfit(np.log(mine.columns.to_numpy(dtype=float)), np.log(smoothed).T, 1)[0]
