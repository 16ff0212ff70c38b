"""Networks as data: text without loss, rounding, shapes, and what cannot be built."""

import copy
import math
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.space import scaling
from lightlab.space.arch import Arch, Head, decode, encode, layers
from lightlab.space.blocks import (
    ArchError,
    Block,
    decode_block,
    decode_blocks,
    encode_block,
    encode_blocks,
    make_divisible,
)
from lightlab.space.scaling import WIDTH_RULES, adapt, scale

TINY = "r33x1 conv_k3_s2_c8 mb_k5_s2_e2.3_c16_se0.25x_hswish mb_k3_s1_e6_c16*2 head_h9nobias_n3"


@given(st.from_type(Arch))
def test_text_gives_the_network_back(arch):
    text = encode(arch)
    again = decode(text)
    assert again == arch
    assert hash(again) == hash(arch)
    assert encode(again) == text


@given(st.from_type(Block))
def test_text_gives_the_block_back(block):
    assert decode_block(encode_block(block)) == block


def test_equal_neighbours_are_written_once():
    blocks = decode_blocks("sep_k3_s1_c8*3 sep_k3_s1_c16")
    assert len(blocks) == 4
    assert encode_blocks(blocks) == "sep_k3_s1_c8*3 sep_k3_s1_c16"


def test_parts_may_stand_in_any_order_and_defaults_be_left_out():
    assert decode_block("mb_c40_se0.25_e6_k5") == Block(
        "mb", 40, kernel_size=5, expand_ratio=6, se_ratio=0.25
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pool_k3", "begins with none of conv, sep, mb"),
        ("mb_k3_q7_c8", "cannot read 'q7'"),
        ("mb_k3_k5_c8", "said twice"),
        ("mb_k3", "channels are missing"),
        ("mb_k4_c8", "kernel_size is odd"),
        ("mb_k3_s3_c8", "stride is 1 or 2"),
        ("sep_k3_e6_c8", "unless op is mb"),
        ("mb_k3_c8_skip_poolskip", "said twice"),
        ("mb_c8_se1.5", "se_ratio <= 1"),
        ("mb_c0", "out_channels >= 1"),
        ("mb_c8_e0", "0 < expand_ratio <= 1000"),
        (f"mb_c8_e{'9' * 400}", "0 < expand_ratio <= 1000"),
        ("mb_c8*0", "no number of repeats"),
        ("mb_c8*x", "no number of repeats"),
        ("mb_c8*1000", "no number of repeats from 1 to 999"),
    ],
)
def test_a_block_that_cannot_be_is_refused_in_one_line(text, says):
    with pytest.raises(ArchError, match=says.replace("*", r"\*")) as error:
        decode_blocks(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not 'r<px>x<channels>"),
        ("conv_k3_s2_c8 head_n10", "is not 'r<px>x<channels>"),
        ("r32x3 conv_k3_s2_c8", "is not 'r<px>x<channels>"),
        ("r32x3 conv_k3_s2_c8 head_q4_n10", "cannot read 'head_q4_n10'"),
        ("r32x3 conv_k3_s2_c8 head_n0", "n_classes >= 1"),
        ("r0x3 conv_k3_s2_c8 head_n10", "resolution >= 1"),
        ("r32x3 mb_k3_s2_c8 head_n10", "the stem is a plain convolution"),
    ],
)
def test_a_network_that_cannot_be_is_refused_in_one_line(text, says):
    with pytest.raises(ArchError, match=says) as error:
        decode(text)
    assert "\n" not in str(error.value)


def test_what_says_nothing_has_one_form():
    """Else one network would have two names and stand twice in every table."""
    assert Block("mb", 8, se_of="expanded") == Block("mb", 8)
    assert Head(0, 0, "hswish") == Head()
    assert Head(9, 0, hidden_bias=False) == Head(9)
    assert Block("mb", 8, expand_ratio=3.0) == Block("mb", 8, expand_ratio=3)


def test_the_id_is_that_of_the_text_in_every_process():
    program = f"from lightlab.space.arch import decode; print(decode({TINY!r}).arch_id)"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == decode(TINY).arch_id
    assert decode(TINY.replace("n3", "n4")).arch_id != decode(TINY).arch_id


def test_networks_survive_copies_and_other_processes():
    arch = decode(TINY)
    for other in (copy.deepcopy(arch), pickle.loads(pickle.dumps(arch))):
        assert other == arch
        assert {arch.blocks[0]: 1}[other.blocks[0]] == 1


@given(st.floats(1, 5000), st.sampled_from((4, 8, 16)))
def test_rounded_widths_are_near_and_divisible(value, divisor):
    """MobileNetV2's rule: the nearest multiple, never under 90 %."""
    found = make_divisible(value, divisor)
    assert found % divisor == 0
    assert found >= 0.9 * value
    nearest = abs(found - value) <= divisor / 2
    assert found == divisor or nearest or found - divisor < 0.9 * value


@given(st.from_type(Arch), st.sampled_from(sorted(WIDTH_RULES)), st.floats(0.1, 3))
def test_scaling_touches_widths_and_nothing_else(arch, rule, width_mult):
    scaled = scale(arch, width_mult=width_mult, resolution=7, rule=rule)
    assert scaled.resolution == 7
    assert (scaled.n_classes, scaled.in_channels) == (arch.n_classes, arch.in_channels)
    for a, b in zip(arch.blocks, scaled.blocks, strict=True):
        assert b.out_channels >= 8 or width_mult == 1  # then nothing is changed
        assert (a.op, a.kernel_size, a.stride, a.expand_ratio, a.se_ratio, a.act) == (
            b.op,
            b.kernel_size,
            b.stride,
            b.expand_ratio,
            b.se_ratio,
            b.act,
        )


def test_scaling_by_one_changes_nothing():
    arch = decode("r224x3 conv_k3_s2_c3 mb_k3_s1_e3_c13 head_f20_n10")  # no width is a multiple
    assert scale(arch) == arch


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"width_mult": 0}, "0 < width_mult <= 1000"),
        ({"width_mult": float("inf")}, "0 < width_mult <= 1000"),
        ({"width_mult": 1e308}, "0 < width_mult <= 1000"),
        ({"resolution": 31.5}, "whole number for resolution, not 31.5"),
        ({"rule": "mine"}, "rule is one of mobilenet_v1"),
    ],
)
def test_scaling_refuses_what_has_no_meaning(change, says):
    with pytest.raises(ArchError, match=says):
        scale(decode(TINY), **change)


def test_equal_values_have_one_text_whatever_their_type():
    arch = scaling.get("mobilenet_v1", resolution=160)
    for same in (160.0, np.int64(160), np.float32(160)):
        other = scaling.get("mobilenet_v1", resolution=same)
        assert other == arch
        assert (other.arch_id, encode(other)) == (arch.arch_id, encode(arch))
    block = Block("mb", 8.0, kernel_size=np.int64(3), stride=1.0)
    assert decode_block(str(block)) == block


_ANY_TYPE = st.sampled_from((int, float, np.int32, np.int64, np.float32, np.float64))
_RATIOS = ("expand_ratio", "se_ratio")


@given(st.from_type(Arch), st.data())
def test_a_network_does_not_depend_on_the_types_of_its_numbers(arch, data):
    def retyped(part, *names):
        return replace(part, **{n: data.draw(_ANY_TYPE)(getattr(part, n)) for n in names})

    blocks = []
    for block in (arch.stem, *arch.blocks):
        other = retyped(block, "out_channels", "kernel_size", "stride")
        kinds = (np.float64, np.longdouble)  # of the same bits
        ratios = {n: data.draw(st.sampled_from(kinds))(getattr(block, n)) for n in _RATIOS}
        blocks.append(replace(other, **ratios))
    stem, *rest = blocks
    head = retyped(arch.head, "features", "hidden")
    same = replace(arch, stem=stem, blocks=rest, head=head)
    same = retyped(same, "resolution", "in_channels", "n_classes")
    assert same == arch
    assert hash(same) == hash(arch)
    assert (encode(same), same.arch_id) == (encode(arch), arch.arch_id)


@given(st.floats(0.5, 4, width=32))
def test_a_ratio_of_32_bits_is_the_float_of_its_bits(ratio):
    block = Block("mb", 8, expand_ratio=np.float32(ratio))
    assert block == decode_block(str(block)) == Block("mb", 8, expand_ratio=ratio)
    assert hash(block) == hash(Block("mb", 8, expand_ratio=ratio))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"out_channels": 8.5}, "whole number for out_channels"),
        ({"out_channels": True}, "whole number for out_channels"),
        ({"kernel_size": "3"}, "whole number for kernel_size"),
        ({"stride": math.nan}, "whole number for stride"),
        ({"expand_ratio": math.inf}, "0 < expand_ratio <= 1000"),
        ({"expand_ratio": math.nan}, "0 < expand_ratio <= 1000"),
        ({"expand_ratio": 1e308}, "0 < expand_ratio <= 1000"),
        ({"expand_ratio": "6"}, "a number for expand_ratio"),
        ({"expand_ratio": True}, "a number for expand_ratio"),
        ({"se_ratio": True}, "a number for se_ratio"),
        ({"se_ratio": math.nan}, "0 <= se_ratio <= 1"),
    ],
)
def test_what_is_no_such_number_is_refused(wrong, words):
    with pytest.raises(ArchError, match=words):
        Block(**{"op": "mb", "out_channels": 8} | wrong)


@pytest.mark.parametrize("wrong", [{"features": 1.5}, {"hidden": True}, {"hidden_bias": "no"}])
def test_a_head_of_other_things_than_numbers_is_refused(wrong):
    with pytest.raises(ArchError, match=next(iter(wrong))):
        Head(**{"features": 8, "hidden": 8} | wrong)


@given(st.from_type(Arch), st.integers(1, 40), st.integers(1, 5))
def test_a_fitted_network_keeps_its_maps_as_large_as_asked(arch, resolution, min_map):
    fitted = adapt(arch, resolution=resolution, in_channels=2, n_classes=7, min_map=min_map)
    assert (fitted.resolution, fitted.in_channels, fitted.n_classes) == (resolution, 2, 7)
    shrinking = [x for x in layers(fitted) if x.stride > 1]
    assert all(x.out_size >= min_map for x in shrinking)
    before = [b.stride for b in (arch.stem, *arch.blocks)]
    after = [b.stride for b in (fitted.stem, *fitted.blocks)]
    changed = [a != b for a, b in zip(before, after, strict=True)]
    kept = [a == b == 2 for a, b in zip(before, after, strict=True)]
    assert not any(changed) or not any(kept[changed.index(True) :])  # the last strides go first


@pytest.mark.parametrize(
    "change", [{"resolution": 0}, {"in_channels": 0}, {"n_classes": 0}, {"min_map": 0}]
)
def test_fitting_refuses_what_has_no_meaning(change):
    with pytest.raises(ArchError, match=f"needs {next(iter(change))} >= 1"):
        adapt(decode(TINY), **{"resolution": 32, "in_channels": 3, "n_classes": 10} | change)


def test_mobilenet_on_small_images_loses_its_last_strides():
    fitted = adapt(
        decode(encode(scaling.get("mobilenet_v1"))), resolution=32, in_channels=1, n_classes=10
    )
    strides = [b.stride for b in fitted.blocks if b.out_channels >= 512]
    assert strides == [2, 1, 1, 1, 1, 1, 1, 1]
    assert next(x for x in reversed(layers(fitted)) if x.role != "fc").out_size == 2


def test_layers_of_one_block_by_hand():
    """16 channels of 9 px, expanded 2.3 times to 40, a quarter of them squeezed, stride 2."""
    arch = decode("r17x1 conv_k3_s2_c16 mb_k5_s2_e2.3_c24_se0.25x_hswish head_n3")
    found = {x.name: x for x in layers(arch)}
    assert list(found) == [
        "stem",
        "blocks.0.expand",
        "blocks.0.depthwise",
        "blocks.0.se.reduce",
        "blocks.0.se.restore",
        "blocks.0.project",
        "classifier",
    ]
    assert found["stem"].out_size == 9
    assert found["blocks.0.expand"].macs == 16 * 40 * 81
    assert found["blocks.0.depthwise"].macs == 25 * 40 * 25
    assert found["blocks.0.se.reduce"].trainable == 40 * 16 + 16
    assert found["blocks.0.se.restore"].macs == 16 * 40
    assert found["blocks.0.project"].trainable == 40 * 24 + 2 * 24
    assert found["classifier"].trainable == 24 * 3 + 3


def test_squeeze_excite_follows_either_paper():
    """MnasNet: a share of the block's input; MobileNetV3: of the expanded width, by eights."""
    mnasnet = Block("mb", 40, expand_ratio=6, se_ratio=0.25)
    mobilenet_v3 = Block("mb", 40, expand_ratio=6, se_ratio=0.25, se_of="expanded")
    assert mnasnet.squeezed_channels(10) == 2
    assert mobilenet_v3.squeezed_channels(10) == 16  # 64 / 4
