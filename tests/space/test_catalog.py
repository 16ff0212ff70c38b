"""The papers' networks: all there, each from its source, and named where a name is wrong."""

from dataclasses import replace

import pytest

from lightlab.nets.build import INITS
from lightlab.space import scaling
from lightlab.space.arch import decode, encode, layers
from lightlab.space.blocks import ArchError, Block
from lightlab.space.scaling import WIDTH_RULES, without_se

NAMES = {
    *("mobilenet_v1", "mobilenet_v1_full", "mobilenet_v1_shallow"),
    *("mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small"),
    *("mnasnet_a1", "mnasnet_b1", "mnasnet_small"),
    *(f"mnasnet_mbconv{e}_k{k}" for e in (3, 6) for k in (3, 5)),
    *("proxyless_mobile", "proxyless_gpu", "proxyless_cpu", "proxyless_mobile_14"),
    *(f"ofa_d{d}_w{w}_k{k}" for d in (2, 4) for w in (3, 6) for k in (3, 7)),
    *("mobilenet_32", "mobilenet_32_full", "mobilenet_32_shallow"),
}


def test_every_network_of_the_papers_is_there_once():
    assert sorted(scaling.names()) == sorted(NAMES)


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


def test_smallest_and_largest_of_ofa_have_names_of_their_own():
    assert scaling.get("ofa_min") == scaling.get("ofa_d2_w3_k3")
    assert scaling.entry("ofa_max").name == "ofa_d4_w6_k7"


def test_a_wrong_name_is_answered_with_the_nearest():
    with pytest.raises(ArchError, match="no network 'mobilnet_v1': the nearest name is 'mobilenet"):
        scaling.entry("mobilnet_v1")
    with pytest.raises(ArchError, match="nearest name"):
        scaling.get("")


def test_multipliers_are_the_papers_own():
    """V1 cuts 0.35 of 32 to 11, MnasNet rounds it to 16 and leaves its features at 1280."""
    assert scaling.get("mobilenet_v1", width_mult=0.35).stem.out_channels == 11
    small = scaling.get("mnasnet_a1", width_mult=0.35, resolution=96)
    assert (small.stem.out_channels, small.head.features, small.resolution) == (16, 1280, 96)
    assert scaling.get("mobilenet_v2", width_mult=0.5).head.features == 1280
    assert scaling.get("mobilenet_v2", width_mult=1.4).head.features == 1792
    wide = scaling.get("ofa_max", width_mult=1.2)
    channels = list(dict.fromkeys(b.out_channels for b in wide.blocks))
    assert channels == [24, 32, 48, 96, 136, 192]  # OFA's table for width 1.2
    assert (wide.head.features, wide.head.hidden) == (1152, 1536)


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_32"])
def test_full_and_shallow_twins_differ_in_that_alone(name):
    base = scaling.get(name)
    full = tuple(replace(block, op="conv") for block in base.blocks)
    assert scaling.get(f"{name}_full") == replace(base, blocks=full)
    left_out = 5 if name == "mobilenet_v1" else 4
    deep = Block("sep", 512)
    shallow = list(base.blocks)
    for _ in range(left_out):
        shallow.remove(deep)
    assert scaling.get(f"{name}_shallow") == replace(base, blocks=tuple(shallow))


@pytest.mark.parametrize(("e", "k"), [(3, 3), (3, 5), (6, 3), (6, 5)])
def test_single_layer_variants_have_a1s_depth_and_widths(e, k):
    """Table 6 of MnasNet: one layer type throughout; the first separable layer is kept."""
    a1 = scaling.get("mnasnet_a1")
    first, *rest = a1.blocks
    one_type = [replace(b, kernel_size=k, expand_ratio=e, se_ratio=0) for b in rest]
    assert scaling.get(f"mnasnet_mbconv{e}_k{k}") == replace(a1, blocks=(first, *one_type))


def test_corners_of_ofa_have_the_depth_expansion_and_kernel_of_their_name():
    for name in (n for n in scaling.names() if n.startswith("ofa")):
        d, w, k = (int(part[1:]) for part in name.split("_")[1:])
        first, *units = scaling.get(name).blocks
        assert (first.expand_ratio, first.out_channels) == (1, 16)
        assert {(b.expand_ratio, b.kernel_size) for b in units} == {(w, k)}
        assert [b.stride for b in units[::d]] == [2, 2, 2, 1, 2]
        assert all(b.stride == 1 for i, b in enumerate(units) if i % d)
        assert [b.act for b in units[::d]] == ["relu", "relu", *["hswish"] * 3]
        assert [bool(b.se_ratio) for b in units[::d]] == [False, True, False, True, True]


def test_without_squeeze_excite_nothing_else_changes():
    arch = scaling.get("mnasnet_a1")
    bare = without_se(arch)
    assert not any(layer.role == "se" for layer in layers(bare))
    others = [layer for layer in layers(arch) if layer.role != "se"]
    assert [(x.role, x.macs) for x in layers(bare)] == [(x.role, x.macs) for x in others]
