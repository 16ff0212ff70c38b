"""Particles in a room of cells: disorder comes by itself, order costs moves.

The room is a square of `side` × `side` cells; the corner (0, 0) is where things belong.
Positions are integer arrays of shape (n, 2).
"""

from itertools import pairwise, product

import numpy as np
import pandas as pd

from .entropy import entropy, log2_arrangements, normalise, stirling_gap, type_class_bound

STEPS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])


def diffuse(xy: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Positions after one step of a random walk; who walks into a wall stays where it is.

    Every cell is entered as easily as it is left, so the room is fair: evenly filled stays so.
    """
    moved = xy + STEPS[rng.integers(4, size=len(xy))]
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


def boltzmann_gaps(p: np.ndarray, sizes: list[int], rng: np.random.Generator) -> pd.DataFrame:
    """Occupations of different size drawn from `p`: how far (log2 W)/N stays below the entropy.

    Columns: particles, gap_bits (counted), stirling_bits (predicted), bound_bits (method of types).
    """
    rows = []
    for size in sizes:
        counts = rng.multinomial(size, p)
        gap = entropy(normalise(counts)) - log2_arrangements(counts) / size
        rows.append((size, gap, stirling_gap(counts), type_class_bound(size, p.size)))
    return pd.DataFrame(rows, columns=["particles", "gap_bits", "stirling_bits", "bound_bits"])


def walk_table(counts: np.ndarray, exact: np.ndarray) -> pd.DataFrame:
    """Bits per particle of a walk: step, entropy_bits, arrangements_bits ((log2 W)/N), exact_bits.

    `counts` (steps, side, side) from `simulate`, `exact` (steps, cells) from `evolve`.
    """
    flat = counts.reshape(len(counts), -1)
    return pd.DataFrame(
        {
            "step": np.arange(len(counts)),
            "entropy_bits": occupation_entropy(counts),
            "arrangements_bits": log2_arrangements(flat, axis=1) / flat[0].sum(),
            "exact_bits": entropy(exact, axis=1),
        }
    )


def falls(side: int, n_steps: int, sizes: list[int], seed: int) -> pd.DataFrame:
    """How often and how deep entropy falls by chance while particles leave their corner.

    Columns: particles, falling_percent (of the steps), deepest_fall_bits, rise_bits (start to end).
    """
    rows = []
    for size in sizes:
        start = np.zeros((size, 2), dtype=int)
        counts, _ = simulate(start, side, n_steps, np.random.default_rng([seed, size]))
        change = np.diff(occupation_entropy(counts))
        rows.append((size, 100 * (change < 0).mean(), -change.min(), change.sum()))
    columns = ["particles", "falling_percent", "deepest_fall_bits", "rise_bits"]
    return pd.DataFrame(rows, columns=columns)


ORDERS = ("nearest first", "one after the other", "a little everywhere")


def work_schedule(distance: np.ndarray, order: str, rng: np.random.Generator) -> np.ndarray:
    """Whom to carry at each move, so that all get home: particle numbers, shape (Σ distance,).

    `order` is one of ORDERS, else ValueError.
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
) -> tuple[np.ndarray, np.ndarray]:
    """An agent carries all particles home and nothing disturbs it; `order` as in `work_schedule`.

    Returns occupations (n_points, side, side), the last one in order, and the moves made by then.
    """
    schedule = work_schedule(xy.sum(axis=1), order, rng)
    stops = np.linspace(0, len(schedule), n_points).astype(int)
    counts = [occupation(xy, side)]
    for start, stop in pairwise(stops):
        times = np.bincount(schedule[start:stop], minlength=len(xy))
        for again in range(times.max(initial=0)):
            xy = np.where((times > again)[:, None], carry(xy), xy)
        counts.append(occupation(xy, side))
    return np.stack(counts), stops


def compare_orders(
    xy: np.ndarray, side: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """`tidy_up` in each of ORDERS, and the rooms after half the work.

    Returns the curves (order, moves per particle, entropy_bits) and the occupations by title.
    """
    curves, halfway = [], {}
    for order in ORDERS:
        counts, moves = tidy_up(xy, side, order, rng, n_points=61)
        bits = occupation_entropy(counts)
        per_particle = moves / len(xy)
        curves.append(pd.DataFrame({"order": order, "moves": per_particle, "entropy_bits": bits}))
        halfway[f"{order}\nH = {bits[30]:.1f} bits"] = counts[30]
    return pd.concat(curves, ignore_index=True), halfway


def work_runs(
    side: int, n_particles: int, n_steps: int, rates: list[float], n_repeats: int, seed: int
) -> pd.DataFrame:
    """Entropy step by step under each work rate: work_rate, start, repeat, step, entropy_bits.

    `start` is "strewn", in repeat 0 also "tidy". The rates share their random numbers, so that
    their differences can be paired by repeat.
    """
    frames = []
    for repeat in range(n_repeats):
        starts = {"strewn": scatter(n_particles, side, np.random.default_rng([seed, repeat]))}
        if repeat == 0:
            starts["tidy"] = np.zeros((n_particles, 2), dtype=int)
        for (start, xy), rate in product(starts.items(), rates):
            rng = np.random.default_rng([seed, repeat, 1])
            bits = occupation_entropy(simulate(xy, side, n_steps, rng, rate)[0])
            frame = pd.DataFrame({"step": np.arange(n_steps + 1), "entropy_bits": bits})
            frames.append(frame.assign(work_rate=rate, start=start, repeat=repeat))
    return pd.concat(frames, ignore_index=True)


def room_table(rooms: dict[str, np.ndarray]) -> pd.DataFrame:
    """Occupations by title as rows (room, x, y, share) for a figure, shares of all particles."""
    frames = []
    for title, counts in rooms.items():
        x, y = np.divmod(np.arange(counts.size), counts.shape[1])
        share = normalise(counts).ravel()
        frames.append(pd.DataFrame({"room": title, "x": x, "y": y, "share": share}))
    return pd.concat(frames, ignore_index=True)
