"""Once-for-All's space: published sizes and costs, canonical points, codes."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.measure import cost
from lightlab.space import scaling
from lightlab.space.once_for_all import OFA_MOBILENET_V3, OFA_PROXYLESS, OfaSpace, like_mobilenet_v3
from lightlab.space.skeleton import Skeleton

PAPER = OfaSpace(OFA_MOBILENET_V3, resolutions=range(128, 225, 4))
SKELETON = Skeleton.small((3, 32, 32), 10, [16, 24], layers=3)
SMALL = OfaSpace(SKELETON, depths=(1, 2, 3), resolutions=(24, 32))


def test_the_published_sizes_and_styles_are_exact():
    assert PAPER.n_archs() == 7371**5 == 21758655492572485851
    assert len(PAPER.resolutions) == 25
    plain = [replace(stage, act="", se_ratio=0) for stage in OFA_MOBILENET_V3.stages]
    assert like_mobilenet_v3(replace(OFA_MOBILENET_V3, stages=tuple(plain))) == OFA_MOBILENET_V3
    assert OfaSpace(OFA_PROXYLESS).depths[-1] == (1,)  # a unit of one layer keeps it
    few = OfaSpace(Skeleton.small((3, 32, 32), 10, [16], layers=2), (3, 5), (2,), (1, 2))
    points = {tuple(row) for row in few.canonical([few.unrank(i) for i in range(few.size())])}
    assert len(points) == few.n_archs() == 2 + 4
    assert len({few.decode(point) for point in points}) == 6


@pytest.mark.parametrize(("depth", "expand", "kernel"), [*product((2, 4), (3, 6), (3, 7))])
def test_the_corners_are_those_of_the_catalog(depth, expand, kernel):
    arch = scaling.get(f"ofa_d{depth}_w{expand}_k{kernel}")
    point = PAPER.corner(depth, expand, kernel)
    assert PAPER.decode(point) == arch
    assert PAPER.decode(PAPER.find(arch)) == arch


@pytest.mark.parametrize(
    ("frame", "smallest", "largest"),
    [
        (OFA_MOBILENET_V3.scaled(1.2), (193.1, 4.60), (843.1, 10.70)),
        (OFA_PROXYLESS, (265.5, 3.72), (1004.9, 7.94)),
    ],
)
def test_the_computed_costs_of_the_wider_supernets(frame, smallest, largest):
    space = OfaSpace(frame)
    for point, printed in ((space.smallest(), smallest), (space.largest(), largest)):
        macs, params = cost.Prices()(space.decode(point))
        assert (round(macs / 1e6, 1), round(params / 1e6, 2)) == printed


@given(st.integers(0, 2**32 - 1))
def test_canonical_points_are_their_networks(seed):
    point = SMALL.sample(np.random.default_rng(seed))
    canonical = tuple(SMALL.canonical([point])[0].tolist())
    assert SMALL.decode(canonical) == SMALL.decode(point)
    assert SMALL.find(SMALL.decode(point)) == canonical
    assert (SMALL.canonical([canonical]) == [canonical]).all()
    layers = [block for block in SMALL.layers(point) if block is not None]
    assert SMALL.present([point]).sum() == len(layers) == len(SMALL.decode(point).blocks) - 1


def test_codes_have_zeros_for_layers_that_do_not_stand():
    whole, short = SMALL.corner(), SMALL.corner(depth=1)
    codes = SMALL.encode([whole, short])
    assert codes.shape == (2, sum(SMALL.n_options))
    assert codes[0].sum() == len(SMALL.n_options)
    assert codes[1].sum() == len(SMALL.n_options) - 2 * (SMALL.present([whole]).sum() - 2)
    other = list(short)
    other[SMALL.layer_columns[1]] = 0  # a kernel of a layer that does not stand
    assert (SMALL.encode([other]) == codes[1]).all()


ALIKE = Skeleton.small((3, 32, 32), 10, [16, 24, 24], layers=2)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kernels": (2, 3)}, "kernels have to be odd"),
        ({"kernels": (5, 3)}, "options have to rise"),
        ({"expands": ()}, "options have to rise"),
        ({"depths": (1, 2)}, "more layers than any of the depths"),
        ({"resolutions": (32, 32)}, "options have to rise"),
        ({"skeleton": ALIKE}, "units 2 and 3 are alike"),
    ],
)
def test_impossible_spaces_say_why(change, says):
    with pytest.raises(ValueError, match=says):
        OfaSpace(**{"skeleton": SMALL.skeleton, "depths": (1, 2, 3)} | change)


ARCH = SMALL.decode(SMALL.smallest())
FIRST, *REST = ARCH.blocks


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"resolution": 28}, "resolution: 28 is not one of"),
        ({"n_classes": 7}, "another stem"),
        ({"blocks": (FIRST, replace(REST[0], expand_ratio=5), *REST[1:])}, "1.1.expand: 5 is not"),
        ({"blocks": (FIRST, *REST[1:])}, "1.depth: 0 is not one of"),
        ({"blocks": (*ARCH.blocks, *REST[-1:] * 3)}, "no layer is left"),
    ],
)
def test_what_is_not_of_the_space_is_named(change, says):
    with pytest.raises(ValueError, match=says):
        SMALL.find(replace(ARCH, **change))
    with pytest.raises(ValueError, match="kernel: 9 is not one of"):
        SMALL.corner(kernel=9)
