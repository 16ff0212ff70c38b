"""Particles in a room of cells: disorder comes by itself, order costs moves.

The room is a square of `side` × `side` cells; the corner (0, 0) is where things belong.
Positions are integer arrays of shape (n, 2).
"""

from itertools import pairwise

import numpy as np
import pandas as pd

from .entropy import entropy, normalise

_STEPS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])


def diffuse(xy: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Positions after one step of a random walk; who walks into a wall stays where it is.

    Every cell is entered as easily as it is left, so the room is fair: evenly filled stays so.
    """
    moved = xy + _STEPS[rng.integers(4, size=len(xy))]
    inside = ((moved >= 0) & (moved < side)).all(axis=1)
    return np.where(inside[:, None], moved, xy)


def carry(xy: np.ndarray) -> np.ndarray:
    """Positions after each particle is carried a cell towards the corner, along its longer way."""
    along_x = xy[:, 0] >= xy[:, 1]
    step = np.stack([along_x, ~along_x], axis=1)
    return np.maximum(xy - step, 0)


def scatter(n_particles: int, side: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of particles strewn evenly over the room."""
    return rng.integers(side, size=(n_particles, 2))


def occupation(xy: np.ndarray, side: int) -> np.ndarray:
    """Number of particles in each cell, shape (side, side)."""
    cells = np.bincount(xy[:, 0] * side + xy[:, 1], minlength=side * side)
    return cells.reshape(side, side)


def simulate(
    xy: np.ndarray, side: int, n_steps: int, rng: np.random.Generator, work_rate: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Diffusion, and after each step every particle is carried with chance `work_rate`.

    Returns the occupations (n_steps + 1, side, side) and the moves made so far (n_steps + 1,).
    """
    counts = np.empty((n_steps + 1, side, side), dtype=np.int64)
    moves = np.zeros(n_steps + 1, dtype=np.int64)
    counts[0] = occupation(xy, side)
    for step in range(1, n_steps + 1):
        xy = diffuse(xy, side, rng)
        moves[step] = moves[step - 1]
        if work_rate > 0:
            chosen = (rng.random(len(xy)) < work_rate) & (xy > 0).any(axis=1)
            xy[chosen] = carry(xy[chosen])
            moves[step] += chosen.sum()
        counts[step] = occupation(xy, side)
    return counts, moves


def occupation_entropy(counts: np.ndarray) -> np.ndarray:
    """Bits per particle of each occupation in `counts` of shape (n, side, side)."""
    shares = counts / counts.sum(axis=(1, 2), keepdims=True)
    return entropy(shares.reshape(len(counts), -1), axis=1)


def transition_matrix(side: int, work_rate: float = 0.0) -> np.ndarray:
    """Chances M[i, j] that a particle in cell i stands in cell j a step later, (side², side²).

    With `work_rate` 0 rows and columns sum to 1: the condition of the second law (below).
    """
    n_cells = side * side
    cells = np.stack(np.divmod(np.arange(n_cells), side), axis=1)
    walk = np.zeros((n_cells, n_cells))
    for step in _STEPS:
        moved = cells + step
        inside = ((moved >= 0) & (moved < side)).all(axis=1)
        target = np.where(inside[:, None], moved, cells) @ (side, 1)
        np.add.at(walk, (np.arange(n_cells), target), 0.25)
    tidy = (1 - work_rate) * np.eye(n_cells)
    np.add.at(tidy, (np.arange(n_cells), carry(cells) @ (side, 1)), work_rate)
    return walk @ tidy


def evolve(p: np.ndarray, matrix: np.ndarray, n_steps: int) -> np.ndarray:
    """Distributions p, pM, pM², … as rows, (n_steps + 1, cells): infinitely many particles."""
    path = np.empty((n_steps + 1, p.size))
    path[0] = p
    for step in range(n_steps):
        path[step + 1] = path[step] @ matrix
    return path


def stationary(matrix: np.ndarray) -> np.ndarray:
    """The distribution that `matrix` leaves as it is, shape (cells,): disorder against work."""
    system = matrix.T - np.eye(len(matrix))
    system[-1] = 1.0  # one balance equation follows from the others: put Σp = 1 in its place
    right = np.zeros(len(matrix))
    right[-1] = 1.0
    return normalise(np.maximum(np.linalg.solve(system, right), 0.0))


def work_schedule(distance: np.ndarray, order: str, rng: np.random.Generator) -> np.ndarray:
    """Whom to carry at each move, so that all get home: particle numbers, shape (Σ distance,).

    `order`: "one after the other", "a little everywhere" or "nearest first"; else ValueError.
    """
    if order == "nearest first":
        return np.repeat(np.argsort(distance), np.sort(distance))
    shuffled = rng.permutation(len(distance))
    one_by_one = np.repeat(shuffled, distance[shuffled])
    if order == "one after the other":
        return one_by_one
    if order == "a little everywhere":
        return rng.permutation(one_by_one)
    raise ValueError(f"no such order of work: {order!r}")


def tidy_up(
    xy: np.ndarray, side: int, order: str, rng: np.random.Generator, n_points: int = 60
) -> pd.DataFrame:
    """Entropy while an agent carries all particles home and nothing disturbs it.

    Columns: order, moves (per particle), entropy_bits; `n_points` rows from disorder to order.
    """
    schedule = work_schedule(xy.sum(axis=1), order, rng)
    stops = np.linspace(0, len(schedule), n_points).astype(int)
    bits = [float(entropy(normalise(occupation(xy, side))))]
    for start, stop in pairwise(stops):
        times = np.bincount(schedule[start:stop], minlength=len(xy))
        for again in range(times.max(initial=0)):
            xy = np.where((times > again)[:, None], carry(xy), xy)
        bits.append(float(entropy(normalise(occupation(xy, side)))))
    return pd.DataFrame({"order": order, "moves": stops / len(xy), "entropy_bits": bits})
