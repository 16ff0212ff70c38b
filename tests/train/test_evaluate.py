"""What networks answer, and what cannot be trained: one line each, before any step."""

import functools
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from lightlab import train
from lightlab.nets.build import cnn, mlp
from lightlab.train import training

RECIPE = train.Recipe()


def test_evaluate_is_the_mean_over_all_images_whatever_the_batch(digits):
    model = mlp(64)
    outputs = model(digits.test.x)
    assert torch.allclose(train.logits(model, digits.test, batch_size=7), outputs, atol=1e-5)
    result = train.evaluate(model, digits.test)
    picked = outputs.log_softmax(1)[torch.arange(200), digits.test.y]
    assert result["loss"] == pytest.approx(-picked.mean().item(), rel=1e-5)
    assert result["accuracy"] == (outputs.argmax(1) == digits.test.y).sum().item() / 200
    with pytest.raises(ValueError, match="empty split"):
        train.evaluate(model, digits.val.take(slice(0)))


def test_evaluation_leaves_the_mode_alone(digits):
    model = cnn(dropout=0.5).train()
    first = train.logits(model, digits.val)
    assert model.training
    again = train.logits(model.eval(), digits.val)
    assert torch.equal(first, again)  # no dropout, no new statistics
    assert not model.training


@pytest.mark.parametrize(
    ("make", "arguments", "words"),
    [
        (lambda: mlp(64, (), 5), {}, r"training labels 0 to 9 do not fit .* 5 outputs"),
        (lambda: mlp(63), {}, r"the network cannot take images of 1×8×8 \(C×H×W\): "),
        (lambda: nn.Conv2d(1, 2, 9), {}, r"cannot take images of 1×8×8"),
        (lambda: nn.Conv2d(1, 2, 3), {}, r"answers with \(1, 2, 6, 6\), not with"),
        (lambda: mlp(64).requires_grad_(False), {}, "no parameter to train"),
        (nn.Flatten, {}, "no parameter to train"),
        (lambda: mlp(64), {"teacher": mlp(64, (), 7)}, "7 classes, the network 10"),
        (lambda: mlp(64), {"teacher": mlp(99)}, "the teacher cannot take images"),
        (lambda: mlp(64), {"teacher": torch.zeros(3, 10)}, r"logits are \(3, 10\), but 400"),
        (lambda: mlp(64), {"recipe": train.Recipe(shift=8)}, "nothing of images of 8 px"),
        (lambda: mlp(64), {"seed": -1}, "seed must be at least 0, got -1"),
        (lambda: mlp(64), {"seed": 0.5}, "seed has to be a whole number, got 0.5"),
        (lambda: mlp(64), {"seed": "0"}, "seed has to be a whole number, got '0'"),
        (lambda: mlp(64), {"eval_every": -3}, "eval_every must be at least 1"),
        (lambda: mlp(64), {"every": 2.5}, "every has to be a whole number"),
    ],
)
def test_what_does_not_fit_is_one_line(digits, make, arguments, words):
    with pytest.raises(ValueError, match=words) as caught:
        train.fit(make(), digits.train, **{"recipe": RECIPE, **arguments})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("role", "change", "words"),
    [
        ("split", lambda s: s.take(slice(1)), "cannot train on 1 images"),
        ("split", lambda s: replace(s, y=s.y - 10), "training labels -10 to"),
        ("split", lambda s: replace(s, x=s.x.where(s.x < s.x.max(), math.nan)), "images hold NaN"),
        ("val", lambda s: replace(s, x=s.x.repeat(1, 3, 1, 1)), r"3×8×8 .* training .* 1×8×8"),
        ("val", lambda s: replace(s, y=s.y.int()), "labels have to be int64, not torch.int3"),
        ("val", lambda s: replace(s, y=s.y + 9), "labels 9 to 18 do not fit"),
        ("val", lambda s: replace(s, y=s.y - 10), "labels -10 to"),
        ("val", lambda s: s.take(slice(0)), "on an empty split"),
        ("val", lambda s: replace(s, x=s.x / 0), "images hold NaN or infinity"),
    ],
)
def test_images_are_checked_before_the_training(digits, role, change, words, monkeypatch):
    def never(*_):
        raise AssertionError("a step was made")

    monkeypatch.setattr(training.Training, "_descend", never)
    images = {"split": digits.train, role: change(digits.val)}
    with pytest.raises(ValueError, match=words):
        train.fit(mlp(64), recipe=RECIPE, **images)
    images["test"] = images.pop("val", digits.test)
    job = train.Job(functools.partial(mlp, 64), recipe=RECIPE, **images)
    with pytest.raises(train.JobError, match=words):
        train.train_each({0: job})
