"""A found network and its rivals."""

import numpy as np
import pytest

from lightlab import data, train
from lightlab.measure import cost
from lightlab.methods import specialised
from lightlab.space.decisions import SpaceError
from lightlab.space.spaces import IMAGENET, MnasNetSpace, Skeleton

SPACE = MnasNetSpace(Skeleton.small(16, 1, 10, [32, 64]))


def test_variants_keep_depth_and_width_and_have_one_layer_type():
    rng = np.random.default_rng(0)
    for point in SPACE.sample(rng, 20):
        arch = SPACE.decode(point)
        found = specialised.single_layer_variants(SPACE, arch)
        assert set(found) == set(specialised.LAYER_TYPES)
        for name, variant in found.items():
            kept = ("out_channels", "stride")
            for a, b in zip(arch.blocks, variant.blocks, strict=True):
                assert [getattr(a, k) for k in kept] == [getattr(b, k) for k in kept]
            kinds = {(b.op, b.expand_ratio, b.kernel_size, b.se_ratio) for b in variant.blocks[1:]}
            assert kinds == {("mb", int(name[6]), int(name[8]), 0)}
    other = MnasNetSpace(IMAGENET)
    with pytest.raises(SpaceError, match="another stem"):
        specialised.single_layer_variants(SPACE, other.decode(other.centre()))


def test_the_width_is_chosen_whose_latency_is_nearest():
    centre = SPACE.decode(SPACE.centre())

    def time(archs):
        return [cost.macs(a) / 1e6 for a in archs]

    wanted = cost.macs(centre) / 1e6
    same, ms = specialised.as_fast(centre, wanted, time)
    assert ms == pytest.approx(wanted, rel=0.1)
    faster, ms = specialised.as_fast(centre, wanted / 3, time)
    assert ms == pytest.approx(wanted / 3, rel=0.25)
    assert cost.macs(faster) < cost.macs(same)


def test_networks_are_trained_with_every_seed_and_timed_together():
    images = data.load("digits", n_train=100, n_val=40, n_test=80, resolution=16)
    archs = {n: SPACE.decode(SPACE.unrank(i)) for n, i in (("a", 0), ("b", SPACE.size() - 1))}
    recipe = train.Recipe(epochs=1, batch_size=32)
    results = specialised.train_and_time(archs, images, recipe, [3, 4])
    assert list(zip(results["name"], results["seed"], strict=True)) == [
        ("a", 3), ("a", 4), ("b", 3), ("b", 4),
    ]  # fmt: skip
    assert results.groupby("name")["latency_ms"].nunique().tolist() == [1, 1]
    assert (
        results["macs"] == results["name"].map({n: cost.macs(a) for n, a in archs.items()})
    ).all()
    summary = specialised.summary(results)
    assert summary["n"].tolist() == [2, 2]


def test_rows_of_layers_say_what_stands_where():
    arch = SPACE.decode(SPACE.centre())
    rows = specialised.layer_rows({"n": arch})
    assert rows["op"].tolist() == ["fixed", "fixed", *["MBConv6"] * 4]
    assert rows["channels"].tolist()[2:] == [32, 32, 64, 64]
    assert not rows["se"].any()
