"""Classifiers from a person and from formulas."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestCentroid

from lightlab import data
from lightlab.chapters.ch03_three_levels import linear
from lightlab.published import read_yaml

DRAWINGS = read_yaml("drawn_digits.yaml")["digits"]


@pytest.fixture(scope="module")
def ds():
    return data.load("digits", seed=3, n_train=150)


@pytest.mark.parametrize("penalty", [0.1, 20.0])
def test_ridge_is_scikit_learns(ds, penalty):
    peer = Ridge(alpha=penalty).fit(linear.points(ds.train), linear.one_hot(ds.train))
    ours = linear.ridge(ds.train, penalty)
    assert_allclose(ours.weights, peer.coef_.T, atol=1e-8)
    assert_allclose(ours.bias, peer.intercept_, atol=1e-8)


def test_class_means_are_scikit_learns_nearest_centroid(ds):
    with pytest.warns(UserWarning, match="zero standard deviation"):
        peer = NearestCentroid().fit(linear.points(ds.train), ds.train.y.numpy())
    X = linear.points(ds.test)
    assert (linear.class_means(ds.train).scores(X).argmax(1) == peer.predict(X)).all()


def test_every_drawing_recognises_itself_and_most_images(ds):
    templates = linear.from_drawings(DRAWINGS, ds)
    assert (templates.scores(templates.weights.T).argmax(1) == np.arange(10)).all()
    assert_allclose(np.linalg.norm(templates.weights, axis=0), 1)
    assert_allclose(templates.weights.sum(0), 0, atol=1e-12)
    assert templates.accuracy(ds.test) > 0.3  # chance: 0.1
    with pytest.raises(ValueError, match="drawings of shape"):
        linear.from_drawings(DRAWINGS[:9], ds)


def test_as_many_classes_as_there_are_labels():
    x, y = torch.randn(9, 1, 2, 2, generator=torch.Generator().manual_seed(0)), torch.arange(9) % 3
    split = data.Split(x, y, torch.arange(9))
    for model in (linear.class_means(split), linear.ridge(split, 1.0)):
        assert model.scores(linear.points(split)).shape == (9, 3)
        some = [linear.ridge_objective(model, split.take(y == c), 0.0) for c in range(3)]
        assert linear.ridge_objective(model, split, 0.0) == pytest.approx(sum(some))
    with pytest.raises(ValueError, match="class 1 has no image"):
        linear.class_means(split.take(y != 1))


def test_macs_of_formulas():
    assert linear.macs("drawn", 200, 64, 10) == 0
    assert linear.macs("class means", 200, 64, 10) == 200 * 64
    assert linear.macs("ridge", 100, 2, 1) == 200 + 200 + 1 + 4
