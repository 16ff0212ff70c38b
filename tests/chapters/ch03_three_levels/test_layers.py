"""Stacks of layers: the text they come from, and their images as points."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

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
    assert deep(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


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
    widths = {layer: v.shape[1] for layer, v in points.items()}
    assert widths == {"input": 64, "layer 1": 4 * 64, "layer 2": 16, "output": 10}
    assert_allclose(points["output"], train.logits(model, ds.test.take(slice(20))), atol=1e-5)
    weight, bias = (p.detach().numpy() for p in model[-1].parameters())
    assert_allclose(points["output"], points["layer 2"] @ weight.T + bias, atol=1e-5)
    assert (points["layer 2"] >= 0).all()


def test_watch_sees_the_network_before_and_after(ds):
    recipe = train.Recipe(epochs=3, batch_size=50, lr=0.05)
    kept = layers.watch("dense-32", ds, recipe, [0, 3], seed=5)
    model = layers.stack("dense-32", seed=5)
    before = layers.activations(model, ds.test.x)
    train.fit(model, ds.train, recipe, seed=5)
    after = layers.activations(model, ds.test.x)
    assert list(kept) == [0, 3]
    assert_allclose(kept[0][1]["output"], before["output"], rtol=0)
    assert_allclose(kept[3][1]["output"], after["output"], atol=1e-6)
    with pytest.raises(ValueError, match="epochs have to lie"):
        layers.watch("dense-32", ds, recipe, [4], seed=5)


def test_measures_of_classes_do_not_depend_on_the_unit_or_the_axes():
    # two classes at -3 and 3, each with spread 1: between 9, within 1
    points, y = np.array([[2.0], [4.0], [-2.0], [-4.0]]), torch.tensor([0, 0, 1, 1])
    assert layers.separation(points, y) == pytest.approx(9.0)
    assert layers.fuzziness(points, y) == pytest.approx(1 / 9)
    rng = np.random.default_rng(1)
    y = torch.from_numpy(np.repeat(np.arange(10), 30))
    points = rng.normal(size=(300, 12)) + 3 * rng.normal(size=(10, 12))[y.numpy()]
    between, within = layers.scatter(points, y)
    assert_allclose(between + within, np.cov(points.T, bias=True), atol=1e-12)
    turn = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    for other in (7 * points @ turn + 3, np.hstack([points, np.zeros((300, 3))])):
        assert layers.fuzziness(other, y) == pytest.approx(layers.fuzziness(points, y))
        assert layers.separation(other, y) == pytest.approx(layers.separation(points, y))


@pytest.mark.parametrize(("apart", "low", "high"), [(5, 0.95, 1), (0, 0, 0.3)])
def test_probe_reads_separable_points_and_not_noise(apart, low, high):
    y = torch.from_numpy(np.tile(np.arange(10), 30))
    points = apart * np.eye(10)[y.numpy()] + np.random.default_rng(2).normal(size=(300, 10))
    assert low < layers.probe(points[:200], y[:200], points[200:], y[200:]) <= high


def test_clouds_keep_one_plane_per_layer():
    last = np.random.default_rng(3).normal(size=(50, 4)) * [9, 5, 1, 1]
    watched = {0: ({}, {"input": last / 2}), 5: ({}, {"input": last})}
    test = data.Split(torch.zeros(50, 1, 2, 2), torch.arange(50) % 10, torch.arange(50))
    first, then = (cloud for _, cloud in layers.clouds(watched, test, 20).groupby("epoch"))
    # same axes: half stays half
    assert_allclose(np.ptp(then[["x", "y"]], axis=0), 2 * np.ptp(first[["x", "y"]], axis=0))
    assert first.digit.tolist() == then.digit.tolist() == [i % 10 for i in range(20)]


def test_training_pulls_classes_apart(ds):
    recipe = train.Recipe(epochs=8, batch_size=50, lr=0.05)
    kept = layers.watch("dense-32 dense-32", ds, recipe, [0, 8], seed=0)
    found = layers.by_layer({0: kept}, {0: ds})
    before, after = (rows.set_index("layer").loc["layer 2"] for _, rows in found.groupby("epoch"))
    assert after.separation > 2 * before.separation
    assert after.fuzziness < before.fuzziness
    assert after.probe > before.probe
    counts = layers.over_seeds(found).quantity.value_counts()
    assert counts.to_dict() == dict.fromkeys(("probe", "separation", "fuzziness"), len(found))


def test_depth_correlation_is_minus_one_for_equal_factors():
    rows = [(s, d, f"layer {d}", 10.0 * 0.5**d) for s in (0, 1) for d in range(4)]
    rows.append((0, 4, "output", 1e6))  # does not count
    found = pd.DataFrame(rows, columns=["seed", "depth", "layer", "fuzziness"])
    assert_allclose(layers.depth_correlation(found), [-1, -1])
    with pytest.raises(ValueError, match="two hidden layers"):
        layers.depth_correlation(found[found.depth < 2])
