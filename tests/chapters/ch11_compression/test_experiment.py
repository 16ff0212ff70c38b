"""Compression's experiments: files are what they are measured as, searches cost alike."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lightlab import data, deploy, train
from lightlab.chapters.ch11_compression import campaign, evaluate, lesson, sides
from lightlab.chapters.ch11_compression.evaluate import Worth
from lightlab.chapters.ch11_compression.space import CompressionSpace
from lightlab.search import pareto
from lightlab.space.spaces import Skeleton

RECIPE = train.Recipe(3, batch_size=16, lr=0.05)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", n_train=96, n_val=64, n_test=64, resolution=16)


@pytest.fixture(scope="module")
def space(digits):
    C, H, _ = digits.input_shape
    frame = Skeleton.small(H, C, 10, [16, 32], layers=2, widths=(1,))
    return CompressionSpace(frame, 3, (0.5, 1.0), resolutions=(8, 16))


@pytest.fixture(scope="module")
def compressors(space, digits):
    nets = sides.trained(space, digits, RECIPE, [0, 1], workers=1)
    short = replace(RECIPE, epochs=1)
    return {s: evaluate.Compressor(space, net, digits, short) for s, net in nets.items()}


def test_a_compressed_network_is_worth_what_its_file_is(compressors, space, digits, tmp_path):
    one = compressors[0]
    point = space.point(space.options(space.largest()) | {"1.keep": 0.5, "resolution": 8})
    worth = one(point, 0)
    net, samples = one.network(space.decode(point), 0)
    assert (worth.samples, samples) == (96, 96)
    sides.deliver(net, space.decode(point), digits, tmp_path / "a.onnx")
    predictor = deploy.Predictor(tmp_path / "a.onnx")
    assert predictor.facts.input_shape == (1, 8, 8)
    scaled = evaluate.subnets.split_at(digits.val, 8)
    assert worth.accuracy == pytest.approx(100 * train.evaluate(net, scaled)["accuracy"])
    assert 0 < worth.size < 1


def test_eight_bits_make_a_smaller_file(compressors, space, digits, tmp_path):
    one, form = compressors[0], space.decode(space.largest())
    small = lesson.integers({0: one}).set_index("bits")
    assert small.loc[32, "size"] == 1
    assert small.loc[8, "size"] < 0.8
    sides.deliver(one.trained, replace(form, bits=8), digits, tmp_path / "b.onnx")
    sides.deliver(one.trained, form, digits, tmp_path / "c.onnx")
    assert (tmp_path / "b.onnx").stat().st_size < 0.9 * (tmp_path / "c.onnx").stat().st_size
    assert lesson.times_smaller(small.reset_index()) == pytest.approx([1 / small.loc[8, "size"]])


def test_from_scratch_a_candidate_is_trained_as_long_as_both(compressors, space):
    scratch = sides.from_scratch(compressors, RECIPE)[0]
    _, samples = scratch.network(space.decode(space.largest()), 0)
    assert samples == 96 * 4
    assert not scratch.taught


def test_criteria_and_arms(compressors):
    found = lesson.criteria(compressors)
    whole = found[found["keep"] == 1]
    assert whole.groupby("seed")["accuracy"].nunique().eq(1).all()  # nothing is taken
    assert len(lesson.criterion_gain(found, "l1", "random")) == 2
    arms = lesson.arms(compressors, 0.5, RECIPE, workers=1, progress=False)
    assert arms.groupby("arm")["samples"].first().to_dict() == {
        lesson.TAUGHT: 96, lesson.LABELS: 96, lesson.SHORT: 96, lesson.LONG: 96 * 4
    }  # fmt: skip
    wide = arms.pivot(index="seed", columns="arm", values="accuracy")
    for seed, one in compressors.items():  # no arm begins with what another one left
        alone = one.pruned(lesson.evenly(one.space, 0.5), seed)
        train.fit(alone, one.images.train, one.recipe, seed=seed, progress=False)
        accuracy = 100 * train.evaluate(alone, one.images.test)["accuracy"]
        assert wide.loc[seed, lesson.LABELS] == accuracy
    gaps = lesson.gaps(arms)
    assert gaps["taught − labels only"] == pytest.approx(wide[lesson.TAUGHT] - wide[lesson.LABELS])


class Known:
    """A made-up worth of every point: accurate, slow and large grow with the options taken."""

    def __init__(self, space):
        self.space = space

    def __call__(self, point, seed):  # noqa: ARG002
        share = np.mean(
            [i / max(1, n - 1) for i, n in zip(point, self.space.n_options, strict=True)]
        )
        return Worth(100 * share, 0.0, share**2, share, samples=10, seconds=0.1)


@pytest.mark.parametrize("method", campaign.METHODS)
def test_every_search_tries_as_many_and_counts_its_volume(space, method):
    table = campaign.campaign(method, space, Known(space), 3, 6, 3, chance=0.0)
    assert table["trial"].tolist() == list(range(1, 7))
    assert table["point"].nunique() == 6
    assert table["hypervolume"].is_monotonic_increasing
    values = [campaign.goodness(Worth(*row), 0.0) for row in
              table[["accuracy", "tested", "latency", "size"]].itertuples(index=False)]  # fmt: skip
    assert table["hypervolume"].iloc[-1] == pytest.approx(campaign.volume(values))


def test_searches_begin_alike(space):
    jobs = {s: Known(space) for s in (0, 1)}
    table = campaign.contest(space, jobs, campaign.METHODS, 0, n_trials=4, n_initial=3, chance=0.0)
    first = table[(table["trial"] <= 3) & (table["method"] != campaign.UNIFORM)]
    assert first.groupby(["seed", "trial"])["point"].nunique().eq(1).all()
    assert table.groupby(["method", "seed"])["samples"].sum().eq(40).all()
    ends = table[table["trial"] == 4].set_index(["method", "seed"])["hypervolume"]
    wanted = [ends[campaign.BO, seed] - ends[campaign.RANDOM, seed] for seed in (0, 1)]
    assert campaign.gain(table, campaign.BO, campaign.RANDOM) == pytest.approx(wanted)


def test_what_searches_share_is_evaluated_once(space, tmp_path):
    class Noted(Known):
        def __call__(self, point, seed):
            with open(tmp_path / f"{seed}.txt", "a") as noted:
                noted.write(f"{point}\n")
            return super().__call__(point, seed)

    jobs, kept = {s: Noted(space) for s in (0, 1)}, tmp_path / "kept"
    methods = (campaign.RANDOM, campaign.EVOLUTION, campaign.UNIFORM)
    how = {"n_trials": 5, "n_initial": 3, "chance": 0.0}
    table = campaign.contest(space, jobs, methods, 0, kept=kept, **how)
    assert len(table) == 2 * 3 * 5
    for seed in (0, 1):
        points = (tmp_path / f"{seed}.txt").read_text().splitlines()
        assert 3 + 2 * 2 <= len(points) <= 3 + 2 * 2 + 5
        first = table[(table["seed"] == seed) & (table["trial"] <= 3)]
        shared = first[first["method"] != campaign.UNIFORM]["point"].map(str)
        assert [points.count(text) for text in shared.unique()] == [1] * 3
    again = campaign.contest(space, jobs, methods, 0, kept=kept, **how)
    pd.testing.assert_frame_equal(again, table)
    assert len((tmp_path / "1.txt").read_text().splitlines()) == len(points)


def test_an_unknown_search_is_refused(space):
    with pytest.raises(KeyError, match="no method 'grid'"):
        campaign.searcher("grid", space, 0, 2)


def test_uniform_pruning_ends_with_its_points(space):
    search = campaign.UniformPruning(space, 0)
    assert len(search.ask(10**6)) == len(space.uniform())
    assert search.ask(1) == []


@pytest.fixture(scope="module")
def supernets(space, digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("supernets")
    return sides.supernets(space, (2, 3), digits, RECIPE, [0], 4, folder)


def test_the_supernet_is_of_the_network_that_is_compressed(supernets, space, compressors):
    full, shrunk = supernets
    assert shrunk[0].network.arch == space.trained
    cutter = evaluate.Cutter(shrunk[0].network, compressors[0].images, compressors[0].reference)
    worth = cutter((0, *shrunk[0].network.space.corner()))
    assert worth.samples == 0
    assert worth.size < 1
    assert cutter.space.size() == 2 * shrunk[0].network.space.size()
    total = sides.passes_of(full, shrunk)
    assert total == full[0].history["passes"].iloc[-1] + shrunk[0].history["passes"].iloc[-1]


def test_corners_are_cut_trained_and_shrunk(supernets, digits):
    nets = [{0: part[0].network} for part in supernets]
    ways = lesson.generalised(*nets, digits, RECIPE, workers=1, progress=False)
    assert ways.groupby("way").size().to_dict() == {
        lesson.CUT: 8, lesson.EACH: 8, lesson.ONCE: 8
    }  # fmt: skip
    assert len(lesson.way_gain(ways)) == 1


def test_fronts_count_what_was_spent_before():
    rows = {"seed": [0, 0, 1], "samples": 5, "accuracy": [50.0, 60, 70], "tested": 1.0,
            "latency": [1.0, 2, 0.5], "size": 1.0, "hypervolume": 0.1, "point": None}  # fmt: skip
    found = sides.fronts({"side": pd.DataFrame(rows)}, {"side": 100})
    assert found["spent"].tolist() == [105, 110, 105]
    assert found["front"].tolist() == [False, False, True]


def test_fronts_meet_where_another_side_leads():
    rows = [("a", 0.2, 50, 48), ("b", 0.3, 55, 60), ("b", 0.4, 60, 61), ("a", 0.5, 58, 57),
            ("a", 0.8, 70, 66)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["side", "latency", "accuracy", "tested"])
    found = sides.leading(table.assign(front=True))
    assert found["side"].tolist() == ["a", "b", "a"]
    assert found["from_time"].tolist() == pytest.approx([20, 30, 80])
    assert found["to_time"].tolist()[:2] == pytest.approx([30, 80])
    assert np.isnan(found["to_time"].iloc[2])
    assert found["tested"].tolist() == [48, 61, 66]
    behind = sides.leading(table.assign(front=table["side"] == "a"))
    assert behind["side"].tolist() == ["a"]


def test_the_smallest_file_keeps_its_accuracy(compressors):
    one = compressors[0]
    before = 100 * train.evaluate(one.trained, one.images.val)["accuracy"]
    table = pd.DataFrame({"accuracy": [before - 0.5, before, before - 3], "size": [0.4, 0.8, 0.1]})
    assert sides.smallest(table, one, 1.0)["size"] == 0.4
    assert sides.smallest(table[table["size"] == 0.1], one, 1.0)["size"] == 0.1


def test_volumes_of_three_objectives():
    corners = np.array([[1.0, 0.5, 0.5], [0.5, 1.0, 0.5]])
    assert pareto.hypervolume(corners, np.zeros(3)) == pytest.approx(0.25 + 0.25 - 0.125)
    assert pareto.hypervolume(corners, np.ones(3)) == 0
