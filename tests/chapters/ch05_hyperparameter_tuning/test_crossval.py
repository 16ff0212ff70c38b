"""Cross-validation: the mean and its noise, determinism, price, failures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab import data, train
from lightlab.chapters.ch05_hyperparameter_tuning import crossval
from lightlab.nets import small


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", n_train=240, n_val=100, n_test=100)


def problem(digits, seed=0, k=3):
    return crossval.CrossValidation(
        digits.train,
        lambda config, seed: small.cnn(config["width"], depth=2, seed=seed),
        lambda config: train.Recipe(epochs=4, batch_size=16, lr=config["lr"]),
        k=k,
        held_out=digits.val,
        seed=seed,
    )


def test_mean_and_variance_of_the_mean():
    """Folds 0.5, 0.6, 0.7: mean 0.6, sample variance 0.01, of the mean 0.01/3."""
    assert crossval.mean_and_noise(np.array([0.5, 0.6, 0.7]), 1000) == pytest.approx(
        (0.6, 0.01 / 3)
    )


@given(p=st.floats(0, 1), k=st.integers(2, 10), n=st.integers(10, 1000), spread=st.floats(0, 0.01))
def test_noise_is_never_below_the_binomial(p, k, n, spread):
    folds = np.clip(p + spread * np.linspace(-1, 1, k), 0, 1)
    mean, noise = crossval.mean_and_noise(folds, n)
    assert noise >= mean * (1 - mean) / n
    assert noise >= np.var(folds, ddof=1) / k


def test_equal_seeds_equal_scores_and_one_training_for_one_configuration(digits):
    config = {"width": 4, "lr": 0.2}
    first, again, other = problem(digits), problem(digits), problem(digits, seed=1)
    score = first(config)
    assert score == again(config)
    assert score != other(config)
    assert first(dict(reversed(config.items()))) is score  # remembered, in whatever order
    assert score.mean == pytest.approx(np.mean(score.folds))
    assert len(score.folds) == 3


def test_held_out_is_scored_on_images_of_no_fold(digits):
    config = {"width": 4, "lr": 0.2}
    accuracies = []
    for i, (rest, _) in enumerate(data.k_folds(digits.train, 3, 0)):
        model = small.cnn(4, depth=2, seed=i)
        train.fit(model, rest, train.Recipe(epochs=4, batch_size=16, lr=0.2), seed=i)
        accuracies.append(train.evaluate(model, digits.val)["accuracy"])
    assert problem(digits)(config).held_out == pytest.approx(np.mean(accuracies))


def test_training_helps(digits):
    good, none = (problem(digits)({"width": 8, "lr": lr}) for lr in (0.3, 1e-7))
    assert good.mean > 0.5 > 0.25 > none.mean
    assert good.held_out == pytest.approx(good.mean, abs=0.2)


def test_the_price_is_known_beforehand_and_is_that_of_the_trainings(digits):
    searched, config = problem(digits), {"width": 4, "lr": 0.2}
    total = 0
    for rest, _ in data.k_folds(digits.train, 3, 0):
        recipe = train.Recipe(epochs=4, batch_size=16, lr=0.2)
        total += train.fit(small.cnn(4, depth=2), rest, recipe)["macs"].iloc[-1]
    assert searched.price(config) == total == searched(config).macs


def test_a_diverged_training_is_a_failed_trial_that_cost_its_price(digits):
    searched, config = problem(digits), {"width": 4, "lr": 1e9}
    score = searched(config)
    assert np.isnan([*score.folds, score.mean, score.noise_var, score.held_out]).all()
    assert score.macs == searched.price(config)
    assert 0 <= searched.retrain(config, digits.test) < 0.5  # scored as it stands


def test_retraining_uses_the_whole_split(digits):
    config = {"width": 8, "lr": 0.3}
    model = small.cnn(8, depth=2, seed=0)
    recipe = train.Recipe(epochs=4, batch_size=16, lr=0.3)
    train.fit(model, digits.train, recipe, seed=0)
    expected = train.evaluate(model, digits.test)["accuracy"]
    assert problem(digits).retrain(config, digits.test) == expected


def test_the_table_has_a_row_per_fold():
    score = crossval.Score((0.5, 0.7), 0.6, 0.01, 0.55, 10)
    table = crossval.table({0.1: score, 0.2: score})
    assert table["x"].tolist() == [0.1, 0.1, 0.2, 0.2]
    assert table["accuracy"].tolist() == [0.5, 0.7, 0.5, 0.7]
    assert table["sd"].tolist() == pytest.approx([0.1] * 4)
