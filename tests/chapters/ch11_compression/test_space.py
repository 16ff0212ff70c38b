"""The space of compressions: what its points are, and what it refuses."""

import pytest

from lightlab.chapters.ch11_compression.space import CompressionSpace
from lightlab.space.arch import encode
from lightlab.space.once_for_all import OfaSpace
from lightlab.space.skeleton import Skeleton

FRAME = Skeleton.small((3, 32, 32), 10, [32, 64], layers=2)
EQUAL = Skeleton.small((3, 32, 32), 10, [16, 32, 32], layers=1)
SPACE = CompressionSpace(FRAME, 4, (0.25, 0.5, 1.0), resolutions=(24, 32))


def test_its_largest_point_is_the_largest_of_the_once_for_all_space():
    assert SPACE.size() == 2 * 2 * (3 * 2 * 2) ** 2
    elastic = OfaSpace(FRAME, (3, 5), (2, 4), (1, 2), (24, 32))
    assert SPACE.trained == elastic.decode(elastic.corner())
    assert SPACE.decode(SPACE.largest()).blocks == tuple(range(len(SPACE.trained.blocks)))


def test_a_point_says_what_stays():
    options = {"resolution": 24, "bits": 8, "1.keep": 0.5, "1.depth": 1, "1.kernel": 3}
    form = SPACE.decode(SPACE.point(options | {"2.keep": 1.0, "2.depth": 2, "2.kernel": 5}))
    assert form.bits == 8
    assert form.blocks == (0, 1, 3, 4)  # without the second layer of the first stage
    text = "r24x3 conv_k3_s2_c16 mb_k3_s1_e1_c16_noskip mb_k3_s2_e4_c16 "
    assert encode(form.arch) == text + "mb_k5_s2_e4_c64 mb_k5_s1_e4_c64 head_f128_n10"


def test_where_equal_channels_meet_nothing_is_added_that_was_not_before():
    frame = Skeleton.small((3, 32, 32), 10, [16, 24, 48], layers=1)
    space = CompressionSpace(frame, 4, (0.5, 1.0))
    point = space.point(space.options(space.largest()) | {"3.keep": 0.5})
    assert [b.skip for b in space.decode(point).arch.blocks] == ["none", *["identity"] * 2, "none"]


def test_an_even_share_of_the_channels_leaves_all_else():
    form = SPACE.evenly(0.5)
    text = "r32x3 conv_k3_s2_c16 mb_k3_s1_e1_c16_noskip mb_k5_s2_e4_c16 mb_k5_s1_e4_c16 "
    assert encode(form.arch) == text + "mb_k5_s2_e4_c32 mb_k5_s1_e4_c32 head_f128_n10"
    assert (form.bits, form.blocks) == (32, (0, 1, 2, 3, 4))


def test_uniform_points_choose_alike_in_all_stages():
    points = SPACE.uniform()
    assert len(points) == len(set(points)) == 2 * 2 * 3 * 2 * 2
    for point in points:
        options = SPACE.options(point)
        assert all(options[f"1.{w}"] == options[f"2.{w}"] for w in ("keep", "depth", "kernel"))


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"skeleton": EQUAL}, "stage 3 begins by adding its input"),
        ({"keeps": (1.0, 0.5)}, "options have to rise"),
        ({"keeps": (0.25, 0.5)}, "the largest share that is kept has to be 1"),
        ({"kernels": ()}, "options have to rise"),
    ],
)
def test_what_is_no_space_is_refused(how, why):
    with pytest.raises(ValueError, match=why):
        CompressionSpace(**{"skeleton": FRAME} | how)


def test_shares_that_make_the_same_channels_are_refused():
    with pytest.raises(ValueError, match=r"32 channels: two of the widths .* to the same"):
        Skeleton.small((3, 32, 32), 10, [32, 64], 2, widths=(0.9, 1.0))
