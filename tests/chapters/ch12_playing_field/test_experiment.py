"""One playing field: one space in two forms, limits and budgets kept, ranks as Demšar's."""

import itertools

import numpy as np
import pandas as pd
import pytest

from lightlab.chapters.ch12_playing_field import experiment, methods
from lightlab.measure import cost


def test_designs_by_hand_are_scaled_to_the_targets(agreed, targets, meter):
    found = experiment.by_hand(agreed, targets, [0, 1], meter)
    assert found["samples"].eq(0).all()
    networks = found.groupby(["method", "target"])["arch"].agg(set)
    assert networks.str.len().to_list() == [1] * 4
    assert all("relu6" in arch for (arch,) in networks[methods.V2])


def test_races_end_with_one_training_for_every_network(agreed, targets, meter):
    names = (methods.RANDOM, methods.OFA)
    picks = experiment.play_all(agreed, targets, [2.0], [0, 1], names)
    shared = picks[picks["method"] == methods.OFA]["samples"]
    assert shared.eq(shared.iloc[0]).all()
    results = experiment.finish([picks], agreed, meter)
    assert len(results) == 2 * 2 * 2
    cheap = experiment.times_cheaper(results, methods.OFA, methods.RANDOM)
    took = results.pivot_table("seconds", "seed", "method", "sum")
    ratios = took[methods.RANDOM] / took[methods.OFA]
    assert cheap[0] == pytest.approx(np.sqrt(np.prod(ratios)))
    assert experiment.volumes(results, 10.0)["hypervolume"].between(0, 1).all()


def test_all_latencies_are_the_meters(agreed, targets):
    """In its setting and as the machine was at first: designs are scaled, and networks timed."""
    a_mac = targets.mean() / 9e5  # there widths lie close
    macs_ms = lambda archs: [a_mac * cost.macs(arch) for arch in archs]  # noqa: E731
    hands = experiment.by_hand(agreed, targets, [0], macs_ms)
    found = experiment.play_all(agreed, targets, [2.0], [0], [methods.RANDOM])
    results = experiment.finish([hands, found], agreed, macs_ms)
    assert results["latency_ms"].to_numpy() == pytest.approx(a_mac * results["macs"].to_numpy())
    by_hand = results[results["method"].isin(methods.HANDS)]
    assert (by_hand["latency_ms"] / by_hand["target_ms"]).between(0.85, 1.15).all()
    ratio = results["latency_ms"] / results["target_ms"]
    late = ratio.groupby(results["method"]).mean()
    summary = experiment.summary(results).set_index("method")["late"]
    assert summary[late.index].to_numpy() == pytest.approx(late.to_numpy())


def test_an_interrupted_race_goes_on(agreed, targets, tmp_path, monkeypatch):
    def race(names):
        picks = experiment.play_all(agreed, targets, [2.0], [0], names, kept=tmp_path)
        return picks[picks["method"] == methods.RANDOM]

    def killed(*_):
        raise KeyboardInterrupt

    names = (methods.RANDOM, methods.BO)
    with monkeypatch.context() as patch:
        patch.setitem(methods.METHODS, methods.BO, methods.Method(killed, "", ""))
        with pytest.raises(KeyboardInterrupt):
            race(names)
    assert [p.name for p in tmp_path.glob("*.parquet*")] == ["0000.parquet"]
    ended = race(names)
    assert len(ended) == 2
    with monkeypatch.context() as patch:
        patch.setattr(experiment, "rows_of", killed)  # all is known: nothing is searched again
        pd.testing.assert_frame_equal(race(names), ended)


def test_ranks_and_their_critical_difference():
    accuracy = {"a": [9, 8, 9, 9], "b": [5, 6, 5, 5], "c": [1, 2, 1, 7]}
    cells = pd.DataFrame({"budget": 1.0, "seed": [0, 0, 1, 1], "target": [1, 2, 1, 2]})
    table = pd.concat(cells.assign(method=m, accuracy=values) for m, values in accuracy.items())
    found, numbers = experiment.ranks(table)
    assert found["method"].tolist() == ["a", "b", "c"]
    assert found["rank"].tolist() == [1.0, 2.25, 2.75]
    assert numbers["n"] == 4
    assert numbers["cd"] == pytest.approx(2.343 * np.sqrt(3 * 4 / (6 * 4)), abs=1e-3)  # Demšar
    assert numbers["p"] == pytest.approx(0.0388, abs=1e-3)
    hands = [table[table["method"] == "c"].assign(method=h, accuracy=0.0) for h in methods.HANDS]
    same, alike = experiment.ranks(pd.concat([table, *hands]))
    pd.testing.assert_frame_equal(same, found)  # the worst by far, they would decide it alone
    assert alike == numbers
    assert experiment.gap(table, "a", "b").tolist() == pytest.approx([3.0, 4.0])
    assert experiment.best_for(table).to_numpy().tolist() == [[1.0, "a"]]
    both = pd.concat([table, table.assign(budget=2.0, accuracy=0.0)])
    assert experiment.last(both)["budget"].eq(2.0).all()


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
    found = experiment.paying(table).set_index("method")
    assert found["pays"].to_dict() == {"grows": True, "flat": False}
    assert found.loc["grows", "mean"] == pytest.approx(16 / 3)
    assert found[["budget", "next", "seconds", "n"]].iloc[0].tolist() == [3, 9, 6, 3]
    assert experiment.paying(table[table["budget"] == 3]).empty


def test_both_forms_of_the_space_hold_the_same_networks_at_the_same_price(agreed):
    space, elastic = agreed.space, agreed.elastic
    points = map(space.unrank, range(space.size()))
    prices = {space.decode(p): agreed.price.of(p) for p in points}
    assert len(prices) == elastic.n_archs()
    for arch, ms in itertools.islice(prices.items(), 0, None, 7):
        point = elastic.find(arch)
        assert agreed.elastic_price.of(point) == pytest.approx(ms, rel=1e-6)


def test_an_interrupted_race_goes_on_under_the_same_table(agreed, spaces, tmp_path):
    plain = []
    for _ in range(2):
        meter = experiment.meter(spaces[0], "onnxruntime/1/1", tmp_path)
        one, _ = experiment.agree(*spaces, meter, agreed.images, agreed.recipe, 1.0)
        plain.append((one.price.plain(), one.elastic_price.plain()))
    assert plain[0] == plain[1]


def test_targets_lie_between_the_fastest_and_the_slowest(agreed, targets):
    prices = [agreed.price.of(agreed.space.unrank(i)) for i in range(agreed.space.size())]
    steps = np.diff(np.log([min(prices), *targets, max(prices)]))
    assert steps == pytest.approx([steps.mean()] * 3)
