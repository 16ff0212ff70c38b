"""Limits of an attempt, its status file, and the end of everything that it started."""

import contextlib
import os
import signal
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from lightlab.workbook import files, manifest

TAG = "LIGHTLAB_ATTEMPT"  # in the environment of every process that belongs to an attempt
RUNNER = "LIGHTLAB_RUNNER"  # the process that the attempt must not outlive
_TICK_S, _GRACE_S = 0.2, 5.0
_MEASURE_S = 1.0  # between looks at the memory: walking the process tree takes milliseconds


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
    """Kill every process of the attempt `tag`, in whatever session or group; look again until none
    is there, for a look misses what is started during it."""
    deadline = time.monotonic() + _GRACE_S  # one that waits for its disk outlives even SIGKILL
    found = True
    while found and time.monotonic() < deadline:
        found = False
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid != os.getpid() and process.environ().get(TAG) == tag:
                    process.kill()
                    found = True


class Watchdog(threading.Thread):
    """Writes the status every tick, ends the kernel past a limit or when the runner is gone."""

    def __init__(self, folder: Path, journal: Any, limits: Limits):
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
        files.write_json(self._path, self._state, durable=state == "ended")

    def _past_limit(self) -> Cause | None:
        now, j, cell = time.monotonic(), self._journal, self._journal.cell
        where = f"cell {cell + 1}" if cell is not None else "no cell"
        if self._limits.notebook and now - self._began > self._limits.notebook:
            text = f"past the notebook's limit of {self._limits.notebook:g} s, in {where}"
            return Cause("notebook-timeout", text)
        if cell is None:
            return None
        if self._limits.cell and now - j.cell_started > self._limits.cell:
            return Cause("cell-timeout", f"{where} ran past the limit of {self._limits.cell:g} s")
        if self._limits.stall and now - j.last_output > self._limits.stall:
            return Cause("stall", f"{where} was silent for {self._limits.stall:g} s")
        return None

    def _end_kernel(self) -> None:
        """First an interrupt, which leaves a traceback at the line that hangs; then the end."""
        pid, now = self._journal.kernel_pid, time.monotonic()
        first = self._killing_since is None
        self._killing_since = self._killing_since or now
        with contextlib.suppress(ProcessLookupError, TypeError):
            if first:
                os.kill(pid, signal.SIGINT)
            elif now - self._killing_since > _GRACE_S:
                os.kill(pid, signal.SIGKILL)

    def _measure(self) -> None:
        used = 0
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    used += process.memory_info().rss
        self.peak_memory_bytes = max(self.peak_memory_bytes, used)
