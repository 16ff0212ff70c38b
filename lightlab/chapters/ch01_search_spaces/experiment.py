"""What notebook 01 measures: what searches visit, how well they play, how work and spaces grow."""

import math
import time
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import scipy

from lightlab.chapters.ch01_search_spaces import game as games
from lightlab.chapters.ch01_search_spaces.algorithms import FINDERS, LAWS, Board, Law
from lightlab.measure import stats
from lightlab.published import read_yaml

MAX_N = 1_000_000


def visits(board: Board, finders: Sequence[str] = tuple(FINDERS)) -> pd.DataFrame:
    """One row per method and cell; visit and step count from 0 (NaN: not visited, off the path)."""
    rows = []
    for method in finders:
        walk = FINDERS[method](board)
        visit = {cell: i for i, cell in enumerate(walk.visited)}
        step = {cell: i for i, cell in enumerate(walk.path)}
        for cell in np.ndindex(board.size, board.size):
            numbers = visit.get(cell, np.nan), step.get(cell, np.nan)
            rows.append((method, *cell, cell in board.obstacles, *numbers))
    return pd.DataFrame(rows, columns=["method", "row", "column", "obstacle", "visit", "step"])


def survey(
    size: int, densities: Sequence[float], n_boards: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Every method on the same `n_boards` random boards per density; and the means of visited_share
    (of the free cells) and of excess (steps more than the shortest path).
    """
    rows = []
    for density in densities:
        for number in range(n_boards):
            board = Board.random(size, density, rng)
            walks = {method: find(board) for method, find in FINDERS.items()}
            for method, walk in walks.items():
                n, excess = len(walk.visited), walk.length - walks["breadth-first"].length
                rows.append((density, number, method, n, n / board.n_free, walk.length, excess))
    columns = ["density", "board", "method", "visited", "visited_share", "length", "excess"]
    surveyed, by = pd.DataFrame(rows, columns=columns), ["density", "method"]
    means = (stats.grouped_ci(surveyed, by, column) for column in ("visited_share", "excess"))
    return surveyed, *means


def order_moves(
    branching: int, depths: Sequence[int], n_trees: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leaves that alpha–beta visits in random uniform trees, by the order of moves; the means."""
    rows = []
    for depth in depths:
        for tree in range(n_trees):
            seed = int(rng.integers(2**31))  # the same leaves in both orders
            for method, best_first, search in (
                ("no cuts", False, games.minimax),
                ("random order", False, games.alpha_beta),
                ("best move first", True, games.alpha_beta),
            ):
                grown = games.UniformTree(branching, depth, np.random.default_rng(seed), best_first)
                seen = search(grown)
                rows.append((method, depth, tree, seen.leaves, seen.value))
    searched = pd.DataFrame(rows, columns=["method", "depth", "tree", "leaves", "value"])
    return searched, stats.grouped_ci(searched, ["method", "depth"], "leaves")


def sweep_tables(game: games.MNK, capacities: Sequence[int], repeats: int = 1) -> pd.DataFrame:
    """Both searches with tables of every capacity (0: none), CPU seconds as median of `repeats`."""
    rows = []
    for name, search in (("minimax", games.minimax), ("alpha–beta", games.alpha_beta)):
        for capacity in capacities:
            seconds = []
            for _ in range(repeats):
                table = games.TranspositionTable(capacity) if capacity else None
                begin = time.thread_time()
                seen = search(game, table)
                seconds.append(time.thread_time() - begin)
            size = table.memory_bytes if table else 0
            rows.append((name, capacity, size, seen.states, np.median(seconds), seen.value))
    columns = ["method", "capacity", "memory_bytes", "states", "seconds", "value"]
    return pd.DataFrame(rows, columns=columns)


def move_values(game: games.MNK) -> dict[games.State, dict[int, int]]:
    """The value of every move where one can err, solved from the last ply backwards."""
    values: dict[games.State, int] = {}
    moves: dict[games.State, dict[int, int]] = {}
    for states in reversed(game.positions()):
        for state in states:
            outcome = game.outcome(state)
            if outcome is None:
                moves[state] = {m: -values[game.play(state, m)] for m in game.moves(state)}
                outcome = max(moves[state].values())
            values[state] = outcome
    return {state: moves[state] for state in sorted(moves) if len(set(moves[state].values())) > 1}


def judge_moves(game: games.MNK, n_playouts: int, seed: int, exploration: float) -> pd.DataFrame:
    """The position with most moves among those where one move wins, one draws and one loses.

    One row per cell: stone (1 first player, −1 second, 0 free), value of a move there and UCT's
    playout_share (NaN where a stone is). ValueError if the game has no such position.
    """
    moves = move_values(game)
    telling = [state for state, of in moves.items() if len(set(of.values())) == 3]
    if not telling:
        raise ValueError("the game has no position with winning, drawing and losing moves")
    state = max(telling, key=lambda state: (len(moves[state]), state))
    spent = games.UCT(game, state, seed, exploration).run(n_playouts).visits
    turn = 1 if state[0].bit_count() == state[1].bit_count() else -1
    rows = []
    for i, cell in enumerate(game.cells):
        stone = turn * (bool(state[0] & cell) - bool(state[1] & cell))
        share = spent.get(cell, np.nan) / n_playouts
        rows.append((*divmod(i, game.m), stone, moves[state].get(cell, np.nan), share))
    return pd.DataFrame(rows, columns=["row", "column", "stone", "value", "playout_share"])


def perfect_play(
    game: games.MNK,
    playouts: Sequence[int],
    n_positions: int,
    n_seeds: int,
    rng: np.random.Generator,
    exploration: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How often UCT, flat Monte Carlo and a random player choose a move that loses value; means.

    Per seed, all see the same `n_positions` positions, drawn evenly from those where one can err.
    """
    perfect = {
        state: {move for move, value in of.items() if value == max(of.values())}
        for state, of in move_values(game).items()
    }
    states, rows = list(perfect), []
    for seed in range(n_seeds):
        drawn = [states[i] for i in rng.choice(len(states), n_positions, replace=False)]
        guess = np.mean([1 - len(perfect[s]) / len(game.moves(s)) for s in drawn])
        rows.append((seed, "random move", 0, guess))
        for method, tree in (("UCT", True), ("flat Monte Carlo", False)):
            seeds = rng.integers(2**31, size=n_positions).tolist()
            pairs = zip(drawn, seeds, strict=True)
            searches = [games.UCT(game, state, i, exploration, tree) for state, i in pairs]
            for done, n in pairwise([0, *sorted(playouts)]):
                for search in searches:
                    search.run(n - done)
                wrong = [s.best_move not in perfect[s.root.state] for s in searches]
                rows.append((seed, method, n, np.mean(wrong)))
    errors = pd.DataFrame(rows, columns=["seed", "method", "playouts", "error"])
    return errors, stats.grouped_ci(errors, ["method", "playouts"], "error")


def convergence_rate(errors: pd.DataFrame, n_positions: int) -> np.ndarray:
    """Slope of UCT's log error against log playouts, by seed.

    No error among n positions is read as half an error among n + 1, so that its logarithm exists.
    """
    uct = errors[errors["method"] == "UCT"]
    mine = uct.pivot(index="seed", columns="playouts", values="error")
    smoothed = (mine.to_numpy() * n_positions + 0.5) / (n_positions + 1)
    return np.polyfit(np.log(mine.columns.to_numpy(dtype=float)), np.log(smoothed).T, 1)[0]


def input_sizes(law: Law, budget: int) -> list[int]:
    """4 to 8 sizes, even in log n, to the largest that `budget` operations allow, or ValueError."""
    high = 4
    while high < MAX_N and law.growth(high) <= budget:
        high *= 2
    largest = bisect_right(range(1, min(high, MAX_N) + 1), budget, key=law.growth)
    smallest = max(3, math.isqrt(largest))
    spaced = np.unique(np.geomspace(smallest, largest, 8).round().astype(int))
    if len(spaced) < 4:
        raise ValueError(f"{law.algorithm}: budget={budget} grants no 4 sizes, raise it")
    return spaced.tolist()


def count_operations(budget: int, repeats: int, rng: np.random.Generator) -> pd.DataFrame:
    """All algorithms on random inputs of growing size, up to `budget` operations; CPU seconds."""
    rows = []
    for law in LAWS:
        for n in input_sizes(law, budget):
            for repeat in range(repeats):
                inputs = law.inputs(n, rng)
                begin = time.thread_time()
                _, operations = law.run(*inputs)
                seconds = time.thread_time() - begin
                rows.append((law.algorithm, law.order, n, repeat, operations, seconds))
    columns = ["algorithm", "order", "n", "repeat", "operations", "seconds"]
    return pd.DataFrame(rows, columns=columns)


def fit_laws(counted: pd.DataFrame) -> pd.DataFrame:
    """Slope of every law with its 95 % interval (least squares, Student's t), beside its theory."""
    rows = []
    for law in LAWS:
        mine = counted[counted["algorithm"] == law.algorithm]
        y = [law.y(n, ops) for n, ops in zip(mine["n"], mine["operations"], strict=True)]
        line = scipy.stats.linregress([law.x(n) for n in mine["n"]], y)
        half = scipy.stats.t.ppf(0.975, len(y) - 2) * line.stderr
        top = mine[mine["n"] == mine["n"].max()]
        operations, seconds = top["operations"].mean(), top["seconds"].median()
        ends = [law.read(slope) for slope in (line.slope, line.slope - half, line.slope + half)]
        costs = (int(top["n"].iloc[0]), operations, seconds, 1e9 * seconds / operations)
        rows.append((law.algorithm, law.order, law.meaning, law.theory, *ends, *costs))
    columns = ["algorithm", "order", "meaning", "theory", "fitted", "ci_low", "ci_high"]
    columns += ["largest_n", "operations", "seconds", "ns_per_operation"]
    return pd.DataFrame(rows, columns=columns)


def space_size(definition: Any) -> int:
    """Number of points of a space, an exact integer.

    A list is a decision (as many points as options); {"all": {…}} multiplies independent decisions,
    {"any": {…}} adds alternatives, {"repeat": n, "of": …} decides n times.
    """
    if isinstance(definition, list) and definition:
        return len(definition)
    match definition:
        case {"all": dict(parts), **rest} if parts and not rest:
            return math.prod(space_size(part) for part in parts.values())
        case {"any": dict(parts), **rest} if parts and not rest:
            return sum(space_size(part) for part in parts.values())
        case {"repeat": int(times), "of": part, **rest} if times > 0 and not rest:
            return space_size(part) ** times
    raise ValueError(f"not a definition of a space: {definition!r}")


def known_spaces() -> pd.DataFrame:
    """The spaces of `published/space_sizes.yaml`, smallest first; estimates are floats."""
    rows = []
    for space in read_yaml("space_sizes.yaml"):
        if "define" in space:
            points, origin = space_size(space["define"]), "computed"
        elif "game" in space:
            points, origin = sum(map(len, games.MNK(*space["game"]).positions())), "counted"
        else:
            points, origin = space["published"], "published"
        about = (space["name"], space["group"], points, math.log10(points))
        rows.append((*about, origin, space["source"]))
    columns = ["name", "group", "size", "log10_size", "origin", "source"]
    frame = pd.DataFrame(rows, columns=columns, dtype=object).astype({"log10_size": float})
    return frame.sort_values("log10_size", ignore_index=True)
