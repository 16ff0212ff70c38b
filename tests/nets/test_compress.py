"""Pruning: what stays computes what it did, and ties are respected."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lightlab.chapters.ch11_compression.space import CompressionSpace
from lightlab.nets.blocks import ConvBNAct
from lightlab.nets.build import build
from lightlab.nets.compress import _layers, kept_channels, prune, ties
from lightlab.space.arch import decode
from lightlab.space.once_for_all import like_mobilenet_v3
from lightlab.space.skeleton import Skeleton
from tests.nets.conftest import lively

SKELETON = Skeleton.small((1, 24, 24), 5, [16, 32], layers=2)
SPACES = {
    "plain": CompressionSpace(SKELETON, keeps=(0.5, 1.0), resolutions=(16, 24)),
    "like v3": CompressionSpace(like_mobilenet_v3(SKELETON), keeps=(0.5, 1.0)),
}


@pytest.mark.parametrize("name", SPACES)
def test_nothing_taken_is_the_same_network(name):
    trained = lively(build(SPACES[name].trained))
    x = torch.randn(3, *trained.arch.input_shape)
    assert torch.equal(prune(trained, trained.arch)(x), trained(x))


def masked(trained, kept, blocks):
    """The trained network with the channels that go silenced, and without the blocks that go."""
    whole = ties(trained.arch)
    with torch.no_grad():
        for layer, group, _ in _layers(trained, whole, range(len(trained.blocks))):
            if isinstance(layer, ConvBNAct):
                gone = torch.ones(whole.sizes[group], dtype=torch.bool)
                gone[kept.get(group, torch.arange(whole.sizes[group]))] = False
                layer.norm.weight[gone] = 0
                layer.norm.bias[gone] = 0
    for i in set(range(len(trained.blocks))) - set(blocks):
        trained.blocks[i] = nn.Identity()
    return trained


@settings(max_examples=12)
@given(st.integers(0, 10**6), st.sampled_from(["l1", "bn_scale", "random"]))
def test_what_stays_computes_what_the_trained_network_does_without_the_rest(number, importance):
    space = CompressionSpace(SKELETON, keeps=(0.5, 1.0), kernels=(3,))
    trained = lively(build(space.trained))
    form = space.decode(space.unrank(number % space.size()))
    small = prune(trained, form.arch, form.blocks, importance, seed=3)
    kept = kept_channels(trained, form.arch, form.blocks, importance, seed=3)
    x = torch.randn(2, *form.arch.input_shape)
    wanted = masked(trained, kept, form.blocks)(x)
    assert torch.allclose(small(x), wanted, atol=1e-5)


def test_additions_and_depthwise_layers_tie_channels():
    arch = decode("r16x1 conv_k3_s1_c8 mb_k3_s1_e1_c8 mb_k3_s2_e2_c16 mb_k3_s1_e2_c16 head_f32_n3")
    found = ties(arch)
    assert found.maps == (0, 0, 2, 2)  # the first block adds the stem's maps, the last the third's
    assert found.hidden == (0, 1, 3)  # without expansion hidden channels are the input's
    assert found.sizes == (8, 16, 16, 32, 32)
    assert (found.features, found.units) == (4, 4)


def test_the_largest_filters_stay():
    arch = decode("r8x1 conv_k3_s1_c4 sep_k3_s1_c8 head_n2")
    trained = lively(build(arch))
    with torch.no_grad():
        trained.stem.conv.weight[[0, 3]] *= 100
        trained.blocks[0].depthwise.norm.weight[:] = torch.tensor([1.0, 9.0, 1.0, 9.0])
        trained.stem.norm.weight[:] = torch.tensor([1.0, 9.0, 1.0, 9.0])
    small = decode("r8x1 conv_k3_s1_c2 sep_k3_s1_c8 head_n2")
    assert kept_channels(trained, small, [0])[0].tolist() == [0, 3]
    assert kept_channels(trained, small, [0], "bn_scale")[0].tolist() == [1, 3]
    with pytest.raises(ValueError, match="importance is one of l1"):
        kept_channels(trained, small, [0], "magnitude")


def test_a_smaller_kernel_is_the_centre():
    trained = lively(build(decode("r8x1 conv_k3_s1_c4 mb_k5_s1_e2_c4 head_n2")))
    small = prune(trained, decode("r8x1 conv_k3_s1_c4 mb_k3_s1_e2_c4 head_n2"))
    mine, theirs = (n.blocks[0].depthwise.conv.weight for n in (trained, small))
    assert torch.equal(theirs, mine[..., 1:4, 1:4])


def test_squeeze_excite_keeps_the_gates_that_weigh_most():
    trained = lively(build(SPACES["like v3"].trained))
    se = trained.blocks[3].se
    with torch.no_grad():
        se.restore.weight[:, 1::2] *= 50
        se.reduce.bias.copy_(torch.arange(len(se.reduce.bias)))
    space = SPACES["like v3"]
    form = space.decode(space.point(space.options(space.largest()) | {"1.keep": 0.5}))
    small = prune(trained, form.arch, form.blocks).blocks[3].se
    assert small.reduce.bias.tolist() == se.reduce.bias[1::2].tolist()


ARCH = "r16x1 conv_k3_s1_c8 mb_k3_s1_e2_c8 mb_k3_s2_e2_c16 head_f32_n3"


@pytest.mark.parametrize(
    ("small", "blocks", "why"),
    [
        (ARCH.replace("c16", "c24"), None, "cannot have 24"),
        (ARCH.replace("mb_k3_s2", "mb_k5_s2"), None, "kernel_size"),
        (ARCH.replace("s2", "s1"), None, "stride"),
        (ARCH.replace("e2_c8", "e1_c8"), None, "expand_ratio"),
        (ARCH.replace("n3", "n4"), None, "n_classes is 4"),
        (ARCH.replace("head_f32", "head"), None, "head"),
        (ARCH.replace(" mb_k3_s2_e2_c16", ""), [0], "block 1 does not add its input"),
        (ARCH.replace(" mb_k3_s2_e2_c16", ""), [0, 1], "cannot be those of the numbers"),
        (ARCH.replace("s1_c8", "s1_c4", 1), None, "go together"),
    ],
)
def test_what_is_no_smaller_form_is_refused(small, blocks, why):
    with pytest.raises(ValueError, match=why):
        prune(build(decode(ARCH)), decode(small), blocks)


def test_an_addition_that_was_not_there_is_refused():
    trained = build(decode("r16x1 conv_k3_s1_c8 mb_k3_s1_e2_c16 head_n3"))
    small = decode("r16x1 conv_k3_s1_c8 mb_k3_s1_e2_c8 head_n3")
    with pytest.raises(ValueError, match="adds maps"):
        prune(trained, small)
    silent = replace(small, blocks=(replace(small.blocks[0], skip="none"),))
    assert prune(trained, silent).arch == silent
