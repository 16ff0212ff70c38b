"""Files that are written whole or not at all, and a journal that keeps what was added."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from lightlab import disk
from lightlab.data import Split
from lightlab.nets.build import build
from lightlab.nets.weights import save_weights
from lightlab.space.arch import decode
from lightlab.train.descent import Recipe
from lightlab.train.loop import Keeper


def test_a_failed_write_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "new" / "file.bin"
    disk.write(path, lambda part: part.write_bytes(b"first"))

    def fail(part):
        part.write_bytes(b"half of the sec")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        disk.write(path, fail)
    assert [p.name for p in path.parent.iterdir()] == ["file.bin"]
    assert path.read_bytes() == b"first"
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert path.stat().st_mode == plain.stat().st_mode  # readable as any other file


def test_all_that_is_kept_reaches_the_disk_before_its_name(tmp_path, monkeypatch):
    """Else a power failure may leave an empty file."""
    synced, renamed = [], []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda f: (synced.append(os.fstat(f).st_ino), sync(f)))

    def note(old, new, **_):
        renamed.append(os.stat(old).st_ino)
        assert renamed == synced
        replace(old, new)

    monkeypatch.setattr(os, "replace", note)
    monkeypatch.setattr(os, "rename", note)
    monkeypatch.setenv("LIGHTLAB_CACHE", str(tmp_path / "cache"))
    network = build(decode("r9x2 conv_k3_s2_c8 head_n4"))
    save_weights(network, tmp_path / "weights")
    images = Split(torch.zeros(2, 2, 9, 9), torch.tensor([0, 1]), torch.arange(2))
    Keeper(tmp_path / "checkpoint", network, images, None, Recipe(), None).write({"steps": 1})
    disk.cached_arrays("arrays", lambda: {"x": np.arange(3)})
    disk.write_json(tmp_path / "claims.json", [])
    assert len(renamed) == 4
    with pytest.raises(ValueError, match="cannot be written"):
        save_weights(network, tmp_path / "weights" / "below_a_file")


def test_hashes_are_those_of_the_records(tmp_path):
    (tmp_path / "file").write_bytes("ä".encode())
    known = "33e6d73fee82904c8d7afb78de1154d1e8dc2a0edb08120e63df5b9385c2d9cc"
    assert {disk.sha256(x) for x in (tmp_path / "file", "ä", "ä".encode())} == {known}
    assert disk.digest({"b": float("inf"), "a": (1, 2)}) == disk.digest({"a": [1, 2], "b": "inf"})
    grid = np.arange(6).reshape(2, 3)
    assert disk.digest([], grid.T) == disk.digest([], grid.T.copy()) != disk.digest([], grid)


def test_json_that_is_torn_is_none(tmp_path):
    disk.write_json(tmp_path / "a.json", {"x": float("nan"), "y": [1.5]})
    assert disk.read_json(tmp_path / "a.json") == {"x": "nan", "y": [1.5]}
    (tmp_path / "a.json").write_text('{"x": ')
    assert disk.read_json(tmp_path / "a.json") is disk.read_json(tmp_path / "none") is None


def test_what_was_added_is_there_again_without_a_line_that_was_cut_off(tmp_path):
    path = tmp_path / "j.jsonl"
    disk.Journal(path).add(kind="ä", value=1.5)
    path.write_bytes(path.read_bytes() + b'{"kind": "b", "val')
    disk.Journal(path).add(kind="b", value=None)
    again = disk.Journal(path)
    assert again.rows == [{"kind": "ä", "value": 1.5}, {"kind": "b", "value": None}]
    assert again.of("b") == [{"kind": "b", "value": None}]
    disk.Journal().add(kind="a")  # nowhere
    path.write_text("no journal\n{}\n")
    with pytest.raises(ValueError, match="line 1: no JSON"):
        disk.Journal(path)


def test_a_process_that_dies_has_written_all_that_it_added(tmp_path):
    path = tmp_path / "j.jsonl"
    program = (
        "import os, signal; from lightlab.disk import Journal; "
        f"j = Journal({str(path)!r}); [j.add(kind='a', value=i) for i in range(50)]; "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode != 0
    assert len(disk.Journal(path).rows) == 50
