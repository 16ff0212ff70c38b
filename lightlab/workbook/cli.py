"""The command line: `lightlab --help`."""

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from typer import Argument, Option

from lightlab.workbook import housekeeping
from lightlab.workbook.project import RESERVED, Fault, Project, WorkbookError
from lightlab.workbook.tools import deployment, networks
from lightlab.workbook.tools import fit as fitting
from lightlab.workbook.tools.common import out, refusal, say, table

app = typer.Typer(
    help="Run the notebooks of this workbook, check their claims, review and compare the results; "
    "price, time and deploy networks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.add_typer(networks.arch, name="arch")
err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)

Texts = list[str] | None
Seconds = float | None
_NOTEBOOKS = "Names or numbers (04); default: all."
_JOBS = "Notebooks at once, each with cores / jobs threads; default: cores, at most all notebooks."
Jobs = Annotated[int | None, Option("--jobs", "-j", min=1, help=_JOBS, show_default=False)]


@app.command()
def run(
    notebooks: Annotated[Texts, Argument(metavar="[NOTEBOOK]...", help=_NOTEBOOKS)] = None,
    profile: Annotated[str, Option(help="Folder below params/ with the values.")] = "quick",
    param: Annotated[Texts, Option("-p", metavar="NAME=VALUE", help="Override one value.")] = None,
    sweep: Annotated[Texts, Option(metavar="NAME=A,B,C", help="Run once for each value.")] = None,
    name: Annotated[
        str | None, Option(help="The run's folder; default: the profile's name.")
    ] = None,
    jobs: Jobs = None,
    force: Annotated[bool, Option("--force", help="Run what is up to date, too.")] = False,
    only: Annotated[
        bool, Option("--only", help="Take what they need as it is, even if out of date.")
    ] = False,
    fail_fast: Annotated[
        bool, Option("--fail-fast/--keep-going", help="After a failure start nothing more.")
    ] = False,
    timeout: Annotated[Seconds, Option(min=0.1, help="Seconds that one cell may take.")] = None,
    notebook_timeout: Annotated[Seconds, Option(min=0.1, help="Seconds for a notebook.")] = None,
    stall_timeout: Annotated[
        Seconds, Option(min=0.1, help="Seconds that a cell may be silent.")
    ] = None,
    retries: Annotated[int, Option(min=0, help="Try again when a kernel died, so often.")] = 0,
    follow: Annotated[
        bool, Option("--follow", help="Show what the notebooks print as they print it.")
    ] = False,
) -> None:
    """Execute notebooks that are not up to date, and build the review site.

    Each NOTEBOOK runs with the values of params/PROFILE/NOTEBOOK.yaml, in a process of its own;
    what it needs runs first. Results go to results/RUN/. The exit code is 1 where one failed.
    """
    from lightlab.workbook.running import plan
    from lightlab.workbook.running.executor import Limits
    from lightlab.workbook.running.runner import Options

    project = Project.find()
    axes = {
        key: list(dict.fromkeys(value.strip() for value in values.split(",")))
        for key, values in _pairs(sweep, "--sweep").items()
    }
    units = plan.make(project, notebooks or [], profile, _pairs(param, "-p"), axes)
    limits = Limits(timeout, notebook_timeout, stall_timeout)
    alone = tuple(project.select(notebooks or [])) if only else ()
    options = Options(profile, _jobs(project, jobs), limits, force, fail_fast, retries, only=alone)
    folder = project.run_folder(name or profile)
    if folder.name in RESERVED:
        raise refusal("run name", f"{folder.name!r} is reserved", "choose with --name")
    ok = _execute(project, units, folder, options, follow)
    from lightlab.workbook.review import site

    say(f"Review site: {site.build(folder)}")
    raise typer.Exit(0 if ok else 1)


@app.command("list")
def list_() -> None:
    """The notebooks: what each needs, and the state and age of its last results."""
    from lightlab.workbook.running import progress

    rows = table("notebook", "needs", "last run", "state", "age", "time")
    for row in progress.overview(Project.find()):
        rows.add_row(*row)
    out.print(rows)


@app.command()
def params(
    notebook: Annotated[str, Argument(help="Name or number.")],
    profile: Annotated[str | None, Option(help="Show the values of this profile.")] = None,
) -> None:
    """The parameters of NOTEBOOK: type, default, range, value and where the value comes from."""
    from lightlab.workbook import params as values_of

    project = Project.find()
    if profile:
        project.check_profile(profile)
    resolved = values_of.resolve(project, project.select([notebook])[0], profile)
    rows = table("name", "type", "default", "allowed", "value", "from", "meaning")
    for p in resolved.schema.values():
        value, source = str(resolved.values[p.name]), resolved.sources[p.name]
        rows.add_row(p.name, p.type, str(p.default), p.allowed, value, source, p.help)
    out.print(rows)


app.command()(housekeeping.report)
app.command()(housekeeping.compare)


@app.command()
def verify(
    run: housekeeping.RunName,
    jobs: Jobs = None,
    notebook: Annotated[Texts, Option(help="Only these; default: all of the run.")] = None,
) -> None:
    """Execute RUN again in a scratch folder and compare every table and claim.

    Columns that hold timings are not compared; others have to agree within the tolerance that
    the notebook states for them, else to a relative 1e-6. The exit code is 1 where they differ.
    """
    from lightlab.workbook.review import compare as pages
    from lightlab.workbook.running import store
    from lightlab.workbook.running.runner import Options

    project, folder = Project.find(), housekeeping.existing(run)
    units = store.units_of(project, folder, notebook or [])
    scratch = project.results / ".verify" / folder.name
    store.empty(scratch)
    options = Options(units[0].profile or "", _jobs(project, jobs), force=True)
    ok = _execute(project, units, scratch, options, follow=False)
    found = [d for u in units for d in pages.verify(folder / u.name, scratch / u.name)]
    for difference in found:
        err.print(str(difference))
    if found or not ok:
        if machines := store.other_machines(folder, scratch):
            err.print(f"lightlab: {machines}")
        out.print(f"{folder.name}: {len(found)} differences; the fresh results are in {scratch}")
        raise typer.Exit(1)
    shutil.rmtree(scratch)
    if others := store.of_other_runs(folder):
        say(f"Of other runs, and not verified: {', '.join(others)}")
    out.print(f"{folder.name}: every table and claim of {len(units)} notebooks came out again.")


app.command()(housekeeping.bless)
app.command()(housekeeping.clean)
app.command()(networks.latency)
app.command()(deployment.export)
app.command()(deployment.predict)
app.command()(fitting.fit)


def _execute(project: Project, units: list, folder: Path, options, follow: bool) -> bool:
    """Run the units with the screen that suits where the output goes."""
    from lightlab.workbook.running import progress
    from lightlab.workbook.running.executor import LocalExecutor
    from lightlab.workbook.running.runner import Run

    watched = follow or options.limits.stall is not None  # which takes a moving bar for life
    executor = LocalExecutor(project.root, watched)
    kind = progress.Follow if follow else progress.Screen if out.is_terminal else progress.Plain
    with kind(out) as screen:
        run = Run(project, units, folder, options, executor, screen)
        try:
            ok = run.execute()
        except KeyboardInterrupt as e:
            err.print("lightlab: stopped; what was finished stays, the next run goes on from there")
            raise typer.Exit(130) from e
    progress.tell(run, out)
    return ok


def _jobs(project: Project, asked: int | None) -> int:
    """How many notebooks at once. The default does not depend on which are selected: with the
    threads of each, its sums would come out in another order."""
    return asked or min(os.cpu_count() or 1, max(1, len(project.notebooks)))


def _pairs(texts: Texts, option: str) -> dict[str, str]:
    pairs, faults = {}, []
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals:
            faults.append(Fault(option, f"{text!r} is not NAME=VALUE"))
        elif name in pairs:
            faults.append(Fault(option, f"{name!r} is given twice"))
        pairs[name.strip()] = value.strip()
    if faults:
        raise WorkbookError(faults)
    return pairs


def main() -> None:
    """Entry point: a WorkbookError is told in one line a fault, exit code 2."""
    if not sys.stderr.isatty():  # a bar in a log is noise
        os.environ.setdefault("TQDM_DISABLE", "1")
    try:
        app()
    except WorkbookError as e:
        for fault in e.faults:
            err.print(f"lightlab: {fault}")
        sys.exit(2)
    except OSError as e:
        where = f": {e.filename}" if e.filename else ""
        err.print(f"lightlab: {e.strerror or e}{where}")
        sys.exit(1)
