"""Fronts of several objectives: who dominates whom, how crowded it is, how much is dominated.

Larger is better throughout; `values` are (n, m).
"""

import numpy as np


def is_non_dominated(values: np.ndarray) -> np.ndarray:
    """Whether no other row is as good in all objectives and better in one, (n,) bool; ties stay."""
    values = np.asarray(values, dtype=float)
    keep = np.ones(len(values), dtype=bool)
    for i, row in enumerate(values):
        if keep[i]:
            as_good = (values >= row).all(1)
            keep[i] = not (as_good & (values > row).any(1)).any()
    return keep


def ranks(values: np.ndarray) -> np.ndarray:
    """The front that each row belongs to, 0 the non-dominated one (Deb et al. 2002). (n,) int."""
    values = np.asarray(values, dtype=float)
    as_good = (values[None] >= values[:, None]).all(-1)
    beaten = as_good & (values[None] > values[:, None]).any(-1)  # [i, j]: j dominates i
    found, left, level = np.zeros(len(values), dtype=int), np.arange(len(values)), 0
    while len(left):
        inside = beaten[np.ix_(left, left)].any(1)
        found[left[~inside]] = level
        left, level = left[inside], level + 1
    return found


def crowding(values: np.ndarray) -> np.ndarray:
    """Crowding distance of each row of one front, (n,): the sides of the box that its neighbours
    span, in shares of the front's range; inf at the ends (Deb et al. 2002).
    """
    values = np.asarray(values, dtype=float)
    distance = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        distance[order[[0, -1]]] = np.inf
        if (span := column[order[-1]] - column[order[0]]) > 0:
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return distance


def hypervolume(values: np.ndarray, ref_point: np.ndarray) -> float:
    """Volume that rows of two objectives or more dominate above `ref_point` (m,), exactly.

    ValueError for fewer objectives, or where the point has another number of them.
    """
    values, ref = np.asarray(values, dtype=float), np.asarray(ref_point, dtype=float)
    if values.ndim != 2 or values.shape[1] < 2 or ref.shape != values.shape[1:]:
        raise ValueError(f"two objectives or more are needed, got {values.shape} and {ref.shape}")
    values = values[(values > ref).all(1)]
    if values.shape[1] > 2 and len(values):
        import torch  # both are slow to import
        from botorch.utils.multi_objective.hypervolume import Hypervolume

        front = torch.from_numpy(values[is_non_dominated(values)])
        return float(Hypervolume(torch.from_numpy(ref)).compute(front))
    total, height = 0.0, ref[1]
    for x, y in values[np.argsort(-values[:, 0], kind="stable")]:
        if y > height:
            total += (x - ref[0]) * (y - height)
            height = y
    return float(total)
