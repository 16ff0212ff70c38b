"""What went wrong, where, and what to do: the one kind of error that the command line prints."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: `where` (file or option), `what`, and the nearest right thing."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.hint})" if self.hint else "")


class WorkbookError(Exception):
    """All the faults that were found, to be told together; nothing was started."""

    def __init__(self, faults: Fault | Iterable[Fault]):
        self.faults = [faults] if isinstance(faults, Fault) else list(faults)
        super().__init__("\n".join(map(str, self.faults)))


def nearest(name: str, valid: Iterable[str]) -> str:
    """A hint that names the nearest valid name, or all of them where none is near."""
    valid = list(valid)
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(valid)}" if valid else "there are none"
