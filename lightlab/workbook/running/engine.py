"""papermill behind one small adapter: an engine that keeps its own journal of cells and output."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager
from traitlets.config import Config

from lightlab.workbook.running import lossless

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_SAVE_EVERY_S = 5.0


class Journal:
    """What the engine tells while it runs; the attempt's watchdog reads it."""

    def __init__(self, log: TextIO):
        self._log = log
        self.cell: int | None = None  # index of the cell under way, None between cells
        self.cells = 0
        self.cell_started = self.last_output = time.monotonic()
        self.seconds: dict[int, float] = {}
        self.finished: set[int] = set()
        self.kernel_pid: int | None = None
        self.kernel_exit: Callable[[], int | None] = lambda: None

    def cell_begins(self, index: int) -> None:
        self.cell = index
        self.cell_started = self.last_output = time.monotonic()
        self.write(f"--- cell {index + 1} of {self.cells}\n")

    def cell_ends(self, index: int, ok: bool) -> None:
        self.seconds[index] = round(time.monotonic() - self.cell_started, 3)
        if ok:
            self.finished.add(index)
        self.cell = None

    def write(self, text: str) -> None:
        self.last_output = time.monotonic()
        self._log.write(text)
        self._log.flush()


class _Client(PapermillNotebookClient):
    """papermill's client, telling the journal of every cell and every message."""

    journal: Journal

    def execute_cell(self, cell: NotebookNode, cell_index: int, **kwargs: Any) -> Any:
        process = self.km.provisioner.process
        self.journal.kernel_pid, self.journal.kernel_exit = process.pid, process.poll
        self.journal.cell_begins(cell_index)
        ok = False
        try:
            result = super().execute_cell(cell, cell_index, **kwargs)
            ok = True
            return result
        finally:
            cell.outputs = _coalesced(cell.get("outputs", []))
            self.journal.cell_ends(cell_index, ok)

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
    """What a terminal would still show of lines that carriage returns wrote over."""
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))


def _coalesced(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The outputs with one stream of each name, where it began. nbclient's own way takes time
    that grows with the square of a line's length: minutes for a line of a megabyte."""
    kept, texts = [], dict[str, list[str]]()
    for output in outputs:
        if output.output_type != "stream" or output.name not in texts:
            kept.append(output)
        if output.output_type == "stream":
            texts.setdefault(output.name, []).append(output.text)
    for output in kept:
        if output.output_type == "stream":
            output.text = _folded("".join(texts[output.name]))
    return kept


class _Manager(NotebookExecutionManager):
    """Saves the notebook now and then instead of twice a cell."""

    _next_save = 0.0

    def save(self, **kwargs: Any) -> None:
        if time.monotonic() >= self._next_save:
            super().save(**kwargs)
            self._next_save = time.monotonic() + _SAVE_EVERY_S


class Engine(NBClientEngine):
    """papermill's own engine with the journal passed through."""

    @classmethod
    def execute_notebook(
        cls, nb: NotebookNode, kernel_name: str, output_path: str, *, journal: Journal, sockets: str
    ) -> None:
        """Execute `nb` in place; `sockets` is a folder of its own for the kernel's IPC files."""
        manager = _Manager(nb, output_path=output_path, progress_bar=False, log_output=False)
        journal.cells = len(nb.cells)
        manager.notebook_start()
        config = Config()
        if os.name == "posix":  # TCP ports are now and then taken between choosing and binding
            config.KernelManager.transport = "ipc"
            config.KernelManager.ip = str(Path(sockets) / "k")
        client = _Client(
            manager,
            kernel_name=kernel_name,
            config=config,
            startup_timeout=60,
            extra_arguments=[f"--ext={lossless.__name__}"],
            iopub_timeout=60,  # a busy machine may take more than the usual 4 s for megabytes
            timeout=None,
            shutdown_kernel="immediate",
        )
        client.journal = journal
        try:
            client.execute()
        finally:
            manager.notebook_complete()
