"""Layers as points: what is read off, what the numbers about separation mean."""

import numpy as np
import pandas as pd
import pytest
import torch

from lightlab import data, train
from lightlab.chapters.ch03_three_levels import representation as rep
from lightlab.chapters.ch03_three_levels import stack


@pytest.fixture(scope="module")
def ds():
    return data.load("digits", seed=1, n_train=300, n_val=0)


def test_activations_are_the_network_step_by_step(ds):
    model = stack.stack("conv3-4 dense-16", seed=2)
    points = rep.activations(model, ds.test.x[:20])
    assert list(points) == ["input", "layer 1", "layer 2", "output"]
    assert [v.shape[1] for v in points.values()] == [64, 4 * 64, 16, 10]
    np.testing.assert_allclose(
        points["output"], train.logits(model, ds.test.take(slice(20))), atol=1e-5
    )
    last = model[-1]
    by_hand = points["layer 2"] @ last.weight.detach().numpy().T + last.bias.detach().numpy()
    np.testing.assert_allclose(points["output"], by_hand, atol=1e-5)
    assert (points["layer 2"] >= 0).all()


def test_watch_sees_the_network_before_and_after(ds):
    recipe = train.Recipe(epochs=3, batch_size=50, lr=0.05)
    kept = rep.watch(stack.stack("dense-32", seed=5), ds, recipe, [0, 3], seed=5)
    before = rep.activations(stack.stack("dense-32", seed=5), ds.test.x)
    trained = stack.stack("dense-32", seed=5)
    train.fit(trained, ds.train, recipe, seed=5)
    after = rep.activations(trained, ds.test.x)
    assert list(kept) == [0, 3]
    np.testing.assert_array_equal(kept[0][1]["output"], before["output"])
    np.testing.assert_allclose(kept[3][1]["output"], after["output"], atol=1e-6)
    with pytest.raises(ValueError, match="epochs have to lie"):
        rep.watch(trained, ds, recipe, [4], seed=5)


def test_scatter_splits_the_covariance():
    rng = np.random.default_rng(0)
    points, y = rng.normal(size=(200, 5)), torch.from_numpy(rng.integers(0, 10, 200))
    between, within = rep.scatter(points, y)
    np.testing.assert_allclose(between + within, np.cov(points.T, bias=True), atol=1e-12)


def test_separation_and_fuzziness_in_one_dimension():
    # two classes at -a and a, each with spread 1: between a^2, within 1
    points = np.array([[2.0], [4.0], [-2.0], [-4.0]])
    y = torch.tensor([0, 0, 1, 1])
    assert rep.separation(points, y) == pytest.approx(9.0)
    assert rep.fuzziness(points, y) == pytest.approx(1 / 9)


def test_fuzziness_does_not_depend_on_the_unit_or_the_axes():
    rng = np.random.default_rng(1)
    y = torch.from_numpy(np.repeat(np.arange(10), 30))
    points = rng.normal(size=(300, 12)) + 3 * rng.normal(size=(10, 12))[y.numpy()]
    turn = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    assert rep.fuzziness(7 * points @ turn + 3, y) == pytest.approx(rep.fuzziness(points, y))
    assert rep.separation(7 * points @ turn + 3, y) == pytest.approx(rep.separation(points, y))
    assert rep.fuzziness(np.hstack([points, np.zeros((300, 3))]), y) == pytest.approx(
        rep.fuzziness(points, y)
    )


def test_probe_reads_separable_points_and_not_noise():
    rng = np.random.default_rng(2)
    y = torch.from_numpy(np.tile(np.arange(10), 30))
    apart = 5 * np.eye(10)[y.numpy()] + rng.normal(size=(300, 10))
    noise = rng.normal(size=(300, 10))
    assert rep.probe(apart[:200], y[:200], apart[200:], y[200:]) > 0.95
    assert rep.probe(noise[:200], y[:200], noise[200:], y[200:]) < 0.3


def test_clouds_keep_one_plane_per_layer():
    rng = np.random.default_rng(3)
    last = {"input": rng.normal(size=(50, 4)) * [9, 5, 1, 1]}
    first = {"input": last["input"] / 2}
    y = torch.arange(50) % 10
    drawn = rep.clouds({0: first, 5: last}, y, 20)
    assert drawn.groupby("epoch").size().to_dict() == {0: 20, 5: 20}
    spread = drawn.groupby("epoch")[["x", "y"]].agg(np.ptp)
    np.testing.assert_allclose(spread.loc[5], 2 * spread.loc[0])  # same axes: half stays half
    centre = drawn[drawn.epoch == 5].digit.to_numpy()
    assert (centre == np.arange(20) % 10).all()


def test_training_pulls_classes_apart(ds):
    recipe = train.Recipe(epochs=8, batch_size=50, lr=0.05)
    kept = rep.watch(stack.stack("dense-32 dense-32", seed=0), ds, recipe, [0, 8], seed=0)
    layers = rep.by_layer({0: kept}, {0: ds})
    deep = layers[layers.layer == "layer 2"].set_index("epoch")
    assert deep.separation[8] > 2 * deep.separation[0]
    assert deep.fuzziness[8] < deep.fuzziness[0]
    assert deep.probe[8] > deep.probe[0]
    long = rep.over_seeds(layers)
    assert len(long) == 3 * len(layers)
    assert set(long.quantity) == {"probe", "separation", "fuzziness"}


def test_depth_correlation_is_minus_one_for_equal_factors():
    rows = [(s, d, f"layer {d}", 10.0 * 0.5**d) for s in (0, 1) for d in range(4)]
    layers = pd.DataFrame(rows, columns=["seed", "depth", "layer", "fuzziness"])
    output = pd.DataFrame([(0, 4, "output", 1e6)], columns=layers.columns)  # does not count
    np.testing.assert_allclose(rep.depth_correlation(pd.concat([layers, output])), [-1, -1])
    with pytest.raises(ValueError, match="two hidden layers"):
        rep.depth_correlation(layers[layers.depth < 2])
