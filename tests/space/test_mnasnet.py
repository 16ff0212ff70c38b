"""MnasNet's space: its size, what decodes, which published networks lie in it."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.chapters.ch01_search_spaces.experiment import space_size
from lightlab.chapters.ch08_mnasnet.space import flat
from lightlab.measure import cost
from lightlab.published import read_yaml
from lightlab.space import scaling
from lightlab.space.mnasnet import IMAGENET, WIDTHS, MnasNetSpace
from lightlab.space.skeleton import MACRO, Skeleton, Stage

SPACE = MnasNetSpace(IMAGENET)
SMALL = MnasNetSpace(Skeleton.small((3, 32, 32), 10, [32, 64]))
# 112 and 192 channels are 7/6 and 1.2 times MobileNetV2's, which the paper does not list
WIDER = MnasNetSpace(IMAGENET, (0.75, 1.0, 7 / 6, 1.2, 1.25))


def test_sizes_are_the_published_and_those_that_are_drawn():
    assert SPACE.size() == 432**5
    assert math.prod(len(d.options) for d in SPACE.decisions if d.name.startswith("1.")) == 432
    drawn = {s["name"]: s for s in read_yaml("space_sizes.yaml")}
    for name, space in {
        "MnasNet, one design per block": SPACE,
        "MnasNet, one design per layer": flat(IMAGENET),
        "NAS-Bench-Macro": MACRO,
    }.items():
        assert space_size(drawn[name]["define"]) == space.size()


def test_the_centre_is_mobilenet_v2():
    centre, v2 = SPACE.decode(SPACE.centre()), scaling.get("mobilenet_v2")
    assert cost.Prices()(centre) == cost.Prices()(v2)
    relu = tuple(replace(b, act="relu") for b in v2.blocks)
    assert [str(b) for b in centre.blocks[1:]] == [str(b) for b in relu[1:]]


OTHER = "another stem, first or last block, head or input"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mnasnet_a1", "stage 4 has no design that begins with mb_k3_s1_e6_c112_se0.25"),
        ("mnasnet_b1", "stage 5 has no design that begins with mb_k5_s2_e6_c192"),
        ("mnasnet_mbconv6_k3", "stage 4 has no design that begins with mb_k3_s1_e6_c112"),
        ("mnasnet_mbconv6_k5", OTHER),
        ("mnasnet_mbconv3_k3", OTHER),
        ("mnasnet_mbconv3_k5", OTHER),
        ("mnasnet_small", OTHER),
        ("mobilenet_v2", OTHER),  # ReLU6
    ],
)
def test_none_lies_in_the_space_as_it_is_stated_but_some_with_the_widths_that_they_have(name, says):
    arch = scaling.get(name)
    with pytest.raises(ValueError, match=says):
        SPACE.find(arch)
    if says != OTHER:
        found = WIDER.decode(WIDER.find(arch))
        assert cost.layer_table(found).equals(cost.layer_table(arch))


@given(st.integers(0, SMALL.size() - 1))
def test_a_point_is_found_again_from_its_network(number):
    arch = SMALL.decode(SMALL.unrank(number))
    again = SMALL.decode(SMALL.find(arch))
    assert cost.layer_table(again).equals(cost.layer_table(arch))


SHORT = replace(IMAGENET, stages=(Stage(24, 1, 2),))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Skeleton.small((3, 32, 32), 10, []), "at least one stage"),
        (lambda: Skeleton.small((3, 32, 32), 10, [16], widths=WIDTHS), "16 channels: two of the w"),
        (lambda: replace(IMAGENET, stages=(Stage(24, 0, 2),)), "has no layers"),
        (lambda: MnasNetSpace(SHORT), "fewer than two layers"),
        (lambda: MnasNetSpace(IMAGENET, (1.0, 1.0)), "twice"),
        (lambda: MnasNetSpace(IMAGENET, ()), "no options"),
    ],
)
def test_what_cannot_be_is_refused(make, says):
    with pytest.raises(ValueError, match=says) as error:
        make()
    assert "\n" not in str(error.value)
