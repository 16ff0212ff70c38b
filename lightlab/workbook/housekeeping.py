"""Commands about the results that are there: `report`, `compare`, `bless`, `clean`."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from lightlab.workbook.project import Fault, Project, WorkbookError, nearest
from lightlab.workbook.tools.common import out

RunName = Annotated[str, typer.Argument(metavar="RUN", help="A folder below results/.")]


def report(run: RunName) -> None:
    """Build the review site of RUN anew from what the run saved."""
    from lightlab.workbook.review import site

    out.print(f"Review site: {site.build(existing(run))}", soft_wrap=True)


def compare(run_a: RunName, run_b: RunName) -> None:
    """A page with two runs side by side: parameters, table cells, verdicts, figures."""
    from lightlab.workbook.review import compare as pages

    out.print(f"Comparison: {pages.build(existing(run_a), existing(run_b))}", soft_wrap=True)


def bless(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Folders below results/.")],
    notebook: Annotated[
        list[str] | None,
        typer.Option("--notebook", help="Only these, beside what the reference holds already."),
    ] = None,
) -> None:
    """Keep the tables, SVG figures and claims of each RUN as results/reference/, which git holds.

    Of a notebook that several of them hold, the first has the plain name. All verdicts of the plain
    ones are drawn in results/reference/scoreboard.svg.
    """
    from lightlab.workbook.review import results, summary

    project = Project.find()
    only = project.select(notebook) if notebook else []
    folder = project.results / "reference"
    left_out = results.keep([existing(r) for r in runs], folder, only)
    summary.draw_scoreboard(folder)
    what = f"now has {', '.join(only)} of" if only else "is now"
    out.print(f"results/reference/ {what} {' and '.join(runs)}.")
    for name in left_out:
        out.print(f"left out, too large: {name}")


def clean(
    run: Annotated[str | None, typer.Argument(help="A run; default: all but reference.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove results: one RUN, or all of them but results/reference/."""
    from lightlab.workbook.running import store

    project = Project.find()
    others = (p for p in project.results.glob("*") if p.name != "reference")
    folders = [existing(run)] if run else list(others)
    if not folders:
        out.print("Nothing to remove.")
        return
    names = ", ".join(sorted(f.name for f in folders))
    if not yes:
        typer.confirm(f"Remove {names} below {project.results}?", abort=True)
    for folder in folders:
        if (folder / ".lock").exists():
            store.empty(folder)  # refuses where a runner holds it
        shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
    out.print(f"Removed {names}.")


def existing(run: str) -> Path:
    """The folder of a run; WorkbookError, with the nearest name, where there is none."""
    project = Project.find()
    folder = project.run_folder(run)
    if not folder.is_dir():
        runs = sorted(p.name for p in project.results.glob("*") if p.is_dir() and p.name[0] != ".")
        raise WorkbookError(Fault("run", f"there is no results/{run}", nearest(run, runs)))
    return folder
