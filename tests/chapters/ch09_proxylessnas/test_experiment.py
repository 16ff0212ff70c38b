"""Searches among paths, what stands beside what they found, networks in each other's setting."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lightlab import latency, train
from lightlab.chapters.ch09_proxylessnas import experiment
from lightlab.chapters.ch09_proxylessnas.experiment import Device
from lightlab.measure import cost
from lightlab.methods.price import Price
from lightlab.methods.proxyless import Found, search
from lightlab.space.arch import decode, encode
from lightlab.space.proxyless import ProxylessSpace
from lightlab.space.skeleton import Skeleton

SPACE = ProxylessSpace(Skeleton.small((1, 16, 16), 10, [16, 32]))
PRICE = Price.macs(SPACE)


def device(space, target_ms=1.0):
    """Where a network takes as many ms as it has MACs."""

    def meter(archs):
        return [cost.macs(a) for a in archs]

    return Device("onnxruntime/1/1", meter, Price.macs(space), pd.DataFrame(), target_ms)


def found(space, point):
    return Found(tuple(point), space.decode(point), pd.DataFrame(), [])


def test_searches_side_by_side_are_those_one_by_one(digits, tmp_path):
    recipe = train.Recipe(epochs=4, batch_size=16, lr=0.05)
    kinds = experiment.kinds(recipe, 1.0, [0.3], arch_lr=0.1, every=1, n_paths=3)
    assert list(kinds) == ["λ = 0", "λ = 0.3", experiment.BY_TARGET, experiment.REINFORCE]
    here = device(SPACE, PRICE.of(SPACE.centre()))
    jobs = {(k, 3): (here, kinds[k]) for k in (experiment.FREE, experiment.BY_TARGET)}
    two = experiment.search_many(SPACE, digits, jobs, tmp_path)
    assert list(two) == list(jobs)
    for key, (_, settings) in jobs.items():
        alone = search(SPACE, digits, PRICE, here.target_ms, settings, 3)
        rows = [one.history.drop(columns="seconds") for one in (two[key], alone)]
        assert two[key].point == alone.point
        assert rows[0].equals(rows[1])
    assert len(list(tmp_path.glob("*.pt"))) == 2


def test_baselines_are_as_fast_seed_by_seed():
    space = ProxylessSpace(Skeleton.small((1, 16, 16), 10, [64, 128]))  # fine steps of width
    rng = np.random.default_rng(0)
    searches = {(experiment.BY_TARGET, s): found(space, space.sample(rng)) for s in (0, 1)}
    searches |= {(experiment.FREE, s): found(space, space.centre()) for s in (0, 1)}
    other = space.decode(space.sample(rng))
    entries = experiment.baselines(space, device(space), searches, other)
    assert [name for name, _, _ in entries] == 2 * [
        experiment.FOUND, experiment.NARROWED, experiment.RANDOM, experiment.MOBILENET,
        experiment.MNASNET,
    ]  # fmt: skip
    for name, seed, arch in entries:
        mine = searches[experiment.BY_TARGET, seed].arch
        assert cost.macs(arch) == pytest.approx(cost.macs(mine), rel=0.1), name


def test_what_the_sampling_search_chose_is_read_for_other_images(tmp_path):
    texts = [encode(SPACE.decode(p)) for p in SPACE.sample(np.random.default_rng(2), 4)]
    rows = {"arm": ["soft", "soft", "soft", "hard"], "reward": [1, 3, 2, 9], "arch": texts}
    pd.DataFrame(rows).to_csv(tmp_path / "trials.csv", index=False)
    like = Skeleton.small((3, 32, 32), 5, [16, 32])
    chosen = experiment.mnasnet_chose(tmp_path, ProxylessSpace(like).decode((0,) * 4))
    assert (chosen.resolution, chosen.in_channels, chosen.n_classes) == (32, 3, 5)
    assert chosen.blocks == decode(texts[1]).blocks


def test_a_random_rival_is_another_network_of_about_the_same_latency():
    for point in SPACE.sample(np.random.default_rng(3), 10):
        drawn = [experiment.random_as_fast(SPACE, PRICE, point, seed) for seed in range(8)]
        assert point not in drawn
        assert len(set(drawn)) > 1  # by the seed, not the nearest of all
        off = [PRICE.of(p) / PRICE.of(point) - 1 for p in drawn]
        assert np.abs(off).max() < 0.12


def test_a_rival_that_is_not_as_fast_counts_only_where_it_is_behind():
    rows = {  # latency and accuracy with two seeds
        "found": (1.0, [50.0, 50.0]), "as fast": (1.05, [55.0, 55.0]),
        "slower, behind": (1.3, [45.0, 45.0]), "slower, ahead": (1.3, [55.0, 55.0]),
        "faster, behind": (0.7, [45.0, 45.0]), "faster, ahead": (0.7, [55.0, 55.0]),
        "slower, now and then behind": (1.3, [45.0, 55.0]),
    }  # fmt: skip
    trained = pd.concat(
        pd.DataFrame({"name": name, "seed": [0, 1], "latency_ms": ms, "accuracy": accuracy})
        for name, (ms, accuracy) in rows.items()
    )
    gaps = {name: experiment.gap(trained, name).tolist() for name in list(rows)[1:]}
    assert {name: gap for name, gap in gaps.items() if gap} == {
        "as fast": [-5, -5],
        "slower, behind": [5, 5],
        "faster, ahead": [-5, -5],
    }


def test_a_reward_weighs_accuracy_against_the_target():
    ours, other = experiment.FOUND, experiment.REINFORCE
    rows = [(ours, 0, 2.0, 60.0, 5), (ours, 1, 1.0, 80.0, 7),
            (other, 0, 1.0, 50.0, 1), (other, 1, 4.0, 80.0, 3)]  # fmt: skip
    trained = pd.DataFrame(rows, columns=["name", "seed", "latency_ms", "accuracy", "macs"])
    assert experiment.reward_gap(trained, 1.0, -1).tolist() == [20, -60]
    table = experiment.summary(trained, 2.0)
    assert table["accuracy"].tolist() == [70, 65]
    assert table["latency / target"].tolist() == [0.75, 1.25]
    assert table["MACs"].tolist() == [6, 2]


def test_networks_for_other_devices_are_trained_beside_the_one_at_home(digits, tmp_path):
    kinds = {(setting, 0): found(SPACE, SPACE.centre()) for setting in ("onnxruntime/1/1", "b")}
    trained = pd.DataFrame({"name": [experiment.FOUND, "x"], "seed": 0, "accuracy": [1.0, 2.0]})
    recipe = train.Recipe(epochs=0.5, batch_size=16, lr=0.05)
    here = device(SPACE)
    table = experiment.compare_devices(kinds, trained, digits, recipe, here, tmp_path)
    assert table["name"].tolist() == ["onnxruntime/1/1", "b"]
    assert table["accuracy"].iloc[0] == 1
    assert table["latency_ms"].iloc[1] == cost.macs(SPACE.decode(SPACE.centre()))


def test_a_search_s_cost_stands_beside_that_of_sampling(tmp_path):
    (tmp_path / "tables").mkdir()
    text = "arm,networks,samples,train_macs,seconds\nsoft,10,200,40,4\n"
    (tmp_path / "tables" / "cost.csv").write_text(text, encoding="utf-8")
    rows = pd.DataFrame({"samples": [1, 100], "macs": [1, 20], "seconds": [0.1, 2.0]})
    one = replace(found(SPACE, SPACE.centre()), history=rows)
    names = [experiment.BY_TARGET, experiment.MNASNET]
    trained = pd.DataFrame({"name": names, "accuracy": [70.0, 60.0]})
    table = experiment.search_cost({(experiment.BY_TARGET, 0): one}, trained, tmp_path)
    assert table["samples"].tolist() == [100, 200, 160_000]
    assert table["over ours"].tolist() == [1, 2, 1600]
    assert table["accuracy"].tolist()[:2] == [70, 60]


def test_shapes_and_moments_say_what_stands_where():
    history = pd.DataFrame({"step": [1, 5, 9], "point": ["0-0-0-0", "1-6-2-3", "5-6-5-6"]})
    points = experiment.moments(history, 2)
    assert points == {"step 1": (0, 0, 0, 0), "step 9": (5, 6, 5, 6)}
    rows = experiment.shapes(SPACE, points)
    assert rows["kernel"].tolist() == [3, 3, 3, 3, 7, 0, 7, 0]
    assert rows["expand_ratio"].tolist() == [3, 3, 3, 3, 6, 0, 6, 0]
    assert rows["stage"].tolist() == [1, 1, 2, 2] * 2
    assert rows["stride"].tolist() == [2, 1, 2, 1] * 2


def test_a_device_has_a_share_of_mobilenet_v2_s_time_as_target(tmp_path, monkeypatch, plan):
    monkeypatch.setattr(experiment, "PLAN", plan)
    here = experiment.measure(SPACE, "onnxruntime/1/1", 0.5, 6, tmp_path, 0)
    assert here.target_ms == pytest.approx(0.5 * here.price.of(SPACE.centre()))
    assert [path.name for path in tmp_path.iterdir()] == ["onnxruntime 1 1.jsonl"]
    points = [SPACE.smallest(), SPACE.largest(), SPACE.smallest()]
    found = experiment.predicted(SPACE, here, points)
    assert found["kind"].tolist() == ["random"] * 6 + ["found"] * 2
    assert found["predicted_ms"].iloc[-1] == pytest.approx(here.price.of(SPACE.largest()))


def test_networks_are_timed_in_each_other_s_setting(monkeypatch):
    networks = {("a", 3): SPACE.decode(SPACE.smallest()), ("b", 3): SPACE.decode(SPACE.largest())}

    def measured(asked, settings, _):
        assert (list(asked), list(settings)) == (["a", "b"], ["a", "b"])
        assert list(asked.values()) == list(networks.values())
        ms = {"network": ["a", "b"] * 2, "setting": list("aabb"), "latency_ms": [2.0, 8, 3, 6]}
        return pd.DataFrame(ms)

    monkeypatch.setattr(latency, "measure_settings", measured)
    found = experiment.crossed(networks)
    assert found["times"].tolist() == [1, 4, 0.5, 1]
    assert found["seed"].tolist() == [3] * 4


def cells(*seeds):
    """Latencies by seed as a matrix: rows networks A and B, columns their settings."""
    rows = [
        (a, b, seed, ms, ms / wide[j][j])
        for seed, wide in enumerate(seeds)
        for a, row in zip("AB", wide, strict=True)
        for j, (b, ms) in enumerate(zip("AB", row, strict=True))
    ]
    return pd.DataFrame(rows, columns=["network", "setting", "seed", "latency_ms", "times"])


def test_networks_are_special_where_changing_places_makes_both_slower():
    found = experiment.elsewhere(cells([[1, 6], [2, 3]], [[1, 4], [2, 8]]))
    assert found == pytest.approx([2, 1])  # then both are A's
    published = experiment.published_crossed().assign(seed=0)
    own = published[published["network"] == published["setting"]]
    assert own["times"].tolist() == [1, 1, 1]
    three = [1.327, 1.457, 1.499]  # CPU and phone, GPU and either
    assert experiment.elsewhere(published) == pytest.approx([np.prod(three) ** (1 / 3)], abs=5e-3)


def test_tables_are_means_over_the_seeds_and_weigh_accuracy_against_the_target():
    tested = pd.DataFrame({"name": ["A", "B", "A", "B"], "macs": [1, 2, 3, 4],
                           "accuracy": [50.0, 60, 70, 80]})  # fmt: skip
    devices = {s: Device(s, None, None, pd.DataFrame(), 2.0) for s in "AB"}
    table, worth = experiment.tables(cells([[1, 6], [2, 3]], [[3, 2], [2, 1]]), tested, devices, -1)
    assert list(table.columns) == ["network", "µs, A", "µs, B", "macs", "accuracy"]
    assert table["µs, A"].tolist() == [2000, 2000]
    assert table["accuracy"].tolist() == [60, 70]
    assert worth["B"].tolist() == [60 / 2, 70]  # 4 ms, 2 ms
