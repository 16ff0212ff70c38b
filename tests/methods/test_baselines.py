"""A found network beside others."""

from dataclasses import replace

import pytest

from lightlab import train
from lightlab.measure import cost
from lightlab.methods import baselines
from lightlab.space.mnasnet import MnasNetSpace
from lightlab.space.once_for_all import OfaSpace, like_mobilenet_v3
from lightlab.space.skeleton import Skeleton
from tests.methods.conftest import TINY

SPACE = MnasNetSpace(Skeleton.small((1, 16, 16), 10, [32, 64]))


def test_the_width_is_chosen_whose_latency_is_nearest():
    centre = SPACE.decode(SPACE.centre())
    for share, near in ((1, 0.1), (1 / 3, 0.25)):
        wanted = share * cost.macs(centre)
        found, macs = baselines.match_latency(centre, wanted, lambda archs: map(cost.macs, archs))
        assert macs == cost.macs(found) == pytest.approx(wanted, rel=near)


def test_networks_are_trained_with_every_seed_and_timed_together(digits):
    archs = {n: SPACE.decode(SPACE.unrank(i)) for n, i in (("a", 0), ("b", SPACE.size() - 1))}
    recipe = train.Recipe(epochs=1, batch_size=32)
    entries = [(name, seed, arch) for name, arch in archs.items() for seed in (3, 4)]
    results = baselines.train_and_time(entries, digits, recipe)
    found = results[["name", "seed", "macs"]].itertuples(index=False, name=None)
    assert list(found) == [(name, seed, cost.macs(arch)) for name, seed, arch in entries]
    assert results.groupby("name")["latency_ms"].nunique().tolist() == [1, 1]


def test_rows_of_layers_say_what_stands_where():
    arch = SPACE.decode(SPACE.centre())
    rows = baselines.layer_rows({"n": arch})
    assert rows["op"].tolist() == ["fixed", "fixed", *["MBConv6"] * 4]
    assert rows["channels"].tolist()[2:] == [32, 32, 64, 64]
    assert not rows["se"].any()


def test_families_are_the_designs_of_the_skeleton():
    names, archs = zip(*baselines.designs(TINY, [0.5, 1.0, 1.0]), strict=True)
    assert names == (*[baselines.MOBILENET_V2] * 2, *[baselines.MOBILENET_V3] * 2)
    plain = TINY.decode(TINY.corner(kernel=3)).blocks[1:]
    assert archs[1].blocks[1:] == tuple(replace(b, act="relu6") for b in plain)
    assert all(b.kernel_size == 5 and b.se_ratio for b in archs[3].blocks[1:])
    styled = OfaSpace(like_mobilenet_v3(TINY.skeleton), (3, 5), (2, 4), (1, 2))
    assert archs[3].stem == styled.skeleton.stem
    assert baselines.designs(styled, [0.5, 1.0, 1.0]) == list(zip(names, archs, strict=True))
