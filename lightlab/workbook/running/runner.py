"""Runs units in the order of their needs, as many at once as asked, and keeps run.json true."""

import json
import os
import shutil
import signal
import sys
import uuid
from collections.abc import Callable
from contextlib import ExitStack, suppress
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
    """How to run."""

    profile: str
    jobs: int
    limits: Limits = field(default_factory=Limits)
    force: bool = False  # what is up to date, too
    fail_fast: bool = False
    retries: int = 0  # of a kernel that died
    only: tuple[str, ...] = ()  # notebooks; what they need is taken as it is


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
        self.attempts: dict[str, Path] = {}  # the folders of those at work
        self._started = manifest.now()
        self._provenance = manifest.provenance(project.root)

    def execute(self) -> bool:
        """Run everything that is not up to date; True where all units are in a good state."""
        with store.held(self.folder), ExitStack() as stack:
            before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does
            stack.callback(signal.signal, signal.SIGTERM, before)
            store.recover(self.folder)
            self._sorter.prepare()
            try:
                while self._sorter.is_active():
                    self._fill()
                    for event in self._executor.events() if self.attempts else ():
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
        is held back until nothing else is ready or at work, and then decided anew."""
        while len(self.attempts) < self.options.jobs:
            ready = self._sorter.get_ready()
            self._queue += sorted(ready, key=lambda n: (-store.took_s(self.folder, n), n))
            ahead = self._queue or ([] if self.attempts else self._held)
            if not ahead:
                return
            name = ahead.pop(0)
            state, reason, hashes = self._decide(name)
            if state != "running":
                self._settle(name, state, reason)
            elif self.units[name].alone and (self._queue or self.attempts):
                self._held.append(name)
            else:
                self._begin(name, reason, hashes)

    def _decide(self, name: str) -> tuple[str, str | None, dict[str, str]]:
        """The state of a unit whose needs are settled, why, and for a run its hashes."""
        unit = self.units[name]
        broken = [n for n in unit.needs if self.states[n].state not in (OK, CURRENT)]
        if broken:
            return SKIPPED, f"needs {', '.join(broken)}", {}
        if self.options.fail_fast and any(s.state == FAILED for s in self.states.values()):
            return SKIPPED, "another notebook failed (--fail-fast)", {}
        place, facts = self.folder / name, store.recorded(self.folder / name)
        if self.options.only and unit.notebook not in self.options.only:
            fault = f"there is no result of {name} to take: run it first, or without --only"
            if facts and facts.get("status") == "ok":
                fault = manifest.damage(place, facts)
            return (SKIPPED, fault, {}) if fault else (CURRENT, "taken as it is", {})
        now = plan.hashes(self.project, unit, self.folder)
        forced = "forced" if self.options.force else None
        if why := forced or plan.stale(facts, now, place):
            return "running", why, now
        shutil.rmtree(store.failed(self.folder, name), ignore_errors=True)  # it is overtaken
        return CURRENT, None, {}

    def _begin(self, name: str, why: str | None, hashes: dict[str, str]) -> None:
        import joblib  # only where something runs

        unit, state = self.units[name], self.states[name]
        folder = self.folder / ".attempts" / f"{name}~{uuid.uuid4().hex[:12]}"
        folder.mkdir()  # its name also marks the attempt's processes
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
        self.attempts[name] = folder
        state.state, state.why, state.attempts = "running", why, state.attempts + 1
        self._executor.submit(name, folder)
        self._watch(self, name)

    def _take(self, event: Event) -> None:
        name, state = event.unit, self.states[event.unit]
        state.cell, state.cells = event.status.get("cell"), event.status.get("cells", 0)
        self._watch(self, name)  # before the log moves: its last lines, too
        if not event.ended:
            return
        attempt = self.attempts.pop(name)
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
            facts = {"schema": 1, "unit": name, "notebook": state.notebook, "status": "failed"}
            facts |= {"cause": cause, "params": self.units[name].values, "ended": manifest.now()}
            with suppress(OSError):  # on a full disk the cause still stands in run.json
                disk.write_json(attempt / "manifest.json", facts | {"files": {}})
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
            if name in self.attempts or state.state == "waiting":
                state.state = CANCELLED
        store.recover(self.folder)

    def _write(self, ended: bool = False) -> None:
        """run.json: the units of this call beside those of earlier calls into the same run."""
        earlier = disk.read_json(self.folder / "run.json") or {"units": []}
        kept = {path.name.removesuffix(FAILED_SUFFIX) for path in self.folder.iterdir()}
        others = [u for u in earlier["units"] if u["unit"] in kept - self.states.keys()]
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
