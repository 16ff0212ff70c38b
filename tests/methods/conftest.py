"""What several tests of searches need."""

import os
import signal
import subprocess
import sys
import time

import pytest


@pytest.fixture
def kill_when_kept():
    """Run `program` with a path, and kill it as soon as there is a file."""

    def kill(program, path):
        child = subprocess.Popen([sys.executable, "-c", program, str(path)], cwd=os.getcwd())
        while not path.exists() and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert path.exists()

    return kill
