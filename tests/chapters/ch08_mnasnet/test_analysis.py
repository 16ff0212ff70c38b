"""What the trials of several searches are summed up to."""

import numpy as np
import pandas as pd
import pytest

from lightlab.chapters.ch08_mnasnet import analysis, space


def test_outcomes_are_of_all_samples_and_of_the_best(trials, outcomes):
    (row,) = outcomes.query("arm == 'hard' and seed == 1").to_dict("records")
    part = trials.query("arm == 'hard' and seed == 1")
    assert row["within"] == (part["latency_ms"] <= 0.5).mean()
    assert row["median"] == pytest.approx(part["latency_ms"].median() / 0.5)
    best = part.loc[part["value"].idxmax()]
    assert (row["accuracy"], row["arch"]) == (best["accuracy"], best["arch"])
    sampled = analysis.sampled(outcomes)
    assert sampled.loc["hard", "n"] == 2
    assert sampled.loc["hard", "published within"] == pytest.approx(0.915)
    assert np.isnan(sampled.loc["random", "published median"])


def test_gaps_are_paired_by_seed_and_of_a_table_the_whole_is_the_flat_space(outcomes):
    found = analysis.search_claims(outcomes)
    wide = outcomes.pivot(index="seed", columns="arm", values="median")
    np.testing.assert_allclose(found["mnasnet.hard_median"], wide["hard"] / wide["soft"])
    tied = {"soft, flat": "soft, tied", "accuracy only, flat": "random, tied"}
    found = analysis.gap_table(outcomes.replace({"arm": tied})).tail(2)
    assert found["first"].tolist() == ["soft, tied", "random, tied"]
    assert found["second"].tolist() == ["soft", "random"]
    small = analysis.gap_table(outcomes)
    assert small["second"].tolist() == ["random", "soft", "soft", "soft", "soft, flat"]


def test_what_the_paper_has_is_computed_from_its_tables():
    found = [round(v, 3) for v in analysis.published_gaps().values()]
    assert found == [0.342, 0.798, 1.83, 4.429]  # 91.5 − 57.3 %, 57.4/71.9, 183/100, 74.99 − 70.56
    shares = analysis.published()["figure 6"]
    assert shares[["hard", "soft"]].sum().tolist() == pytest.approx([1, 1])
    # bins end at 76 ms: the share up to there is a little more than the printed one up to 75
    assert shares.loc[shares["ratio"] < 76 / 75, "hard"].sum() == pytest.approx(0.915, abs=0.02)


def test_progress_never_falls_and_starts_with_all_entropy(trials):
    curves = analysis.progress(trials, ["soft", "random"])
    assert curves.groupby("arm")["best"].is_monotonic_increasing.all()
    entropy = curves.loc[curves["arm"] == "soft", "entropy"].to_list()
    assert entropy[-1] < entropy[0] == 1


def test_costs_count_a_network_once_a_search(trials):
    spent = analysis.spent(trials).set_index("arm")
    different = trials.groupby(["arm", "seed"])["arch"].nunique().groupby("arm").mean()
    assert (spent["networks"] == different.loc[spent.index]).all()
    assert (spent["samples"] == 100 * spent["networks"]).all()


def test_the_finalists_are_compared_with_the_best_layer_type_and_at_equal_latency():
    names = ["found", "MobileNetV2, as fast", *space.LAYER_TYPES]
    rows = [(n, s, 70.0 - i + s) for i, n in enumerate(names) for s in (0, 1)]
    trained = pd.DataFrame(rows, columns=["name", "seed", "accuracy"])
    trained = trained.assign(reward=trained["accuracy"], latency_ms=1.0, macs=10, params=5)
    found = analysis.final_claims(trained)
    assert found["mnasnet.layer_diversity"].tolist() == [2, 2]
    assert found["mnasnet.beats_mobilenet_v2"].tolist() == [1, 1]
    slower = trained.assign(latency_ms=trained["latency_ms"].where(trained["name"] == "found", 0.5))
    assert analysis.final_claims(slower)["mnasnet.beats_mobilenet_v2"] == []
    assert analysis.summarise(trained)["name"].tolist() == names
