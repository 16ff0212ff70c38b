"""Differences within seeds, and the line that a family of networks follows."""

import numpy as np
import pandas as pd
import pytest

from lightlab.chapters.ch06_mobilenet import contrasts


def results(accuracy: dict[tuple[str, float], list[float]]) -> pd.DataFrame:
    rows = [
        {"name": n, "epochs": e, "seed": s, "accuracy": a}
        for (n, e), values in accuracy.items()
        for s, a in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_differences_are_paired_by_seed():
    found = results({("a", 1.0): [10, 21, 32], ("b", 1.0): [9, 19, 29]})
    pairs = contrasts.differences(found, "a", "b", "a − b", published=3.0)
    assert list(pairs["difference"]) == [1, 2, 3]
    assert pairs["mean"].iloc[0] == 2
    assert pairs["ci_low"].iloc[0] == pytest.approx(2 - 4.3027 / np.sqrt(3), abs=1e-3)
    assert set(pairs["length"]) == {"1 epoch"}
    assert set(pairs["published"]) == {3.0}


def test_equal_macs_pair_one_length_with_the_one_before():
    found = results({("a", 1.0): [10, 10], ("a", 6.0): [50, 60], ("b", 1.0): [40, 40],
                     ("b", 6.0): [90, 90]})  # fmt: skip
    pairs = contrasts.differences(found, "a", "b", "x", later=1)
    assert list(pairs["difference"]) == [10, 20]
    assert set(pairs["length"]) == {"6 against 1 epoch"}
    both = pd.concat([pairs, contrasts.differences(found, "a", "b", "y")])
    assert list(contrasts.last(both, "y")) == [-40, -30]


def test_a_line_finds_its_slope_and_how_far_the_thinnest_fall():
    macs = np.array([1e5, 1e6, 1e7, 1e8])
    points = pd.DataFrame({"width_mult": [0.25, 0.5, 0.75, 1], "macs": macs, "seed": 0})
    points["accuracy"] = 10 + 5 * np.log10(macs) - np.array([7, 0, 0, 0])
    fit = contrasts.log_linear(points, thinnest=0.25)
    assert fit.loc[0, ["intercept", "slope", "r2", "jump"]].tolist() == pytest.approx([10, 5, 1, 7])
    ends = contrasts.line(fit, points["macs"])
    assert ends["mean"].tolist() == pytest.approx(list(10 + 5 * np.log10(ends["macs"])))
    with pytest.raises(ValueError, match="a line through 2 networks"):
        contrasts.log_linear(points.iloc[:3], thinnest=0.25)
    with pytest.raises(ValueError, match=r"no network has the width 0\.1"):
        contrasts.log_linear(points, thinnest=0.1)


def test_the_summary_says_ahead_only_where_the_whole_interval_is():
    found = results({("a", 1.0): [50, 51, 52], ("b", 1.0): [40, 42, 41], ("c", 1.0): [60, 45, 52]})
    sure = contrasts.differences(found, "a", "b", "a − b", published=3.0)
    reverse = contrasts.differences(found, "b", "a", "b − a")
    unsure = contrasts.differences(found, "c", "a", "c − a")
    rows = contrasts.summary(pd.concat([sure, reverse, unsure])).set_index("comparison")
    assert rows["reading"].to_dict() == {"a − b": "ahead", "b − a": "behind", "c − a": "undecided"}
    assert rows.loc["a − b", ["difference", "seeds", "published"]].tolist() == [10, 3, 3.0]


def test_trainings_are_averaged_over_seeds():
    found = results({("a", 1.0): [50, 52], ("a", 2.0): [60, 60]})
    found = found.assign(resolution=32, macs=10, params=5, loss=[1.0, 2.0, 0.5, 0.5], seconds=4.0)
    rows = contrasts.trained(found).set_index("epochs")
    assert rows.loc[1.0, ["accuracy", "loss", "seeds"]].tolist() == [51, 1.5, 2]
    assert rows.loc[2.0, "ci_low"] == 60
