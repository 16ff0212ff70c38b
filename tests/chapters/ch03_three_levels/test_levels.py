"""Three levels: formulas, stacks of layers, searches and what is made of their trials."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestCentroid

from lightlab import data, train
from lightlab.chapters.ch03_three_levels import closed_form, level_tables, levels, stack
from lightlab.measure import cost
from lightlab.published import loader

DRAWINGS = loader.read_yaml("drawn_digits.yaml")["digits"]


@pytest.fixture(scope="module")
def ds():
    return data.load("digits", seed=3, n_train=150)


@pytest.mark.parametrize("penalty", [0.1, 20.0])
def test_ridge_is_scikit_learns(ds, penalty):
    X, Y = closed_form.points(ds.train), closed_form.one_hot(ds.train)
    peer = Ridge(alpha=penalty).fit(X, Y)
    ours = closed_form.ridge(ds.train, penalty)
    np.testing.assert_allclose(ours.weights, peer.coef_.T, atol=1e-8)
    np.testing.assert_allclose(ours.bias, peer.intercept_, atol=1e-8)


def test_class_means_are_scikit_learns_nearest_centroid(ds):
    with pytest.warns(UserWarning, match="zero standard deviation"):
        peer = NearestCentroid().fit(closed_form.points(ds.train), ds.train.y.numpy())
    X = closed_form.points(ds.test)
    assert (closed_form.class_means(ds.train).scores(X).argmax(1) == peer.predict(X)).all()


def test_walking_downhill_ends_at_the_formula_and_not_below(ds):
    steps = closed_form.ridge_by_gradient(ds.train, 20.0)
    minimum = closed_form.ridge_objective(closed_form.ridge(ds.train, 20.0), ds.train, 20.0)
    assert steps.objective.is_monotonic_decreasing
    assert steps.objective.iloc[-1] == pytest.approx(minimum, rel=1e-9)
    assert steps.objective.min() >= minimum * (1 - 1e-12)
    moved = closed_form.ridge(ds.train, 20.0)
    nudged = closed_form.Linear(moved.weights + 1e-3, moved.bias)
    assert closed_form.ridge_objective(nudged, ds.train, 20.0) > minimum


def test_every_drawing_recognises_itself_and_most_images(ds):
    templates = closed_form.drawn(DRAWINGS, ds)
    assert (templates.scores(templates.weights.T).argmax(1) == np.arange(10)).all()
    np.testing.assert_allclose(np.linalg.norm(templates.weights, axis=0), 1)
    np.testing.assert_allclose(templates.weights.sum(0), 0, atol=1e-12)
    assert templates.accuracy(ds.test) > 0.3  # chance: 0.1
    with pytest.raises(ValueError, match="drawings of shape"):
        closed_form.drawn(DRAWINGS[:9], ds)


def test_as_many_classes_as_there_are_labels():
    x, y = torch.randn(9, 1, 2, 2, generator=torch.Generator().manual_seed(0)), torch.arange(9) % 3
    split = data.Split(x, y, torch.arange(9))
    assert closed_form.one_hot(split).shape == (9, 3)
    for model in (closed_form.class_means(split), closed_form.ridge(split, 1.0)):
        assert model.scores(closed_form.points(split)).shape == (9, 3)
        some = [closed_form.ridge_objective(model, split.take(y == c), 0.0) for c in range(3)]
        assert closed_form.ridge_objective(model, split, 0.0) == pytest.approx(sum(some))
    with pytest.raises(ValueError, match="class 1 has no image"):
        closed_form.class_means(split.take(y != 1))


def test_macs_of_formulas():
    assert closed_form.macs("drawn", 200, 64, 10) == 0
    assert closed_form.macs("class means", 200, 64, 10) == 200 * 64
    assert closed_form.macs("ridge", 100, 2, 1) == 200 + 200 + 1 + 4


def test_stack_builds_what_it_says():
    model = stack.stack("conv3-8 conv5-16 dense-32", (1, 8, 8))
    by_hand = (9 * 8 + 8) + (25 * 8 * 16 + 16) + (16 * 2 * 2 * 32 + 32) + (32 * 10 + 10)
    assert cost.param_count(model) == by_hand
    assert cost.count_macs(model, (1, 8, 8)) == 9 * 8 * 64 + 25 * 8 * 16 * 16 + 64 * 32 + 320
    assert cost.param_count(stack.stack("linear")) == 650
    deep = stack.stack(stack.write(5, 3, 4, 0, 16))  # pooling stops at one pixel
    assert deep(data.load("digits").test.x[:2]).shape == (2, 10)


@pytest.mark.parametrize("text", ["", "dense-0", "conv4-8", "dense-8 conv3-8", "linear dense-8"])
def test_stack_refuses_what_is_no_network(text):
    with pytest.raises(ValueError):  # noqa: PT011  (three messages, all say what to write)
        stack.stack(text)


@given(st.integers(0, 3), st.sampled_from([3, 5]), st.integers(1, 64), st.integers(0, 2))
def test_stack_text_round_trip(convs, kernel, channels, denses):
    text = stack.write(convs, kernel, channels, denses, 16)
    assert stack.parse(text) == [(kernel, channels)] * convs + [(0, 16)] * denses


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5))
@settings(max_examples=30)
def test_best_so_far_is_the_mean_over_all_orders(values):
    orders = np.array(list(itertools.permutations(values)), dtype=float)
    brute = np.maximum.accumulate(orders, axis=1).mean(0)
    np.testing.assert_allclose(level_tables.best_so_far(values, exchangeable=True), brute)
    running = level_tables.best_so_far(values, exchangeable=False)
    assert running.tolist() == list(itertools.accumulate(values, max))


def test_main_effects_of_a_known_design():
    grid = pd.DataFrame(list(itertools.product([0, 1, 2], [0, 1])), columns=["a", "b"])
    grid["y"] = 3.0 * grid.a + 1.0 * grid.b  # variances 9 * 2/3 and 1/4
    shares = level_tables.main_effects(grid, ["a", "b"], "y")
    assert shares == pytest.approx({"a": 6 / 6.25, "b": 0.25 / 6.25})
    crossed = level_tables.main_effects(
        grid.assign(y=(grid.a - 1) * (grid.b - 0.5)), ["a", "b"], "y"
    )
    assert crossed == pytest.approx({"a": 0, "b": 0}, abs=1e-12)
    with pytest.raises(ValueError, match="full grid"):
        level_tables.main_effects(grid.iloc[1:], ["a", "b"], "y")


def test_search_tests_only_what_it_chose_and_counts_its_cost(ds):
    recipe = train.Recipe(epochs=3, batch_size=50)
    tried = [levels.Setting("dense-8", 0.05, 0.0), levels.Setting("linear", 0.05, 0.0)]
    tried.append(levels.Setting("dense-8", 1e30, 0.0))  # diverges
    trials = levels.search({7: ds}, {"hand": lambda _: tried}, recipe)
    assert trials.chosen.sum() == 1
    assert trials.test_accuracy.notna().tolist() == trials.chosen.tolist()
    assert trials.val_accuracy[trials.chosen].item() == trials.val_accuracy.max()
    assert trials.val_accuracy[2] == 0
    assert trials.samples.tolist() == [450] * 3
    assert trials.macs[1] == 450 * 640 * cost.PASSES_PER_TRAINING_STEP
    again = levels.search({7: ds}, {"hand": lambda _: tried}, recipe)
    pd.testing.assert_frame_equal(trials.drop(columns="seconds"), again.drop(columns="seconds"))


def test_solve_parameters_and_summary(ds):
    recipe = train.Recipe(epochs=4, batch_size=50)
    sets = {0: ds, 1: data.load("digits", seed=4, n_train=150)}
    base = levels.Setting("linear", 0.05, 5e-4)
    solved, histories, found = levels.solve_parameters(
        sets, DRAWINGS, 20.0, {"softmax": base}, recipe
    )
    assert (
        solved.groupby("seed").way.apply(list).tolist()
        == [["drawn", "class means", "ridge", "softmax"]] * 2
    )
    softmax = solved[(solved.way == "softmax") & (solved.seed == 0)].iloc[0]
    assert found["softmax"].accuracy(ds.test) == pytest.approx(softmax.test_accuracy)
    trials = levels.search(sets, {"hand": lambda _: [base] * 2}, recipe)
    results = level_tables.results(solved, {2: trials})
    summary = level_tables.summary(results).set_index(["level", "way"])
    assert summary.finder.to_dict() == {
        (1, "drawn"): "hand",
        (1, "class means"): "formula",
        (1, "ridge"): "formula",
        (1, "softmax"): "machine",
        (2, "hand"): "hand",
    }
    assert summary.trainings.tolist() == [0, 0, 0, 1, 2]
    assert summary.macs[(2, "hand")] == 2 * summary.macs[(1, "softmax")]
    difference = level_tables.paired(results, 1, "ridge", "drawn")
    assert difference.mean() == pytest.approx(
        summary["mean"][(1, "ridge")] - summary["mean"][(1, "drawn")]
    )
    curves = level_tables.curves(histories, {2: trials})
    assert curves[curves.level == 1].x.tolist() == [0, 1, 2, 3, 4]
    assert not math.isnan(curves["mean"].sum())
