"""ProxylessNAS's space: the paper's sizes, and where the released networks lie."""

from dataclasses import replace

import numpy as np
import pytest

from lightlab.chapters.ch01_search_spaces.experiment import space_size
from lightlab.measure import cost
from lightlab.published import read_yaml
from lightlab.space import scaling
from lightlab.space.blocks import Block
from lightlab.space.mnasnet import whereabouts
from lightlab.space.proxyless import PROXYLESS, ZERO, ProxylessSpace
from lightlab.space.skeleton import Skeleton

SPACE = ProxylessSpace(PROXYLESS)
SMALL = ProxylessSpace(Skeleton.small((3, 32, 32), 10, [16, 24], layers=3))
RELEASED = ("proxyless_mobile", "proxyless_gpu", "proxyless_cpu", "proxyless_mobile_14")


def test_sizes_are_those_of_the_released_code():
    assert SPACE.size() == 6**6 * 7**15
    assert len(SPACE.positions) == 21
    assert sum(SPACE.n_options) == 141  # logits
    drawn = {s["name"]: s for s in read_yaml("space_sizes.yaml")}
    assert space_size(drawn["ProxylessNAS"]["define"]) == SPACE.size()


def test_an_even_choice_costs_what_the_paper_s_page_computed():
    rng = np.random.default_rng(0)
    drawn = [cost.macs(SPACE.decode(p)) / 1e6 for p in SPACE.sample(rng, 400)]
    assert np.mean(drawn) == pytest.approx(373, rel=0.02)
    ends = [cost.macs(SPACE.decode(p)) / 1e6 for p in (SPACE.smallest(), SPACE.largest())]
    assert ends == pytest.approx([103, 607], abs=0.5)


@pytest.mark.parametrize("name", RELEASED)
def test_released_networks_lie_in_the_space_with_the_widths_that_they_have(name):
    arch = scaling.get(name)
    space = ProxylessSpace.of_widths(arch)
    assert space.size() == SPACE.size()
    assert space.decode(space.find(arch)) == arch
    assert whereabouts(SPACE, arch) != "inside"
    with pytest.raises(ValueError, match="widths, not 6"):
        ProxylessSpace.of_widths(scaling.get("mobilenet_v1"))


def test_zero_stands_where_a_residual_connection_can_and_networks_are_found_again():
    names = [p.name for p in SMALL.positions if ZERO in p.candidates]
    assert names == ["1.2", "1.3", "2.2", "2.3"]
    without = ProxylessSpace(SMALL.skeleton, zero=False)
    assert not any(ZERO in p.candidates for p in without.positions)
    assert len(SMALL.decode(SMALL.smallest()).blocks) == 1 + 2
    for point in SMALL.sample(np.random.default_rng(1), 40):
        arch = SMALL.decode(point)
        assert SMALL.decode(SMALL.find(arch)) == arch


def test_all_blocks_may_be_left_out_where_all_have_residuals():
    skeleton = Skeleton.small((1, 16, 16), 10, [16])
    stages = (replace(skeleton.stages[0], channels=8, stride=1),)
    space = ProxylessSpace(replace(skeleton, stages=stages))
    empty = space.decode(space.point({p.name: ZERO for p in space.positions}))
    assert len(empty.blocks) == len(skeleton.first)
    assert cost.macs(empty) > 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: replace(a, stem=replace(a.stem, out_channels=24)), "another stem"),
        (lambda a: replace(a, blocks=(*a.blocks, Block("mb", 24, 9))), "no block is left for"),
        (lambda a: replace(a, blocks=a.blocks[:1]), "cannot be left out"),
    ],
)
def test_what_lies_outside_is_named(change, says):
    arch = SMALL.decode(SMALL.centre())
    with pytest.raises(ValueError, match=says):
        SMALL.find(change(arch))
