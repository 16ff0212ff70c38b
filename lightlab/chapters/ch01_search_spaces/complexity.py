"""Seven algorithms from log n to n!, each of which counts its own operations while it works.

Every algorithm returns (result, operations). One operation is what the textbook counts: a
comparison, an addition, a multiply–accumulate, a subset, an edge of a tour.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats as _stats

MAX_N = 1_000_000


def binary_search(values: Sequence[int], target: int) -> tuple[int, int]:
    """Index of the first value >= `target` in a sorted sequence; counts comparisons."""
    low, high, comparisons = 0, len(values), 0
    while low < high:
        middle = (low + high) // 2
        comparisons += 1
        if values[middle] < target:
            low = middle + 1
        else:
            high = middle
    return low, comparisons


def total(values: Sequence[float]) -> tuple[float, int]:
    """Sum; counts additions."""
    result, additions = 0.0, 0
    for value in values:
        result += value
        additions += 1
    return result, additions


def merge_sort(values: Sequence[float]) -> tuple[list[float], int]:
    """Sorted values; counts comparisons."""
    if len(values) < 2:
        return list(values), 0
    middle = len(values) // 2
    (left, a), (right, b) = merge_sort(values[:middle]), merge_sort(values[middle:])
    merged, i, j, comparisons = [], 0, 0, a + b
    while i < len(left) and j < len(right):
        comparisons += 1
        if right[j] < left[i]:
            merged.append(right[j])
            j += 1
        else:
            merged.append(left[i])
            i += 1
    return merged + left[i:] + right[j:], comparisons


def insertion_sort(values: Sequence[float]) -> tuple[list[float], int]:
    """Sorted values; counts moves of one place, as many as there are pairs in the wrong order."""
    ordered, moves = list(values), 0
    for i in range(1, len(ordered)):
        value, j = ordered[i], i
        while j > 0 and ordered[j - 1] > value:
            ordered[j] = ordered[j - 1]
            j -= 1
            moves += 1
        ordered[j] = value
    return ordered, moves


def matrix_product(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> tuple[Any, int]:
    """Product of two matrices by its definition; counts multiply–accumulates (MACs)."""
    macs = 0
    product = [[0.0] * len(b[0]) for _ in a]
    for i, row in enumerate(a):
        for j in range(len(b[0])):
            for k, value in enumerate(row):
                product[i][j] += value * b[k][j]
                macs += 1
    return product, macs


def subset_sum(values: Sequence[int], target: int) -> tuple[int, int]:
    """Number of subsets that add up to `target`; counts the subsets, all of which are tried."""
    sums = [0]
    for value in values:
        sums += [s + value for s in sums]
    return sums.count(target), len(sums)


def shortest_tour(distance: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Length of the shortest round trip through all cities by trying each order; counts edges."""
    best, edges = math.inf, 0
    for order in permutations(range(1, len(distance))):
        length, here = 0.0, 0
        for city in (*order, 0):
            length += distance[here][city]
            here = city
            edges += 1
        best = min(best, length)
    return best, edges


@dataclass(frozen=True)
class Law:
    """An algorithm with its theory: `growth(n)` operations up to a factor.

    The fit is a straight line of y(n, operations) against x(n), whose slope (after `read`) theory
    puts at `theory`; `meaning` says what the slope is.
    """

    algorithm: str
    order: str
    growth: Callable[[int], float]
    inputs: Callable[[int, np.random.Generator], tuple]
    run: Callable[..., tuple[Any, int]]
    x: Callable[[int], float]
    y: Callable[[int, float], float]
    theory: float
    meaning: str
    read: Callable[[float], float] = float


def _operations(n: int, operations: float) -> float:  # noqa: ARG001
    return operations


def _log_operations(n: int, operations: float) -> float:  # noqa: ARG001
    return math.log(operations)


def _cities(n: int, rng: np.random.Generator) -> tuple:
    x, y = rng.random((2, n))
    return (np.hypot(x[:, None] - x, y[:, None] - y).tolist(),)


LAWS = (
    Law("binary search", "log n", math.log2,
        lambda n, rng: (range(n), int(rng.integers(n))), binary_search,
        math.log2, _operations, 1, "per doubling of n"),
    Law("sum", "n", float,
        lambda n, rng: (rng.random(n).tolist(),), total,
        math.log, _log_operations, 1, "exponent"),
    Law("merge sort", "n log n", lambda n: n * math.log2(n),
        lambda n, rng: (rng.random(n).tolist(),), merge_sort,
        math.log2, lambda n, ops: ops / n, 1, "per value and doubling"),
    Law("insertion sort", "n²", lambda n: n**2 / 4,
        lambda n, rng: (rng.random(n).tolist(),), insertion_sort,
        math.log, _log_operations, 2, "exponent"),
    Law("matrix product", "n³", lambda n: n**3,
        lambda n, rng: tuple(rng.random((2, n, n)).tolist()), matrix_product,
        math.log, _log_operations, 3, "exponent"),
    Law("subset sum", "2ⁿ", lambda n: 2**n,
        lambda n, rng: (rng.integers(1, 1000, n).tolist(), 1000), subset_sum,
        float, _log_operations, 2, "base", math.exp),
    Law("shortest tour", "n!", math.factorial,
        _cities, shortest_tour,
        lambda n: math.lgamma(n + 1), _log_operations, 1, "exponent of n!"),
)  # fmt: skip


def sizes(law: Law, budget: int, n_sizes: int = 8) -> list[int]:
    """Up to `n_sizes` input sizes, evenly spaced in log n, of which the largest is the largest n
    (at most `MAX_N`) that the law grants `budget` operations. At least 4, or a ValueError."""
    high = 4
    while high < MAX_N and law.growth(high) <= budget:
        high *= 2
    low, high = 3, min(high, MAX_N)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if law.growth(middle) <= budget else (low, middle - 1)
    smallest = max(3, math.isqrt(low))
    spaced = np.unique(np.geomspace(smallest, low, n_sizes).round().astype(int))
    if len(spaced) < 4:
        raise ValueError(f"{law.algorithm}: budget={budget} grants no 4 sizes, raise it")
    return spaced.tolist()


def measure(budget: int, repeats: int, rng: np.random.Generator) -> pd.DataFrame:
    """Run all algorithms on random inputs of growing size, up to about `budget` operations each.

    Columns: algorithm, order, n, repeat, operations, seconds (CPU time: a busy machine does not
    show).
    """
    rows = []
    for law in LAWS:
        for n in sizes(law, budget):
            for repeat in range(repeats):
                inputs = law.inputs(n, rng)
                begin = time.thread_time()
                _, operations = law.run(*inputs)
                seconds = time.thread_time() - begin
                rows.append((law.algorithm, law.order, n, repeat, operations, seconds))
    return pd.DataFrame(
        rows, columns=["algorithm", "order", "n", "repeat", "operations", "seconds"]
    )


def fit(measured: pd.DataFrame) -> pd.DataFrame:
    """Slope of every law with its 95 % interval (least squares, Student's t), beside its theory.

    Columns: algorithm, order, meaning, theory, fitted, ci_low, ci_high, largest_n, operations
    (mean at the largest n), seconds (median there), ns_per_operation.
    """
    rows = []
    for law in LAWS:
        mine = measured[measured["algorithm"] == law.algorithm]
        slope, half = _line(law, mine)
        top = mine[mine["n"] == mine["n"].max()]
        operations, seconds = top["operations"].mean(), top["seconds"].median()
        rows.append(
            {
                "algorithm": law.algorithm,
                "order": law.order,
                "meaning": law.meaning,
                "theory": law.theory,
                "fitted": law.read(slope),
                "ci_low": law.read(slope - half),
                "ci_high": law.read(slope + half),
                "largest_n": int(top["n"].iloc[0]),
                "operations": operations,
                "seconds": seconds,
                "ns_per_operation": 1e9 * seconds / operations,
            }
        )
    return pd.DataFrame(rows)


def _line(law: Law, mine: pd.DataFrame) -> tuple[float, float]:
    """Slope and half the width of its 95 % interval."""
    x = [law.x(n) for n in mine["n"]]
    y = [law.y(n, ops) for n, ops in zip(mine["n"], mine["operations"], strict=True)]
    line = _stats.linregress(x, y)
    return line.slope, _stats.t.ppf(0.975, len(x) - 2) * line.stderr
