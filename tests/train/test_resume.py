"""Many trainings that were cut off go on where they stood."""

from dataclasses import replace

import pandas as pd
import pytest

from lightlab import data, train
from lightlab.space import scaling
from lightlab.space.scaling import adapt
from lightlab.train.training import Training

RECIPE = train.Recipe(epochs=2, batch_size=32)


@pytest.fixture(scope="module")
def jobs() -> dict[int, train.Job]:
    digits = data.load("digits", n_train=96, n_val=0, n_test=50, resolution=16)
    arch = scaling.get("mobilenet_32", width_mult=0.125)
    arch = adapt(arch, resolution=16, in_channels=1, n_classes=10)
    return {s: train.Job(arch, digits.train, RECIPE, seed=s, test=digits.test) for s in range(2)}


def test_what_had_ended_is_not_trained_again_and_what_was_cut_off_goes_on(
    jobs, tmp_path, monkeypatch
):
    whole = train.train_each(jobs, workers=1)
    descend, steps = Training._descend, []

    def cut_off(self):
        steps.append(self.steps)
        if len(steps) == 10:  # in the second epoch of the second job: an epoch has 3 steps
            raise KeyboardInterrupt
        descend(self)

    monkeypatch.setattr(Training, "_descend", cut_off)
    with pytest.raises(KeyboardInterrupt):
        train.train_each(jobs, workers=1, resume=tmp_path)
    assert len(list(tmp_path.glob("*.pt"))) == 2
    steps[:] = [0] * 20
    again = train.train_each(jobs, workers=1, resume=tmp_path)
    assert steps[20:] == [4, 5, 6]
    for a, b in zip(whole.values(), again.values(), strict=True):
        assert a.metrics == b.metrics
        drop = ["seconds"]
        pd.testing.assert_frame_equal(a.history.drop(columns=drop), b.history.drop(columns=drop))


def test_another_network_in_a_job_s_place_begins_anew(jobs, tmp_path, monkeypatch):
    """As when a network that is as fast is chosen again after a kill: its width may be another."""
    train.train_each(jobs, workers=1, resume=tmp_path)
    other = replace(jobs[0], network=adapt(scaling.get("mobilenet_32", width_mult=0.25),
                                           resolution=16, in_channels=1, n_classes=10))  # fmt: skip
    descend, steps = Training._descend, []

    def counted(self):
        steps.append(self.steps)
        descend(self)

    monkeypatch.setattr(Training, "_descend", counted)
    found = train.train_each({0: other, 1: jobs[1]}, workers=1, resume=tmp_path)
    assert len(steps) == 6  # all of the new one, nothing of what had ended
    monkeypatch.undo()
    assert found[0].metrics == train.train_each({0: other}, workers=1)[0].metrics


def test_a_checkpoint_of_its_own_stays_a_jobs(jobs, tmp_path):
    mine = tmp_path / "mine.pt"
    job = train.Job(jobs[0].network, jobs[0].split, RECIPE, checkpoint=mine)
    train.train_each({0: job}, workers=1, resume=tmp_path / "folder")
    assert mine.is_file()
    assert not (tmp_path / "folder").exists()
