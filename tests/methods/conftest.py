"""What several tests of methods need."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lightlab import data


def load_digits():
    return data.load("digits", n_train=96, n_val=64, n_test=64, resolution=16)


@pytest.fixture(scope="session")
def digits():
    return load_digits()


@pytest.fixture
def kill_when(request):
    """Run `killed(path)` of the test's module in a process, and kill that once `kept(path)`."""

    def kill(path, kept=Path.exists):
        program = f"from tests.methods.{request.path.stem} import killed as run; run({str(path)!r})"
        child = subprocess.Popen([sys.executable, "-c", program], cwd=os.getcwd())
        while not kept(path) and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert kept(path)

    return kill
