"""Runs units in the order of their needs, as many at once as asked, and keeps run.json true."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path

import yaml

from lightlab import disk
from lightlab.workbook import manifest
from lightlab.workbook.project import FAILED_SUFFIX, Project
from lightlab.workbook.running import plan, store
from lightlab.workbook.running.executor import Event, Executor, Limits
from lightlab.workbook.running.plan import Unit

# "waiting", "running" and then one of these
OK, CURRENT, FAILED, SKIPPED, CANCELLED = "ok", "up-to-date", "failed", "skipped", "cancelled"
_RETRY_START = 2  # a kernel that does not come up is tried again without being asked


@dataclass
class State:
    """Where a unit stands, for the screen and for run.json."""

    unit: str
    notebook: str
    needs: list[str]
    state: str = "waiting"
    cause: str | None = None
    seconds: float | None = None
    cell: int | None = None
    cells: int = 0
    attempts: int = 0
    why: str | None = None  # why it runs: what changed since the recorded result


@dataclass(frozen=True)
class Options:
    """How to run. `force`: what is up to date, too. `retries`: of a kernel that died. `only`: no
    notebooks but these; what they need is taken as it is, even where it is out of date.
    """

    profile: str
    jobs: int
    limits: Limits = field(default_factory=Limits)
    force: bool = False
    fail_fast: bool = False
    retries: int = 0
    only: tuple[str, ...] = ()


class Run:
    """One call of `lightlab run` on one run folder."""

    def __init__(
        self,
        project: Project,
        units: list[Unit],
        folder: Path,
        options: Options,
        executor: Executor,
        watch: Callable[["Run", str], None] = lambda *_: None,
    ):
        self.project, self.folder, self.options = project, folder, options
        self.units = {u.name: u for u in units}
        self.states = {u.name: State(u.name, u.notebook, list(u.needs)) for u in units}
        self._executor, self._watch = executor, watch
        self._sorter = TopologicalSorter({u.name: set(u.needs) for u in units})
        self._queue, self._held = list[str](), list[str]()
        self._attempts: dict[str, Path] = {}
        self._started = manifest.now()
        self._provenance = manifest.provenance(project.root)

    def execute(self) -> bool:
        """Run everything that is not up to date; True where all units are in a good state."""
        with store.held(self.folder), _stoppable():
            store.recover(self.folder)
            self._sorter.prepare()
            try:
                while self._sorter.is_active():
                    self._fill()
                    for event in self._executor.events() if self._attempts else ():
                        self._take(event)
            except BaseException:
                self._stop()
                with suppress(OSError):  # the first fault is the one to tell
                    self._write(ended=True)
                raise
            self._write(ended=True)
        return all(s.state in (OK, CURRENT) for s in self.states.values())

    def _fill(self) -> None:
        """Start what may start now, what took longest last time first. A unit that has to be alone
        is held back until nothing else is ready or at work (so that nothing gets ready beside it);
        then it is decided anew, for another may have failed meanwhile."""
        while len(self._attempts) < self.options.jobs:
            ready = self._sorter.get_ready()
            self._queue += sorted(ready, key=lambda n: (-store.took_s(self.folder, n), n))
            ahead = self._queue or ([] if self._attempts else self._held)
            if not ahead:
                return
            name = ahead.pop(0)
            state, reason, hashes = self._decide(name)
            if state != "running":
                self._settle(name, state, reason)
            elif self.units[name].alone and (self._queue or self._attempts):
                self._held.append(name)
            else:
                self._begin(name, reason, hashes)

    def _decide(self, name: str) -> tuple[str, str | None, dict[str, str]]:
        """What to do with a unit whose needs are settled: run, skip, or leave it as it is; why; and
        for a run the hashes of what it depends on."""
        unit = self.units[name]
        broken = [n for n in unit.needs if self.states[n].state not in (OK, CURRENT)]
        if broken:
            return SKIPPED, f"needs {', '.join(broken)}", {}
        if self.options.fail_fast and any(s.state == FAILED for s in self.states.values()):
            return SKIPPED, "another notebook failed (--fail-fast)", {}
        place = self.folder / name
        if self.options.only and unit.notebook not in self.options.only:
            fault = store.unusable(place)
            return (SKIPPED, fault, {}) if fault else (CURRENT, "taken as it is", {})
        now = plan.hashes(self.project, unit, self.folder)
        forced = "forced" if self.options.force else None
        if why := forced or plan.stale(store.recorded(place), now, place):
            return "running", why, now
        shutil.rmtree(store.failed(self.folder, name), ignore_errors=True)  # it is overtaken
        return CURRENT, None, {}

    def _begin(self, name: str, why: str | None, hashes: dict[str, str]) -> None:
        import joblib  # only where something runs

        unit, state = self.units[name], self.states[name]
        folder = store.new_attempt(self.folder, name)
        task = {
            "unit": name,
            "notebook": unit.notebook,
            "source": str(self.project.notebooks[unit.notebook]),
            "root": str(self.project.root),
            "profile": unit.profile or self.options.profile,
            "threads": unit.threads or max(1, (os.cpu_count() or 1) // self.options.jobs),
            "params": unit.values,
            "typed": unit.typed,
            "limits": asdict(self.options.limits),
            # that its own worker processes may use together
            "cores": max(1, joblib.cpu_count() // (1 if unit.alone else self.options.jobs)),
            "hashes": hashes,
            "inputs": {n: str(self.folder / n) for n in unit.needs},
            "unfinished": str(store.unfinished(self.folder, name, hashes)),
        }
        disk.write_text(folder / "task.json", json.dumps(task, indent=1))
        disk.write_text(folder / "params.yaml", yaml.safe_dump(unit.values, sort_keys=False))
        self._attempts[name] = folder
        state.state, state.why, state.attempts = "running", why, state.attempts + 1
        self._executor.submit(name, folder)
        self._watch(self, name)

    def _take(self, event: Event) -> None:
        name, state = event.unit, self.states[event.unit]
        state.cell, state.cells = event.status.get("cell"), event.status.get("cells", 0)
        self._watch(self, name)  # before the log moves: its last lines, too
        if not event.ended:
            return
        attempt = self._attempts.pop(name)
        facts = store.recorded(attempt) or {}
        ok = event.error is None and facts.get("status") == "ok"
        cause = event.error or facts.get("cause") or (event.status.get("cause") or {}).get("text")
        allowed = {"kernel-died": self.options.retries, "kernel-start": _RETRY_START}
        if not ok and state.attempts <= allowed.get(facts.get("kind", ""), 0):
            shutil.rmtree(attempt, ignore_errors=True)
            now = plan.hashes(self.project, self.units[name], self.folder)
            self._begin(name, f"again, for {cause}", now)
            return
        state.seconds = facts.get("seconds")
        if event.error:  # the attempt could not write its own papers
            _note_failure(attempt, self.units[name], event.error)
        store.publish(attempt, self.folder, name, ok)
        self._settle(name, OK if ok else FAILED, None if ok else cause)

    def _settle(self, name: str, state: str, cause: str | None) -> None:
        self.states[name].state, self.states[name].cause = state, cause
        self._sorter.done(name)
        self._write()
        self._watch(self, name)

    def _stop(self) -> None:
        self._executor.cancel()
        for name, state in self.states.items():
            if name in self._attempts or state.state == "waiting":
                state.state = CANCELLED
        store.recover(self.folder)

    def log_of(self, name: str) -> Path | None:
        """The growing log of a running unit."""
        return self._attempts[name] / "log.txt" if name in self._attempts else None

    def _write(self, ended: bool = False) -> None:
        """run.json: the units of this call beside those of earlier calls into the same run."""
        earlier = disk.read_json(self.folder / "run.json") or {"units": []}
        others = [u for u in earlier["units"] if u["unit"] not in self.states]
        kept = {path.name for path in self.folder.iterdir()}
        others = [u for u in others if {u["unit"], u["unit"] + FAILED_SUFFIX} & kept]
        for unit in others:  # left by a runner that was killed: we hold the folder now
            if unit["state"] in ("waiting", "running"):
                unit |= {"state": CANCELLED, "cause": "the runner was killed"}
        states = [asdict(s) for s in self.states.values()]
        about = {
            "schema": 1,
            "run": self.folder.name,
            "profile": self.options.profile,
            "started": self._started,
            "ended": manifest.now() if ended else None,
            "argv": sys.argv[1:],
            "provenance": self._provenance,
            "units": sorted(others + states, key=lambda u: u["unit"]),
        }
        disk.write_json(self.folder / "run.json", about)


def _note_failure(attempt: Path, unit: Unit, cause: str) -> None:
    facts = {"schema": 1, "unit": unit.name, "notebook": unit.notebook, "status": "failed"}
    rest = {"cause": cause, "params": unit.values, "ended": manifest.now(), "files": {}}
    with suppress(OSError):  # on a full disk the cause still stands in the runner's own words
        disk.write_json(attempt / "manifest.json", facts | rest)


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
