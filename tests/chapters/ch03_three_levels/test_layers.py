"""Stacks of layers: the text they come from, and their images as points."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lightlab import data, train
from lightlab.chapters.ch03_three_levels import layers
from lightlab.measure import cost


@pytest.fixture(scope="module")
def ds():
    return data.load("digits", seed=1, n_train=300, n_val=0)


def test_stack_builds_what_it_says():
    model = layers.stack("conv3-8 conv5-16 dense-32", (1, 8, 8))
    by_hand = (9 * 8 + 8) + (25 * 8 * 16 + 16) + (16 * 2 * 2 * 32 + 32) + (32 * 10 + 10)
    assert cost.param_count(model) == by_hand
    assert cost.count_macs(model, (1, 8, 8)) == 9 * 8 * 64 + 25 * 8 * 16 * 16 + 64 * 32 + 320
    assert cost.param_count(layers.stack("linear")) == 650
    deep = layers.stack(layers.write(5, 3, 4, 0, 16))  # pooling stops at one pixel
    assert deep(data.load("digits").test.x[:2]).shape == (2, 10)


@pytest.mark.parametrize("text", ["", "dense-0", "conv4-8", "dense-8 conv3-8", "linear dense-8"])
def test_stack_refuses_what_is_no_network(text):
    with pytest.raises(ValueError):  # noqa: PT011  (three messages, all say what to write)
        layers.stack(text)


@given(st.integers(0, 3), st.sampled_from([3, 5]), st.integers(1, 64), st.integers(0, 2))
def test_stack_text_round_trip(convs, kernel, channels, denses):
    text = layers.write(convs, kernel, channels, denses, 16)
    assert layers.parse(text) == [(kernel, channels)] * convs + [(0, 16)] * denses


def test_activations_are_the_network_step_by_step(ds):
    model = layers.stack("conv3-4 dense-16", seed=2)
    points = layers.activations(model, ds.test.x[:20])
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
    kept = layers.watch("dense-32", ds, recipe, [0, 3], seed=5)
    before = layers.activations(layers.stack("dense-32", seed=5), ds.test.x)
    trained = layers.stack("dense-32", seed=5)
    train.fit(trained, ds.train, recipe, seed=5)
    after = layers.activations(trained, ds.test.x)
    assert list(kept) == [0, 3]
    np.testing.assert_array_equal(kept[0][1]["output"], before["output"])
    np.testing.assert_allclose(kept[3][1]["output"], after["output"], atol=1e-6)
    with pytest.raises(ValueError, match="epochs have to lie"):
        layers.watch("dense-32", ds, recipe, [4], seed=5)


def test_scatter_splits_the_covariance():
    rng = np.random.default_rng(0)
    points, y = rng.normal(size=(200, 5)), torch.from_numpy(rng.integers(0, 10, 200))
    between, within = layers.scatter(points, y)
    np.testing.assert_allclose(between + within, np.cov(points.T, bias=True), atol=1e-12)


def test_separation_and_fuzziness_in_one_dimension():
    # two classes at -a and a, each with spread 1: between a^2, within 1
    points = np.array([[2.0], [4.0], [-2.0], [-4.0]])
    y = torch.tensor([0, 0, 1, 1])
    assert layers.separation(points, y) == pytest.approx(9.0)
    assert layers.fuzziness(points, y) == pytest.approx(1 / 9)


def test_fuzziness_does_not_depend_on_the_unit_or_the_axes():
    rng = np.random.default_rng(1)
    y = torch.from_numpy(np.repeat(np.arange(10), 30))
    points = rng.normal(size=(300, 12)) + 3 * rng.normal(size=(10, 12))[y.numpy()]
    turn = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    assert layers.fuzziness(7 * points @ turn + 3, y) == pytest.approx(layers.fuzziness(points, y))
    assert layers.separation(7 * points @ turn + 3, y) == pytest.approx(
        layers.separation(points, y)
    )
    assert layers.fuzziness(np.hstack([points, np.zeros((300, 3))]), y) == pytest.approx(
        layers.fuzziness(points, y)
    )


def test_probe_reads_separable_points_and_not_noise():
    rng = np.random.default_rng(2)
    y = torch.from_numpy(np.tile(np.arange(10), 30))
    apart = 5 * np.eye(10)[y.numpy()] + rng.normal(size=(300, 10))
    noise = rng.normal(size=(300, 10))
    assert layers.probe(apart[:200], y[:200], apart[200:], y[200:]) > 0.95
    assert layers.probe(noise[:200], y[:200], noise[200:], y[200:]) < 0.3


def test_clouds_keep_one_plane_per_layer():
    rng = np.random.default_rng(3)
    last = {"input": rng.normal(size=(50, 4)) * [9, 5, 1, 1]}
    first = {"input": last["input"] / 2}
    test = data.Split(torch.zeros(50, 1, 2, 2), torch.arange(50) % 10, torch.arange(50))
    drawn = layers.clouds({0: ({}, first), 5: ({}, last)}, test, 20)
    assert drawn.groupby("epoch").size().to_dict() == {0: 20, 5: 20}
    spread = drawn.groupby("epoch")[["x", "y"]].agg(np.ptp)
    np.testing.assert_allclose(spread.loc[5], 2 * spread.loc[0])  # same axes: half stays half
    centre = drawn[drawn.epoch == 5].digit.to_numpy()
    assert (centre == np.arange(20) % 10).all()


def test_training_pulls_classes_apart(ds):
    recipe = train.Recipe(epochs=8, batch_size=50, lr=0.05)
    kept = layers.watch("dense-32 dense-32", ds, recipe, [0, 8], seed=0)
    found = layers.by_layer({0: kept}, {0: ds})
    deep = found[found.layer == "layer 2"].set_index("epoch")
    assert deep.separation[8] > 2 * deep.separation[0]
    assert deep.fuzziness[8] < deep.fuzziness[0]
    assert deep.probe[8] > deep.probe[0]
    long = layers.over_seeds(found)
    assert len(long) == 3 * len(found)
    assert set(long.quantity) == {"probe", "separation", "fuzziness"}


def test_depth_correlation_is_minus_one_for_equal_factors():
    rows = [(s, d, f"layer {d}", 10.0 * 0.5**d) for s in (0, 1) for d in range(4)]
    found = pd.DataFrame(rows, columns=["seed", "depth", "layer", "fuzziness"])
    output = pd.DataFrame([(0, 4, "output", 1e6)], columns=found.columns)  # does not count
    np.testing.assert_allclose(layers.depth_correlation(pd.concat([found, output])), [-1, -1])
    with pytest.raises(ValueError, match="two hidden layers"):
        layers.depth_correlation(found[found.depth < 2])
