"""The flat space beside MnasNet's: sizes, what decodes, and variants of one layer type."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.chapters.ch08_mnasnet import space
from lightlab.space.arch import layers
from lightlab.space.mnasnet import IMAGENET, MnasNetSpace
from lightlab.space.skeleton import Skeleton

SPACE, FLAT = MnasNetSpace(IMAGENET), space.flat(IMAGENET)
SMALL = MnasNetSpace(Skeleton.small((1, 16, 16), 10, [32, 64]))


def test_the_flat_space_has_the_published_size_and_networks_are_priced():
    assert math.floor(math.log10(FLAT.size())) == 39
    sizes = space.sizes()
    assert sizes["as listed"].tolist() == [324, 324**5, 324**15]
    assert sizes.iloc[:, 2].tolist() == [432, 432**5, 432**15]
    assert space.random_costs(50).groupby("space").size().to_dict() == {
        "factorized": 50,
        "flat": 50,
    }
    assert space.known_costs()["MnasNet-A1"] == pytest.approx(312e6, rel=0.02)


@given(st.integers(0, 2**32))
def test_flat_points_decode_to_networks_of_the_skeleton(seed):
    arch = FLAT.decode(FLAT.sample(np.random.default_rng(seed)))
    ends = (arch.stem, arch.blocks[0], arch.blocks[-1])
    assert ends == (IMAGENET.stem, IMAGENET.first[0], IMAGENET.last[0])
    assert sum(b.stride == 2 for b in arch.blocks) == 4
    assert all(x.out_size >= 7 for x in layers(arch) if x.role != "fc" and x.role != "se")


def test_equal_layers_make_the_same_network_in_both_spaces():
    options = SPACE.options(SPACE.centre())
    per_layer = {d.name: options[f"{d.name[0]}.{d.name.split('.')[2]}"] for d in FLAT.decisions}
    assert FLAT.decode(FLAT.point(per_layer)) == SPACE.decode(SPACE.centre())


def test_a_layer_left_out_hands_its_stride_on():
    small = space.flat(Skeleton.small((3, 32, 32), 10, [32]))
    options = small.options(small.unrank(0)) | {"1.1.layers": -1, "1.2.layers": 1}
    blocks = small.decode(small.point(options)).blocks
    assert [b.stride for b in blocks] == [1, 2, 1]


def test_variants_keep_depth_and_width_and_have_one_layer_type():
    for arch in map(SMALL.decode, SMALL.sample(np.random.default_rng(0), 20)):
        for name, variant in space.single_layer_variants(SMALL, arch).items():
            kept = [[(b.out_channels, b.stride) for b in a.blocks] for a in (arch, variant)]
            assert kept[0] == kept[1]
            kinds = {(b.op, b.expand_ratio, b.kernel_size, b.se_ratio) for b in variant.blocks[1:]}
            assert kinds == {("mb", int(name[6]), int(name[8]), 0)}
    with pytest.raises(ValueError, match="another stem"):
        space.single_layer_variants(SMALL, SPACE.decode(SPACE.centre()))
