"""Exact chances of a particle in the room of `disorder`, as if there were infinitely many."""

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse import linalg

from .disorder import STEPS, carry
from .entropy import entropy, normalise


def transition_matrix(side: int, work_rate: float = 0.0) -> sparse.csr_array:
    """Chances M[i, j] that a particle in cell i stands in cell j a step later, (side², side²).

    With `work_rate` 0 rows and columns sum to 1: the condition of the second law (below).
    """
    cells = np.stack(np.divmod(np.arange(side * side), side), axis=1)
    targets, chances = [], []
    for step in STEPS:
        moved = cells + step
        inside = ((moved >= 0) & (moved < side)).all(axis=1)
        targets.append(np.where(inside[:, None], moved, cells) @ (side, 1))
        chances.append(0.25)
    walk = _jumps(targets, chances)
    stay_or_home = [np.arange(side * side), carry(cells) @ (side, 1)]
    return walk @ _jumps(stay_or_home, [1 - work_rate, work_rate])


def _jumps(targets: list[np.ndarray], chances: list[float]) -> sparse.csr_array:
    """The matrix that takes cell i to targets[k][i] with chance chances[k]."""
    n = len(targets[0])
    values = np.repeat(chances, n)
    sources = np.tile(np.arange(n), len(targets))
    return sparse.csr_array((values, (sources, np.concatenate(targets))), shape=(n, n))


def evolve(p: np.ndarray, matrix: sparse.csr_array, n_steps: int) -> np.ndarray:
    """Distributions p, pM, pM², … as rows, (n_steps + 1, cells): infinitely many particles."""
    path = np.empty((n_steps + 1, p.size))
    path[0] = p
    for step in range(n_steps):
        path[step + 1] = path[step] @ matrix
    return path


def stationary(matrix: sparse.csr_array) -> np.ndarray:
    """The distribution that `matrix` leaves as it is, shape (cells,): disorder against work."""
    n = matrix.shape[0]
    balanced = (matrix.T - sparse.eye_array(n)).tocsr()[:-1]
    # one balance equation follows from the others: put Σp = 1 in its place
    system = sparse.vstack([balanced, sparse.csr_array(np.ones((1, n)))], format="csc")
    right = np.zeros(n)
    right[-1] = 1.0
    return normalise(np.maximum(linalg.spsolve(system, right), 0.0))


def balance(sides: list[int], work_rates: list[float]) -> pd.DataFrame:
    """Where work and diffusion hold each other, exactly: side, work_rate, entropy_bits."""
    rows = [
        (side, rate, float(entropy(stationary(transition_matrix(side, rate)))))
        for side in sides
        for rate in work_rates
    ]
    return pd.DataFrame(rows, columns=["side", "work_rate", "entropy_bits"])
