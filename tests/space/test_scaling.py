"""The papers' networks and their sources; networks of other widths and for other images."""

from dataclasses import replace
from functools import partial
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.nets.build import INITS
from lightlab.space import scaling
from lightlab.space.arch import Arch, decode, encode, layers
from lightlab.space.blocks import Block
from lightlab.space.scaling import WIDTH_RULES, adapt, scale

SMALL = {"resolution": 32, "in_channels": 1, "n_classes": 10}
NAMES = {
    *("mobilenet_v1", "mobilenet_v1_full", "mobilenet_v1_shallow"),
    *("mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small"),
    *("mnasnet_a1", "mnasnet_b1", "mnasnet_small"),
    *(f"mnasnet_mbconv{e}_k{k}" for e in (3, 6) for k in (3, 5)),
    *("proxyless_mobile", "proxyless_gpu", "proxyless_cpu", "proxyless_mobile_14"),
    *(f"ofa_d{d}_w{w}_k{k}" for d in (2, 4) for w in (3, 6) for k in (3, 7)),
    *("mobilenet_32", "mobilenet_32_full", "mobilenet_32_shallow"),
}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_entry_says_where_it_comes_from(name):
    entry = scaling.entry(name)
    assert entry.name == name
    assert scaling.get(name) == entry.arch == decode(encode(entry.arch))
    assert entry.width_rule in WIDTH_RULES
    assert entry.init in INITS
    assert "20" in entry.source or "this workbook" in entry.source
    for what in ("macs", "params"):
        if what in entry.published:
            assert isinstance(entry.published[what], str)  # with the digits that were printed
            assert f"{what}_convention" in entry.published
            reason = entry.published[f"{what}_convention"] or "Counted" in entry.note
            assert reason, "a number that no convention gives needs its reason"


def test_every_network_is_there_once_and_by_its_other_names():
    assert sorted(scaling.names()) == sorted(NAMES)
    assert scaling.get("ofa_min") == scaling.get("ofa_d2_w3_k3")
    assert scaling.entry("ofa_max").name == "ofa_d4_w6_k7"
    for wrong, says in (
        ("mobilnet_v1", "no network 'mobilnet_v1': the nearest name is 'mobil"),
        ("", "nearest name"),
    ):
        with pytest.raises(ValueError, match=says):
            scaling.get(wrong)


def test_multipliers_are_the_papers_own():
    """V1 cuts 0.35 of 32 to 11, V2's features grow only; other rules are in what is published."""
    assert scaling.get("mobilenet_v1", width_mult=0.35).stem.out_channels == 11
    assert scaling.get("mobilenet_v2", width_mult=0.5).head.features == 1280
    assert scaling.get("mobilenet_v2", width_mult=1.4).head.features == 1792
    arch = decode("r224x3 conv_k3_s2_c3 mb_k3_s1_e3_c13 head_f20_n10")  # no width is a multiple
    assert scale(arch) == arch


def test_twins_differ_in_what_their_names_say():
    for name, left_out in (("mobilenet_v1", 5), ("mobilenet_32", 4)):
        base = scaling.get(name)
        full = tuple(replace(block, op="conv") for block in base.blocks)
        assert scaling.get(f"{name}_full") == replace(base, blocks=full)
        shallow = list(base.blocks)
        for _ in range(left_out):
            shallow.remove(Block("sep", 512))
        assert scaling.get(f"{name}_shallow") == replace(base, blocks=tuple(shallow))
    a1 = scaling.get("mnasnet_a1")  # table 6 of MnasNet: the first separable layer is kept
    first, *rest = a1.blocks
    for e, k in product((3, 6), (3, 5)):
        one_type = [replace(b, kernel_size=k, expand_ratio=e, se_ratio=0) for b in rest]
        assert scaling.get(f"mnasnet_mbconv{e}_k{k}") == replace(a1, blocks=(first, *one_type))
    for name in (n for n in scaling.names() if n.startswith("ofa")):
        starts = scaling.get(name).blocks[1 :: int(name[5])]
        assert [b.act for b in starts] == ["relu", "relu", *["hswish"] * 3]
        assert [bool(b.se_ratio) for b in starts] == [False, True, False, True, True]


@given(st.from_type(Arch), st.sampled_from(sorted(WIDTH_RULES)), st.floats(0.1, 3))
def test_scaling_touches_widths_and_nothing_else(arch, rule, width_mult):
    scaled = scale(arch, width_mult=width_mult, resolution=7, rule=rule)
    head = replace(scaled.head, features=arch.head.features, hidden=arch.head.hidden)
    for b in scaled.blocks:
        assert b.out_channels >= 8 or width_mult == 1  # then nothing is changed
    pairs = zip(arch.blocks, scaled.blocks, strict=True)
    blocks = tuple(replace(b, out_channels=a.out_channels) for a, b in pairs)
    stem = replace(scaled.stem, out_channels=arch.stem.out_channels)
    assert replace(scaled, stem=stem, blocks=blocks, head=head) == replace(arch, resolution=7)


@given(st.from_type(Arch), st.integers(1, 40), st.integers(1, 5))
def test_a_fitted_network_keeps_its_maps_as_large_as_asked(arch, resolution, min_map):
    fitted = adapt(arch, resolution=resolution, in_channels=2, n_classes=7, min_map=min_map)
    assert (fitted.resolution, fitted.in_channels, fitted.n_classes) == (resolution, 2, 7)
    assert all(x.out_size >= min_map for x in layers(fitted) if x.stride > 1)
    before, after = ([b.stride for b in (a.stem, *a.blocks)] for a in (arch, fitted))
    changed = [a != b for a, b in zip(before, after, strict=True)]
    kept = [a == b == 2 for a, b in zip(before, after, strict=True)]
    assert not any(changed) or not any(kept[changed.index(True) :])  # the last strides go first


def test_mobilenet_on_small_images_loses_its_last_strides():
    fitted = adapt(scaling.get("mobilenet_v1"), **SMALL)
    strides = [b.stride for b in fitted.blocks if b.out_channels >= 512]
    assert strides == [2, 1, 1, 1, 1, 1, 1, 1]
    assert next(x for x in reversed(layers(fitted)) if x.role != "fc").out_size == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (partial(scale, width_mult=0), "0 < width_mult <= 1000"),
        (partial(scale, width_mult=float("inf")), "0 < width_mult <= 1000"),
        (partial(scale, width_mult=1e308), "0 < width_mult <= 1000"),
        (partial(scale, resolution=31.5), "whole number for resolution, not 31.5"),
        (partial(scale, rule="mine"), "rule is one of mobilenet_v1"),
        *((partial(adapt, **SMALL | {n: 0}), f"needs {n} >= 1") for n in (*SMALL, "min_map")),
    ],
)
def test_what_has_no_meaning_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        change(scaling.get("mobilenet_32"))
