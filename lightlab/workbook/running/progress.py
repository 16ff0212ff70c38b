"""What `lightlab run` shows while it runs and at its end, and what `lightlab list` shows."""

import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lightlab.workbook import params
from lightlab.workbook.project import Project, WorkbookError, needs
from lightlab.workbook.running import plan, store
from lightlab.workbook.running.plan import Unit
from lightlab.workbook.running.runner import CANCELLED, CURRENT, FAILED, OK, SKIPPED, Run, State

_LOOK = {
    "waiting": ("·", "dim"),
    "running": ("▶", "cyan"),
    OK: ("✓", "green"),
    CURRENT: ("=", "green"),
    FAILED: ("✗", "bold red"),
    SKIPPED: ("–", "yellow"),
    CANCELLED: ("■", "yellow"),
}


class Plain(ExitStack):
    """One line for each change of state; for logs and pipes."""

    def __init__(self, console: Console):
        super().__init__()
        self._console, self._last = console, dict[str, str]()

    def __call__(self, run: Run, unit: str) -> None:
        state = run.states[unit]
        if self._last.get(unit) != state.state:
            self._last[unit] = state.state
            self._console.print(Text(f"{_LOOK[state.state][0]} {unit}  {_words(state)}"))


class Screen(Plain):
    """A live table: state, cell of all cells, elapsed time."""

    def __init__(self, console: Console):
        super().__init__(console)
        self._states, self._began = dict[str, State](), dict[str, float]()
        live = Live(console=console, refresh_per_second=4, get_renderable=self._table)
        self.enter_context(live)

    def __call__(self, run: Run, unit: str) -> None:
        self._states = run.states
        if run.states[unit].state == "running":
            self._began.setdefault(unit, time.monotonic())

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for name in ("", "notebook", "cell", "progress", "time", ""):
            table.add_column(name, justify="right" if name in ("cell", "time") else "left")
        for state in self._states.values():
            sign, style = _LOOK[state.state]
            bar = ProgressBar(total=max(state.cells, 1), completed=state.cell or 0, width=18)
            running = state.state == "running"
            table.add_row(
                Text(sign, style),
                Text(state.unit, style),
                f"{state.cell or 0}/{state.cells}" if running and state.cells else "",
                bar if running else "",
                self._elapsed(state),
                Text("" if running else _words(state), style),
            )
        return table

    def _elapsed(self, state: State) -> str:
        seconds = state.seconds
        if state.state == "running":
            # drawn by another thread, maybe between the state's change and our hearing of it
            seconds = time.monotonic() - self._began.get(state.unit, time.monotonic())
        return "" if seconds is None else f"{seconds:.0f} s"


class Follow(Plain):
    """Plain lines, and what the notebooks print as they print it."""

    def __init__(self, console: Console):
        super().__init__(console)
        self._logs = dict[Path, TextIO]()

    def __call__(self, run: Run, unit: str) -> None:
        log = run.attempts[unit] / "log.txt" if unit in run.attempts else None
        if log and log.is_file():
            if log not in self._logs:
                opened = log.open(encoding="utf-8", errors="replace")
                self._logs[log] = self.enter_context(opened)
            for line in self._logs[log].read().splitlines():
                self._console.print(Text(f"  {unit} | {line}"))
        super().__call__(run, unit)


def _words(state: State) -> str:
    if state.state == OK:
        return f"done in {state.seconds:.1f} s" if state.seconds else "done"
    if state.state == CURRENT:
        return state.cause or "up to date"
    if state.state == "running":
        return f"started ({state.why})"
    return f"{state.state}: {state.cause}" if state.cause else state.state


def tell(run: Run, console: Console) -> None:
    """The last lines: how many of what, and every cause."""
    states = [s.state for s in run.states.values()]
    if set(states) <= {CURRENT}:
        taken = sum(s.cause is not None for s in run.states.values())
        rest = f" {taken} others are taken as they are." if taken else ""
        console.print(f"Nothing to do: all {len(states) - taken} notebooks are up to date.{rest}")
        return
    console.print(", ".join(f"{n} {s}" for s, n in Counter(states).items()))
    for state in run.states.values():
        if state.state == FAILED:
            console.print(Text(f"✗ {state.unit}: {state.cause}", "bold red"))
            place = run.project.relative(store.failed(run.folder, state.unit))
            console.print(f"  partial notebook and log: {place}/", soft_wrap=True)


def overview(project: Project) -> list[tuple[str, str, str, str, str, str]]:
    """(notebook, needs, last run, state, age, time) for each notebook."""
    found = []
    for name, path in project.notebooks.items():
        wants = ", ".join(n.split("_")[0] for n in needs(path)) or "–"
        folder, facts = _last(project, name)
        if not facts:
            found.append((name, wants, "–", "never run", "", ""))
            continue
        seconds = f"{facts['seconds']:.0f} s" if facts.get("seconds") else ""
        state = _state(project, folder, facts)
        found.append((name, wants, folder.parent.name, state, _age(facts["ended"]), seconds))
    return found


def _last(project: Project, notebook: str) -> tuple[Path, dict[str, Any]]:
    """The newest result of a notebook in any run, failed ones too; empty where there is none."""
    found = []
    for manifest in project.results.glob(f"*/{notebook}*/manifest.json"):
        folder, facts = manifest.parent, store.recorded(manifest.parent) or {}
        kept = folder.parent.name == "reference"  # only parts of what was recorded
        if not kept and facts.get("notebook") == notebook and facts.get("ended"):
            found.append((folder, facts))
    return max(found, key=lambda f: f[1]["ended"], default=(project.results, {}))


def _state(project: Project, folder: Path, facts: dict[str, Any]) -> str:
    if facts["status"] != "ok":
        return f"failed: {facts['cause']}"
    if "hashes" not in facts:
        return "interactive"
    try:
        values = params.resolve(project, facts["notebook"], facts["profile"], facts["typed"]).values
    except WorkbookError as e:
        return f"stale ({e.faults[0]})"
    unit = Unit(facts["unit"], facts["notebook"], values, tuple(facts["needs"]))
    why = plan.stale(facts, plan.hashes(project, unit, folder.parent), folder)
    return f"stale ({why})" if why else "up to date"


def _age(then: str) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(then)).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
