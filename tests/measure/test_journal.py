"""A journal keeps what was added, whenever the process dies."""

import subprocess
import sys

import pytest

from lightlab.measure.journal import Journal


def test_what_was_added_is_there_again(tmp_path):
    path = tmp_path / "j.jsonl"
    journal = Journal(path)
    journal.add(kind="a", value=1.5)
    journal.add(kind="b", value=None)
    again = Journal(path)
    assert again.rows == [{"kind": "a", "value": 1.5}, {"kind": "b", "value": None}]
    assert again.of("b") == [{"kind": "b", "value": None}]
    Journal().add(kind="a")  # nowhere


def test_a_line_that_was_cut_off_is_dropped_and_the_file_goes_on(tmp_path):
    path = tmp_path / "j.jsonl"
    Journal(path).add(kind="ä", value=1)
    path.write_bytes(path.read_bytes() + b'{"kind": "b", "val')
    journal = Journal(path)
    assert [row["value"] for row in journal.rows] == [1]
    journal.add(kind="c", value=2)
    assert [row["value"] for row in Journal(path).rows] == [1, 2]


def test_a_file_of_anything_else_is_refused(tmp_path):
    path = tmp_path / "j.jsonl"
    path.write_text("no journal\n{}\n")
    with pytest.raises(ValueError, match="line 1: no JSON"):
        Journal(path)


def test_a_process_that_dies_has_written_all_that_it_added(tmp_path):
    path = tmp_path / "j.jsonl"
    program = (
        "import os, signal; from lightlab.measure.journal import Journal; "
        f"j = Journal({str(path)!r}); [j.add(kind='a', value=i) for i in range(50)]; "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode != 0
    assert len(Journal(path).rows) == 50
