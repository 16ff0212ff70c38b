"""Where attempts run: local one-shot processes. And what watches an attempt from within."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, TextIO

import psutil

from lightlab import disk
from lightlab.workbook import manifest
from lightlab.workbook.project import OUT, PROFILE, ROOT

TAG = "LIGHTLAB_ATTEMPT"  # in the environment of every process that belongs to an attempt
RUNNER = "LIGHTLAB_RUNNER"  # the process that the attempt must not outlive
_POLL_S, _TICK_S, _GRACE_S, _CANCEL_S = 0.1, 0.2, 5.0, 10.0
_MEASURE_S = 1.0  # between looks at the memory: walking the process tree takes milliseconds
_HEARTBEAT_S = 60.0  # an attempt whose watchdog is silent for so long is taken for lost
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Event:
    """What an attempt did."""

    unit: str
    status: dict[str, Any]  # its status file
    ended: bool = False
    error: str | None = None  # why there is no proper end, where there is none


class Executor(Protocol):
    """Runs attempts somewhere that sees the same folders, be it a cluster."""

    def submit(self, unit: str, folder: Path) -> None: ...
    def cancel(self) -> None: ...
    def events(self) -> Iterator[Event]: ...


@dataclass
class _Child:
    process: subprocess.Popen
    folder: Path
    errors: Any
    # of the status; by a clock that stands still while the machine is suspended
    changed: float = field(default_factory=time.monotonic)
    seen: dict[str, Any] = field(default_factory=dict)
    lost: bool = False


class LocalExecutor:
    """One process an attempt, with its task's compute threads; the caller bounds how many."""

    def __init__(self, root: Path, watched: bool = False):
        self._root, self._children = root, dict[str, _Child]()
        own = {ROOT: str(root), RUNNER: str(os.getpid())}
        self._env = os.environ | own | {"PYTHONHASHSEED": "0", "TQDM_DISABLE": "1"}
        if watched:
            del self._env["TQDM_DISABLE"]

    def submit(self, unit: str, folder: Path) -> None:
        """Start the attempt whose task lies in `folder`."""
        task = disk.read_json(folder / "task.json")
        own = dict.fromkeys(_THREADS, str(task["threads"])) | {PROFILE: task["profile"]}
        errors = tempfile.TemporaryFile(mode="w+", errors="replace")  # noqa: SIM115
        process = subprocess.Popen(
            [sys.executable, "-m", "lightlab.workbook.running.attempt", str(folder)],
            cwd=self._root,
            env=self._env | own | {OUT: str(folder), TAG: folder.name},
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,  # the terminal's Ctrl-C is for the runner alone
        )
        self._children[unit] = _Child(process, folder, errors)

    def cancel(self) -> None:
        """End all attempts: each is asked, after ten seconds killed with all that it started."""
        for child in self._children.values():
            child.process.terminate()
        deadline = time.monotonic() + _CANCEL_S
        while self._children:
            _, child = self._children.popitem()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.1, deadline - time.monotonic()))
            child.process.kill()  # no effect on one that has ended
            child.process.wait()
            end_processes(child.folder.name)
            child.errors.close()

    def events(self) -> Iterator[Event]:
        """What happened since the last call; waits a moment where nothing did."""
        happened = False
        for unit, child in list(self._children.items()):
            code = child.process.poll()
            status = disk.read_json(child.folder / "status.json") or child.seen
            if code is not None:
                yield self._end(unit, child, code, status)
                happened = True
            elif status != child.seen:
                child.seen, child.changed = status, time.monotonic()
                yield Event(unit, status)
                happened = True
            elif time.monotonic() - child.changed > _HEARTBEAT_S:
                child.lost = True
                child.process.kill()
        if not happened:
            time.sleep(_POLL_S)

    def _end(self, unit: str, child: _Child, code: int, status: dict[str, Any]) -> Event:
        end_processes(child.folder.name)  # what the notebook started and left behind
        del self._children[unit]
        error = None
        if status.get("state") != "ended":
            child.errors.seek(0)
            last = (child.errors.read().strip().splitlines() or [""])[-1]
            how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            how = f"was silent for {_HEARTBEAT_S:g} s and was killed" if child.lost else how
            error = f"the attempt's process {how}" + (f": {last}" if last else "")
        child.errors.close()
        return Event(unit, status, ended=True, error=error)


@dataclass(frozen=True)
class Limits:
    """Seconds; None: no limit. `stall` is the time without any output."""

    cell: float | None = None
    notebook: float | None = None
    stall: float | None = None


@dataclass(frozen=True)
class Cause:
    """Why an attempt failed: a kind that programs read and a line that people read."""

    kind: str
    text: str


def end_processes(tag: str) -> None:
    """Kill every process of the attempt `tag`, in whatever session or group."""
    deadline = time.monotonic() + _GRACE_S  # one that waits for its disk outlives even SIGKILL
    found = True
    while found and time.monotonic() < deadline:  # again: a look misses what starts during it
        found = False
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid != os.getpid() and process.environ().get(TAG) == tag:
                    process.kill()
                    found = True


@dataclass
class Journal:
    """What an attempt tells of its cells and their output, for the log and for its watchdog."""

    log: TextIO
    cell: int | None = None  # index of the cell under way, None between cells
    cells: int = 0
    cell_started: float = field(default_factory=time.monotonic)
    last_output: float = field(default_factory=time.monotonic)
    seconds: dict[int, float] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)
    kernel: subprocess.Popen | None = None

    def cell_begins(self, index: int) -> None:
        self.cell = index
        self.cell_started = self.last_output = time.monotonic()
        self.write(f"--- cell {index + 1} of {self.cells}\n")

    def cell_ends(self, index: int) -> None:
        self.seconds[index] = round(time.monotonic() - self.cell_started, 3)
        self.cell = None

    def write(self, text: str) -> None:
        self.last_output = time.monotonic()
        self.log.write(text)
        self.log.flush()


class Watchdog(threading.Thread):
    """Writes the status every tick, ends the kernel past a limit or when the runner is gone."""

    def __init__(self, folder: Path, journal: Journal, limits: Limits):
        super().__init__(daemon=True)
        self._path, self._journal, self._limits = folder / "status.json", journal, limits
        self._began, self._parent = time.monotonic(), int(os.environ[RUNNER])
        self._killing_since: float | None = None
        self._next_measure = 0.0
        self._state = {"state": "running", "pid": os.getpid(), "started": manifest.now()}
        self.cause: Cause | None = None
        self.peak_memory_bytes = 0
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.wait(_TICK_S):
            if os.getppid() != self._parent:  # the runner died: nobody waits for this result
                end_processes(os.environ[TAG])
                os._exit(1)
            if time.monotonic() >= self._next_measure:
                self._measure()
                self._next_measure = time.monotonic() + _MEASURE_S
            self.cause = self.cause or self._past_limit()
            if self.cause:
                self._end_kernel()
            with contextlib.suppress(OSError):  # a full disk must not blind the watchdog
                self.write("running")

    def write(self, state: str, cause: Cause | None = None) -> None:
        """The status file: who, where it stands, and in the end why."""
        cell = self._journal.cell
        self._state |= {
            "state": state,
            "heartbeat": time.time(),
            "cell": None if cell is None else cell + 1,
            "cells": self._journal.cells,
            "done": len(self._journal.finished),
            "cause": asdict(cause) if cause else None,
        }
        disk.write_json(self._path, self._state, durable=state == "ended")

    def _past_limit(self) -> Cause | None:
        now, limits, journal = time.monotonic(), self._limits, self._journal
        cell = journal.cell  # once, for another thread sets it
        where = "no cell" if cell is None else f"cell {cell + 1}"
        if limits.notebook and now - self._began > limits.notebook:
            text = f"past the notebook's limit of {limits.notebook:g} s, in {where}"
            return Cause("notebook-timeout", text)
        if cell is None:
            return None
        if limits.cell and now - journal.cell_started > limits.cell:
            return Cause("cell-timeout", f"{where} ran past the limit of {limits.cell:g} s")
        if limits.stall and now - journal.last_output > limits.stall:
            return Cause("stall", f"{where} was silent for {limits.stall:g} s")
        return None

    def _end_kernel(self) -> None:
        """First an interrupt, which leaves a traceback at the line that hangs; then the end."""
        kernel = self._journal.kernel
        if kernel and self._killing_since is None:
            self._killing_since = time.monotonic()
            kernel.send_signal(signal.SIGINT)
        elif kernel and time.monotonic() - self._killing_since > _GRACE_S:
            kernel.kill()

    def _measure(self) -> None:
        used = 0
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    used += process.memory_info().rss
        self.peak_memory_bytes = max(self.peak_memory_bytes, used)
