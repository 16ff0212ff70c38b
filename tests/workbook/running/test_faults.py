"""Everything that can go wrong in a run, each as it really happens."""

import json
import os
import shutil
import signal
import subprocess
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


def test_a_later_failure_leaves_the_last_good_result(workbook):
    workbook.add_recorded("01_a")
    workbook("run")
    good = manifest.hashes(workbook.root / "results/quick/01_a")
    workbook.add_recorded("01_a", "1 / 0")
    workbook("run", code=1)
    assert manifest.hashes(workbook.root / "results/quick/01_a") == good
    workbook.add_recorded("01_a")
    assert "Nothing to do" in workbook("run")


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


def test_fail_fast_starts_nothing_more(workbook):
    workbook.add("01_bad", "1 / 0")
    workbook.add("02_free", "print(1)")
    workbook("run", "--fail-fast", "--jobs", "1", code=1)
    assert workbook.states() == {"01_bad": "failed", "02_free": "skipped"}


@pytest.mark.parametrize(
    ("cell", "cause"),
    [
        ("import sys; sys.exit(0)", "SystemExit"),
        ("raise SystemExit", "SystemExit"),
        ("import os; os._exit(0)", "the kernel exited with 0 in cell 3"),
        ("input()", "StdinNotImplementedError"),
    ],
)
def test_no_way_out_of_a_cell_passes_for_success(workbook, cell, cause):
    workbook.add("01_a", cell, "print('after')")
    assert cause in workbook("run", code=1)


def test_an_unfinished_record_is_no_success(workbook):
    workbook.add("01_a", "from lightlab.workbook import record", "record.start('01_a', globals())")
    assert "run.finish() was never called" in workbook("run", code=1)


def test_a_second_start_of_the_record_is_refused(workbook):
    start = "from lightlab.workbook import record\nrun = record.start('01_a', globals())"
    workbook.add("01_a", start, start, "run.finish()")
    assert "record.start: was called before in this notebook" in workbook("run", code=1)


def test_a_killed_kernel_is_told_within_seconds_and_retried_when_asked(workbook):
    die_once = (
        "import os, pathlib, signal\n"
        "mark = pathlib.Path('died-once')\n"
        "if not mark.exists():\n"
        "    mark.touch()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    workbook.add("01_a", "print('first')", die_once)
    began = time.monotonic()
    printed = workbook("run", code=1)
    assert time.monotonic() - began < 20
    assert "the kernel was killed by SIGKILL in cell 4" in printed
    saved = workbook.json("quick", "01_a.failed", "notebook.ipynb")
    assert saved["cells"][2]["outputs"][0]["text"] == ["first\n"]
    (workbook.root / "died-once").unlink()
    workbook("run", "--retries", "1")
    assert workbook.json("quick", "run.json")["units"][0]["attempts"] == 2
    assert not (workbook.root / "results/quick/01_a.failed").exists()


@pytest.mark.parametrize(
    ("option", "cell", "cause"),
    [
        ("--timeout", "import time; time.sleep(60)", "cell 3 ran past the limit of 2 s"),
        ("--notebook-timeout", "import time; time.sleep(60)", "notebook's limit of 9 s, in cell 3"),
        ("--stall-timeout", "import time; time.sleep(60)", "cell 3 was silent for 2 s"),
        (
            "--timeout",
            "import signal, time\n"
            "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
            "end = time.time() + 60\n"
            "while time.time() < end: pass",
            "cell 3 ran past the limit of 2 s",
        ),
    ],
)
def test_limits_name_the_cell_that_hung(workbook, option, cell, cause):
    workbook.add("01_a", cell)
    began = time.monotonic()
    limit = "9" if option == "--notebook-timeout" else "2"  # the kernel's start counts too
    assert cause in workbook("run", option, limit, code=1)
    assert time.monotonic() - began < 30


def test_a_talking_cell_is_not_stalled(workbook):
    talk = "import time\nfor i in range(8):\n    time.sleep(0.4)\n    print(i, flush=True)"
    workbook.add("01_a", talk)
    workbook("run", "--stall-timeout", "2")


def test_a_display_that_changes_is_not_silent(workbook):
    change = (
        "import time\n"
        "shown = display('0', display_id=True)\n"
        "for i in range(8):\n"
        "    time.sleep(0.4); shown.update(str(i))"
    )
    workbook.add("01_a", change)
    workbook("run", "--stall-timeout", "2")


def test_long_lines_and_many_small_prints_become_one_stream(workbook):
    workbook.add(
        "01_a",
        "print('x' * 5_000_000)",
        "import sys\n"
        "for i in range(500):\n"
        "    print(f'\\r{i} of 500', end='', flush=True)\n"
        "    print('e', file=sys.stderr, flush=True)",
    )
    began = time.monotonic()
    workbook("run")
    assert time.monotonic() - began < 30
    cells = workbook.json("quick", "01_a", "notebook.ipynb")["cells"]
    assert [len("".join(o["text"])) for o in cells[-2]["outputs"]] == [5_000_001]
    streams = {o["name"]: "".join(o["text"]) for o in cells[-1]["outputs"]}
    assert len(cells[-1]["outputs"]) == 2
    assert streams == {"stdout": "499 of 500", "stderr": "e\n" * 500}


def test_no_output_is_lost_to_a_reader_that_is_slower_than_the_kernel(workbook):
    workbook.add("01_a", "for i in range(10_000):\n    print(i, flush=True)")
    workbook("run")
    cells = workbook.json("quick", "01_a", "notebook.ipynb")["cells"]
    lines = "".join(cells[-1]["outputs"][0]["text"]).split()
    assert lines == [str(i) for i in range(10_000)]


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_runner_ends_its_children_and_the_next_run_goes_on(workbook, sign):
    workbook.add_recorded("01_quick")
    spawn = "import subprocess, time\nsubprocess.Popen(['sleep', '300'], start_new_session=True)"
    workbook.add_recorded("02_slow", spawn + "\nif n == 3: time.sleep(300)", needs=("01_quick",))
    process = workbook.start("run")
    status = workbook.wait_for(lambda: workbook.running_cell("02_slow"))
    workbook.wait_for(lambda: len(workbook.processes_of(status["folder"])) >= 3)
    process.send_signal(sign)
    printed, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the next run goes on from there" in printed
    assert workbook.processes_of(status["folder"]) == []
    assert workbook.states() == {"01_quick": "ok", "02_slow": "cancelled"}
    workbook("run", "-p", "n=4", "02")
    assert workbook.states()["02_slow"] == "ok"


def test_a_killed_runner_takes_its_attempts_along(workbook):
    spawn = "import subprocess, time\nsubprocess.Popen(['sleep', '300'], start_new_session=True)"
    workbook.add("01_a", "print(1)", spawn + "\ntime.sleep(300)")
    process = workbook.start("run")
    status = workbook.wait_for(lambda: workbook.running_cell("01_a"))
    process.kill()
    process.communicate()
    workbook.wait_for(lambda: not workbook.processes_of(status["folder"]), 10)


def test_two_runners_on_one_run_folder(workbook):
    workbook.add("01_a", "print(1)", "import time; time.sleep(300)")
    first = workbook.start("run")
    try:
        workbook.wait_for(lambda: workbook.running_cell("01_a"))
        printed = workbook("run", code=2)
        assert f"is held by process {first.pid} on" in printed
    finally:
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=30)


def test_a_damaged_result_is_made_again_and_said(workbook):
    workbook.add_recorded("01_a")
    workbook("run")
    table = workbook.root / "results/quick/01_a/tables/numbers.csv"
    whole = table.read_bytes()
    table.write_bytes(whole[:-3])
    assert "damaged since it was recorded: tables/numbers.csv" in workbook("run")
    assert table.read_bytes() == whole


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 60 MiB, or a skip where this machine lets us mount none."""
    place = tmp_path / "results"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_told_and_loses_nothing(workbook, small_disk):
    workbook.add_recorded("01_a")
    workbook("run", "01")
    good = manifest.hashes(small_disk / "quick/01_a")
    fill = "open('results/fill', 'wb').write(bytes(80 * 2**20))"
    workbook.add_recorded("01_a", fill)
    printed = workbook("run", "01", code=1)
    assert "No space left on device" in printed
    assert manifest.hashes(small_disk / "quick/01_a") == good
    printed = workbook("run", "01", code=2)
    assert "less than 50 MiB are free" in printed
    (small_disk / "fill").unlink()
    workbook.add_recorded("01_a")
    assert "Nothing to do" in workbook("run", "01")
    (small_disk / "fill").write_bytes(bytes(40 * 2**20))
    workbook("clean", "quick", "--yes")  # which is what one does then
    assert not (small_disk / "quick").exists()


def test_a_read_only_results_folder_is_told(workbook, small_disk):
    workbook.add_recorded("01_a")
    workbook("run")
    good = manifest.hashes(small_disk / "quick/01_a")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    printed = workbook("run", "--force", code=2)
    assert "cannot be written: Read-only file system" in printed
    assert len(printed.strip().splitlines()) == 1
    assert manifest.hashes(small_disk / "quick/01_a") == good
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)


def test_killed_twenty_times_at_any_moment(workbook):
    """kill -9 of the runner, twenty times over, then a run: nothing half-written counts."""
    for name in ("01_a", "02_b", "03_c"):
        workbook.add_recorded(name)
    places = workbook.root / "results/quick"
    for i in range(20):
        process = workbook.start("run", *(["--force"] if i % 3 == 0 else []))
        try:
            process.communicate(timeout=0.4 + 0.16 * i)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        for path in places.glob("0*/manifest.json"):
            assert manifest.damaged(path.parent, json.loads(path.read_text())) == []
    workbook("run")
    assert set(workbook.states().values()) <= {"ok", "up-to-date"}
    assert list((places / ".attempts").iterdir()) == []
    for name in ("01_a", "02_b", "03_c"):
        assert manifest.damaged(places / name, workbook.json("quick", name, "manifest.json")) == []
    assert "Nothing to do" in workbook("run")


def test_a_runner_killed_while_an_attempt_starts_leaves_nothing_running(workbook):
    workbook.add("01_a", "import time; time.sleep(300)")
    process = workbook.start("run")
    attempts = workbook.root / "results/quick/.attempts"
    (attempt,) = workbook.wait_for(lambda: list(attempts.glob("01_a~*")))
    workbook.wait_for(lambda: workbook.processes_of(attempt))
    process.kill()
    process.communicate()
    workbook.wait_for(lambda: not workbook.processes_of(attempt), 15)


def test_a_killed_attempt_is_told_by_list_and_what_a_killed_runner_left_is_not_running(workbook):
    workbook.add("01_a", "print(1)", "import time; time.sleep(300)")
    process = workbook.start("run")
    status = workbook.wait_for(lambda: workbook.running_cell("01_a"))
    os.kill(status["pid"], signal.SIGKILL)
    printed, _ = process.communicate(timeout=30)
    assert "the attempt's process was killed by signal 9" in printed
    assert workbook.processes_of(status["folder"]) == []
    assert "failed: the attempt's process was killed" in workbook("list")
    workbook.add("00_free", "print(1)")
    process = workbook.start("run", "--jobs", "2")
    workbook.wait_for(lambda: workbook.running_cell("01_a"))
    workbook.wait_for(lambda: workbook.states() == {"00_free": "ok", "01_a": "running"})
    process.kill()
    process.communicate()
    workbook("run", "00")
    assert workbook.states() == {"00_free": "up-to-date", "01_a": "cancelled"}


def test_a_failure_stays_in_the_run_until_the_notebook_is_good_again(workbook):
    workbook.add("01_a", "print(1)")
    workbook.add("02_b", "1 / 0")
    workbook("run", code=1)
    workbook("run", "01")
    assert workbook.states() == {"01_a": "up-to-date", "02_b": "failed"}
    workbook.add("01_a", "1 / 0")
    workbook("run", "01", code=1)
    workbook.add("01_a", "print(1)")
    assert "Nothing to do" in workbook("run", "01")
    assert "01_a      –      quick     up to date" in workbook("list")


def test_a_run_at_work_is_not_cleaned_away(workbook):
    workbook.add("01_a", "print(1)", "import time; time.sleep(300)")
    process = workbook.start("run")
    try:
        workbook.wait_for(lambda: workbook.running_cell("01_a"))
        assert "is held by process" in workbook("clean", "quick", "--yes", code=2)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    workbook("clean", "quick", "--yes")
    assert not (workbook.root / "results/quick").exists()


def test_a_record_of_another_notebook_is_refused(workbook):
    workbook.add("01_a")
    workbook.add("02_b", "from lightlab.workbook import record\nrecord.start('01_a', globals())")
    assert "'01_a' is not '02_b'" in workbook("run", "02", code=1)
