"""One attempt at one unit, in a process of its own; the argument is the attempt's folder.

The folder holds task.json; everything is written below it. The saved notebook's own status cannot
be trusted (papermill calls cells completed that never ran), so success is judged here.
"""

import contextlib
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lightlab.workbook import files, manifest, quick_imports
from lightlab.workbook.project import CORES
from lightlab.workbook.running.watchdog import Cause, Limits, Watchdog


def run(folder: Path) -> Cause | None:
    """Execute the task in `folder`; what went wrong, or None. Leaves notebook, log, manifest."""
    quick_imports.import_papermill()
    from lightlab.workbook.running.engine import Journal

    task = files.read_json(folder / "task.json")
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
        files.write_json(folder / "manifest.json", facts | {"files": manifest.hashes(folder)})
        files.sync_folder(folder)
        watchdog.write("ended", cause)
    return cause


def _cancel(watchdog: Watchdog, journal: Any) -> None:
    watchdog.cause = watchdog.cause or Cause("cancelled", "the runner was stopped")
    if journal.kernel_pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(journal.kernel_pid, signal.SIGKILL)
    else:
        raise SystemExit(1)


def _execute(
    task: dict[str, Any], folder: Path, journal: Any, watchdog: Watchdog
) -> tuple[Cause | None, Any]:
    """papermill's steps one by one: a dead kernel then leaves us the outputs up to its death."""
    from nbclient.exceptions import DeadKernelError
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    from lightlab.workbook.running.engine import Engine

    nb = parameterize_notebook(load_notebook_node(task["source"]), task["params"])
    output, cause = str(folder / "notebook.ipynb"), None
    with tempfile.TemporaryDirectory(prefix="ll-") as sockets:
        try:
            Engine.execute_notebook(nb, "python3", output, journal=journal, sockets=sockets)
        except DeadKernelError:
            cause = Cause("kernel-died", _death(journal))
        except RuntimeError as e:
            cause = Cause("kernel-start", f"the kernel did not start: {e}")
    return watchdog.cause or cause, nb


def _death(journal: Any) -> str:
    code = journal.kernel_exit()
    how = "ended"
    if code is not None:
        how = f"was killed by {_signal(-code)}" if code < 0 else f"exited with {code}"
    unfinished = set(range(journal.cells)) - journal.finished
    return f"the kernel {how} in cell {min(unfinished, default=0) + 1}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # the real-time signals between SIGRTMIN and SIGRTMAX have no names
        return f"signal {number}"


def _missing(nb: Any, folder: Path, journal: Any) -> Cause | None:
    """What a success lacks: a cell in error, a cell that never ran, a record left open."""
    for index, cell in enumerate(nb.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                text = f"cell {index + 1} raised {output.ename}: {output.evalue}"
                return Cause("exception", text.splitlines()[0])
        if cell.cell_type == "code" and cell.source.strip() and index not in journal.finished:
            return Cause("not-run", f"cell {index + 1} never ran to its end")
    record = files.read_json(folder / "record.json")
    if record and not record["finished"]:
        return Cause("unfinished", "run.finish() was never called")
    return None


def _save_notebook(nb: Any, folder: Path, task: dict[str, Any], journal: Any) -> None:
    """The executed notebook with true cell states and without this machine's paths."""
    import nbformat

    failed = None
    for index, cell in enumerate(nb.cells):
        in_error = any(o.output_type == "error" for o in cell.get("outputs", []))
        ran = index in journal.finished or cell.cell_type != "code"
        state = "failed" if in_error else "completed" if ran and failed is None else "pending"
        failed = index if in_error and failed is None else failed
        cell.metadata["papermill"] = {"status": state, "duration": journal.seconds.get(index)}
    nb.metadata["papermill"] = {
        "input_path": f"notebooks/{task['notebook']}.ipynb",
        "output_path": "notebook.ipynb",
        "parameters": files.plain(task["params"]),
        "exception": failed is not None,
    }
    files.write_text(folder / "notebook.ipynb", nbformat.writes(nb) + "\n")


def _facts(
    folder: Path, task: dict[str, Any], journal: Any, watchdog: Watchdog, cause: Cause | None
) -> dict[str, Any]:
    record = files.read_json(folder / "record.json") or {}
    return {
        "schema": 1,
        "unit": task["unit"],
        "notebook": task["notebook"],
        "profile": task["profile"],
        "status": "failed" if cause else "ok",
        "cause": cause.text if cause else None,
        "kind": cause.kind if cause else None,
        "params": files.plain(task["params"]),
        "typed": task["typed"],
        "key": files.digest(task["hashes"]),
        "hashes": task["hashes"],
        "needs": list(task["inputs"]),
        "seeds": [record["seed"]] if record else [],
        "data": record.get("data", []),
        "provenance": manifest.provenance(Path(task["root"])),
        "peak_memory_mib": round(watchdog.peak_memory_bytes / 2**20),
        "cells": [{"index": i + 1, "seconds": s} for i, s in sorted(journal.seconds.items())],
    }


if __name__ == "__main__":
    sys.exit(1 if run(Path(sys.argv[1])) else 0)
