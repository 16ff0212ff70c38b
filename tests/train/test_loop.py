"""A training cut short goes on as if nothing had happened; another's checkpoint is refused."""

import functools
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest
import torch
from safetensors.torch import save_file

from lightlab import data, train
from lightlab.nets import build

RECIPE = train.Recipe(epochs=2, batch_size=50, shift=1, flip=True)


class Cut(Exception):
    """Stands for the power failure."""


@pytest.fixture
def begin(digits, tmp_path):
    """A training of 16 steps with dropout, a teacher and rows every 3 steps."""
    taught = torch.randn(400, 10, generator=torch.Generator().manual_seed(0))
    return functools.partial(
        train.fit,
        split=digits.train,
        recipe=RECIPE,
        seed=1,
        val=digits.val,
        eval_every=3,
        teacher=taught,
        checkpoint=tmp_path / "new folder" / "run.pt",
    )


def cnn(seed=2):
    return build.cnn(8, dropout=0.3, depth=2, seed=seed)


def cut_at(step):
    def cut(_, row):
        if row["step"] == step:
            raise Cut

    return cut


@pytest.mark.parametrize(("every", "cut"), [(1, 12), (5, 9), (5, 15), (8, 12)])
def test_a_training_cut_short_goes_on_bit_for_bit(begin, every, cut):
    """Within an epoch and at its end, and with steps done that were not kept."""
    whole, resumed = cnn(), cnn()
    expected = begin(whole, checkpoint=None).drop(columns="seconds")
    with pytest.raises(Cut):
        begin(cnn(), every=every, callback=cut_at(cut))
    torch.manual_seed(77)  # nothing outside matters
    assert begin(resumed, every=every).drop(columns="seconds").equals(expected)
    for k, v in whole.state_dict().items():
        assert torch.equal(v, resumed.state_dict()[k]), k


PROGRAM = """
import sys
from tests.train.test_loop import long
long(sys.argv[1])
"""


def long(path):
    model, images = cnn(), data.load("digits", n_train=400, n_val=0).train
    return train.fit(model, images, replace(RECIPE, epochs=60), checkpoint=path), model.state_dict()


def test_a_killed_training_loses_nothing_that_was_kept(tmp_path):
    path = tmp_path / "killed.pt"
    child = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)])
    while not path.exists() and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert path.exists()
    (history, weights), (whole, others) = long(path), long(tmp_path / "other.pt")
    assert history.drop(columns="seconds").equals(whole.drop(columns="seconds"))
    assert all(torch.equal(v, others[k]) for k, v in weights.items())


def test_one_that_had_ended_gives_its_results_at_once_from_plain_values(begin, tmp_path):
    first, again, seen = cnn(), cnn(), []
    history = begin(first)
    assert begin(again, callback=lambda _, row: seen.append(row)).equals(history)
    assert seen == []
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in first.state_dict().items())
    (path,) = (tmp_path / "new folder").iterdir()  # nothing else is left
    kept = torch.load(path, weights_only=True)
    assert kept["state"]["values"]["steps"] == 16
    assert kept["identity"]["recipe"] == asdict(RECIPE)


def test_another_trainings_checkpoint_is_refused(begin, digits):
    begin(cnn())
    for change, words in (
        ({"recipe": replace(RECIPE, lr=0.2)}, r"recipe\.lr \(0.2, was 0.\d+\)"),
        ({"seed": 2}, "seed"),
        ({"eval_every": 4}, "eval_every"),
        ({"teacher": None}, "teacher"),
        ({"val": None}, "validation images"),
        ({"split": digits.train.take(torch.arange(399, -1, -1))}, "training images"),
        ({"model": cnn(seed=3)}, "network"),
        ({"model": build.cnn(4, depth=2)}, "network(, macs_per_image)?"),
    ):
        with pytest.raises(ValueError, match=f"another training, it differs in {words}: giv"):
            begin(**{"model": cnn()} | change)


def test_a_damaged_checkpoint_and_a_folder_that_cannot_be_written(begin, tmp_path):
    begin(cnn())
    path = tmp_path / "new folder" / "run.pt"
    whole = path.read_bytes()
    for spoil in (
        lambda: path.write_bytes(whole[:1000]),
        lambda: path.write_bytes(whole[:-1000]),
        lambda: path.write_bytes(b""),
        lambda: path.write_bytes(whole[:1000] + bytes(100) + whole[1100:]),
        lambda: save_file({"order": torch.arange(3)}, path, {"identity": "{}"}),  # up to version 2
        lambda: torch.save([1, 2], path),
        lambda: torch.save({"identity": build.cnn(8)}, path),
    ):
        spoil()
        with pytest.raises(ValueError, match=r"can be read \(damaged, .* delete it"):
            begin(cnn())
    with pytest.raises(ValueError, match=r"cannot write a checkpoint in .* \(File exists"):
        begin(cnn(), checkpoint=path / "run")
    with pytest.raises(ValueError, match="cannot write a checkpoint in /proc"):
        begin(cnn(), checkpoint="/proc/run")
