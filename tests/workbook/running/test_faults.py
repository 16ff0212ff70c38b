"""Notebooks that fail, print or compute in ways of their own."""

import json
import time

import pytest

from lightlab.workbook import manifest


def test_a_failing_notebook_keeps_its_output_and_stops_only_its_dependants(workbook):
    workbook.add("01_bad", "print('so far')", "1 / 0", "print('never')")
    workbook.add("02_needs_it", "print(1)", needs=("01_bad",))
    workbook.add("03_free", "print('free')")
    printed = workbook("run", code=1)
    assert workbook.states() == {"01_bad": "failed", "02_needs_it": "skipped", "03_free": "ok"}
    assert "cell 4 raised ZeroDivisionError: division by zero" in printed
    failed = workbook.root / "results/quick/01_bad.failed"
    saved = json.loads((failed / "notebook.ipynb").read_text())
    outputs = [c["outputs"] for c in saved["cells"] if c["cell_type"] == "code"]
    assert outputs[2][0]["text"] == ["so far\n"]
    assert outputs[3][0]["ename"] == "ZeroDivisionError"
    assert outputs[4] == []
    states = [c["metadata"]["papermill"]["status"] for c in saved["cells"]]
    assert states == ["completed", "completed", "completed", "failed", "pending"]
    page = (failed / "notebook.html").read_text()
    assert "so far" in page
    assert "ZeroDivisionError" in page


def test_a_later_failure_leaves_the_last_good_result_a_damaged_one_is_made_again(workbook):
    workbook.add_recorded("01_a")
    workbook("run")
    good = manifest.hashes(workbook.root / "results/quick/01_a")
    workbook.add_recorded("01_a", "1 / 0")
    workbook("run", code=1)
    assert manifest.hashes(workbook.root / "results/quick/01_a") == good
    workbook.add_recorded("01_a")
    assert "Nothing to do" in workbook("run")
    table = workbook.root / "results/quick/01_a/tables/numbers.csv"
    whole = table.read_bytes()
    table.write_bytes(whole[:-3])
    assert "damaged since it was recorded: tables/numbers.csv" in workbook("run")
    assert table.read_bytes() == whole


def test_long_work_goes_on_after_a_failure_and_is_cleared_after_success(workbook):
    long_work = (
        "kept = run.unfinished('work') / 'steps'\nprint('found', kept.exists())\nkept.touch()"
    )
    workbook.add_recorded("01_a", long_work, "1 / 0")
    workbook("run", code=1)
    log = workbook.root / "results/quick/01_a/log.txt"
    workbook.add_recorded("01_a", long_work, "'mended'")  # its own text may change
    workbook("run")
    assert "found True" in log.read_text()
    assert not list((workbook.root / "results/quick/.unfinished").iterdir())
    workbook("run", "--force")
    assert "found False" in log.read_text()
    workbook.add_recorded("01_a", long_work, "1 / 0")
    workbook("run", code=1)
    workbook.add_recorded("01_a", long_work, "'mended'")
    workbook.values("01_a", "n: 7\n")  # with other values it is other work
    workbook("run")
    assert "found False" in log.read_text()


START = "from lightlab.workbook import record\nrun = record.start({!r}, globals())"


@pytest.mark.parametrize(
    ("cells", "cause"),
    [
        (["import sys; sys.exit(0)", "print('after')"], "SystemExit"),
        (["raise SystemExit", "print('after')"], "SystemExit"),
        (["import os; os._exit(0)", "print('after')"], "the kernel exited with 0 in cell 3"),
        (["input()", "print('after')"], "StdinNotImplementedError"),
        (["raise ValueError('[/b] [red]x')"], "[/b] [red]x"),  # no style of the terminal
        ([START.format("01_a")], "run.finish() was never called"),
        (
            [*[START.format("01_a")] * 2, "run.finish()"],
            "record.start: was called before in this notebook",
        ),
        ([START.format("00_z")], "'00_z' is not '01_a'"),
    ],
)
def test_nothing_but_the_end_passes_for_success(workbook, cells, cause):
    workbook.add("00_z")
    workbook.add("01_a", *cells)
    assert cause in workbook("run", "01", code=1)
    assert cause in workbook("list")


def test_long_lines_and_many_small_prints_become_one_stream_that_loses_nothing(workbook):
    workbook.add(
        "01_a",
        "print('x' * 5_000_000)",
        "import sys\n"
        "for i in range(500):\n"
        "    print(f'\\r{i} of 500', end='', flush=True)\n"
        "    print('e', file=sys.stderr, flush=True)",
        "for i in range(10_000):\n    print(i, flush=True)",  # faster than its reader
    )
    began = time.monotonic()
    workbook("run")
    assert time.monotonic() - began < 30
    cells = workbook.json("quick", "01_a", "notebook.ipynb")["cells"]
    long, both, many = (
        sorted((o["name"], "".join(o["text"])) for o in cell["outputs"]) for cell in cells[-3:]
    )
    assert [len(text) for _, text in long] == [5_000_001]
    assert both == [("stderr", "e\n" * 500), ("stdout", "499 of 500")]
    assert many == [("stdout", "".join(f"{i}\n" for i in range(10_000)))]


def test_a_failure_stays_in_the_run_until_the_notebook_is_good_again(workbook):
    workbook.add("01_a", "print(1)")
    workbook.add("02_b", "1 / 0")
    workbook.add("03_c", "print(1)")
    workbook("run", "--fail-fast", "--jobs", "1", code=1)
    assert workbook.states() == {"01_a": "ok", "02_b": "failed", "03_c": "skipped"}
    workbook("run", "01")
    assert workbook.states() == {"01_a": "up-to-date", "02_b": "failed"}
    workbook.add("01_a", "1 / 0")
    workbook("run", "01", code=1)
    workbook.add("01_a", "print(1)")
    assert "Nothing to do" in workbook("run", "01")
    assert "01_a      –      quick     up to date" in workbook("list")


def test_torch_in_workers_of_a_kernel(workbook):
    work = "def work(n):\n    import torch\n    return torch.ones(n).sum().item()"
    parallel = "import joblib\nprint(joblib.Parallel(2)(joblib.delayed(work)(3) for _ in '123'))"
    workbook.add("01_a", work, parallel)
    workbook("run")
    cells = workbook.json("quick", "01_a", "notebook.ipynb")["cells"]
    assert [o["text"] for o in cells[-1]["outputs"]] == [["[3.0, 3.0, 3.0]\n"]]
