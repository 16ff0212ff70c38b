"""What the commands about networks share: how they print, find a network and tell an error."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from lightlab.workbook.project import Fault, WorkbookError

if TYPE_CHECKING:
    from lightlab.space.arch import Arch

# without markup: names, values and causes are shown as they are, brackets and all
out = Console(highlight=False, markup=False)

NAME = "A name of `lightlab arch list`, or a network's text."
Width = Annotated[
    float, typer.Option("--width", help="Factor of all widths, rounded as the paper's code does.")
]
Resolution = Annotated[
    int | None, typer.Option("--resolution", min=1, help="Side of the images in px.")
]


def find(name: str, width: float, resolution: int | None) -> "Arch":
    """The network of that name or text, scaled; ArchError where there is none."""
    from lightlab.space import scaling
    from lightlab.space.arch import decode
    from lightlab.space.scaling import scale

    if " " in name.strip():
        return scale(decode(name), width_mult=width, resolution=resolution)
    return scaling.get(name, width_mult=width, resolution=resolution)


@contextmanager
def told(where: str) -> Iterator[None]:
    """What the package refuses, by a ValueError of its own or one that it raised, becomes a
    WorkbookError.
    """
    try:
        yield
    except ValueError as e:
        *_, (frame, _) = traceback.walk_tb(e.__traceback__)
        modules = (type(e).__module__, frame.f_globals["__name__"])
        if not any(name.startswith("lightlab.") for name in modules):
            raise
        raise WorkbookError(Fault(where, str(e))) from e


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table; the columns in `right` hold numbers."""
    made = Table(box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left")
    return made


def millions(n: int) -> str:
    return f"{n / 1e6:.2f}M"


def size(n_bytes: int) -> str:
    """Of a file, in the unit that leaves a digit before the point."""
    return f"{n_bytes / 1e6:.2f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:.2f} kB"


def one_line(text: str) -> str:
    """`text` with what would break a row (a newline, a tab) written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
