"""What notebook 02 measures, against exact chains, closed forms and what it promises."""

import math

import numpy as np
import pytest
import torch

from lightlab import data
from lightlab.chapters.ch02_entropy import disorder, experiment, information


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_more_work_keeps_more_order() -> None:
    held = experiment.balance([4, 6], [0.0, 0.2, 0.5, 1.0])
    for side, rows in held.groupby("side"):
        assert rows.entropy_bits.is_monotonic_decreasing
        ends = rows.entropy_bits.iloc[[0, -1]].tolist()
        assert ends == pytest.approx([2 * np.log2(side), 0], abs=1e-9)


def test_boltzmann_gaps_shrink_below_their_bound() -> None:
    gaps = experiment.boltzmann_gaps(np.full(9, 1 / 9), [10, 1000, 100_000], rng())
    assert (gaps.gap_bits > 0).all()
    assert (gaps.gap_bits < gaps.bound_bits).all()
    assert gaps.gap_bits.is_monotonic_decreasing
    assert gaps.stirling_bits.iloc[-1] == pytest.approx(gaps.gap_bits.iloc[-1], rel=1e-3)


def test_falls_get_shallow_with_more_particles() -> None:
    falls = experiment.falls(4, 60, [5, 5000], seed=0)
    assert falls.deepest_fall_bits.iloc[0] > 10 * falls.deepest_fall_bits.iloc[1]
    assert falls.rise_bits.iloc[1] == pytest.approx(4, abs=0.05)


def test_all_orders_of_work_cost_the_same() -> None:
    xy = disorder.scatter(200, 6, rng())
    curves, halfway = experiment.compare_orders(xy, 6, rng())
    ends = curves.groupby("order").last()
    assert ends.moves.tolist() == pytest.approx([xy.sum() / 200] * 3)
    assert ends.entropy_bits.tolist() == [0, 0, 0]
    assert halfway.groupby("room").share.sum().tolist() == pytest.approx([1] * 3)
    assert [room.split("\n")[0] for room in halfway.room.unique()] == list(disorder.ORDERS)


def test_work_runs_are_paired_and_reproducible() -> None:
    runs, ends, settled = experiment.work_runs(4, 100, 10, [0.0, 0.5], 2, seed=3)
    assert runs.equals(experiment.work_runs(4, 100, 10, [0.0, 0.5], 2, seed=3)[0])
    first = runs[(runs.step == 0) & (runs.start == "strewn")]
    assert (first.groupby("repeat").entropy_bits.nunique() == 1).all()
    assert (runs[runs.start == "tidy"].repeat == 0).all()
    last = runs[(runs.step == 10) & (runs.start == "strewn") & (runs.work_rate == 0.5)]
    assert ends[0.5].tolist() == last.entropy_bits.tolist()
    assert settled.work_rate.tolist() == [0.5]
    assert settled["mean"].tolist() == pytest.approx([ends[0.5].mean()])


def test_next_letter_entropies() -> None:
    # after a comes b, after b comes a: the second letter is known
    order = experiment.next_letter_entropies("ab" * 500)
    assert order.ours_bits.tolist() == pytest.approx([1, 0, 0], abs=0.01)
    assert order.letters_known.tolist() == [0, 1, 2]
    assert order.shannon_bits.is_monotonic_decreasing


def test_block_codes() -> None:
    table = experiment.block_codes({"text": "aaab" * 200}, 3).set_index(["reading", "n"])
    h = information.entropy([0.75, 0.25])
    assert table.entropy_bits.tolist() == pytest.approx([h] * 6)
    drawn = table.questions["letters drawn independently"]
    assert drawn.between(h, h + 1 / drawn.index).all()
    assert table.questions["letters as they stand", 3] < h


def test_random_excess_stays_below_one_question() -> None:
    excess = experiment.random_excess(60, rng())
    assert excess.min() >= -1e-9
    assert excess.max() < 1


def test_wrong_code_costs() -> None:
    probs = {"a": 0.5, "b": 0.25, "c": 0.125, "d": 0.125}
    beliefs = {"right": probs, "alike": dict.fromkeys(probs, 0.25)}
    costs, wasted = experiment.wrong_code_costs(probs, beliefs, 4000, 3, 0)
    costs = costs.groupby("belief").mean()
    assert wasted.set_index("belief")["mean"].to_dict() == pytest.approx(costs.wasted.to_dict())
    assert costs.loc["right"].tolist()[1:3] == pytest.approx([0, 0], abs=1e-12)
    # 2 questions instead of 1.75, with codes that fit both exactly
    assert costs.loc["alike", "kl_bits"] == pytest.approx(0.25)
    assert costs.loc["alike", "wasted"] == pytest.approx(0.25, abs=0.03)
    assert costs.loc["alike", "over"] == pytest.approx(0, abs=1e-12)


def test_players_look_for_the_same_secrets_and_found_ones_stay_found() -> None:
    halving = (np.arange(16)[:, None] >> np.arange(4)) & 1 == 1
    answers = np.concatenate([np.eye(16, dtype=bool), halving], axis=1)
    needed, left = experiment.play_games(answers, np.array([3, 9]), seed=0)
    assert needed["most information"].tolist() == [4, 4]
    assert (needed["random"] >= needed["most information"]).all()
    assert set(needed) == set(information.PLAYERS)
    assert left.groupby("player").size().eq(needed.max(axis=None) + 1).all()
    assert left.n.eq(2).all()
    best = left[left.player == "most information"].set_index("asked")["mean"]
    assert best.tolist() == [4, 3, 2, 1] + [0] * (len(best) - 4)
    assert needed.equals(experiment.play_games(answers, np.array([3, 9]), seed=0)[0])


def test_an_honest_network() -> None:
    knows_nothing = experiment.in_bits(torch.zeros(6, 8), torch.arange(6))
    assert list(knows_nothing.values()) == pytest.approx([3, 3, 0, 1 / 6])
    # says 3/4 : 1/4 and is right three times in four
    logits, labels = torch.tensor([[0.75, 0.25]] * 4).log(), torch.tensor([0, 0, 0, 1])
    honest = experiment.in_bits(logits, labels)
    assert list(honest.values()) == pytest.approx([0.811278, 0.811278, 0, 0.75], abs=1e-6)
    assert experiment.in_bits(3 * logits, labels)["miscalibration_bits"] > 0.1
    assert experiment.in_bits(logits / 3, labels)["miscalibration_bits"] < -0.01


def test_rulers_of_the_weights() -> None:
    even = (np.arange(6400) + 0.5) / 6400 * 0.64  # evenly over 64 bins of 0.01
    expected = 63 / 64 * 6 + 2 / 128 * 7  # centred bins: 63 whole ones and two halves
    bits = experiment.weights_in_bits(even, 0.01, 64)
    assert list(bits.values()) == pytest.approx([expected, 6], abs=1e-3)
    # twice as wide: a bit more by the fixed ruler, nothing by the one that stretches
    wide = experiment.weights_in_bits(2 * even, 0.01, 64)
    assert wide["weights_fixed_bits"] - expected == pytest.approx(1, abs=0.02)
    assert wide["weights_stretched_bits"] == pytest.approx(6, abs=1e-3)


def test_train_networks() -> None:
    digits = {s: data.load("digits", seed=s, n_train=320, n_val=0, n_test=200) for s in (0, 1)}
    curve, weights = experiment.train_networks(digits, 16, 8, (0.0, 0.1), 0.01, 64)
    steps = curve.groupby(["decay", "seed"]).step.agg(["first", "last", "size"])
    assert steps[["first", "last"]].values.tolist() == [[0, 40]] * 4
    assert steps["size"].between(15, 25).all()
    n_weights = 64 * 16 + 16 * 10  # matrices only
    assert (curve.macs == curve.step * 3 * 64 * n_weights).all()  # backward costs two passes
    gap = curve.cross_entropy_bits - curve.predictive_entropy_bits
    assert np.allclose(gap, curve.miscalibration_bits)
    plain = curve[curve.decay == 0]
    start, end = (plain[plain.step == s] for s in (0, 40))
    assert start.cross_entropy_bits.min() > math.log2(10) - 0.3
    assert end.cross_entropy_bits.max() < 1.5
    assert dict(weights.moment.value_counts()) == {"random": n_weights, "trained": n_weights}
    means = experiment.means(plain, ["macs"], ["accuracy", "step"], "measure")
    accuracy = means[means.measure == "accuracy"]
    assert accuracy.macs.is_monotonic_increasing
    assert accuracy["mean"].iloc[-1] == pytest.approx(end.accuracy.mean())
