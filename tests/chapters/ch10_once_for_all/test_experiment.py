"""Once-for-All's experiments: equal budgets, pairs by seed, and what is read off them."""

import numpy as np
import pandas as pd
import pytest

from lightlab.chapters.ch10_once_for_all import experiment
from lightlab.methods import phases, subnets
from lightlab.methods.shrinking import shrink_many
from lightlab.space.once_for_all import like_mobilenet_v3


def test_the_small_space_is_for_these_images_and_what_can_be_cut_is_listed(task):
    space, digits = task["space"], task["images"]
    assert space.resolutions == (16,)  # 12 is rounded to a multiple of 8
    assert space.depths == ((1, 2),)
    styled = experiment.small_space(digits, [16], 2, (3, 5), (2, 4), like_v3=True)
    assert styled.skeleton == like_mobilenet_v3(space.skeleton)
    assert experiment.small_space(digits, [16], 4, (3,), (2,)).depths == ((2, 3, 4),)
    table = experiment.elastic_layers(space)
    assert table["channels"].tolist() == [16, 32, 32, 64]
    assert table["optional"].tolist() == [False, False, True, True]


def test_kernels_nest_and_importance_is_sorted(task, full):
    values = experiment.kernel_values(full[0])
    assert values.groupby("kernel").size().to_dict() == {3: 9, 5: 25}
    inner = values[(values[["row", "column"]].isin([1, 2, 3])).all(axis=1)]
    inner = inner[inner["kernel"] == 5]["value"]
    small = values[values["kernel"] == 3]["value"]
    assert np.allclose(inner, small)  # the matrices are still the identity
    by = experiment.importance(full[0], 0).groupby("order")["value"]
    assert by.get_group(experiment.SORTED).is_monotonic_decreasing
    assert (experiment.largest_difference(full[0], 5) < 1e-5).all()
    _, means = experiment.sort_or_not(full, task["images"])
    assert dict(zip(means["order"], means["n"], strict=True)) == dict.fromkeys(experiment.ORDERS, 2)


def test_corners_are_calibrated_on_more_and_more_images(task, full):
    images, space = task["images"], task["space"]
    table = experiment.calibrate(full, images)
    assert table["seed"].is_monotonic_increasing
    assert list(dict.fromkeys(table["images"])) == ["inherited", "0", "96"]
    corners = list(subnets.corners(space).values())
    new = subnets.accuracies(full[1], corners, images.train.x, images.val, 0)
    there = table[(table["seed"] == 1) & (table["images"] == "0")]
    assert there["accuracy"].tolist() == pytest.approx(new)


def test_arms_have_equal_passes_and_one_equal_macs(task, full):
    jobs = experiment.arms(task, 12, full)
    assert len(jobs) == 7 * 2
    passes = {arm: sum(p.passes for p in jobs[arm, 0]["phases"]) for arm, _ in jobs}
    first, *rest = phases.progressive(12)
    assert passes[experiment.PROGRESSIVE] + first.passes == pytest.approx(12)
    assert passes[experiment.EVEN] == passes[experiment.PROGRESSIVE]
    assert {p.lr for p in jobs[experiment.EVEN, 0]["phases"]} == {1.0}
    assert max(p.lr for p in jobs[experiment.PROGRESSIVE, 0]["phases"]) < 0.4
    assert passes[experiment.UNIFORM] == passes[experiment.SANDWICH] == pytest.approx(12)
    even, space = jobs[experiment.AS_MUCH, 0]["phases"], task["space"]
    spent = phases.expected_macs(space, rest, taught=True)
    assert phases.expected_macs(space, even, taught=True, n=1500) == pytest.approx(spent, rel=0.05)
    assert jobs[experiment.UNIFORM, 1]["teacher"] is full[1]
    assert jobs[experiment.UNIFORM + experiment.PLAIN, 1]["teacher"] is None
    assert jobs[experiment.PROGRESSIVE, 1]["start"] is full[1]


def test_arms_run_and_what_they_took_is_told(task, begun, full):
    jobs = experiment.arms(task, 2, full)
    two = {k: jobs[k] for k in jobs if k[0] in (experiment.PROGRESSIVE, experiment.SANDWICH)}
    trained = shrink_many(two, workers=1)
    table = experiment.spent(begun, trained).set_index("arm")
    before, shrunk, alone = table["seconds"]
    for arm, took in ((experiment.PROGRESSIVE, shrunk + before), (experiment.SANDWICH, alone)):
        assert experiment.seconds(begun, trained, arm).mean() == pytest.approx(took)


def test_the_best_arm_is_of_equal_passes(task, monkeypatch):
    accuracy = {experiment.AS_MUCH: 90, "uniform": 60, "sandwich": 70}

    def told(networks, *_):
        rows = [(arm, accuracy[arm]) for arm, _ in networks]
        return pd.DataFrame(rows, columns=["arm", "accuracy"])

    monkeypatch.setattr(subnets, "evaluate_corners", told)
    trained = {(arm, 0): pd.Series({"network": None}) for arm in accuracy}
    best, corners = experiment.compare_arms(trained, task["images"])
    assert best == "sandwich"
    assert len(corners) == 3


def test_gaps_are_paired_by_corner_and_seed():
    cells = pd.MultiIndex.from_product(
        [["a", "b"], [0, 1], ["x", "y"]], names=["arm", "seed", "corner"]
    )
    accuracy = pd.Series([60, 70, 50, 52, 58, 69, 50, 51], cells, name="accuracy")
    table = accuracy.reset_index()
    assert experiment.corner_gap(table, "a", "b").tolist() == pytest.approx([1.5, 0.5])
    assert experiment.agreement(table, "a", "b") == pytest.approx([1, 1])


def test_alone_trains_every_corner_for_each_budget(task, full):
    found = experiment.alone(task, {"short": 1, "long": 6}, {0: full[0]}, workers=1)
    assert len(found) == 2 * 8
    by = found.groupby("arm")[["accuracy", "samples"]].mean()
    assert by.loc["long", "samples"] == 6 * by.loc["short", "samples"]
    assert by.loc["long", "accuracy"] > by.loc["short", "accuracy"]
