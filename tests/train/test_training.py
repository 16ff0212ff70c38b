"""Training: determinism, what the history says, divergence, running out of time."""

import functools
import itertools
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from lightlab import data, train
from lightlab.measure import cost
from lightlab.nets import build
from lightlab.train import descent, training

FAST = train.Recipe(epochs=2, batch_size=50, lr=0.1, weight_decay=1e-3, shift=1)
SHORT = train.Recipe(epochs=1, batch_size=100)


def fitted(digits, seed=1, **arguments):
    model = build.cnn(8, dropout=0.3, depth=2)
    history = train.fit(model, digits.train, FAST, seed=seed, **arguments)
    return model, history.drop(columns="seconds")


def test_a_training_depends_on_its_seed_and_not_on_the_global_random_state(digits):
    """Dropout takes its numbers from that state, which is afterwards what it was."""
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    a, first = fitted(digits)
    assert torch.equal(torch.rand(3), expected)
    b, second = fitted(digits)
    assert first.equals(second)
    assert torch.equal(train.logits(a, digits.test), train.logits(b, digits.test))
    assert not first.equals(fitted(digits, seed=2)[1])


def test_history_counts_samples_and_macs(digits):
    model, history = fitted(digits, val=digits.val)
    per_image = cost.count_macs(model, digits.input_shape)
    assert history["step"].tolist() == [0, 8, 16]
    assert history["samples"].tolist() == [0, 400, 800]
    assert history["macs"].tolist() == [0, 400 * 3 * per_image, 800 * 3 * per_image]
    assert np.isnan(history["loss"][0])
    final = train.evaluate(model, digits.val)
    assert history["val_accuracy"].iloc[-1] == final["accuracy"]
    assert history["val_loss"].iloc[-1] == final["loss"]


def test_rows_when_asked_for_and_a_callback_that_sees_them(digits):
    seen = []

    def watch(model, row):
        model.eval()  # fit has to turn training mode on again
        seen.append(row["step"])

    _, history = fitted(digits, eval_every=5, callback=watch)
    assert seen == history["step"].tolist() == [5, 10, 15, 16]
    assert history.equals(fitted(digits, eval_every=5)[1])


def test_a_training_that_runs_out_of_time_ends_its_schedule_early(digits, monkeypatch, tmp_path):
    """Steps of a tenth of a second each: of 40 there is time for 11, and the rate comes to 0."""
    rates, learning_rate = [], descent.learning_rate
    monkeypatch.setattr(
        descent, "learning_rate", lambda *args: rates.append(learning_rate(*args)) or rates[-1]
    )
    clock = SimpleNamespace(perf_counter=functools.partial(next, itertools.count(0, 0.05)))
    monkeypatch.setattr(training, "time", clock)
    recipe = replace(SHORT, epochs=10, most_seconds=1.05)
    how = {"checkpoint": tmp_path / "kept", "progress": False}
    h = train.fit(build.mlp(64), digits.train, recipe, **how)
    assert 9 <= h["step"].iloc[-1] <= 11
    assert max(rates) == pytest.approx(0.1, rel=0.2)
    assert rates[-1] < 0.02
    again = train.fit(build.mlp(64), digits.train, recipe, **how)
    assert again.equals(h)  # it had ended
    long = replace(SHORT, most_seconds=1e9)
    free, bound = (train.fit(build.mlp(64), digits.train, recipe) for recipe in (SHORT, long))
    assert free.drop(columns="seconds").equals(bound.drop(columns="seconds"))


def test_a_divergence_is_told_with_its_step_and_in_the_last_one(digits):
    with pytest.raises(train.DivergedError, match=r"the loss is nan at step \d+ of 16 .*lower lr"):
        train.fit(build.cnn(), digits.train, replace(FAST, lr=1e8))
    hot = train.Recipe(epochs=0.01, batch_size=100, lr=1e30, warmup=0)  # one step
    with pytest.raises(train.DivergedError, match="after the last step: lower lr"):
        train.fit(build.mlp(64), digits.train, replace(hot, weight_decay=1e20))
    with pytest.raises(train.DivergedError, match="validation loss is"):
        train.fit(build.cnn(4, depth=2), digits.train, hot, val=digits.val)
    job = train.Job(functools.partial(build.cnn, 4, depth=2), digits.train, hot, test=digits.test)
    with pytest.raises(train.JobError, match="DivergedError"):
        train.train_each({0: job})


def test_infinity_on_purpose_is_no_divergence(digits):
    """As in the masks of attention."""
    model = build.mlp(64)
    model.register_buffer("mask", torch.tensor([0.0, -math.inf]))
    train.fit(model, digits.train, SHORT)
    assert model.mask.isinf().any()


def test_maps_are_stored_channels_last(digits):
    """The layout that convolutions on a CPU and on tensor cores are fastest in."""
    network, known = build.cnn(4, depth=2), build.cnn(4, depth=2, seed=1)
    seen = []

    def note(module, inputs):
        tensors = (inputs[0], module.weight)
        seen.append([t.is_contiguous(memory_format=torch.channels_last) for t in tensors])

    colour = data.Split(digits.train.x.expand(-1, 3, -1, -1), digits.train.y, digits.train.groups)
    for part in (network, known):
        part[0][0] = nn.Conv2d(3, 4, 3, bias=False)
        part[0][0].register_forward_pre_hook(note)
    train.fit(network, colour, SHORT, val=colour, teacher=known, macs_per_image=1)
    assert len(seen) > 8
    assert seen[2:] == [[True, True]] * len(seen[2:])  # after the two looks at one image each
