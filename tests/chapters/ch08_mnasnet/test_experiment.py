"""Several searches of one budget, the exponent that they are given, and the table."""

import numpy as np
import pandas as pd
import pytest

from lightlab import train
from lightlab.chapters.ch08_mnasnet import analysis, experiment, space
from lightlab.chapters.ch08_mnasnet.space import nas_bench_macro
from lightlab.measure import stats
from lightlab.methods import mnasnet
from lightlab.space.skeleton import MACRO


def test_the_fitted_exponent_is_that_of_the_networks():
    rng = np.random.default_rng(0)
    ms = np.exp(rng.normal(size=200))
    accuracy = 60 * ms**0.2 * np.exp(0.05 * rng.normal(size=200))
    trials = pd.DataFrame({"latency_ms": ms, "accuracy": accuracy})
    beta, low, high = experiment.fitted_exponent(trials)
    assert low < -0.2 < high < low + 0.05
    worth = mnasnet.reward(accuracy, ms, 1.0, beta, beta)
    assert abs(np.corrcoef(np.log(worth), np.log(ms))[0, 1]) < 1e-9
    assert experiment.soft_exponents(-0.3) == (-0.3, -0.3)
    assert experiment.soft_exponents(0.1) == mnasnet.SOFT  # being slow is never paid for
    for bad in (trials[:2], trials.assign(latency_ms=1.0), trials.assign(accuracy=np.nan)):
        with pytest.raises(ValueError, match="too few"):
            experiment.fitted_exponent(bad)


def test_every_arm_has_its_budget_and_learns_what_it_is_rewarded_for(trials, outcomes):
    assert set(trials["arm"]) == set(experiment.ARMS)
    by = trials.groupby(["arm", "seed"])
    assert (by.size() == 60).all()
    assert by["front"].any().all()
    soft = mnasnet.reward(trials["accuracy"], trials["latency_ms"], 0.5)
    np.testing.assert_allclose(trials["reward"], soft)
    for arm, exponents in (("accuracy only", (0, 0)), ("hard", mnasnet.HARD)):
        part = trials[trials["arm"] == arm]
        worth = mnasnet.reward(part["accuracy"], part["latency_ms"], 0.5, *exponents)
        np.testing.assert_allclose(part["value"], worth)
    wide = outcomes.pivot(index="seed", columns="arm", values="ratio")
    assert (wide["accuracy only"] > wide["hard"]).all()


def test_latencies_of_all_networks_come_from_a_table_of_blocks(real_table):
    table = nas_bench_macro(real_table).table
    timed = experiment.with_latency(table, n_calibration=6)
    assert stats.spearman(timed["latency_ms"], timed["macs"], n_boot=10)[0] > 0.9
    point = (1, 2, 0, 1, 2, 0, 0, 1)
    row = experiment.look_up(timed)([MACRO.decode(point), MACRO.decode(point)]).iloc[1]
    for column in ("accuracy", "macs"):
        assert row[column] == table[column].to_dict()[point]


def test_a_table_is_searched_whole_and_tied(monkeypatch, real_table):
    def counted(table, _):
        archs = [experiment.encode(MACRO.decode(point)) for point in table.index]
        return table.assign(arch=archs, latency_ms=table["macs"] / 1e7)

    fast = {name: arm for name, arm in experiment.TABLE_ARMS.items() if not arm.learns}
    monkeypatch.setattr(experiment, "with_latency", counted)
    monkeypatch.setattr(experiment, "TABLE_ARMS", fast)
    _, trials, beta = experiment.search_table(real_table, 0, range(2))
    assert trials.groupby(["arm", "seed"]).size().to_dict() == {
        (name, seed): 200 for name in ("random", "random, tied") for seed in (0, 1)
    }
    assert beta < 0


def test_what_is_found_is_trained_longer_and_beside_its_baselines(digits, tmp_path):
    spaces = space.small(digits, [32])
    both = spaces["hierarchical"]
    centre, recipe = both.decode(both.centre()), train.Recipe(epochs=0.5, batch_size=32)
    evaluate = experiment.proxy(digits, recipe, centre, tmp_path / "short.jsonl", 3)
    target = float(evaluate.latency_ms([centre])[0])
    arms = {name: experiment.ARMS[name] for name in ("random", "soft")}
    trials = experiment.searches(spaces, evaluate, target, [0], 4, 2, arms=arms)
    longer = experiment.train_longer(trials[:3], 2, evaluate, recipe, tmp_path / "long.jsonl")
    assert len(longer) == 2
    archs, layers, _ = experiment.finalists(analysis.outcomes(trials), both, evaluate)
    assert list(archs) == ["found", "MobileNetV2, as fast", *space.LAYER_TYPES]
    assert layers["network"].unique().tolist() == ["found", "MobileNetV2, as fast"]
