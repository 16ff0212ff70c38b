"""What a notebook saves: figures with their data, tables, trials, artifacts, claims.

Under `lightlab run` everything goes to the run's folder; in JupyterLab or raw papermill to
`results/interactive/<notebook>/`.
"""

import os
import re
import shutil
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lightlab import disk, published
from lightlab.show import style, tables
from lightlab.workbook import claims, display, manifest
from lightlab.workbook.project import NAME, OUT, PACKAGE, PROFILE, Fault, Project, WorkbookError

if TYPE_CHECKING:
    from lightlab.show.knob import Knob


def start(notebook: str, namespace: Mapping[str, Any]) -> "Record":
    """Open the record of `notebook`; `namespace` is its globals(), for its parameters. Outside the
    runner they are checked against its parameters cell: WorkbookError lists what is wrong.
    """
    style.use()
    if OUT in os.environ:
        return _under_runner(notebook, Path(os.environ[OUT]))
    return _by_itself(notebook, namespace, Project.find())


def _under_runner(notebook: str, folder: Path) -> "Record":
    task = disk.read_json(folder / "task.json")
    if notebook != task["notebook"]:
        raise WorkbookError(Fault("record.start", f"{notebook!r} is not {task['notebook']!r}"))
    if (folder / "record.json").exists():
        raise WorkbookError(Fault("record.start", "was called before in this notebook"))
    kept, source = Path(task["unfinished"]), Path(task["source"])
    return Record(notebook, folder, task["params"], os.environ.get(PROFILE), kept, source)


def _by_itself(notebook: str, namespace: Mapping[str, Any], project: Project) -> "Record":
    """The record of checked values; its profile is the one that has the same, if there is one."""
    from lightlab.workbook import params

    if notebook not in project.notebooks:
        raise WorkbookError(Fault("record.start", f"there is no notebooks/{notebook}.ipynb"))
    source = project.notebooks[notebook]
    declared = params.read(source)
    given = {n: namespace[n] for n in declared if n in namespace}
    values, faults = params.check(declared, given, notebook)
    if faults:
        raise WorkbookError(faults)
    profiles = (p for p in published.PROFILES if project.params_file(p, notebook).is_file())
    same = (p for p in profiles if params.resolve(project, notebook, p).values == values)
    folder = project.results / "interactive" / notebook
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kept = folder.parent / ".unfinished" / f"{notebook}-{disk.digest([values, _code()])[:12]}"
    return Record(notebook, folder, values, next(same, None), kept, source)


def _code() -> list[list[Any]]:
    """Names and times of lightlab's modules: long work goes on only under the same code."""
    root = PACKAGE
    modules = sorted(root.rglob("*.py"))
    return [[path.relative_to(root).as_posix(), path.stat().st_mtime_ns] for path in modules]


@dataclass(eq=False)
class Record:
    """The record of one execution of one notebook; every save rewrites record.json whole."""

    notebook: str
    folder: Path
    params: dict[str, Any]
    profile: str | None
    _unfinished: Path
    _source: Path

    def __post_init__(self) -> None:
        self.seed = int(self.params.get("seed", 0))
        self._published = published.claims(self.notebook)
        self._claims: dict[str, dict[str, Any]] = {}
        about = {"schema": 1, "notebook": self.notebook, "finished": False, "seed": self.seed}
        kept = {"data": [], "figures": [], "tables": [], "artifacts": [], "trials": None}
        self._saved: dict[str, Any] = about | kept
        self._write()

    def rng(self, tag: str = "") -> np.random.Generator:
        """A generator of its own for each `tag`, fixed by the parameter `seed`."""
        return np.random.default_rng([self.seed, zlib.crc32(tag.encode())])

    def inputs(self, notebook: str) -> list[Path]:
        """The result folders of a notebook that this one needs, one for each sweep point; outside
        the runner its interactive one. FileNotFoundError where it has not been run.
        """
        task = disk.read_json(self.folder / "task.json")
        if task:
            found = [Path(p) for u, p in task["inputs"].items() if u.split("@")[0] == notebook]
        else:
            found = [p for p in [self.folder.parent / notebook] if p.is_dir()]
        if not found:
            raise FileNotFoundError(f"no results of {notebook}: add it to `needs`, or run it first")
        return found

    def locate(self, spec: str) -> str:
        """A data set's name; its path, if any, from the workbook's root, as the runner reads it."""
        scheme, colon, path = spec.partition(":")
        return f"{scheme}:{self.path(path)}" if colon and scheme != "hf" else spec

    def path(self, name: str) -> str:
        """A file's path, which counts from the workbook's root."""
        return os.path.normpath(Project.find().root / Path(name).expanduser())

    def unfinished(self, name: str) -> Path:
        """A folder where long work goes on from when it was killed: another one with other values,
        code, data or (saved) cells up to the one that asks. Removed when the notebook has finished.
        """
        asks = re.compile(rf"unfinished\(\s*['\"]{re.escape(name)}['\"]")
        cells = display.cells(self._source)
        places = [i for i, text in enumerate(cells, 1) if asks.search(text)]
        before = cells[: max(places, default=None)]
        return _make(self._unfinished / f"{name}-{disk.digest(before)[:8]}", name)

    def data(self, dataset: Any) -> None:
        """Note which data were used: anything with `spec` and `fingerprint`."""
        scheme, colon, path = str(dataset.spec).partition(":")
        if colon and os.path.isabs(path):  # no folder of this machine goes into a reference
            path = Path(os.path.relpath(path, Project.find().root)).as_posix()
        entry = {"spec": scheme + colon + path, "fingerprint": str(dataset.fingerprint)}
        self._saved["data"].append(entry)
        self._write()

    def figure(
        self, fig: Figure, name: str, *, caption: str, data: pd.DataFrame | None = None
    ) -> display.Shown:
        """Save a figure (SVG, PNG), its data (CSV), who drew it and in which cell; shows it."""
        drawn = display.drawn_by(getattr(fig, "drawn_by", None))
        cell = display.cell_of(sys._getframe(1), self._source)
        folder = _make(self.folder / "figures", name)
        paths = [folder / f"{name}.svg", folder / f"{name}.png"]
        fig.savefig(paths[0], metadata={"Date": None, "Title": name, "Description": caption})
        fig.savefig(paths[1])
        plt.close(fig)
        if data is not None:
            paths.append(folder / f"{name}.csv")
            data.to_csv(paths[-1], index=any(n is not None for n in data.index.names))
        self._keep("figures", paths, name=name, caption=caption, drawn_by=drawn, cell=cell)
        return display.figure(name, caption, paths[0], paths[1], drawn)

    def table(
        self,
        df: pd.DataFrame,
        name: str,
        *,
        caption: str,
        volatile: Sequence[str] = (),
        tolerance: Mapping[str, float] | None = None,
        digits: int = 3,
    ) -> display.Shown:
        """Save a table as CSV, Markdown and LaTeX; shows it rounded to `digits` digits.

        `volatile` columns (timings) are never compared with another run's; `tolerance` allows
        an absolute difference per column; all else has to agree to a relative 1e-6.
        """
        unknown = (set(volatile) | set(tolerance or {})) - set(df.reset_index().columns)
        if unknown:
            raise ValueError(f"table {name}: there are no columns {sorted(unknown)}")
        paths = tables.write(df, _make(self.folder / "tables", name), name, caption, digits)
        rules = {"volatile": list(volatile), "tolerance": dict(tolerance or {})}
        self._keep("tables", paths, name=name, caption=caption, **rules)
        return display.table(df, name, caption, digits)

    def knob(self, draw: Callable[..., Figure], **controls: Any) -> "Knob":
        """The figure of `draw`, below controls that redraw it (`show.knob`). Nothing is saved."""
        from lightlab.show.knob import knob  # ipywidgets: only where there is something to turn

        return knob(draw, **controls)

    def trials(self, df: pd.DataFrame) -> None:
        """Save what was tried, one row a trial, each with its cost, as trials.csv."""
        df.to_csv(self.folder / "trials.csv", index=False)
        self._saved["trials"] = "trials.csv"
        self._write()

    def artifact(self, name: str) -> Path:
        """A path below artifacts/ to write to; the file has to be there when the notebook ends."""
        path = _make(self.folder / "artifacts", name) / name
        self._keep("artifacts", [path], name=name)
        return path

    def claim(
        self,
        id: str,
        measured: ArrayLike,
        interval: tuple[float, float] | None = None,
        n: int | None = None,
    ) -> None:
        """Hand over what was measured for a published claim: one value per seed, or a number with
        its 95 % `interval` and `n` where it has such. The verdict is computed from it.
        """
        if id not in self._published:
            raise KeyError(f"no claim {id!r} in published/claims/{self.notebook}.yaml")
        checked = claims.check(self._published[id], measured, self.profile, interval, n)
        self._claims[id] = checked | {"notebook": self.notebook}
        disk.write_json(self.folder / "claims.json", list(self._claims.values()))

    def finish(self) -> display.Shown:
        """Close the record: every claim checked, every promised file there; shows the verdicts."""
        missing = [c for c in self._published if c not in self._claims]
        if missing:
            raise ValueError(f"claims without a measurement: {', '.join(missing)}")
        entries = [e for kind in ("figures", "tables", "artifacts") for e in self._saved[kind]]
        promised = [name for entry in entries for name in entry["files"]]
        absent = [name for name in promised if not (self.folder / name).is_file()]
        if absent:
            raise FileNotFoundError(f"promised but not written: {', '.join(absent)}")
        self._saved["finished"] = True
        self._write()
        if OUT not in os.environ:
            manifest.write_interactive(self.folder, self.notebook, self.params)
            shutil.rmtree(self._unfinished, ignore_errors=True)
        return display.claims(list(self._claims.values()))

    def _keep(self, kind: str, paths: list[Path], **entry: Any) -> None:
        """Note these files, in the place of an earlier entry of that name."""
        root = self.folder.resolve()
        entry["files"] = [path.resolve().relative_to(root).as_posix() for path in paths]
        others = [e for e in self._saved[kind] if e["name"] != entry["name"]]
        self._saved[kind] = [*others, entry]
        self._write()

    def _write(self) -> None:
        disk.write_json(self.folder / "record.json", self._saved)


def _make(folder: Path, name: str) -> Path:
    """`folder`, made where `name` does for what is to lie in it."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} does not do as a file name: letters, digits, - _ .")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
