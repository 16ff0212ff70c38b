"""Who is compared with whom, and what is made of the results."""

import numpy as np
import pandas as pd
import pytest

from lightlab.measure import cost, data, family, train
from lightlab.space.arch import decode

TASK = family.Task(resolution=32, in_channels=3, n_classes=10)


def results(accuracy: dict[tuple[str, float], list[float]]) -> pd.DataFrame:
    rows = [
        {"name": n, "epochs": e, "seed": s, "accuracy": a}
        for (n, e), values in accuracy.items()
        for s, a in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_networks_fit_the_images():
    row = family.Task(24, 1, 7).network("separable", 0.25)
    arch = decode(row["arch"])
    assert (arch.in_channels, arch.n_classes, arch.resolution) == (1, 7, 24)
    assert row["macs"] == cost.macs(arch)
    strides = [b.stride for b in (arch.stem, *arch.blocks)]
    assert np.prod(strides) == 16  # small images keep every stride


def test_resolution_changes_no_parameter_and_a_quarter_of_the_macs():
    grid = family.grid(TASK, [0.25, 0.5], [32, 16]).set_index(["width_mult", "resolution"])
    for width in (0.25, 0.5):
        large, small = grid.loc[(width, 32)], grid.loc[(width, 16)]
        assert large["params"] == small["params"]
        assert small["macs"] / large["macs"] == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("width", [0.125, 0.25, 0.5])
def test_equal_macs_are_equal_within_three_per_cent(width):
    operators = family.operators(TASK, width).set_index("name")
    assert operators.loc["separable", "width_mult"] == width
    full, wide = operators.loc["full", "macs"], operators.loc["separable, as many MACs", "macs"]
    assert wide == pytest.approx(full, rel=0.03)
    depth = family.depth_or_width(TASK, width).set_index("name")
    assert depth.loc["shallow", "macs"] == pytest.approx(depth.loc["thin", "macs"], rel=0.03)
    assert depth.loc["shallow", "width_mult"] > width


def test_macs_that_no_width_reaches_are_refused():
    with pytest.raises(ValueError, match="no width of 'separable' comes within 5 %"):
        TASK.matching("separable", 1000)


def test_a_length_of_the_twin_costs_what_the_full_network_cost_before():
    operators = family.operators(TASK, 0.125)
    macs = operators.set_index("name")["macs"]
    first, second, third = family.lengths(operators, 2.0, 3)
    assert first == 2.0
    assert second * macs["separable"] == pytest.approx(first * macs["full"])
    assert third * macs["separable"] == pytest.approx(second * macs["full"])


def test_trainings_are_done_once_and_found_in_every_row(monkeypatch):
    grid = family.grid(family.Task(16, 1, 10), [0.125], [16])
    wanted = family.trainings(pd.concat([grid, grid.assign(name="again")]), [1.0], [0, 1])
    images = data.load(n_train=64, n_val=0, n_test=50, resolution=16)
    fit_many, asked = train.fit_many, []

    def noted(jobs, **_):
        asked.extend(jobs)
        return fit_many(jobs, workers=1, progress=False)

    monkeypatch.setattr(train, "fit_many", noted)
    found = family.train_all(wanted, {16: images}, train.Recipe(batch_size=32))
    assert len(asked) == 2
    assert len(found) == 4
    assert (found["train_macs"] == 3 * 64 * found["macs"]).all()
    assert found["accuracy"].between(0, 100).all()
    assert (found.groupby("seed")["accuracy"].nunique() == 1).all()


def test_differences_are_paired_by_seed():
    found = results({("a", 1.0): [10, 21, 32], ("b", 1.0): [9, 19, 29]})
    pairs = family.differences(found, "a", "b", "a − b", published=3.0)
    assert list(pairs["difference"]) == [1, 2, 3]
    assert pairs["mean"].iloc[0] == 2
    assert pairs["ci_low"].iloc[0] == pytest.approx(2 - 4.3027 / np.sqrt(3), abs=1e-3)
    assert set(pairs["length"]) == {"1 epoch"}
    assert set(pairs["published"]) == {3.0}


def test_equal_macs_pair_one_length_with_the_one_before():
    found = results({("a", 1.0): [10, 10], ("a", 6.0): [50, 60], ("b", 1.0): [40, 40],
                     ("b", 6.0): [90, 90]})  # fmt: skip
    pairs = family.differences(found, "a", "b", "x", later=1)
    assert list(pairs["difference"]) == [10, 20]
    assert set(pairs["length"]) == {"6 against 1 epoch"}
    both = pd.concat([pairs, family.differences(found, "a", "b", "y")])
    assert list(family.last(both, "y")) == [-40, -30]


def test_a_line_finds_its_slope_and_how_far_the_thinnest_fall():
    macs = np.array([1e5, 1e6, 1e7, 1e8])
    points = pd.DataFrame({"width_mult": [0.25, 0.5, 0.75, 1], "macs": macs, "seed": 0})
    points["accuracy"] = 10 + 5 * np.log10(macs) - np.array([7, 0, 0, 0])
    fit = family.log_linear(points, thinnest=0.25)
    assert fit.loc[0, ["intercept", "slope", "r2", "jump"]].tolist() == pytest.approx([10, 5, 1, 7])
    ends = family.line(fit, points["macs"])
    assert ends["mean"].tolist() == pytest.approx(list(10 + 5 * np.log10(ends["macs"])))
    with pytest.raises(ValueError, match="a line through 2 networks"):
        family.log_linear(points.iloc[:3], thinnest=0.25)
