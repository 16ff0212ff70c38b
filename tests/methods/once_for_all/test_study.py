"""Once-for-All's experiments: equal budgets, pairs by seed, and what is read off them."""

import numpy as np
import pandas as pd
import pytest
import torch

from lightlab import data, deploy, train
from lightlab.chapters.ch10_once_for_all import lesson
from lightlab.methods.once_for_all import phases, predict, rivals, serving, study, subnets
from lightlab.methods.once_for_all.evolve import Evolution
from lightlab.methods.once_for_all.many import shrink_many
from lightlab.space.spaces import like_mobilenet_v3

RECIPE = train.Recipe(4, batch_size=16, lr=0.05)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", n_train=96, n_val=64, n_test=64, resolution=16)


@pytest.fixture(scope="module")
def task(digits):
    space = study.small_space(digits, [16], 2, (3, 5), (2, 4))
    return {"space": space, "images": digits, "recipe": RECIPE}


@pytest.fixture(scope="module")
def begun(task):
    return study.begin(task, 12, [0, 1])


@pytest.fixture(scope="module")
def full(begun):
    return {seed: one.network for seed, one in begun.items()}


def test_the_small_space_is_for_these_images(digits, task):
    space = task["space"]
    assert space.resolutions == (16,)  # 12 is rounded to a multiple of 8
    assert space.depths == ((1, 2),)
    assert space.decode(space.corner()).input_shape == digits.input_shape
    styled = study.small_space(digits, [16], 2, (3, 5), (2, 4), like_v3=True)
    assert styled.skeleton == like_mobilenet_v3(space.skeleton)
    deep = study.small_space(digits, [16], 4, (3,), (2,))
    assert deep.depths == ((2, 3, 4),)


def test_corners_are_eight_and_named(task):
    found = study.corners(task["space"])
    assert next(iter(found)) == "D1 W2 K3"
    assert list(found)[-1] == "D2 W4 K5"
    assert len(set(found.values())) == 8


def test_arms_have_equal_passes_and_one_equal_macs(task, full):
    jobs = study.arms(task, 12, full)
    assert len(jobs) == 7 * 2
    passes = {arm: sum(p.passes for p in jobs[arm, 0]["phases"]) for arm, _ in jobs}
    first = phases.progressive(12)[0].passes
    assert passes[study.PROGRESSIVE] + first == pytest.approx(12)
    assert passes[study.EVEN] == passes[study.PROGRESSIVE]
    assert {p.lr for p in jobs[study.EVEN, 0]["phases"]} == {1.0}
    assert max(p.lr for p in jobs[study.PROGRESSIVE, 0]["phases"]) < 0.4
    assert passes[study.UNIFORM] == passes[study.SANDWICH] == pytest.approx(12)
    even = jobs[study.AS_MUCH, 0]["phases"]
    space, rest = task["space"], phases.progressive(12)[1:]
    spent = phases.expected_macs(space, rest, taught=True)
    assert phases.expected_macs(space, even, taught=True, seed=1) == pytest.approx(spent, rel=0.05)
    assert jobs[study.UNIFORM, 1]["teacher"] is full[1]
    assert jobs[study.UNIFORM + study.PLAIN, 1]["teacher"] is None
    assert jobs[study.PROGRESSIVE, 1]["start"] is full[1]


def test_arms_run_and_what_they_took_is_told(task, begun, full):
    jobs = study.arms(task, 2, full)
    two = {k: jobs[k] for k in jobs if k[0] in (study.PROGRESSIVE, study.SANDWICH)}
    trained = shrink_many(two, workers=1)
    table = study.spent(begun, trained).set_index("arm")
    assert list(table.index) == ["full network, before", study.PROGRESSIVE, study.SANDWICH]
    shrunk = study.seconds(begun, trained, study.PROGRESSIVE)
    both = table.loc[[study.PROGRESSIVE, "full network, before"], "seconds"].sum()
    assert shrunk.mean() == pytest.approx(both)
    alone = study.seconds(begun, trained, study.SANDWICH)
    assert alone.mean() == pytest.approx(table.loc[study.SANDWICH, "seconds"])
    course = study.course(begun[0], trained[study.PROGRESSIVE, 0])
    assert course["passes"].is_monotonic_increasing
    nets = {key: one.network for key, one in trained.items()}
    on = study.on_corners(nets, task["images"])
    assert len(on) == 2 * 2 * 8
    assert on["accuracy"].between(0, 100).all()


def test_gaps_are_paired_by_corner_and_seed():
    rows = [("a", 0, "x", 60), ("a", 0, "y", 70), ("a", 1, "x", 50), ("a", 1, "y", 52),
            ("b", 0, "x", 58), ("b", 0, "y", 69), ("b", 1, "x", 50), ("b", 1, "y", 51)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["arm", "seed", "corner", "accuracy"])
    assert study.mean_gap(table, "a", "b") == pytest.approx([1.5, 0.5])
    assert study.agreement(table, "a", "b") == pytest.approx([1, 1])
    assert study.mean_gap(table[table["seed"] == 0], "a", "b") == pytest.approx([1.5])


def test_the_best_arm_is_of_equal_passes():
    table = pd.DataFrame({"arm": [study.AS_MUCH, "uniform", "sandwich"], "accuracy": [90, 60, 70]})
    assert study.best_arm(table) == "sandwich"


def test_alone_trains_every_corner_for_each_budget(task, full):
    found = study.alone(task, {"short": 1, "long": 6}, {0: full[0]}, workers=1)
    assert len(found) == 2 * 8
    by = found.groupby("arm")[["accuracy", "samples"]].mean()
    assert by.loc["long", "samples"] == 6 * by.loc["short", "samples"]
    assert by.loc["long", "accuracy"] > by.loc["short", "accuracy"]


def test_lessons_about_one_network(task, full):
    images = task["images"]
    values = lesson.kernel_values(full[0])
    assert values.groupby("kernel").size().to_dict() == {3: 9, 5: 25}
    inner = values[(values["kernel"] == 5) & values["row"].between(1, 3)]
    inner = inner[inner["column"].between(1, 3)]["value"]
    small = values[values["kernel"] == 3]["value"]
    assert np.allclose(inner, small)  # the matrices are still the identity
    assert lesson.importance(full[0])["value"].gt(0).all()
    cut = lesson.sorted_or_not(full, images)
    assert set(cut["order"]) == set(lesson.ORDERS)
    assert lesson.sorting_gain(cut).shape == (2,)
    table = lesson.calibrated(full, images)
    assert list(dict.fromkeys(table["images"])) == ["inherited", "0", "96"]
    wide = table.groupby(["seed", "images"])["accuracy"].mean().unstack()
    assert lesson.gain(table) == pytest.approx((wide["96"] - wide["inherited"]).to_numpy())
    some = lesson.calibrated(full, images, 40)
    assert some["images"].iloc[-1] == "40"
    assert (lesson.largest_difference(full[0], 5) < 1e-5).all()


def test_samples_are_distinct_and_independent_of_workers(task, full):
    found = serving.sample(full[0], task["images"], 12)
    assert len({tuple(p) for p in found.points.tolist()}) == 12
    again = subnets.accuracies(
        full[0], found.points.tolist(), task["images"].train.x, task["images"].val
    )
    assert found.accuracy == pytest.approx(again)
    assert found.seconds > 0


def test_calibration_images_are_always_the_same(task, full):
    images, point = task["images"], task["space"].smallest()
    nets = [subnets.specialise(full[0], point, images.train.x, 40) for _ in range(2)]
    assert torch.equal(nets[0].stem.norm.running_mean, nets[1].stem.norm.running_mean)
    kept = subnets.specialise(full[0], point, images.train.x, None)
    assert torch.equal(kept.stem.norm.running_mean, full[0].stem.norm.running_mean)


def test_networks_are_served_examined_and_tuned(task, full):
    space, images = task["space"], task["images"]
    costs = serving.ElasticCosts.macs(space)
    prices = {"here": serving.Priced(costs, 1.0)}
    scores = {seed: lambda points: costs.of(points) / 1e4 for seed in full}
    samples = {s: serving.sample(net, images, 8, s) for s, net in full.items()}
    served = serving.serve(scores, prices, Evolution(generations=2), 3)
    assert len(served) == 2 * 3
    assert (served["predicted_ms"] <= served["target_ms"] * (1 + 1e-9)).all()
    contested = serving.contest(scores, prices, Evolution(generations=2))
    assert len(contested) == 2 * 2
    models = {s: predict.MLP(x.codes(space), x.accuracy, seed=s) for s, x in samples.items()}
    marks = serving.examine(full, models, pd.concat([served, contested]), images, 4)
    assert set(marks["kind"]) == {"chosen", "random"}
    assert serving.curse(marks).shape == (2,)
    assert (marks["spread"] > 0).all()
    assert len(serving.with_accuracy(served, marks)) == len(served)
    excess = marks["predicted"] - marks["accuracy"]
    assert marks["excess"].to_numpy() == pytest.approx(excess.to_numpy())
    tuned = rivals.fine_tuned(full, served, images, RECIPE)
    assert list(tuned["seed"]) == [0, 1]
    assert (tuned["after"] > tuned["before"]).any()
    scaled = rivals.trained(rivals.families(space, [1.0]), images, RECIPE, [0], workers=1)
    assert set(scaled["family"]) == {rivals.MOBILENET_V2, rivals.MOBILENET_V3}
    assert scaled[["validated", "accuracy"]].gt(20).all(axis=None)


def test_a_network_of_one_resolution_needs_no_scaling(digits):
    x = digits.train.x
    assert subnets.at_resolution(x, 16) is x
    assert subnets.at_resolution(x, 8).shape[-2:] == (8, 8)
    flat = torch.ones(2, 1, 16, 16)
    assert torch.allclose(subnets.at_resolution(flat, 12), torch.ones(2, 1, 12, 12))


def test_what_can_be_cut_is_listed(task):
    table = lesson.elastic_layers(task["space"])
    assert table["channels"].tolist() == [16, 32, 32, 64]
    assert table["optional"].tolist() == [False, False, True, True]
    assert set(table["kernels"]) == {"3, 5"}


def test_a_specialised_network_is_delivered_as_a_file(task, full, tmp_path):
    images, point = task["images"], task["space"].smallest()
    network = subnets.specialise(full[0], point, images.train.x)
    path = tmp_path / "specialised.onnx"
    assert subnets.deliver(network, images, path) < 1e-4
    running = deploy.session(path)
    logits = running.run(None, {"input": images.test.x.numpy()})[0]
    with torch.no_grad():
        assert torch.allclose(torch.from_numpy(logits), network(images.test.x), atol=1e-4)
