"""Compression's experiments: arms begin alike, searches share their first points, fronts meet."""

import numpy as np
import pandas as pd
import pytest

from lightlab import train
from lightlab.chapters.ch11_compression import experiment, search
from lightlab.chapters.ch11_compression.search import Cutter


def test_nothing_taken_no_criterion_matters(compressors):
    found = experiment.criteria(compressors)
    whole = found[found["keep"] == 1]
    assert whole.groupby("seed")["accuracy"].nunique().eq(1).all()


def test_no_arm_begins_with_what_another_one_left(compressors, recipe):
    arms = experiment.arms(compressors, 0.5, recipe, workers=1, progress=False)
    assert arms.groupby("arm")["samples"].first().to_dict() == {
        experiment.TAUGHT: 96, experiment.LABELS: 96, experiment.SHORT: 96,
        experiment.LONG: 96 * 4,
    }  # fmt: skip
    wide = arms.pivot(index="seed", columns="arm", values="accuracy")
    for seed, one in compressors.items():
        alone = one.network(one.space.evenly(0.5), seed)
        accuracy = 100 * train.evaluate(alone, one.images.test)["accuracy"]
        assert wide.loc[seed, experiment.LABELS] == accuracy


HOW = {"n_trials": 5, "n_initial": 3, "chance": 0.0}


def test_searches_share_their_first_points_which_are_evaluated_once(made_up, tmp_path):
    jobs, kept = dict.fromkeys((0, 1), made_up), tmp_path / "kept"
    table = experiment.contest(jobs, kept=kept, **HOW)
    assert table.groupby(["method", "seed"])["samples"].sum().eq(50).all()
    first = table[(table["trial"] <= 3) & (table["method"] != search.UNIFORM)]
    assert first.groupby(["seed", "trial"])["point"].nunique().eq(1).all()
    for seed, shared in first.groupby("seed")["point"]:
        points = (tmp_path / f"{seed}.txt").read_text().splitlines()
        assert 3 + 3 * 2 <= len(points) <= 3 + 3 * 2 + 5
        assert [points.count(text) for text in shared.map(str).unique()] == [1] * 3
    again = experiment.contest(jobs, kept=kept, **HOW)
    pd.testing.assert_frame_equal(again, table)
    assert len((tmp_path / "1.txt").read_text().splitlines()) == len(points)
    ends = table[table["trial"] == 5].set_index(["method", "seed"])["hypervolume"]
    wanted = [ends[search.BO, seed] - ends[search.RANDOM, seed] for seed in (0, 1)]
    assert experiment.ahead(table)["qLogNEHVI − random search"].tolist() == pytest.approx(wanted)


@pytest.fixture(scope="module")
def supernets(compressors, recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("supernets")
    return experiment.supernets({0: compressors[0]}, (2, 3), recipe, 4, folder)


def test_the_supernet_is_of_the_network_that_is_compressed(supernets, space, compressors):
    full, shrunk = (part[0] for part in supernets)
    assert shrunk.network.arch == space.trained
    cutter = Cutter(shrunk.network, compressors[0].images, compressors[0].reference)
    worth = cutter((0, *shrunk.network.space.corner()))
    assert worth.samples == 0
    assert worth.size < 1
    assert cutter.space.size() == 2 * shrunk.network.space.size()
    passes = [one.history["passes"].iloc[-1] for one in (full, shrunk)]
    assert experiment.passes_of(*supernets) == sum(passes)


def test_sides_cost_what_their_trainings_saw(supernets, compressors, recipe, tmp_path):
    one, how = {0: compressors[0]}, {"n_trials": 2, "n_initial": 2, "chance": 10.0}
    trials = experiment.contest(one, [search.EVOLUTION], **how)
    found = experiment.sides(one, trials, recipe, supernets, tmp_path, **how)
    passed = experiment.passes_of(*supernets)
    assert found.groupby("side")["spent"].apply(list).to_dict() == {
        experiment.COMPRESS: [96 * 4, 96 * 5],
        experiment.SCRATCH: [96 * 4, 96 * 8],
        experiment.SUPERNET: [passed] * 2,
    }


def test_corners_are_cut_trained_and_shrunk(supernets, digits, recipe):
    ways = experiment.ways(*supernets, digits, recipe, workers=1, progress=False)
    names = (experiment.CUT, experiment.EACH, experiment.ONCE)
    assert ways.groupby("way").size().to_dict() == dict.fromkeys(names, 8)


def test_fronts_count_what_was_spent_before():
    rows = {"seed": [0, 0, 1], "samples": 5, "accuracy": [50.0, 60, 70], "tested": 1.0,
            "latency": [1.0, 2, 0.5], "size": 1.0, "hypervolume": 0.1, "point": None}  # fmt: skip
    found = experiment.fronts({"side": pd.DataFrame(rows)}, {"side": 100})
    assert found["spent"].tolist() == [105, 110, 105]
    assert found["front"].tolist() == [False, False, True]


def test_fronts_meet_where_another_side_leads():
    rows = [("a", 0.2, 50, 48), ("b", 0.3, 55, 60), ("b", 0.4, 60, 61), ("a", 0.5, 58, 57),
            ("a", 0.8, 70, 66)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["side", "latency", "accuracy", "tested"])
    found = experiment.leading(table.assign(front=True))
    assert found["side"].tolist() == ["a", "b", "a"]
    times = [[20, 30], [30, 80], [80, np.nan]]
    assert found[["from_time", "to_time"]].to_numpy() == pytest.approx(np.array(times), nan_ok=True)
    assert found["tested"].tolist() == [48, 61, 66]
    behind = experiment.leading(table.assign(front=table["side"] == "a"))
    assert behind["side"].tolist() == ["a"]
