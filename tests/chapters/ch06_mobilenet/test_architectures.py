"""The networks that are compared fit the images, and each other in their MACs."""

from types import SimpleNamespace

import numpy as np
import pytest

from lightlab.chapters.ch06_mobilenet import architectures
from lightlab.measure import cost
from lightlab.space.arch import decode

IMAGES = SimpleNamespace(input_shape=(3, 32, 32), class_names=tuple("abcdefghij"))


def test_networks_fit_the_images():
    images = SimpleNamespace(input_shape=(1, 24, 24), class_names=tuple("abcdefg"))
    row = architectures.network("separable", images, 0.25)
    arch = decode(row["arch"])
    assert (arch.in_channels, arch.n_classes, arch.resolution) == (1, 7, 24)
    assert row["macs"] == cost.macs(arch)
    strides = [b.stride for b in (arch.stem, *arch.blocks)]
    assert np.prod(strides) == 16  # small images keep every stride


def test_resolution_changes_no_parameter_and_a_quarter_of_the_macs():
    grid = architectures.grid(IMAGES, [0.25, 0.5], [32, 16]).set_index(["width_mult", "resolution"])
    for width in (0.25, 0.5):
        large, small = grid.loc[(width, 32)], grid.loc[(width, 16)]
        assert large["params"] == small["params"]
        assert small["macs"] / large["macs"] == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("width", [0.125, 0.25, 0.5])
def test_equal_macs_are_equal_within_six_per_cent(width):
    operators = architectures.operators(IMAGES, width).set_index("name")
    assert operators.loc["separable", "width_mult"] == width
    full, wide = operators.loc["full", "macs"], operators.loc["separable, as many MACs", "macs"]
    assert wide == pytest.approx(full, rel=0.06)
    depth = architectures.depth_or_width(IMAGES, width).set_index("name")
    assert depth.loc["shallow", "macs"] == pytest.approx(depth.loc["thin", "macs"], rel=0.06)
    assert depth.loc["shallow", "width_mult"] > width


def test_equal_macs_come_with_channels_in_eights_where_they_can():
    matched = architectures.operators(IMAGES, 0.125)["arch"].iloc[-1]
    assert not any(block.out_channels % 8 for block in decode(matched).blocks)


def test_macs_that_no_width_reaches_are_refused():
    with pytest.raises(ValueError, match="no width of 'separable' comes within 6%"):
        architectures.matching("separable", IMAGES, 1000)
