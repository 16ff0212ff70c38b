"""A workbook: where its things are, and how what is wrong with it is told, and with what hint."""

import difflib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
# In the environment of a kernel that the runner started: the attempt's folder, the profile, and
# the workbook's root.
OUT, PROFILE, ROOT = "LIGHTLAB_OUT", "LIGHTLAB_PROFILE", "LIGHTLAB_ROOT"
# And the cores that are this notebook's share: joblib's own variable, so that joblib.cpu_count()
# gives it, and all cores where no runner is.
CORES = "LOKY_MAX_CPU_COUNT"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=,@+-]*")  # a run's or unit's folder: no separators
FAILED_SUFFIX = ".failed"  # of the folder of a unit's last failed attempt
RESERVED = ("reference", "interactive")  # folders of results/ that no runner writes to


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
    close = difflib.get_close_matches(name, valid, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(valid)}" if valid else "there are none"


@dataclass(frozen=True)
class Project:
    """A folder with `notebooks/` and `params/`; results go to `results/` below it."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> "Project":
        """The workbook around `start` (default: $LIGHTLAB_ROOT, else the current folder)."""
        start = Path(start or os.environ.get(ROOT) or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / "notebooks").is_dir() and (folder / "params").is_dir():
                return cls(folder)
        hint = "needs the folders notebooks and params"
        raise WorkbookError(Fault(str(start), "no workbook here or above", hint))

    @cached_property
    def notebooks(self) -> dict[str, Path]:
        """Every notebook by name, in the order of their numbers."""
        return {p.stem: p for p in sorted((self.root / "notebooks").glob("[0-9]*.ipynb"))}

    @property
    def results(self) -> Path:
        return self.root / "results"

    def select(self, wanted: list[str]) -> list[str]:
        """Names of the notebooks asked for: by name, by number or by the name's beginning."""
        chosen, faults = [], []
        for word in wanted:
            begins = [n for n in self.notebooks if n.startswith(word)]
            hits = [word] if word in self.notebooks else begins
            if len(hits) == 1:
                chosen += hits
            elif hits:
                faults.append(Fault("notebook", f"{word!r} is ambiguous", ", ".join(hits)))
            else:
                hint = nearest(word, self.notebooks)
                faults.append(Fault("notebook", f"there is no notebook {word!r}", hint))
        if faults:
            raise WorkbookError(faults)
        return list(dict.fromkeys(chosen or self.notebooks))

    def params_file(self, profile: str, notebook: str) -> Path:
        return self.root / "params" / profile / f"{notebook}.yaml"

    def check_profile(self, profile: str) -> None:
        profiles = sorted(p.name for p in (self.root / "params").iterdir() if p.is_dir())
        if profile not in profiles:
            hint = nearest(profile, profiles)
            raise WorkbookError(Fault("profile", f"there is no profile {profile!r}", hint))

    def run_folder(self, run: str) -> Path:
        """The folder of the run `run`; a name that would leave `results/` is refused."""
        if not NAME.fullmatch(run):
            what, hint = f"{run!r} is not usable as a folder", "letters, digits, - _ ."
            raise WorkbookError(Fault("run name", what, hint))
        return self.results / run

    def relative(self, path: Path) -> str:
        """`path` as shown to people: from the root where it lies below it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def needs(notebook: Path) -> list[str]:
    """The notebooks whose results `notebook` reads, from its metadata `lightlab.needs`."""
    found = settings(notebook).get("needs", [])
    if not (isinstance(found, list) and all(isinstance(n, str) for n in found)):
        what = "`needs` has to be a list of names"
        raise WorkbookError(Fault(f"notebooks/{notebook.name}", what))
    return found


def alone(notebook: Path) -> bool:
    """True where `notebook` measures time, so that nothing may run beside it: `lightlab.alone`."""
    found = settings(notebook).get("alone", False)
    if not isinstance(found, bool):
        what = f"`alone` has to be true or false, not {found!r}"
        raise WorkbookError(Fault(f"notebooks/{notebook.name}", what))
    return found


def settings(notebook: Path) -> dict:
    """The notebook's own word on how it runs: `lightlab` in its metadata."""
    return read_notebook(notebook).get("metadata", {}).get("lightlab", {})


def read_notebook(path: Path) -> dict:
    """The notebook as plain JSON; a clear error where it is none."""
    try:
        nb = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(nb.get("cells"), list):
            raise ValueError("no cells")
        return nb
    except (ValueError, AttributeError) as e:
        raise WorkbookError(Fault(f"notebooks/{path.name}", f"is not a notebook: {e}")) from e
