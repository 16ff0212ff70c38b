"""Particles in a room of cells: disorder comes by itself, order costs moves.

The room is a square of `side` × `side` cells; the corner (0, 0) is where things belong.
Positions are integer arrays of shape (n, 2).
"""

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.sparse import linalg
from scipy.special import gammaln

from lightlab.chapters.ch02_entropy.information import entropy, normalise

STEPS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])
ORDERS = ("nearest first", "one after the other", "a little everywhere")


def log2_arrangements(counts: ArrayLike, axis: int | None = None) -> np.ndarray | float:
    """log2 of Boltzmann's W = N! / Πnᵢ!, the ways to put N labelled particles into the cells."""
    counts = np.asarray(counts, dtype=float)
    log_w = gammaln(counts.sum(axis=axis) + 1) - gammaln(counts + 1).sum(axis=axis)
    return log_w / np.log(2)


def stirling_gap(counts: ArrayLike) -> float:
    """H − (log2 W)/N in bits by Stirling's formula: falls like (cells − 1) log2(N) / 2N."""
    counts = np.asarray(counts, dtype=float).ravel()
    n = counts.sum()
    filled = counts[counts > 0]
    return float((np.log2(2 * np.pi * filled).sum() - np.log2(2 * np.pi * n)) / (2 * n))


def type_class_bound(n_particles: int, n_cells: int) -> float:
    """Upper bound on H − (log2 W)/N (Cover & Thomas 2006, theorem 11.1.3); the lower bound is 0."""
    return n_cells * float(np.log2(n_particles + 1)) / n_particles


def scatter(n_particles: int, side: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(side, size=(n_particles, 2))


def carry(xy: np.ndarray) -> np.ndarray:
    """Positions after each particle is carried a cell towards the corner, along its longer way."""
    along_x = xy[:, 0] >= xy[:, 1]
    step = np.stack([along_x, ~along_x], axis=1)
    return np.maximum(xy - step, 0)


def occupation(xy: np.ndarray, side: int) -> np.ndarray:
    """Number of particles in each cell, shape (side, side)."""
    cells = np.bincount(xy[:, 0] * side + xy[:, 1], minlength=side * side)
    return cells.reshape(side, side)


def occupation_entropy(counts: np.ndarray) -> np.ndarray:
    """Bits per particle of each occupation in `counts` of shape (n, side, side)."""
    shares = counts / counts.sum(axis=(1, 2), keepdims=True)
    return entropy(shares.reshape(len(counts), -1), axis=1)


def simulate(
    xy: np.ndarray, side: int, n_steps: int, rng: np.random.Generator, work_rate: float = 0.0
) -> np.ndarray:
    """Occupations (n_steps + 1, side, side) of a diffusion in which, after each step, every
    particle is carried with chance `work_rate`.
    """
    counts = [occupation(xy, side)]
    for _ in range(n_steps):
        # who walks into a wall stays: an evenly filled room stays so
        xy = np.clip(xy + STEPS[rng.integers(4, size=len(xy))], 0, side - 1)
        if work_rate > 0:
            chosen = rng.random(len(xy)) < work_rate
            xy[chosen] = carry(xy[chosen])
        counts.append(occupation(xy, side))
    return np.stack(counts)


def transition_matrix(side: int, work_rate: float = 0.0) -> sparse.csr_array:
    """Chances M[i, j] that a particle in cell i stands in cell j a step later, (side², side²)."""
    cells = np.stack(np.divmod(np.arange(side * side), side), axis=1)
    targets = [np.clip(cells + step, 0, side - 1) @ (side, 1) for step in STEPS]
    stay_or_home = [np.arange(side * side), carry(cells) @ (side, 1)]
    return _jumps(targets, [0.25] * 4) @ _jumps(stay_or_home, [1 - work_rate, work_rate])


def _jumps(targets: list[np.ndarray], chances: list[float]) -> sparse.csr_array:
    n = len(targets[0])
    values = np.repeat(chances, n)
    sources = np.tile(np.arange(n), len(targets))
    return sparse.csr_array((values, (sources, np.concatenate(targets))), shape=(n, n))


def evolve(p: np.ndarray, matrix: sparse.csr_array, n_steps: int) -> np.ndarray:
    """Distributions p, pM, pM², … as rows, (n_steps + 1, cells): infinitely many particles."""
    path = [p]
    for _ in range(n_steps):
        path.append(path[-1] @ matrix)
    return np.stack(path)


def stationary(matrix: sparse.csr_array) -> np.ndarray:
    """The distribution that `matrix` leaves as it is, shape (cells,): disorder against work."""
    n = matrix.shape[0]
    balanced = (matrix.T - sparse.eye_array(n)).tocsr()[:-1]
    # one balance equation follows from the others: put Σp = 1 in its place
    system = sparse.vstack([balanced, sparse.csr_array(np.ones((1, n)))], format="csc")
    right = np.append(np.zeros(n - 1), 1.0)
    return normalise(np.maximum(linalg.spsolve(system, right), 0.0))


def room_table(rooms: dict[str, np.ndarray]) -> pd.DataFrame:
    """Occupations by title as rows (room, x, y, share) for a figure, shares of all particles."""
    frames = []
    for title, counts in rooms.items():
        x, y = np.divmod(np.arange(counts.size), counts.shape[1])
        share = normalise(counts).ravel()
        frames.append(pd.DataFrame({"room": title, "x": x, "y": y, "share": share}))
    return pd.concat(frames, ignore_index=True)


def room_at_rest(side: int, work_rate: float) -> pd.DataFrame:
    """The `room_table` in which work and diffusion hold each other, entropy in its title."""
    p = stationary(transition_matrix(side, work_rate))
    title = f"work rate {work_rate:.2f}: {entropy(p):.2f} bits"
    return room_table({title: p.reshape(side, side)})


def work_schedule(distance: np.ndarray, order: str, rng: np.random.Generator) -> np.ndarray:
    """Whom to carry at each move so that all get home, (Σ distance,), in one of ORDERS."""
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
    xy: np.ndarray, side: int, order: str, rng: np.random.Generator, n_points: int = 61
) -> tuple[np.ndarray, np.ndarray]:
    """Occupations (n_points, side, side) while an agent carries all home; moves made by then."""
    schedule = work_schedule(xy.sum(axis=1), order, rng)
    stops = np.linspace(0, len(schedule), n_points).astype(int)
    counts = [occupation(xy, side)]
    for start, stop in pairwise(stops):
        times = np.bincount(schedule[start:stop], minlength=len(xy))
        for again in range(times.max(initial=0)):
            xy = np.where((times > again)[:, None], carry(xy), xy)
        counts.append(occupation(xy, side))
    return np.stack(counts), stops
