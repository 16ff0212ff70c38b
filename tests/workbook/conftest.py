"""Small workbooks in a temporary folder, with notebooks that take a second."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from nbformat import v4

from lightlab.workbook import cli
from lightlab.workbook.tools import common

CONSOLES = (cli.out, cli.err, common.out)
PARAMETERS = "seed: int = 0  # seed of all randomness [0..]\nn: int = 3  # how many [1..100]"


def notebook(*cells: str, parameters: str = PARAMETERS, **settings) -> dict:
    """A notebook with a parameters cell and these code cells; `settings` are lightlab's own."""
    made = [v4.new_code_cell(c, id=f"cell-{i}") for i, c in enumerate((parameters, *cells))]
    made[0].metadata.tags = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return v4.new_notebook(cells=made, metadata={"kernelspec": kernel, "lightlab": settings})


RECORDED = (
    "import pandas as pd\n"
    "from lightlab.workbook import record\n"
    "run = record.start({name!r}, globals())",
    "run.table(pd.DataFrame({{'i': range(n), 'seed': seed}}), 'numbers', caption='Numbers.')",
    "run.finish()",
)


@dataclass
class Workbook:
    root: Path

    def add(self, name: str, *cells: str, profiles: tuple[str, ...] = ("quick",), **kwargs) -> Path:
        path = self.root / "notebooks" / f"{name}.ipynb"
        path.write_text(json.dumps(notebook(*cells, **kwargs)), encoding="utf-8")
        for profile in profiles:
            self.values(name, "", profile)
        return path

    def add_recorded(self, name: str, *extra: str, **kwargs) -> Path:
        """A notebook that saves one table of `n` rows through the record."""
        first, *rest = [c.format(name=name) for c in RECORDED]
        return self.add(name, first, *extra, *rest, **kwargs)

    def values(self, name: str, text: str, profile: str = "quick") -> None:
        path = self.root / "params" / profile / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "lightlab", *words]

    def start(self, *words: str) -> subprocess.Popen:
        return subprocess.Popen(
            self.command(*words),
            cwd=self.root,
            env=os.environ | {"COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # a shell's background job ignores SIGINT, and so would all that it starts
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def __call__(self, *words: str, code: int | None = 0) -> str:
        """What `lightlab words…` prints; the exit code has to be `code`. In this process, which has
        imported everything: `start` makes one as a user does.
        """
        out, err, status = io.StringIO(), io.StringIO(), 0
        with (
            contextlib.chdir(self.root),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setenv("TQDM_DISABLE", "1")  # as `main` does, but not for good
            patch.setattr(sys, "argv", ["lightlab", *map(str, words)])
            for console in CONSOLES:
                patch.setattr(console, "width", 200)
            try:
                cli.main()
            except SystemExit as e:
                status = e.code or 0
        printed = out.getvalue() + err.getvalue()
        assert code is None or status == code, printed
        return printed

    def json(self, *parts: str) -> dict:
        return json.loads(self.root.joinpath("results", *parts).read_text(encoding="utf-8"))

    def states(self, run: str = "quick") -> dict[str, str]:
        return {u["unit"]: u["state"] for u in self.json(run, "run.json")["units"]}

    def running_cell(self, unit: str) -> dict | None:
        """The status of the attempt at `unit`, once a cell past the parameters is under way."""
        for path in self.root.glob(f"results/quick/.attempts/{unit}~*/status.json"):
            with contextlib.suppress(ValueError):
                status = json.loads(path.read_text())
                if (status["cell"] or 0) >= 3:
                    return status | {"folder": path.parent}
        return None

    @staticmethod
    def processes_of(attempt: Path) -> list[psutil.Process]:
        """The living processes that an attempt started, and its own."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("LIGHTLAB_ATTEMPT") == attempt.name:
                    found.append(process)
        return found

    @staticmethod
    def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
        """What `condition` gives once that is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := condition():
                return found
            time.sleep(0.05)
        raise AssertionError("waited in vain")


@pytest.fixture
def lightlab(tmp_path: Path) -> Workbook:
    """The command, called in an empty folder."""
    return Workbook(tmp_path)


@pytest.fixture
def workbook(tmp_path: Path) -> Workbook:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "params" / "quick").mkdir(parents=True)
    return Workbook(tmp_path)
