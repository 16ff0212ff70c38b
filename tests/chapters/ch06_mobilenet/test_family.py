"""Who is compared with whom, and what is made of the results."""

import numpy as np
import pandas as pd
import pytest

from lightlab import data, train
from lightlab.chapters.ch06_mobilenet import family
from lightlab.measure import cost
from lightlab.space.arch import decode

TASK = family.Task(resolution=32, in_channels=3, n_classes=10)


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
def test_equal_macs_are_equal_within_six_per_cent(width):
    operators = family.operators(TASK, width).set_index("name")
    assert operators.loc["separable", "width_mult"] == width
    full, wide = operators.loc["full", "macs"], operators.loc["separable, as many MACs", "macs"]
    assert wide == pytest.approx(full, rel=0.06)
    depth = family.depth_or_width(TASK, width).set_index("name")
    assert depth.loc["shallow", "macs"] == pytest.approx(depth.loc["thin", "macs"], rel=0.06)
    assert depth.loc["shallow", "width_mult"] > width


def test_equal_macs_come_with_channels_in_eights_where_they_can():
    matched = family.operators(TASK, 0.125)["arch"].iloc[-1]
    assert not any(block.out_channels % 8 for block in decode(matched).blocks)


def test_macs_that_no_width_reaches_are_refused():
    with pytest.raises(ValueError, match="no width of 'separable' comes within 6%"):
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
