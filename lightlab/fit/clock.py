"""A budget of time: what is spent, what is left, and who is told about it."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Update:
    """What is done now, for about how many seconds, the best found so far in words ("" before
    there is any), and the seconds of the budget that are left.
    """

    phase: str
    expected_s: float
    best: str
    left_s: float


Tell = Callable[[Update], None]
Now = Callable[[], float]  # seconds since whenever


class Clock:
    """Counts the `budget_s` down from now on, phase by phase; of wall clock, or what `now` counts.

    `best` is the best found so far in words, set by whoever finds it; `capped` says whether a
    training ended since more of it would only learn the images by heart.
    """

    def __init__(
        self, budget_s: float, tell: Tell | None = None, now: Now = time.monotonic
    ) -> None:
        self.budget_s, self.best, self.capped, self.now = budget_s, "", False, now
        self._tell, self._begin = tell, now()
        self._phases: list[tuple[str, float]] = []  # and when each began

    @property
    def spent_s(self) -> float:
        """Seconds since the start."""
        return self.now() - self._begin

    @property
    def left_s(self) -> float:
        """Seconds of the budget that are left, 0 where it is spent."""
        return max(0.0, self.budget_s - self.spent_s)

    def enter(self, phase: str, expected_s: float = 0) -> None:
        """A phase begins, and that before it has ended."""
        self._phases.append((phase, self.spent_s))
        if self._tell is not None:
            self._tell(Update(phase, expected_s, self.best, self.left_s))

    def since_s(self, phase: str) -> float:
        """Seconds since that phase began last; infinite where it never did."""
        return self.spent_s - max((t for p, t in self._phases if p == phase), default=-math.inf)

    def table(self) -> pd.DataFrame:
        """Seconds by phase, in their order; the last one lasts until now."""
        ends = [begin for _, begin in self._phases[1:]] + [self.spent_s]
        rows = [(p, end - begin) for (p, begin), end in zip(self._phases, ends, strict=True)]
        table = pd.DataFrame(rows, columns=["phase", "seconds"])
        return table.groupby("phase", sort=False)["seconds"].sum().reset_index()
