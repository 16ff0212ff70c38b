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

from lightlab.space.arch import Arch, Head, decode, encode
from lightlab.space.blocks import Block, decode_block, decode_blocks, encode_blocks, make_divisible

TINY = "r33x1 conv_k3_s2_c8 mb_k5_s2_e2.3_c16_se0.25x_hswish mb_k3_s1_e6_c16*2 head_h9nobias_n3"


def test_what_says_nothing_has_one_form():
    """Else one network would have two names and stand twice in every table."""
    assert Block("mb", 8, se_of="expanded") == Block("mb", 8)
    assert Head(0, 0, "hswish") == Head()
    assert Head(9, 0, hidden_bias=False) == Head(9)
    assert Block("mb", 8, expand_ratio=3.0) == Block("mb", 8, expand_ratio=3)
    ratio = np.float32(2.3)  # the float of its bits
    block = Block("mb", 8, expand_ratio=ratio)
    assert block == decode_block(str(block)) == Block("mb", 8, expand_ratio=float(ratio))
    assert hash(block) == hash(Block("mb", 8, expand_ratio=float(ratio)))


@given(st.floats(1, 5000))
def test_rounded_widths_are_near_and_divisible(value):
    """MobileNetV2's rule: the nearest multiple, never under 90 %."""
    found = make_divisible(value)
    assert found % 8 == 0
    assert found >= 0.9 * value
    assert found == 8 or abs(found - value) <= 4 or found - 8 < 0.9 * value


_ANY_TYPE = st.sampled_from((int, float, np.int32, np.int64, np.float32, np.float64))
_RATIOS = ("expand_ratio", "se_ratio")


@given(st.from_type(Arch), st.data())
def test_text_gives_the_network_back_whatever_the_types_of_its_numbers(arch, data):
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
    text = encode(arch)
    for again in (same, decode(text)):
        assert again == arch
        assert hash(again) == hash(arch)
        assert (encode(again), again.arch_id) == (text, arch.arch_id)


def test_blocks_are_written_shortly_and_read_in_any_order():
    text = "sep_k3_s1_c8*3 sep_k3_s1_c16"
    assert len(decode_blocks(text)) == 4
    assert encode_blocks(decode_blocks(text)) == text
    block = Block("mb", 40, kernel_size=5, expand_ratio=6, se_ratio=0.25)
    assert decode_blocks("mb_c40_se0.25_e6_k5") == (block,)


def test_a_network_is_the_same_in_copies_and_other_processes():
    arch = decode(TINY)
    for other in (copy.deepcopy(arch), pickle.loads(pickle.dumps(arch))):
        assert other == arch
        assert {arch.blocks[0]: 1}[other.blocks[0]] == 1
    program = f"from lightlab.space.arch import decode; print(decode({TINY!r}).arch_id)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.strip() == arch.arch_id != replace(arch, n_classes=4).arch_id


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (decode_blocks, "pool_k3", "begins with none of conv, sep, mb"),
        (decode_blocks, "mb_k3_q7_c8", "cannot read 'q7'"),
        (decode_blocks, "mb_k3_k5_c8", "said twice"),
        (decode_blocks, "mb_k3", "channels are missing"),
        (decode_blocks, "mb_k4_c8", "kernel_size is odd"),
        (decode_blocks, "mb_k3_s3_c8", "stride is 1 or 2"),
        (decode_blocks, "sep_k3_e6_c8", "unless op is mb"),
        (decode_blocks, "mb_c8_se1.5", "se_ratio <= 1"),
        (decode_blocks, "mb_c0", "out_channels >= 1"),
        (decode_blocks, "mb_c8_e0", "0 < expand_ratio <= 1000"),
        (decode_blocks, f"mb_c8_e{'9' * 400}", "0 < expand_ratio <= 1000"),
        (decode_blocks, "mb_c8*0", "no number of repeats"),
        (decode_blocks, "mb_c8*1000", "no number of repeats from 1 to 999"),
        (decode, "", "is not 'r<px>x<channels>"),
        (decode, "conv_k3_s2_c8 head_n10", "is not 'r<px>x<channels>"),
        (decode, "r32x3 conv_k3_s2_c8 head_q4_n10", "cannot read 'head_q4_n10'"),
        (decode, "r32x3 conv_k3_s2_c8 head_n0", "n_classes >= 1"),
        (decode, "r0x3 conv_k3_s2_c8 head_n10", "resolution >= 1"),
        (decode, "r32x3 mb_k3_s2_c8 head_n10", "the stem is a plain convolution"),
    ],
)
def test_a_text_of_what_cannot_be_is_refused_in_one_line(read, text, says):
    with pytest.raises(ValueError, match=" ") as error:
        read(text)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("part", "wrong", "words"),
    [
        (Block("mb", 8), {"out_channels": 8.5}, "whole number for out_channels"),
        (Block("mb", 8), {"out_channels": True}, "whole number for out_channels"),
        (Block("mb", 8), {"kernel_size": "3"}, "whole number for kernel_size"),
        (Block("mb", 8), {"stride": math.nan}, "whole number for stride"),
        (Block("mb", 8), {"expand_ratio": math.nan}, "0 < expand_ratio <= 1000"),
        (Block("mb", 8), {"expand_ratio": "6"}, "a number for expand_ratio"),
        (Block("mb", 8), {"expand_ratio": True}, "a number for expand_ratio"),
        (Block("mb", 8), {"se_ratio": True}, "a number for se_ratio"),
        (Block("mb", 8), {"se_ratio": math.nan}, "0 <= se_ratio <= 1"),
        (Head(8, 8), {"features": 1.5}, "features"),
        (Head(8, 8), {"hidden": True}, "hidden"),
        (Head(8, 8), {"hidden_bias": "no"}, "hidden_bias"),
    ],
)
def test_what_is_no_such_number_is_refused(part, wrong, words):
    with pytest.raises(ValueError, match=words):
        replace(part, **wrong)


def test_a_skip_stands_where_channels_and_stride_allow_it():
    pool, identity = (Block("mb", 16, skip=skip, stride=2) for skip in ("pool", ""))
    assert (pool.skip_of(16), pool.skip_of(8)) == ("pool", "none")
    assert (identity.skip_of(16), replace(identity, stride=1).skip_of(16)) == ("none", "identity")
