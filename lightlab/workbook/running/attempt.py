"""One attempt at one unit, in a process of its own; the argument is the attempt's folder.

papermill calls cells completed that never ran, so success is judged by a journal of our own.
"""

import contextlib
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.modules["pyarrow.fs"] = None  # half of papermill's import, for notebooks in Hadoop only

import nbformat
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NotebookExecutionManager
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from traitlets.config import Config

from lightlab import disk
from lightlab.workbook import manifest, running
from lightlab.workbook.project import CORES
from lightlab.workbook.running.executor import Cause, Journal, Limits, Watchdog

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_SAVE_EVERY_S = 5.0


def run(folder: Path) -> Cause | None:
    """Execute the task in `folder`, leave notebook, log and manifest; why it failed, or None."""
    task = disk.read_json(folder / "task.json")
    os.environ[CORES] = str(task["cores"])  # the kernel and its workers inherit it
    started, clock = manifest.now(), time.monotonic()
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        journal = Journal(log)
        watchdog = Watchdog(folder, journal, Limits(**task["limits"]))
        signal.signal(signal.SIGTERM, lambda *_: _cancel(watchdog, journal))
        watchdog.write("running")
        watchdog.start()
        try:
            cause, nb = _execute(task, folder, journal, watchdog)
            _save_notebook(nb, folder, task, journal)
            cause = cause or _missing(nb, folder, journal)
        except TimeoutError as e:  # an OSError too, but none of the disk's
            cause = Cause("exception", f"the kernel's messages did not come: {e}".splitlines()[0])
        except OSError as e:
            cause = Cause("disk", f"{e.strerror}: {e.filename or folder}")
        finally:
            watchdog.stop.set()
            watchdog.join()
        if cause:
            with contextlib.suppress(OSError):
                journal.write(f"--- failed: {cause.text}\n")
    with contextlib.suppress(OSError):
        facts = _facts(folder, task, journal, watchdog, cause) | {
            "started": started,
            "ended": manifest.now(),
            "seconds": round(time.monotonic() - clock, 2),
        }
        disk.write_json(folder / "manifest.json", facts | {"files": manifest.hashes(folder)})
        disk.sync_folder(folder)
        watchdog.write("ended", cause)
    return cause


def _cancel(watchdog: Watchdog, journal: Journal) -> None:
    watchdog.cause = watchdog.cause or Cause("cancelled", "the runner was stopped")
    if journal.kernel is None:
        raise SystemExit(1)
    journal.kernel.kill()


def _execute(
    task: dict[str, Any], folder: Path, journal: Journal, watchdog: Watchdog
) -> tuple[Cause | None, NotebookNode]:
    """papermill's steps one by one: a dead kernel then leaves us the outputs up to its death."""
    nb = parameterize_notebook(load_notebook_node(task["source"]), task["params"])
    cause = None
    with tempfile.TemporaryDirectory(prefix="ll-") as sockets:
        try:
            _execute_cells(nb, folder / "notebook.ipynb", journal, sockets)
        except DeadKernelError:
            cause = Cause("kernel-died", _death(journal))
        except RuntimeError as e:
            cause = Cause("kernel-start", f"the kernel did not start: {e}")
    return watchdog.cause or cause, nb


def _death(journal: Journal) -> str:
    code = journal.kernel.poll() if journal.kernel else None
    how = "ended" if code is None else f"exited with {code}"
    if code is not None and code < 0:  # the real-time signals have no names
        names = {s: s.name for s in signal.Signals}
        how = f"was killed by {names.get(-code, f'signal {-code}')}"
    unfinished = set(range(journal.cells)) - journal.finished
    return f"the kernel {how} in cell {min(unfinished, default=0) + 1}"


def _missing(nb: NotebookNode, folder: Path, journal: Journal) -> Cause | None:
    """What a success lacks: a cell in error, a cell that never ran, a record left open."""
    for index, cell in enumerate(nb.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                text = f"cell {index + 1} raised {output.ename}: {output.evalue}"
                return Cause("exception", text.splitlines()[0])
        if cell.cell_type == "code" and cell.source.strip() and index not in journal.finished:
            return Cause("not-run", f"cell {index + 1} never ran to its end")
    record = disk.read_json(folder / "record.json")
    if record and not record["finished"]:
        return Cause("unfinished", "run.finish() was never called")
    return None


def _save_notebook(nb: NotebookNode, folder: Path, task: dict[str, Any], journal: Journal) -> None:
    """The executed notebook with true cell states and without this machine's paths."""
    failed = False
    for index, cell in enumerate(nb.cells):
        in_error = any(o.output_type == "error" for o in cell.get("outputs", []))
        ran = index in journal.finished or cell.cell_type != "code"
        state = "failed" if in_error else "completed" if ran and not failed else "pending"
        failed |= in_error
        cell.metadata["papermill"] = {"status": state, "duration": journal.seconds.get(index)}
    nb.metadata["papermill"] = {
        "input_path": f"notebooks/{task['notebook']}.ipynb",
        "output_path": "notebook.ipynb",
        "parameters": disk.plain(task["params"]),
        "exception": failed,
    }
    disk.write_text(folder / "notebook.ipynb", nbformat.writes(nb) + "\n")


def _facts(
    folder: Path, task: dict[str, Any], journal: Journal, watchdog: Watchdog, cause: Cause | None
) -> dict[str, Any]:
    record = disk.read_json(folder / "record.json") or {}
    return {
        "schema": 1,
        **{name: task[name] for name in ("unit", "notebook", "profile", "typed", "hashes")},
        "status": "failed" if cause else "ok",
        "cause": cause.text if cause else None,
        "kind": cause.kind if cause else None,
        "params": disk.plain(task["params"]),
        "key": disk.digest(task["hashes"]),
        "needs": list(task["inputs"]),
        "seeds": [record["seed"]] if record else [],
        "data": record.get("data", []),
        "provenance": manifest.provenance(Path(task["root"])),
        "peak_memory_mib": round(watchdog.peak_memory_bytes / 2**20),
        "cells": [{"index": i + 1, "seconds": s} for i, s in sorted(journal.seconds.items())],
    }


class _Client(PapermillNotebookClient):
    """papermill's client, telling the journal of every cell and every message."""

    journal: Journal

    def execute_cell(self, cell: NotebookNode, cell_index: int, **kwargs: Any) -> Any:
        self.journal.kernel = self.km.provisioner.process
        self.journal.cell_begins(cell_index)
        try:
            result = super().execute_cell(cell, cell_index, **kwargs)
            self.journal.finished.add(cell_index)
            return result
        finally:
            cell.outputs = _coalesced(cell.get("outputs", []))
            self.journal.cell_ends(cell_index)

    def process_message(self, msg: dict, *args: Any, **kwargs: Any) -> Any:
        output = super().process_message(msg, *args, **kwargs)
        if msg["msg_type"] not in ("status", "execute_input"):  # a bar that moves is no silence
            self.journal.last_output = time.monotonic()
        if text := _as_text(msg):
            self.journal.write(text)
        return output


def _as_text(msg: dict) -> str:
    """A message as a line of the log: carriage returns folded, colours taken out."""
    kind, content = msg["msg_type"], msg["content"]
    if kind == "stream":
        return _folded(content["text"])
    if kind == "error":
        return _ANSI.sub("", "\n".join(content["traceback"])) + "\n"
    if kind in ("display_data", "execute_result"):
        data = content["data"]
        figure = any(k.startswith("image/") for k in data)
        return "[figure]\n" if figure else f"{data.get('text/plain', '')}\n"
    return ""


def _folded(text: str) -> str:
    """What a terminal still shows of lines that carriage returns wrote over."""
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))


def _coalesced(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """One stream of each name, where it began; nbclient's own way is quadratic in the length."""
    streams = dict[str, list[NotebookNode]]()
    for output in outputs:
        if output.output_type == "stream":
            streams.setdefault(output.name, []).append(output)
    for first, *_ in streams.values():
        first.text = _folded("".join(output.text for output in streams[first.name]))
    later = {id(output) for same in streams.values() for output in same[1:]}
    return [output for output in outputs if id(output) not in later]


class _Manager(NotebookExecutionManager):
    """Saves the notebook now and then instead of twice a cell."""

    _next_save = 0.0

    def save(self, **kwargs: Any) -> None:
        if time.monotonic() >= self._next_save:
            super().save(**kwargs)
            self._next_save = time.monotonic() + _SAVE_EVERY_S


def _execute_cells(nb: NotebookNode, output: Path, journal: Journal, sockets: str) -> None:
    """Execute `nb` in place; `sockets` is an empty folder for the kernel's IPC files."""
    manager = _Manager(nb, output_path=str(output), progress_bar=False)
    journal.cells = len(nb.cells)
    manager.notebook_start()
    # TCP ports are now and then taken between choosing and binding
    config = Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/k"}})
    client = _Client(
        manager,
        kernel_name="python3",
        config=config,
        startup_timeout=60,
        extra_arguments=[f"--ext={running.__name__}"],
        iopub_timeout=60,  # a busy machine may take more than the usual 4 s for megabytes
        timeout=None,
        shutdown_kernel="immediate",
    )
    client.journal = journal
    try:
        client.execute()
    finally:
        manager.notebook_complete()


if __name__ == "__main__":
    sys.exit(1 if run(Path(sys.argv[1])) else 0)
