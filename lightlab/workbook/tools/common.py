"""What the commands about networks share: how they print, find a network and tell an error."""

import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console
from rich.table import Table
from typer import Option

from lightlab.workbook.project import PACKAGE, Fault, WorkbookError

if TYPE_CHECKING:
    import pandas as pd

    from lightlab.space.arch import Arch

# names, values and causes are shown as they are: brackets, and ":one:", of which rich makes a sign
out = Console(highlight=False, markup=False, emoji=False)

NAME = "A name of `lightlab arch list`, or a network's text."
Width = Annotated[float, Option(help="Factor of all widths, rounded as the paper's code does.")]
Resolution = Annotated[int | None, Option(min=1, help="Side of the images in px.")]


def find(name: str, width: float, resolution: int | None) -> "Arch":
    """The network of that name or text, scaled; ValueError where there is none."""
    from lightlab.space import scaling
    from lightlab.space.arch import decode

    if is_text(name):
        return scaling.scale(decode(name), width_mult=width, resolution=resolution)
    return scaling.get(name, width_mult=width, resolution=resolution)


def is_text(name: str) -> bool:
    return " " in name.strip()


@contextmanager
def told(where: str) -> Iterator[None]:
    """A ValueError of the package (by its class or by its place) becomes a WorkbookError."""
    try:
        yield
    except ValueError as e:
        if not (type(e).__module__.startswith("lightlab.") or PACKAGE in _place(e).parents):
            raise
        raise refusal(where, str(e)) from e


def _place(error: ValueError) -> Path:
    """The file that raised it, be it in a worker process, whose traceback comes as a text."""
    if beside := re.findall(r'^  File "(.+)", line', str(error.__cause__), re.MULTILINE):
        return Path(beside[-1])
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return Path(frame.f_code.co_filename)


def refusal(where: str, what: str, hint: str = "") -> WorkbookError:
    return WorkbookError(Fault(where, what, hint))


def say(line: str) -> None:
    """Print a line, however long, as one."""
    out.print(line, soft_wrap=True)


def table(*columns: str, right: Sequence[str] = ()) -> Table:
    """An empty table; the columns in `right` hold numbers."""
    made = Table(box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left")
    return made


def print_frame(df: "pd.DataFrame", columns: dict[str, str], words: int = 1) -> None:
    """Print a data frame: each title with the format of its cells, which takes the frame's columns.
    All but the first `words` columns hold numbers.
    """
    shown = table(*columns, right=[*columns][words:])
    for row in df.to_dict("records"):
        shown.add_row(*(cell.format(**row) for cell in columns.values()))
    out.print(shown)


def millions(n: int) -> str:
    return f"{n / 1e6:.2f}M"


def size(n_bytes: int) -> str:
    """Of a file, in the unit that leaves a digit before the point."""
    return f"{n_bytes / 1e6:.2f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:.2f} kB"


def one_line(text: str) -> str:
    """`text` with what would break a row (a newline, a tab) written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
