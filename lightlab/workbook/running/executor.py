"""Where attempts run: local one-shot processes; a cluster needs the same three verbs."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lightlab.workbook import files
from lightlab.workbook.project import OUT, PROFILE, ROOT
from lightlab.workbook.running.watchdog import RUNNER, TAG, end_processes

_POLL_S = 0.1
_CANCEL_S = 10.0
_HEARTBEAT_S = 60.0  # an attempt whose watchdog is silent for so long is taken for lost
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Event:
    """Something that an attempt did: `status` is its status file; `ended` says that it is over."""

    unit: str
    status: dict[str, Any]
    ended: bool = False
    error: str | None = None  # why there is no proper end, where there is none


class Executor(Protocol):
    """Runs attempts somewhere that sees the same folders."""

    def submit(self, unit: str, folder: Path) -> None: ...
    def cancel(self, units: Iterable[str]) -> None: ...
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
        self._env = os.environ | {ROOT: str(root), "PYTHONHASHSEED": "0"}
        self._env[RUNNER] = str(os.getpid())
        self._env.pop("TQDM_DISABLE", None)
        if not watched:
            self._env["TQDM_DISABLE"] = "1"

    def submit(self, unit: str, folder: Path) -> None:
        """Start the attempt whose task lies in `folder`."""
        task = files.read_json(folder / "task.json")
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

    def cancel(self, units: Iterable[str]) -> None:
        """End attempts: all are asked at once, after ten seconds killed with all they started."""
        children = [self._children.pop(u) for u in units if u in self._children]
        for child in children:
            child.process.terminate()
        deadline = time.monotonic() + _CANCEL_S
        for child in children:
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            end_processes(child.folder.name)
            child.errors.close()

    def events(self) -> Iterator[Event]:
        """What happened since the last call; waits a moment where nothing did."""
        happened = False
        for unit, child in list(self._children.items()):
            code = child.process.poll()
            status = files.read_json(child.folder / "status.json") or child.seen
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
