"""Exact game search: minimax, alpha–beta, and a table that trades memory for time."""

import math
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lightlab.chapters.ch01_search_spaces.game import MAX_CELLS, MNK, Game, State, UniformTree

_MIX = 0x9E3779B97F4A7C15  # odd, 2**64 / golden ratio: spreads neighbouring keys (Knuth, TAOCP 6.4)


@dataclass
class Visits:
    """What a search saw: the value of its start, states by ply (repeats counted), finished games,
    and the set of different states."""

    value: int | None = None
    by_ply: list[int] = field(default_factory=list)
    leaves: int = 0
    distinct: set[State] = field(default_factory=set)

    @property
    def states(self) -> int:
        """States visited, repeats counted."""
        return sum(self.by_ply)


class TranspositionTable:
    """`capacity` slots for positions already solved; each keeps a lower and an upper bound.

    One slot per hash value, and the newest entry replaces whatever was there (Breuker et al. 1994,
    scheme "New"). A slot takes 24 bytes: key and two bounds.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._keys = array("q", [-1]) * capacity
        self._low = array("d", [0.0]) * capacity
        self._high = array("d", [0.0]) * capacity

    @property
    def memory_bytes(self) -> int:
        """Bytes of the slots."""
        return sum(len(a) * a.itemsize for a in (self._keys, self._low, self._high))

    def bounds(self, state: State) -> tuple[float, float]:
        """Known bounds of the state's value; (−inf, inf) if the table does not hold it."""
        key, slot = self._place(state)
        if self._keys[slot] != key:
            return -math.inf, math.inf
        return self._low[slot], self._high[slot]

    def store(self, state: State, low: float, high: float) -> None:
        """Keep the bounds, at the cost of the entry that was in the slot."""
        key, slot = self._place(state)
        self._keys[slot], self._low[slot], self._high[slot] = key, low, high

    def _place(self, state: State) -> tuple[int, int]:
        key = state[0] << MAX_CELLS | state[1]
        return key, (key * _MIX % 2**64) * self.capacity >> 64


def minimax(game: Game, table: TranspositionTable | None = None) -> Visits:
    """The value of `game.start` under perfect play, by trying everything.

    With a `table`, a position found in it is not searched again.
    """
    seen = Visits(by_ply=[0] * (game.max_plies + 1))

    def value(state: State, ply: int) -> float:
        seen.by_ply[ply] += 1
        seen.distinct.add(state)
        outcome = game.outcome(state)
        if outcome is not None:
            seen.leaves += 1
            return outcome
        if table is not None:
            low, high = table.bounds(state)
            if low == high:
                return low
        best = max(-value(game.play(state, move), ply + 1) for move in game.moves(state))
        if table is not None:
            table.store(state, best, best)
        return best

    seen.value = int(value(game.start, 0))
    return seen


def alpha_beta(game: Game, table: TranspositionTable | None = None) -> Visits:
    """The same value as `minimax`; branches that cannot change it are cut (Knuth & Moore 1975, F2).

    `alpha` is what the player to move has already, `beta` what the other will not allow more of.
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
            best = max(best, -value(game.play(state, move), -beta, -max(alpha, best), ply + 1))
            if best >= beta:
                break
        if table is not None:
            # A cut leaves a lower bound, a failure to reach alpha an upper bound.
            table.store(state, best if best > alpha else low, best if best < beta else high)
        return best

    seen.value = int(value(game.start, -math.inf, math.inf, 0))
    return seen


def ordering(
    branching: int, depths: Sequence[int], n_trees: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Leaves that alpha–beta visits in random uniform trees, by the order in which moves are tried.

    Columns: method ("no cuts": minimax, "random order", "best move first"), depth, tree, leaves,
    value.
    """
    rows = []
    for depth in depths:
        for tree in range(n_trees):
            seed = int(rng.integers(2**31))  # the same leaves in both orders
            for method, order, search in (
                ("no cuts", "random", minimax),
                ("random order", "random", alpha_beta),
                ("best move first", "best", alpha_beta),
            ):
                grown = UniformTree(branching, depth, np.random.default_rng(seed), order)
                seen = search(grown)
                rows.append((method, depth, tree, seen.leaves, seen.value))
    return pd.DataFrame(rows, columns=["method", "depth", "tree", "leaves", "value"])


def table_sweep(game: MNK, capacities: Sequence[int], repeats: int = 1) -> pd.DataFrame:
    """Both searches with tables of every capacity (0: none), CPU seconds as median of `repeats`.

    Columns: method, capacity (slots), memory_bytes, states (visited), seconds, value.
    """
    rows = []
    for name, search in (("minimax", minimax), ("alpha–beta", alpha_beta)):
        for capacity in capacities:
            seconds = []
            for _ in range(repeats):
                table = TranspositionTable(capacity) if capacity else None
                begin = time.thread_time()
                seen = search(game, table)
                seconds.append(time.thread_time() - begin)
            rows.append(
                {
                    "method": name,
                    "capacity": capacity,
                    "memory_bytes": table.memory_bytes if table else 0,
                    "states": seen.states,
                    "seconds": pd.Series(seconds).median(),
                    "value": seen.value,
                }
            )
    return pd.DataFrame(rows)
