"""What a recipe takes; rate, step, changed images and loss against closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from lightlab import data, train
from lightlab.nets.build import cnn, mlp
from lightlab.train import descent

SHORT = train.Recipe(epochs=1, batch_size=100)
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("epochs", 0, "a recipe needs epochs > 0"),
        ("batch_size", 1, "batch_size >= 2 (batch normalisation)"),
        ("lr", 0.0, "lr > 0"),
        ("momentum", 1.0, "0 < momentum < 1 (Nesterov)"),
        ("weight_decay", -1e-9, "weight_decay >= 0"),
        ("label_smoothing", 1.0, "0 <= label_smoothing < 1"),
        ("warmup", 1.5, "0 <= warmup <= 1"),
        ("shift", -1, "shift >= 0"),
        ("temperature", 0, "temperature > 0"),
        ("teacher_weight", 1.1, "0 <= teacher_weight <= 1"),
        ("padding", "edge", "padding one of zeros, reflect"),
        ("lr", math.nan, "lr has to be a finite number, not nan"),
        ("epochs", math.inf, "epochs has to be a finite number, not inf"),
        ("lr", "0.1", "lr has to be a finite number, not '0.1'"),
        ("warmup", None, "warmup has to be a finite number, not None"),
        ("shift", 1.5, "shift has to be a whole number, got 1.5"),
        ("batch_size", True, "batch_size has to be a whole number, got True"),
        ("flip", "no", "flip has to be True or False, not 'no'"),
    ],
)
def test_impossible_recipes(field, value, words):
    with pytest.raises(ValueError, match=" ") as caught:
        train.Recipe(**{field: value})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_of_any_type_are_taken(digits, tmp_path):
    one, plain = np.int64(1), train.Recipe(epochs=1, batch_size=50, shift=1, lr=0.25, flip=True)
    recipe = train.Recipe(one, np.int64(50), np.float32(0.25), shift=np.int32(1), flip=np.True_)
    assert recipe == plain
    assert hash(recipe) == hash(plain)
    assert recipe.batch_size == train.Recipe(batch_size=50.0).batch_size == 50
    counts = {"seed": one, "eval_every": one, "every": np.int32(3), "macs_per_image": np.int64(9)}
    kept = {"checkpoint": tmp_path / "x"}
    first = train.fit(mlp(64, seed=1), digits.train, recipe, **kept, **counts)
    counts = {"seed": 1, "eval_every": 1, "every": 3, "macs_per_image": 9}
    again = train.fit(mlp(64, seed=1), digits.train, plain, **kept, **counts)
    assert again.equals(first)  # it is the same training, and had ended


@pytest.mark.parametrize(("batch_size", "epochs"), [(64, 1.5), (399, 3), (1000, 1), (7, 0.01)])
def test_samples_are_those_of_the_history(digits, batch_size, epochs):
    recipe = train.Recipe(epochs=epochs, batch_size=batch_size, lr=0.01)
    history = train.fit(mlp(64), digits.train, recipe)
    assert history["samples"].iloc[-1] == train.samples(recipe, len(digits.train))


@given(n=st.integers(1, 300), warmup=st.floats(0, 1))
def test_the_learning_rate_is_a_triangle(n, warmup):
    recipe = train.Recipe(lr=2.0, warmup=warmup)
    rates = np.array([descent.learning_rate(step, n, recipe) for step in range(1, n + 1)])
    assert ((rates > 0) & (rates <= 2.0)).all()
    peak = int(rates.argmax())
    assert (np.diff(rates[: peak + 1]) >= -1e-12).all()
    assert (np.diff(rates[peak:]) <= 1e-12).all()
    assert abs(peak + 1 - warmup * n) <= 1.0 + 1e-9


def test_one_step_is_nesterov_without_decay_of_biases():
    """By hand (Sutskever et al. 2013 in PyTorch's form): w - lr (g + momentum · g) at step one."""
    recipe = train.Recipe(epochs=1, batch_size=4, lr=0.5, momentum=0.9, weight_decay=0.1, warmup=0)
    model = mlp(4, (), 3, seed=2)
    weight, bias = (p.detach().clone() for p in model.parameters())
    split = data.Split(torch.randn(4, 1, 2, 2), torch.tensor([0, 1, 2, 0]), torch.arange(4))
    rate = descent.learning_rate(1, 1, recipe)
    F.cross_entropy(model(split.x), split.y).backward()
    of_weight, of_bias = (p.grad.clone() for p in model.parameters())
    train.fit(model, split, recipe)
    after_weight, after_bias = model.parameters()
    decayed = of_weight + 0.1 * weight
    assert torch.allclose(after_weight, weight - rate * 1.9 * decayed, atol=1e-6)
    assert torch.allclose(after_bias, bias - rate * 1.9 * of_bias, atol=1e-6)


@settings(max_examples=30)
@given(max_px=st.integers(0, 4), seed=st.integers(0, 1000))
def test_shift_moves_whole_images(max_px, seed):
    images = torch.zeros(6, 2, 12, 12)
    images[:, 0, 5, 6], images[:, 1, 6, 6] = 1.0, 2.0
    moved = descent.shift(images, max_px, generator(seed))
    assert moved.shape == images.shape
    for image in moved:
        (y, x), (y2, x2) = ((image[c] == c + 1).nonzero()[0].tolist() for c in (0, 1))
        assert (y2, x2) == (y + 1, x)  # channels move together
        assert abs(y - 5) <= max_px
        assert abs(x - 6) <= max_px
    assert moved.sum() == images.sum()


@settings(max_examples=20)
@given(max_px=st.integers(1, 4), seed=st.integers(0, 1000))
def test_reflected_shifts_bring_the_border_back(max_px, seed):
    """A ramp shifted with its mirror image stays between its ends and keeps its slope of one."""
    ramp = torch.arange(12.0).expand(5, 2, 12, 12)
    moved = descent.shift(ramp, max_px, generator(seed), "reflect")
    assert (moved.diff(dim=3).abs() == 1).all()
    assert (moved.diff(dim=2) == 0).all()


def test_images_are_changed_one_by_one():
    images = torch.zeros(64, 1, 9, 9)
    images[:, 0, 4, 4] = 1
    places = descent.shift(images, 2, generator()).flatten(1).argmax(1)
    assert len(places.unique()) > 10
    images = torch.randn(400, 2, 5, 6)
    flipped = descent.flip(images, generator())
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    same = (flipped == images).flatten(1).all(1)
    assert (mirrored ^ same).all()
    assert 150 < mirrored.sum() < 250


@pytest.mark.parametrize(
    ("change", "alone"),
    [
        ({"shift": 2}, lambda x, random: descent.shift(x, 2, random)),
        ({"shift": 2, "padding": "reflect"}, lambda x, r: descent.shift(x, 2, r, "reflect")),
        ({"flip": True}, descent.flip),
    ],
)
def test_each_change_is_the_one_that_was_asked_for(digits, change, alone):
    images, recipe = digits.train.x[:20], train.Recipe(**change)
    found = train.augment(images, recipe, generator(5))
    assert torch.equal(found, alone(images, generator(5)))
    assert not torch.equal(found, images)
    assert not torch.equal(found, train.augment(images, recipe, generator(6)))


def test_the_loss_against_closed_forms():
    """A teacher of the same outputs leaves the labels' share; one that is certain is labels."""
    outputs = torch.randn(6, 4, generator=generator())
    known = F.one_hot(LABELS, 4)
    hard = F.cross_entropy(outputs, LABELS).item()
    smooth = -((0.8 * known + 0.2 / 4) * outputs.log_softmax(1)).sum(1).mean().item()
    for taught, asked, wanted in (
        (None, {"label_smoothing": 0.2}, smooth),
        (outputs, {"temperature": 3.0, "teacher_weight": 0.25}, 0.75 * hard),
        (known * 1e4, {"temperature": 1.0, "teacher_weight": 1.0}, hard),
    ):
        found = descent.loss(outputs, LABELS, taught, train.Recipe(**asked)).item()
        assert found == pytest.approx(wanted, rel=1e-6)


def test_a_teacher_teaches_what_the_labels_do_not(digits):
    """Labels are all 0 here; the teacher, network or logits, knows the digits."""
    blank = data.Split(digits.train.x, torch.zeros_like(digits.train.y), digits.train.groups)
    known = mlp(64)
    train.fit(known, digits.train, train.Recipe(epochs=10, batch_size=50))
    recipe = train.Recipe(epochs=10, batch_size=50, teacher_weight=1.0)
    accuracies = []
    for source in (known, train.logits(known, digits.train)):
        student = mlp(64, seed=1)
        train.fit(student, blank, recipe, teacher=source)
        accuracies.append(train.evaluate(student, digits.test)["accuracy"])
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.01)
    assert min(accuracies) > 0.8


def test_a_teacher_keeps_its_statistics_and_its_mode(digits):
    network, students = cnn(4, depth=2, dropout=0.5).train(), (cnn(4, depth=2), cnn(4, depth=2))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    first, again = (train.fit(one, digits.train, SHORT, teacher=network) for one in students)
    assert network.training
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert first["loss"].equals(again["loss"])  # its dropout is off
