"""The flat space beside MnasNet's: sizes, what decodes, and variants of one layer type."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.chapters.ch08_mnasnet import space
from lightlab.space.arch import layers
from lightlab.space.decisions import SpaceError
from lightlab.space.mnasnet import IMAGENET, MnasNetSpace
from lightlab.space.skeleton import Skeleton

SPACE, FLAT = MnasNetSpace(IMAGENET), space.flat(IMAGENET)
SMALL = MnasNetSpace(Skeleton.small((1, 16, 16), 10, [32, 64]))


def test_the_flat_space_has_the_published_size():
    assert FLAT.size() == 432**15
    assert math.floor(math.log10(FLAT.size())) == 39
    sizes = space.sizes()
    assert sizes["as listed"].tolist() == [324, 324**5, 324**15]
    assert sizes.iloc[:, 2].tolist() == [432, 432**5, 432**15]


@given(st.integers(0, 2**32))
def test_flat_points_decode_to_networks_of_the_skeleton(seed):
    arch = FLAT.decode(FLAT.sample(np.random.default_rng(seed)))
    assert arch.stem == IMAGENET.stem
    assert arch.blocks[0] == IMAGENET.first[0]
    assert arch.blocks[-1] == IMAGENET.last[0]
    assert sum(b.stride == 2 for b in arch.blocks) == 4
    assert all(x.out_size >= 7 for x in layers(arch) if x.role != "fc" and x.role != "se")


def test_equal_layers_make_the_same_network_in_both_spaces():
    options = SPACE.options(SPACE.centre())
    per_layer = {d.name: options[f"{d.name[0]}.{d.name.split('.')[2]}"] for d in FLAT.decisions}
    assert FLAT.decode(FLAT.point(per_layer)) == SPACE.decode(SPACE.centre())


def test_a_layer_left_out_hands_its_stride_on():
    flat_small = space.flat(Skeleton.small((3, 32, 32), 10, [32]))
    rng = np.random.default_rng(0)
    options = flat_small.options(flat_small.sample(rng)) | {"1.1.layers": -1, "1.2.layers": 1}
    blocks = flat_small.decode(flat_small.point(options)).blocks
    assert [b.stride for b in blocks] == [1, 2, 1]


def test_none_of_the_published_networks_lies_in_the_space_as_it_is_stated():
    found = space.published_networks().set_index("network")
    assert not (found.iloc[:, 0] == "inside").any()
    assert (found.loc[["mnasnet_a1", "mnasnet_b1"]].iloc[:, 1] == "inside").all()


def test_random_networks_of_two_spaces_are_priced():
    costs = space.random_costs(50)
    assert costs.groupby("space").size().to_dict() == {"factorized": 50, "flat": 50}
    assert (costs["macs"] > 0).all()
    assert space.known_costs()["MnasNet-A1"] == pytest.approx(312e6, rel=0.02)


def test_variants_keep_depth_and_width_and_have_one_layer_type():
    rng = np.random.default_rng(0)
    for point in SMALL.sample(rng, 20):
        arch = SMALL.decode(point)
        found = space.single_layer_variants(SMALL, arch)
        assert set(found) == set(space.LAYER_TYPES)
        for name, variant in found.items():
            kept = ("out_channels", "stride")
            for a, b in zip(arch.blocks, variant.blocks, strict=True):
                assert [getattr(a, k) for k in kept] == [getattr(b, k) for k in kept]
            kinds = {(b.op, b.expand_ratio, b.kernel_size, b.se_ratio) for b in variant.blocks[1:]}
            assert kinds == {("mb", int(name[6]), int(name[8]), 0)}
    with pytest.raises(SpaceError, match="another stem"):
        space.single_layer_variants(SMALL, SPACE.decode(SPACE.centre()))
