"""What a recipe takes, and what its numbers come to."""

import math

import numpy as np
import pytest

from lightlab import data, train
from lightlab.nets.build import build, mlp
from lightlab.space.arch import decode


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


def test_numbers_of_any_type_are_taken(tmp_path):
    one, plain = np.int64(1), train.Recipe(epochs=1, batch_size=50, shift=1, lr=0.25, flip=True)
    recipe = train.Recipe(one, np.int64(50), np.float32(0.25), shift=np.int32(1), flip=np.True_)
    assert recipe == plain
    assert hash(recipe) == hash(plain)
    assert recipe.batch_size == train.Recipe(batch_size=50.0).batch_size == 50
    arch = decode("r16x1 conv_k3_s2_c8_relu head_n10")
    images = data.load("digits", n_train=400, n_val=0, resolution=16).train
    counts = {"seed": one, "eval_every": one, "every": np.int32(3), "macs_per_image": np.int64(9)}
    kept = {"checkpoint": tmp_path / "x"}
    first = train.fit(build(arch, seed=one), images, recipe, **kept, **counts)
    counts = {"seed": 1, "eval_every": 1, "every": 3, "macs_per_image": 9}
    again = train.fit(build(arch, seed=1), images, plain, **kept, **counts)
    assert again.equals(first)  # it is the same training, and had ended


@pytest.mark.parametrize(("batch_size", "epochs"), [(64, 1.5), (399, 3), (1000, 1), (7, 0.01)])
def test_samples_are_those_of_the_history(digits, batch_size, epochs):
    recipe = train.Recipe(epochs=epochs, batch_size=batch_size, lr=0.01)
    history = train.fit(mlp(64), digits.train, recipe)
    assert history["samples"].iloc[-1] == train.samples(recipe, len(digits.train))
