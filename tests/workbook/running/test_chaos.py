"""Kills, hangs and full disks, each as it really happens; nothing that a run started is left."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

from lightlab.workbook import manifest
from lightlab.workbook.running.executor import TAG, end_processes

pytestmark = pytest.mark.chaos

SLEEP = "import time; time.sleep(300)"
SPAWN = "import subprocess\nsubprocess.Popen(['sleep', '300'], start_new_session=True)"
DEAF = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
PARALLEL = """
import joblib, time
from tqdm.auto import tqdm

def parallel(*seconds):
    todo = joblib.Parallel(n_jobs=2, return_as="generator")
    jobs = [joblib.delayed(time.sleep)(s) for s in seconds]
    return list(tqdm(todo(jobs), total=len(jobs)))
"""


def begin(workbook, *words, unit="01_a"):
    """A runner as a user starts it, and the status of its attempt at `unit` in a later cell."""
    process = workbook.start("run", *words)
    return process, workbook.wait_for(lambda: workbook.running_cell(unit))


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
    ("option", "limit", "cell", "cause"),
    [
        ("--timeout", "2", SLEEP, "cell 3 ran past the limit of 2 s"),
        ("--timeout", "2", DEAF, "cell 3 ran past the limit of 2 s"),
        ("--stall-timeout", "2", SLEEP, "cell 3 was silent for 2 s"),
        # the kernel's start counts too
        ("--notebook-timeout", "9", SLEEP, "notebook's limit of 9 s, in cell 3"),
    ],
    ids=["cell", "deaf cell", "silence", "notebook"],
)
def test_limits_name_the_cell_that_hung(workbook, option, limit, cell, cause):
    workbook.add("01_a", cell)
    began = time.monotonic()
    assert cause in workbook("run", option, limit, code=1)
    assert time.monotonic() - began < 30


TALKS = "import time\nfor i in range(8):\n    time.sleep(0.4); print(i, flush=True)"
CHANGES = (
    "import time\n"
    "shown = display('0', display_id=True)\n"
    "for i in range(8):\n"
    "    time.sleep(0.4); shown.update(str(i))"
)


@pytest.mark.parametrize(
    ("cells", "limit"),
    [([TALKS], "2"), ([CHANGES], "2"), ([PARALLEL, "parallel(*[0.7] * 18)"], "5")],
    ids=["prints", "a display", "a bar of workers"],
)
def test_what_moves_is_no_silence(workbook, cells, limit):
    """Each takes longer than its limit."""
    workbook.add("01_a", *cells)
    workbook("run", "--stall-timeout", limit)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_runner_ends_its_children_and_the_next_run_goes_on(workbook, sign):
    workbook.add_recorded("01_quick")
    slow = f"{SPAWN}\nif n == 3:\n    {SLEEP}"
    workbook.add_recorded("02_slow", slow, needs=("01_quick",))
    process, status = begin(workbook, unit="02_slow")
    workbook.wait_for(lambda: len(workbook.processes_of(status["folder"])) >= 3)
    process.send_signal(sign)
    printed, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the next run goes on from there" in printed
    assert workbook.processes_of(status["folder"]) == []
    assert workbook.states() == {"01_quick": "ok", "02_slow": "cancelled"}
    workbook("run", "-p", "n=4", "02")
    assert workbook.states()["02_slow"] == "ok"


def test_a_runner_killed_while_an_attempt_starts_takes_it_along(workbook):
    workbook.add("01_a", "print(1)", SLEEP)
    process = workbook.start("run")
    attempts = workbook.root / "results/quick/.attempts"
    (attempt,) = workbook.wait_for(lambda: list(attempts.glob("01_a~*")))
    workbook.wait_for(lambda: workbook.processes_of(attempt))
    process.kill()
    process.communicate()
    workbook.wait_for(lambda: not workbook.processes_of(attempt), 15)


def test_a_run_at_work_is_neither_joined_nor_cleaned_away(workbook):
    workbook.add("01_a", "print(1)", SLEEP)
    process, _ = begin(workbook)
    try:
        for words in (["run"], ["clean", "quick", "--yes"]):
            assert f"is held by process {process.pid} on" in workbook(*words, code=2)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    workbook("clean", "quick", "--yes")
    assert not (workbook.root / "results/quick").exists()


def test_a_killed_attempt_is_told_by_list_and_what_a_killed_runner_left_is_not_running(workbook):
    workbook.add("01_a", "print(1)", SLEEP)
    process, status = begin(workbook)
    os.kill(status["pid"], signal.SIGKILL)
    printed, _ = process.communicate(timeout=30)
    assert "the attempt's process was killed by signal 9" in printed
    assert workbook.processes_of(status["folder"]) == []
    assert "failed: the attempt's process was killed" in workbook("list")
    workbook.add("00_free", "print(1)")
    process, _ = begin(workbook, "--jobs", "2")
    workbook.wait_for(lambda: workbook.states() == {"00_free": "ok", "01_a": "running"})
    process.kill()
    process.communicate()
    workbook("run", "00")
    assert workbook.states() == {"00_free": "up-to-date", "01_a": "cancelled"}


def test_killed_twenty_times_at_any_moment(workbook):
    """Nothing half-written counts."""
    names = ("01_a", "02_b", "03_c")
    for name in names:
        workbook.add_recorded(name)
    places = workbook.root / "results/quick"
    for i in range(20):
        process = workbook.start("run", *(["--force"] if i % 3 == 0 else []))
        try:
            process.communicate(timeout=0.4 + 0.16 * i)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        for path in places.glob("0*/manifest.json"):
            assert manifest.damaged(path.parent, json.loads(path.read_text())) == []
    workbook("run")
    assert set(workbook.states().values()) <= {"ok", "up-to-date"}
    assert list((places / ".attempts").iterdir()) == []
    for name in names:
        assert manifest.damaged(places / name, workbook.json("quick", name, "manifest.json")) == []
    assert "Nothing to do" in workbook("run")


@pytest.mark.parametrize("how", ["runner interrupted", "runner killed", "kernel killed", "limit"])
def test_no_process_is_left_behind(workbook, how):
    workbook.add("01_a", PARALLEL, f"{SPAWN}\nparallel(300, 300)")
    process, status = begin(workbook, *(["--timeout", "8"] if how == "limit" else []))
    attempt = status["folder"]

    def workers() -> list[psutil.Process]:
        found = []
        for child in workbook.processes_of(attempt):
            with contextlib.suppress(psutil.Error):
                found += [child] if "popen_loky_posix" in " ".join(child.cmdline()) else []
        return found

    kernel = workbook.wait_for(lambda: workers()[:2])[0].parent()
    if how == "runner interrupted":
        process.send_signal(signal.SIGINT)
    elif how != "limit":
        (process if how == "runner killed" else kernel).kill()
    printed, _ = process.communicate(timeout=30)
    if how == "runner killed":  # nobody is left but the attempt, which sees it
        workbook.wait_for(lambda: not workbook.processes_of(attempt), 5)
    assert workbook.processes_of(attempt) == []
    told = {
        "kernel killed": "the kernel was killed by SIGKILL in cell 4",
        "limit": "cell 4 ran past the limit of 8 s",
    }
    assert told.get(how, "") in printed


def test_what_starts_while_the_rest_is_being_killed_is_killed_too(workbook, tmp_path):
    attempt = tmp_path / f"forks~{os.getpid()}"
    forks = (
        "import os, time\n"
        "for i in range(400):\n"
        "    if os.fork() == 0: time.sleep(30); os._exit(0)\n"
        "    time.sleep(0.001)\n"
        "time.sleep(30)"
    )
    environment = os.environ | {TAG: attempt.name}
    with subprocess.Popen([sys.executable, "-c", forks], env=environment):
        workbook.wait_for(lambda: len(workbook.processes_of(attempt)) > 20)
        end_processes(attempt.name)
    assert workbook.processes_of(attempt) == []


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
    workbook.add_recorded("01_a", "open('results/fill', 'wb').write(bytes(80 * 2**20))")
    assert "No space left on device" in workbook("run", "01", code=1)
    assert manifest.hashes(small_disk / "quick/01_a") == good
    assert "less than 50 MiB are free" in workbook("run", "01", code=2)
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
