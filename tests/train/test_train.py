"""Training: the recipe's arithmetic, determinism, what the history says, clear failures."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lightlab import data, train
from lightlab.measure import cost
from lightlab.nets import build
from lightlab.train import descent

FAST = train.Recipe(epochs=2, batch_size=50, lr=0.1, weight_decay=1e-3, shift=1)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", n_train=400, n_val=100, n_test=200)


def fitted(digits, seed=0, **arguments):
    model = build.cnn(8, dropout=0.3, depth=2)
    history = train.fit(model, digits.train, FAST, seed=seed, **arguments)
    return model, history.drop(columns="seconds")


def test_two_fits_are_equal_and_another_seed_is_not(digits):
    (a, first), (b, second), (_, other) = (fitted(digits, s) for s in (1, 1, 2))
    assert first.equals(second)
    assert torch.equal(train.logits(a, digits.test), train.logits(b, digits.test))
    assert not first.equals(other)


def test_no_global_random_state(digits):
    """Dropout takes its numbers from it: neither does it matter before nor is it changed after."""
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    first = fitted(digits)[1]
    assert torch.equal(torch.rand(3), expected)
    assert fitted(digits)[1].equals(first)


def test_digits_are_learnt(digits):
    """Several times better than chance on digits never seen: the loop really trains."""
    model = build.cnn(16)
    train.fit(model, digits.train, train.Recipe(epochs=15, batch_size=50, lr=0.2))
    assert train.evaluate(model, digits.test)["accuracy"] > 0.8


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


def test_samples_are_those_of_the_history(digits):
    for batch_size, epochs in ((64, 1.5), (399, 3), (1000, 1), (7, 0.01)):
        recipe = train.Recipe(epochs=epochs, batch_size=batch_size, lr=0.01)
        history = train.fit(build.mlp(64), digits.train, recipe)
        assert history["samples"].iloc[-1] == train.samples(recipe, len(digits.train))


def test_a_loss_that_is_no_number_stops_with_its_step(digits):
    with pytest.raises(train.DivergedError, match=r"the loss is nan at step \d+ of 16 .*lower lr"):
        train.fit(build.cnn(), digits.train, train.Recipe(epochs=2, batch_size=50, lr=1e8))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"epochs": 0}, "epochs > 0"),
        ({"batch_size": 1}, "batch_size >= 2"),
        ({"lr": float("nan")}, "lr has to be a finite number, not nan"),
        ({"lr": 0.0}, "lr > 0"),
        ({"momentum": 1.0}, "0 < momentum < 1"),
        ({"weight_decay": -1e-9}, "weight_decay >= 0"),
        ({"label_smoothing": 1.0}, "0 <= label_smoothing < 1"),
        ({"warmup": 1.5}, "0 <= warmup <= 1"),
        ({"shift": -1}, "shift >= 0"),
    ],
)
def test_impossible_recipes(wrong, words):
    with pytest.raises(ValueError, match=words):
        train.Recipe(**wrong)


def test_too_few_images(digits):
    with pytest.raises(ValueError, match="cannot train on 1 images"):
        train.fit(build.mlp(64), digits.train.take(slice(1)), FAST)
    with pytest.raises(ValueError, match="empty split"):
        train.evaluate(build.mlp(64), digits.val.take(slice(0)))


def test_evaluate_is_the_mean_over_all_images_whatever_the_batch(digits):
    model = build.mlp(64)
    outputs = model(digits.test.x)
    assert torch.allclose(train.logits(model, digits.test, batch_size=7), outputs, atol=1e-5)
    result = train.evaluate(model, digits.test)
    picked = outputs.log_softmax(1)[torch.arange(200), digits.test.y]
    assert result["loss"] == pytest.approx(-picked.mean().item(), rel=1e-5)
    assert result["accuracy"] == (outputs.argmax(1) == digits.test.y).sum().item() / 200


def test_evaluation_leaves_the_mode_alone(digits):
    model = build.cnn(dropout=0.5).train()
    first = train.logits(model, digits.val)
    assert model.training
    assert torch.equal(
        first, train.logits(model.eval(), digits.val)
    )  # no dropout, no new statistics
    assert not model.training


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
    model = build.mlp(4, (), 3, seed=2)
    weight, bias = (p.detach().clone() for p in model.parameters())
    split = data.Split(torch.randn(4, 1, 2, 2), torch.tensor([0, 1, 2, 0]), torch.arange(4))
    rate = descent.learning_rate(1, 1, recipe)
    nn.functional.cross_entropy(model(split.x), split.y).backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    train.fit(model, split, recipe)
    after_weight, after_bias = model.parameters()
    decayed = gradients[0] + 0.1 * weight
    assert torch.allclose(after_weight, weight - rate * 1.9 * decayed, atol=1e-6)
    assert torch.allclose(after_bias, bias - rate * 1.9 * gradients[1], atol=1e-6)


@settings(max_examples=30)
@given(max_px=st.integers(0, 4), seed=st.integers(0, 1000))
def test_shift_moves_whole_images(max_px, seed):
    images = torch.zeros(6, 2, 12, 12)
    images[:, 0, 5, 6], images[:, 1, 6, 6] = 1.0, 2.0
    moved = train.shift(images, max_px, torch.Generator().manual_seed(seed))
    assert moved.shape == images.shape
    for image in moved:
        (y, x), (y2, x2) = ((image[c] == c + 1).nonzero()[0].tolist() for c in (0, 1))
        assert (y2, x2) == (y + 1, x)  # channels move together
        assert abs(y - 5) <= max_px
        assert abs(x - 6) <= max_px
    assert moved.sum() == images.sum()


def test_shifts_differ_between_images():
    images = torch.zeros(64, 1, 9, 9)
    images[:, 0, 4, 4] = 1
    places = train.shift(images, 2, torch.Generator().manual_seed(0)).flatten(1).argmax(1)
    assert len(places.unique()) > 10
