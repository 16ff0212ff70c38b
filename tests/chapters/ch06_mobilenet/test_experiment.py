"""Networks fit the images and each other; trainings are done once and compared within seeds."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lightlab import train
from lightlab.chapters.ch06_mobilenet import experiment
from lightlab.space.arch import decode

IMAGES = SimpleNamespace(input_shape=(3, 32, 32), class_names=tuple("abcdefghij"))


def test_networks_fit_the_images_and_resolution_changes_no_parameter():
    images = SimpleNamespace(input_shape=(1, 24, 24), class_names=tuple("abcdefg"))
    arch = decode(experiment.network("separable", images, 0.25)["arch"])
    assert (arch.in_channels, arch.n_classes, arch.resolution) == (1, 7, 24)
    strides = [b.stride for b in (arch.stem, *arch.blocks)]
    assert np.prod(strides) == 16  # small images keep every stride
    large, small = experiment.grid(IMAGES, [0.25], [32, 16]).to_dict("records")
    assert large["params"] == small["params"]
    assert small["macs"] / large["macs"] == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("width", [0.125, 0.5])
def test_equal_macs_are_equal_within_six_per_cent(width):
    operators = experiment.operators(IMAGES, width)
    full, twin, wide = operators["macs"]
    assert wide == pytest.approx(full, rel=0.06)
    depth = experiment.depth_or_width(IMAGES, width).set_index("name")
    assert depth.loc["shallow", "macs"] == pytest.approx(depth.loc["thin", "macs"], rel=0.06)
    assert depth.loc["shallow", "width_mult"] > width
    if width == 0.125:  # channels come in eights where they can
        matched = decode(operators["arch"].iloc[-1])
        assert not any(block.out_channels % 8 for block in matched.blocks)
    lengths = experiment.lengths(operators, 2.0, 3)  # one costs the twin what the last cost full
    assert lengths[0] == 2.0
    assert np.multiply(lengths[1:], twin) == pytest.approx(np.multiply(lengths[:2], full))
    with pytest.raises(ValueError, match="no width of 'separable' comes within 6%"):
        experiment.matching("separable", IMAGES, 1000)


def results(accuracy: dict[tuple[str, float], list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        {"name": n, "epochs": e, "seed": s, "accuracy": a}
        for (n, e), values in accuracy.items()
        for s, a in enumerate(values)
    )


def test_differences_are_paired_by_seed_at_equal_epochs_or_equal_training():
    found = results({("a", 1.0): [10, 21, 32], ("b", 1.0): [9, 19, 29], ("a", 6.0): [50, 60, 70],
                     ("b", 6.0): [90, 90, 90]})  # fmt: skip
    pairs = experiment.differences(found, "a", "b", "a − b", published=3.0)
    short = pairs[pairs["length"] == "1 epoch"]
    assert list(short["difference"]) == [1, 2, 3]
    assert set(short["mean"]) == {2}
    assert set(short["published"]) == {3.0}
    assert list(experiment.last(pairs, "a − b")) == [-40, -30, -20]
    later = experiment.differences(found, "a", "b", "x", later=1)
    assert list(later["difference"]) == [41, 41, 41]
    assert set(later["length"]) == {"6 against 1 epoch"}


def test_a_line_finds_its_slope_and_how_far_the_thinnest_fall():
    macs = np.array([1e5, 1e6, 1e7, 1e8])
    points = pd.DataFrame({"width_mult": [0.25, 0.5, 0.75, 1], "macs": macs, "seed": 0})
    points["accuracy"] = 10 + 5 * np.log10(macs) - np.array([7, 0, 0, 0])
    fit = experiment.log_linear(points, thinnest=0.25)
    assert fit.loc[0, ["intercept", "slope", "r2", "jump"]].tolist() == pytest.approx([10, 5, 1, 7])
    both = pd.concat([fit, fit.assign(intercept=12.0, slope=7.0, jump=9.0)])
    ends, jump = experiment.mean_line(both, points["macs"])
    assert jump[0] == pytest.approx(8)
    assert ends["mean"].tolist() == pytest.approx(list(11 + 6 * np.log10(ends["macs"])))
    with pytest.raises(ValueError, match="a line through 2 networks"):
        experiment.log_linear(points.iloc[:3], thinnest=0.25)
    with pytest.raises(ValueError, match=r"no network has the width 0\.1"):
        experiment.log_linear(points, thinnest=0.1)


def test_the_summary_says_ahead_only_where_the_whole_interval_is():
    found = results({("a", 1.0): [50, 51, 52], ("b", 1.0): [40, 42, 41], ("c", 1.0): [60, 45, 52]})
    sure = experiment.differences(found, "a", "b", "a − b", published=3.0)
    reverse = experiment.differences(found, "b", "a", "b − a")
    unsure = experiment.differences(found, "c", "a", "c − a")
    rows = experiment.summary(pd.concat([sure, reverse, unsure])).set_index("comparison")
    assert rows["reading"].to_dict() == {"a − b": "ahead", "b − a": "behind", "c − a": "undecided"}
    assert rows.loc["a − b", ["difference", "seeds", "published"]].tolist() == [10, 3, 3.0]


def test_trainings_are_averaged_over_seeds():
    found = results({("a", 1.0): [50, 52], ("a", 2.0): [60, 60]})
    found = found.assign(resolution=32, macs=10, params=5, loss=[1.0, 2.0, 0.5, 0.5], seconds=4.0)
    timed = pd.DataFrame({"arch": ["other", "text"], "latency_ms": [1.0, 2.0]})
    rows = experiment.trained(found.assign(arch="text"), timed).set_index("epochs")
    assert rows.loc[1.0, ["accuracy", "loss", "seeds"]].tolist() == [51, 1.5, 2]
    assert rows.loc[2.0, "ci_low"] == 60
    assert rows["latency_ms"].tolist() == [2.0, 2.0]


@pytest.fixture(scope="module")
def networks(digits):
    """One network under two names."""
    grid = experiment.grid(digits, [0.125], [16])
    return pd.concat([grid, grid.assign(name="again")])


def test_networks_are_trained_and_timed_once_and_found_in_every_row(monkeypatch, digits, networks):
    wanted = experiment.trainings(networks, [1.0], [0, 1])
    train_each, asked = train.train_each, []

    def noted(jobs, **_):
        asked.extend(jobs)
        return train_each(jobs, workers=1, progress=False)

    monkeypatch.setattr(train, "train_each", noted)
    found = experiment.train_all(wanted, {16: digits}, train.Recipe(batch_size=32))
    assert len(asked) == 2
    assert len(found) == 4
    assert (found["train_macs"] == 3 * 96 * found["macs"]).all()
    assert (found.groupby("seed")["accuracy"].nunique() == 1).all()
    timed, _ = experiment.time_all(networks, rounds=6)
    assert len(timed) == 1
    assert (timed["latency_ms"] > 0).all()
