"""Notebooks that compute in worker processes of their own."""

import contextlib
import os
import signal
import subprocess
import sys

import psutil
import pytest

from lightlab.workbook.running.executor import TAG, end_processes

PARALLEL = """
import joblib, time
from tqdm.auto import tqdm

def work(seconds):
    time.sleep(seconds)
    import torch
    return torch.ones(3).sum().item()

def parallel(*seconds):
    todo = joblib.Parallel(n_jobs=2, return_as="generator")
    jobs = [joblib.delayed(work)(s) for s in seconds]
    return list(tqdm(todo(jobs), total=len(jobs)))
"""


def workers_of(processes) -> list[psutil.Process]:
    """Those of `processes` that are loky's workers."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            found += [process] if "popen_loky_posix" in " ".join(process.cmdline()) else []
    return found


def test_torch_in_workers_of_a_kernel(workbook):
    workbook.add("01_a", PARALLEL, "print(parallel(0, 0, 0))")
    workbook("run")
    cells = workbook.json("quick", "01_a", "notebook.ipynb")["cells"]
    printed = [o for c in cells for o in c["outputs"] if o.get("name") == "stdout"]
    assert printed[0]["text"] == ["[3.0, 3.0, 3.0]\n"]


def test_a_bar_that_moves_while_workers_compute_is_no_silence(workbook):
    quiet = PARALLEL.replace("import torch", "").replace("torch.ones(3).sum().item()", "seconds")
    workbook.add("01_a", quiet, "parallel(*[0.7] * 18)")  # more than six seconds
    workbook("run", "--stall-timeout", "5")


@pytest.mark.parametrize("how", ["runner interrupted", "runner killed", "kernel killed", "limit"])
def test_no_worker_is_left_behind(workbook, how):
    workbook.add("01_a", PARALLEL, "parallel(300, 300)")
    process = workbook.start("run", *(["--timeout", "8"] if how == "limit" else []))
    attempt = workbook.wait_for(lambda: workbook.running_cell("01_a"))["folder"]
    workers = workbook.wait_for(lambda: workers_of(workbook.processes_of(attempt))[:2])
    if how == "runner interrupted":
        process.send_signal(signal.SIGINT)
    elif how == "runner killed":
        process.kill()
    elif how == "kernel killed":
        workers[0].parent().kill()
    printed, _ = process.communicate(timeout=30)
    if how == "runner killed":  # nobody is left but the attempt, which sees it
        workbook.wait_for(lambda: not workbook.processes_of(attempt), 5)
    assert workbook.processes_of(attempt) == []
    if how == "kernel killed":
        assert "the kernel was killed by SIGKILL in cell 4" in printed
    if how == "limit":
        assert "cell 4 ran past the limit of 8 s" in printed


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
