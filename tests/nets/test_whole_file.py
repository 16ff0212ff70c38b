"""Files that are written whole or not at all."""

import os

import numpy as np
import pytest

from lightlab.measure import cache
from lightlab.nets import whole_file
from lightlab.nets.build import build
from lightlab.nets.weights import WeightsError, save_weights
from lightlab.space.arch import decode
from lightlab.train.checkpoint import Keeper


def test_a_failed_write_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "new" / "file.bin"
    whole_file.write(path, lambda part: part.write_bytes(b"first"))

    def fail(part):
        part.write_bytes(b"half of the sec")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        whole_file.write(path, fail)
    assert [p.name for p in path.parent.iterdir()] == ["file.bin"]
    assert path.read_bytes() == b"first"
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert path.stat().st_mode == plain.stat().st_mode  # readable as any other file


def test_weights_that_cannot_be_written_are_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    network = build(decode("r9x2 conv_k3_s2_c8 head_n4"))
    with pytest.raises(WeightsError, match="cannot be written"):
        save_weights(network, tmp_path / "file" / "x.safetensors")


def test_all_that_is_kept_reaches_the_disk_before_its_name(tmp_path, monkeypatch):
    """Weights, checkpoints and cached arrays: else a power failure may leave an empty file."""
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
    Keeper(tmp_path / "checkpoint", {"recipe": {}}).write(network.state_dict(), {})
    cache.arrays("arrays", lambda: {"x": np.arange(3)})
    assert len(renamed) == 3
