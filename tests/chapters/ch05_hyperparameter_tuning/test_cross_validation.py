"""Cross-validation: the mean and its noise, determinism, price, failures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab import data, train
from lightlab.chapters.ch05_hyperparameter_tuning import cross_validation
from lightlab.chapters.ch05_hyperparameter_tuning.cross_validation import CrossValidation
from lightlab.nets import build

OF_TRAINING = {"lr": 0.3, "weight_decay": 5e-4, "label_smoothing": 0.0, "batch_size": 16}
CONFIG = OF_TRAINING | {"width": 4, "dropout": 0.0}


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", n_train=240, n_val=100, n_test=100)


def problem(digits, seed=0):
    return CrossValidation(digits, 3, epochs=4, depth=2, pool=1, seed=seed)


@pytest.fixture(scope="module")
def searched(digits):
    """Remembers the configurations that several tests ask for."""
    return problem(digits)


def by_hand(split, seed=0):
    """The network of CONFIG trained on `split`, and its history."""
    model = build.cnn(4, depth=2, seed=seed)
    return model, train.fit(model, split, train.Recipe(epochs=4, **OF_TRAINING), seed=seed)


@given(p=st.floats(0, 1), k=st.integers(2, 10), n=st.integers(10, 1000), spread=st.floats(0, 0.01))
def test_noise_is_the_variance_of_the_mean_but_never_below_the_binomial(p, k, n, spread):
    folds = np.clip(p + spread * np.linspace(-1, 1, k), 0, 1)
    mean, noise = cross_validation.mean_and_noise(folds, n)
    assert mean == pytest.approx(folds.mean())
    assert noise == pytest.approx(max(mean * (1 - mean) / n, np.var(folds, ddof=1) / k))


def test_equal_seeds_equal_scores_and_one_training_for_one_configuration(digits, searched):
    score = searched(CONFIG)
    assert score == problem(digits)(CONFIG)
    assert score != problem(digits, seed=1)(CONFIG)
    assert searched(dict(reversed(CONFIG.items()))) is score  # remembered, in whatever order
    assert score.mean == pytest.approx(np.mean(score.folds))
    assert len(score.folds) == 3


def test_held_out_images_are_in_no_fold_and_the_price_is_that_of_the_trainings(digits, searched):
    accuracies, macs = [], 0
    for i, (rest, _) in enumerate(data.k_folds(digits.train, 3, 0)):
        model, history = by_hand(rest, seed=i)
        accuracies.append(train.evaluate(model, digits.val)["accuracy"])
        macs += history["macs"].iloc[-1]
    assert searched.price(CONFIG) == macs
    assert searched(CONFIG).held_out == pytest.approx(np.mean(accuracies))


def test_training_helps(searched):
    good, none = (searched(CONFIG | {"width": 8, "lr": lr}) for lr in (0.3, 1e-7))
    assert good.mean > 0.5 > 0.25 > none.mean
    assert good.held_out == pytest.approx(good.mean, abs=0.2)


def test_every_hyperparameter_reaches_the_training(searched):
    other = {"lr": 0.1, "weight_decay": 0.1, "label_smoothing": 0.3, "batch_size": 64}
    other |= {"width": 6, "dropout": 0.5}
    for name, value in other.items():
        assert searched(CONFIG | {name: value}) != searched(CONFIG), name


def test_a_diverged_training_is_a_failed_trial_that_cost_its_price(searched):
    config = CONFIG | {"lr": 1e9}
    score = searched(config)
    assert np.isnan([*score.folds, score.mean, score.noise_var, score.held_out]).all()
    assert len(score.folds) == 3
    assert searched.price(config) == searched.price(CONFIG)
    assert 0 <= searched.retrain(config) < 0.5  # scored as it stands


def test_retraining_uses_all_training_images(digits, searched):
    model, _ = by_hand(digits.train)
    assert searched.retrain(CONFIG) == train.evaluate(model, digits.test)["accuracy"]


def test_the_table_has_a_row_per_fold():
    score = cross_validation.Score((0.5, 0.7), 0.6, 0.01, 0.55)
    table = cross_validation.fold_table({0.1: score, 0.2: score})
    assert table["x"].tolist() == [0.1, 0.1, 0.2, 0.2]
    assert table["accuracy"].tolist() == [0.5, 0.7] * 2
    assert table["sd"].tolist() == pytest.approx([0.1] * 4)
