"""Predictors learn, networks are chosen, compared with designs, and priced."""

import numpy as np
import pandas as pd
import pytest

from lightlab.chapters.ch10_once_for_all import specialisation
from lightlab.methods import baselines
from lightlab.methods.price import Price
from lightlab.methods.subnets import Samples
from lightlab.space.once_for_all import OFA_MOBILENET_V3, OfaSpace

SPACE = OfaSpace(OFA_MOBILENET_V3, resolutions=(160, 192, 224))
MACS = Price.macs(SPACE)


def test_perceptrons_learn_what_macs_do_not_tell():
    points = np.array(SPACE.sample(np.random.default_rng(0), 300))
    accuracy = 70 + 4 * np.log(MACS.of(points) / 3e8) + 2 * (points[:, 2] == 1)
    accuracy += 0.1 * np.random.default_rng(0).normal(size=300)
    known = Samples(points, accuracy, MACS.of(points), 0.0)
    curve = specialisation.learning_curve(SPACE, known, 0)
    assert sorted(curve["n"].unique()) == [60, 120, 240]
    assert len(curve) == 3 * 3 * 3
    rmse = curve.groupby(["model", "n"])["rmse"].mean()
    assert rmse["perceptrons", 240] < rmse["perceptrons", 60]
    assert rmse["perceptrons", 240] < 0.6 * rmse["MACs only", 240]
    assert rmse["linear", 240] < 0.6 * rmse["MACs only", 240]
    assert curve.groupby("model")["tau"].mean()["perceptrons"] > 0.5


def test_targets_lie_between_the_ends():
    found = specialisation.targets(MACS, 4)
    least, most = MACS.of([SPACE.smallest(), SPACE.corner()])
    assert found[-1] == pytest.approx(most)
    assert np.diff(np.log(found)) == pytest.approx(np.log(most / least) / 4)
    assert found[0] > least


def test_networks_are_served_examined_and_tuned(task, full):
    space, images, recipe = task["space"], task["images"], task["recipe"]
    prices = {"here": Price.macs(space)}
    by_macs = {seed: lambda _, macs: macs / 1e4 for seed in full}
    served = specialisation.specialise(by_macs, prices, 2)
    assert len(served) == 2 * 5
    assert (served["predicted_ms"] <= served["target_ms"] * (1 + 1e-9)).all()
    contested = specialisation.contest(by_macs, prices, 2)
    assert contested["calls"].tolist() == [300] * 2 * 2
    _, models = specialisation.learn(full, images, 8)
    marks = specialisation.examine(full, models, pd.concat([served, contested]), images)
    assert marks.groupby(["seed", "kind"]).size().loc[:, "random"].tolist() == [20, 20]
    assert set(served["point"]) <= set(marks.loc[marks["kind"] == "chosen", "point"])
    assert (marks["spread"] > 0).all()
    tuned = specialisation.fine_tune(full, served, images, recipe)
    assert list(tuned["seed"]) == [0, 1]
    assert (tuned["after"] > tuned["before"]).any()


def test_designs_of_all_sizes_are_trained_and_timed(task, monkeypatch, plan):
    monkeypatch.setattr(specialisation, "PLAN", plan)
    parts = (task["space"], [1.0], task["images"], task["recipe"], [0])
    found = specialisation.train_designs(*parts, workers=1)
    assert found["family"].tolist() == [baselines.MOBILENET_V2, baselines.MOBILENET_V3]
    assert found[["validated", "accuracy"]].gt(20).all(axis=None)
    timed = specialisation.measure([*found["arch"], *found["arch"]], ["onnxruntime/1/1"])
    assert timed["arch"].tolist() == found["arch"].tolist()


def front(**columns):
    return pd.DataFrame({"latency_ms": [4.0, 1.0], "validated": [79.0, 61.0],
                         "accuracy": [80.0, 60.0]} | columns)  # fmt: skip


@pytest.mark.parametrize(("ms", "accuracy"), [(2.0, 70), (4.0, 80), (9.0, 80), (0.9, np.nan)])
def test_accuracy_at_a_latency_lies_between_neighbours(ms, accuracy):
    """Of the slowest beyond it, which need not be slower; none is as fast as the last."""
    assert specialisation.at_latency(front(), ms) == pytest.approx(accuracy, nan_ok=True)
    # only networks that are best for their latency count
    rows = pd.DataFrame({"latency_ms": [1.0, 2, 4, 2], "validated": [60.0, 50, 80, 55]})
    rows["accuracy"] = [61.0, 99, 79, 9]
    assert specialisation.at_latency(rows, 2.0) == pytest.approx(70)


def test_gaps_are_taken_in_the_same_setting_and_seed():
    fronts = front(seed=0), front(seed=1, accuracy=[60.0, 50.0])
    there = pd.concat(fronts).assign(family="A", setting="s")
    served = pd.DataFrame({"seed": [0, 1, 1], "setting": ["s", "s", "t"]})
    served = served.assign(latency_ms=2.0, accuracy=75.0)
    rows = specialisation.against(served, there)
    assert dict(zip(rows["seed"], rows["gap"], strict=True)) == pytest.approx({0: 5, 1: 20})
    assert specialisation.against(served.assign(latency_ms=0.5), there).empty


def test_tables_are_judged_by_what_was_measured():
    served = pd.DataFrame(
        {"setting": "s", "target_ms": 2.0, "predicted_ms": [1.0, 2.0, 1.5, 1.9],
         "latency_ms": [2.0, 4.0, 1.5, 2.0]}
    )  # fmt: skip
    (row,) = specialisation.trust(served).itertuples(index=False)
    assert tuple(row)[:4] == ("s", pytest.approx(0.725), 0.5, 1.0)
    assert row[-1] == 0.75


def test_crossovers_follow_from_the_costs():
    costs = specialisation.cost_table(100, 5, tuning=10, alone=15, mnasnet=100, proxyless=10)
    fixed = np.array([90.0, 110.0])
    table = specialisation.crossovers(costs, fixed, 15, share=1.0)
    assert table["mean"].tolist() == pytest.approx([5, 100 / 8.75, 10, np.inf])
    assert table["training"].tolist() == [1, 0.25, 1, 0.25]
    assert table["published"].dropna().tolist() == pytest.approx([2.48, 2.92], abs=0.005)
    longer = specialisation.crossovers(costs, fixed, 15, share=1 / 8)
    assert longer["training"].tolist() == [0.125, 0.25] * 2
    assert longer["mean"].tolist()[:2] == pytest.approx([5, 100 / 35])  # 10 + 30 − 5 each
    total = specialisation.total_costs(costs, [1, 10]).set_index(["method", "n"])["total"]
    assert total[specialisation.OURS, 10] == 150
    assert total[specialisation.PROXYLESS, 10] == 250
