"""One playing field: the same networks, limits kept, budgets kept, ranks as Demšar's."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lightlab import data, latency, train
from lightlab.chapters.ch12_playing_field import field, methods, study
from lightlab.measure import cost
from lightlab.measure.journal import Journal
from lightlab.methods import specialised
from lightlab.methods.once_for_all import rivals
from lightlab.methods.proxy import Meter
from lightlab.search.draws import SearchError
from lightlab.space.arch import decode
from lightlab.space.spaces import ProxylessSpace, Skeleton

PLAN = latency.Plan(rounds=3, samples=2, sample_ms=0.1, min_busy=0, warmup_ms=0.5)
DESIGNS = {f"k{k}_e{e}": (k, e) for k in (3, 5) for e in (2, 4)}


SKELETON = Skeleton.small(16, 1, 10, [16, 24], layers=2, widths=(1,))
SPACE = ProxylessSpace(SKELETON, DESIGNS)


def new_meter(path=None):
    setting = latency.Setting.of("onnxruntime/1/1")
    return Meter(SPACE.decode(SPACE.unrank(0)), setting, PLAN, Journal(path))


@pytest.fixture(scope="module")
def meter():
    return new_meter()


@pytest.fixture(scope="module")
def ground(meter):
    digits = data.load("digits", n_train=96, n_val=64, n_test=64, resolution=16)
    recipe = train.Recipe(2, batch_size=32, lr=0.05)
    return field.conditions(SPACE, digits, recipe, 1.0, meter)[0]


@pytest.fixture(scope="module")
def targets(ground):
    return field.targets(ground, 2)


def test_both_forms_of_the_space_hold_the_same_networks_at_the_same_price(ground):
    space, elastic = ground.space, ground.elastic
    points = map(space.unrank, range(space.size()))
    prices = {space.decode(p): ground.price.of(p) for p in points}
    assert len(prices) == elastic.n_archs()
    for arch, ms in itertools.islice(prices.items(), 0, None, 7):
        point = elastic.find(arch)
        assert ground.elastic_price.of([point])[0] == pytest.approx(ms, rel=1e-6)


def test_designs_that_are_no_grid_are_refused(ground, meter):
    some = ProxylessSpace(SKELETON, {"k3_e2": (3, 2), "k5_e4": (5, 4)})
    with pytest.raises(SearchError, match="not all combinations"):
        field.conditions(some, ground.images, ground.recipe, 1.0, meter)


@pytest.mark.parametrize("name", methods.METHODS)
def test_every_method_keeps_to_its_budget_and_limit(ground, targets, name):
    begin = methods.play(ground, name, targets, 3.0, seed=1)
    assert len(begin) == 2
    n = len(ground.images.train)
    for pick, target in zip(begin, targets, strict=True):
        assert pick.samples + pick.shared_samples <= 3.4 * n
        assert pick.samples + pick.shared_samples >= 2.4 * n
        point = ground.space.find(pick.arch)
        if name != methods.CONTROLLER:  # it is asked softly
            assert ground.price.of(point) <= target * 1.0001
    again = methods.play(ground, name, targets, 3.0, seed=1)
    assert [p.arch for p in again] == [p.arch for p in begin]


def test_the_best_is_accurate_and_fast_or_else_the_fastest():
    tried = [((0,), 1.0, 50.0), ((1,), 2.0, 90.0), ((2,), 1.5, 60.0)]
    assert methods._best(tried, 1.6) == (2,)
    assert methods._best(tried, 0.5) == (0,)


def test_a_network_inherits_what_it_keeps(ground):
    trained = ground.train(ground.space.decode(ground.space.largest()), 1.0, 0)
    whole = methods.inherited(ground, trained, ground.space.largest())
    assert ground.validated(whole) == pytest.approx(ground.validated(trained), abs=8)
    options = ground.space.options(ground.space.largest()) | {"1.2": "zero", "2.1": "k3_e2"}
    small = methods.inherited(ground, trained, ground.space.point(options))
    assert len(small.blocks) == len(trained.blocks) - 1


def test_designs_by_hand_are_scaled_to_the_targets(ground, targets, meter):
    found = study.hands(ground, targets, [0, 1], meter)
    assert set(found["method"]) == set(study.HANDS)
    assert found["samples"].eq(0).all()
    assert found.groupby(["method", "target"])["arch"].nunique().eq(1).all()
    assert all("relu6" in a for a in found[found["method"] == methods.V2]["arch"])


def test_a_design_loses_layers_only_where_no_width_is_as_fast(ground):
    macs = lambda archs: [float(cost.macs(arch)) for arch in archs]  # noqa: E731
    narrow = {}  # by depth, of the least width
    for depth in (1, 2):
        arch = dict(rivals.families(ground.elastic, [1.0], depth))[rivals.MOBILENET_V2]
        assert len(arch.blocks) == len(ground.space.decode(ground.space.largest()).blocks) - 2 * (
            2 - depth
        )
        narrow[depth] = specialised.as_fast(arch, 1.0, macs)[0]
    least, less = (cost.macs(narrow[depth]) for depth in (1, 2))
    asked = [least / 2, least, 1.05 * less]
    depths = [
        len(pick.arch.blocks) - len(narrow[1].blocks)
        for pick in methods.by_hand(ground, methods.V2, asked, macs)
    ]
    assert depths == [0, 0, 2]


def test_races_end_with_one_training_for_every_network(ground, targets, meter):
    names = (methods.RANDOM, methods.OFA)
    picks = study.play_all(ground, targets, [2.0], [0, 1], names)
    assert len(picks) == 2 * 2 * 2
    shared = picks[picks["method"] == methods.OFA]["samples"]
    assert shared.eq(shared.iloc[0]).all()
    results = study.finished(picks, ground, replace(ground.recipe, epochs=1), meter)
    assert results["accuracy"].between(0, 100).all()
    assert [decode(a).n_classes for a in results["arch"]] == [10] * 8
    cheap = study.times_cheaper(results, methods.OFA, methods.RANDOM)
    took = results.groupby(["method", "seed"])["seconds"].sum()
    wanted = [took[methods.RANDOM, seed] / took[methods.OFA, seed] for seed in (0, 1)]
    assert cheap == pytest.approx(wanted)
    assert study.volumes(results, 10.0)["hypervolume"].between(0, 1).all()
    assert study.summary(results)["n"].eq(2).all()


def test_all_latencies_are_the_meters(ground, targets):
    """In its setting and as the machine was at first: designs are scaled, and networks timed."""
    a_mac = targets.mean() / 9e5  # there widths lie close
    macs_ms = lambda archs: [a_mac * cost.macs(arch) for arch in archs]  # noqa: E731
    hands = study.hands(ground, targets, [0], macs_ms)
    picks = pd.concat([hands, study.play_all(ground, targets, [2.0], [0], [methods.RANDOM])])
    results = study.finished(picks, ground, replace(ground.recipe, epochs=1), macs_ms)
    assert results["latency_ms"].to_numpy() == pytest.approx(a_mac * results["macs"].to_numpy())
    by_hand = results[results["method"].isin(study.HANDS)]
    assert (by_hand["latency_ms"] / by_hand["target_ms"]).between(0.85, 1.15).all()
    late = results.groupby("method")[["latency_ms", "target_ms"]].apply(
        lambda part: (part["latency_ms"] / part["target_ms"]).mean()
    )
    summary = study.summary(results).set_index("method")["late"]
    assert summary[late.index].to_numpy() == pytest.approx(late.to_numpy())


def test_an_interrupted_race_goes_on_under_the_same_table(ground, targets, tmp_path, monkeypatch):
    path = tmp_path / "times.jsonl"
    rules = SPACE, ground.images, ground.recipe, 1.0
    first, again = (field.conditions(*rules, new_meter(path))[0] for _ in range(2))
    assert first.price == again.price
    assert (first.elastic_price.added == again.elastic_price.added).all()

    def race(names):
        picks = study.play_all(ground, targets, [2.0], [0], names, kept=tmp_path)
        return picks[picks["method"] == methods.RANDOM]

    def killed(*_):
        raise KeyboardInterrupt

    names = (methods.RANDOM, methods.BO)
    with monkeypatch.context() as patch:
        patch.setitem(methods.METHODS, methods.BO, killed)
        with pytest.raises(KeyboardInterrupt):
            race(names)
    assert [p.name for p in tmp_path.glob("*.pickle*")] == ["0000.pickle"]
    ended = race(names)
    assert len(ended) == 2
    with monkeypatch.context() as patch:
        patch.setattr(methods, "play", killed)  # all is known: nothing is searched again
        pd.testing.assert_frame_equal(race(names), ended)


def test_ranks_and_their_critical_difference():
    accuracy = {"a": [9, 8, 9, 9], "b": [5, 6, 5, 5], "c": [1, 2, 1, 7]}
    rows = [
        (m, 1.0, seed, target, accuracy[m][2 * seed + target - 1])
        for m in accuracy
        for seed in (0, 1)
        for target in (1, 2)
    ]
    table = pd.DataFrame(rows, columns=["method", "budget", "seed", "target", "accuracy"])
    found, numbers = study.ranks(table)
    assert found["method"].tolist() == ["a", "b", "c"]
    assert found["rank"].tolist() == [1.0, 2.25, 2.75]
    assert numbers["n"] == 4
    assert numbers["cd"] == pytest.approx(2.343 * np.sqrt(3 * 4 / (6 * 4)), abs=1e-3)  # Demšar
    assert numbers["p"] == pytest.approx(0.0388, abs=1e-3)
    hands = [table[table["method"] == "c"].assign(method=h, accuracy=0.0) for h in study.HANDS]
    same, alike = study.ranks(pd.concat([table, *hands]))
    pd.testing.assert_frame_equal(same, found)  # the worst by far, they would decide it alone
    assert alike == numbers
    assert study.gap(table, "a", "b") == pytest.approx([3.0, 4.0])
    assert study.best_for(table) == {1.0: "a"}
    both = pd.concat([table, table.assign(budget=2.0, accuracy=0.0)])
    assert study.last(both)["budget"].eq(2.0).all()


def test_a_larger_budget_pays_where_every_seed_says_so():
    rows = [
        (method, budget, seed, target, 50 + target + seed + gain * (budget == 9), budget)
        for method, gains in (("grows", (5, 6, 5)), ("flat", (3, -3, 0)))
        for seed, gain in enumerate(gains)
        for budget in (3, 9)
        for target in (0, 1)
    ]
    columns = ["method", "budget", "seed", "target", "accuracy", "seconds"]
    table = pd.DataFrame(rows, columns=columns)
    found = study.paying(table).set_index("method")
    assert found["pays"].to_dict() == {"grows": True, "flat": False}
    assert found.loc["grows", "mean"] == pytest.approx(16 / 3)
    assert found[["budget", "next", "seconds", "n"]].iloc[0].tolist() == [3, 9, 6, 3]
    assert study.paying(table[table["budget"] == 3]).empty
