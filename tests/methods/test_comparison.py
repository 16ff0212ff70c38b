"""A found network beside others."""

import pytest

from lightlab import data, train
from lightlab.measure import cost
from lightlab.methods import comparison
from lightlab.space.mnasnet import MnasNetSpace
from lightlab.space.skeleton import Skeleton

SPACE = MnasNetSpace(Skeleton.small((1, 16, 16), 10, [32, 64]))


def test_the_width_is_chosen_whose_latency_is_nearest():
    centre = SPACE.decode(SPACE.centre())

    def time(archs):
        return [cost.macs(a) / 1e6 for a in archs]

    wanted = cost.macs(centre) / 1e6
    same, ms = comparison.as_fast(centre, wanted, time)
    assert ms == pytest.approx(wanted, rel=0.1)
    faster, ms = comparison.as_fast(centre, wanted / 3, time)
    assert ms == pytest.approx(wanted / 3, rel=0.25)
    assert cost.macs(faster) < cost.macs(same)


def test_networks_are_trained_with_every_seed_and_timed_together():
    images = data.load("digits", n_train=100, n_val=40, n_test=80, resolution=16)
    archs = {n: SPACE.decode(SPACE.unrank(i)) for n, i in (("a", 0), ("b", SPACE.size() - 1))}
    recipe = train.Recipe(epochs=1, batch_size=32)
    entries = [(name, seed, arch) for name, arch in archs.items() for seed in (3, 4)]
    results = comparison.train_and_time(entries, images, recipe)
    assert list(zip(results["name"], results["seed"], strict=True)) == [
        ("a", 3), ("a", 4), ("b", 3), ("b", 4),
    ]  # fmt: skip
    assert results.groupby("name")["latency_ms"].nunique().tolist() == [1, 1]
    assert (
        results["macs"] == results["name"].map({n: cost.macs(a) for n, a in archs.items()})
    ).all()


def test_rows_of_layers_say_what_stands_where():
    arch = SPACE.decode(SPACE.centre())
    rows = comparison.layer_rows({"n": arch})
    assert rows["op"].tolist() == ["fixed", "fixed", *["MBConv6"] * 4]
    assert rows["channels"].tolist()[2:] == [32, 32, 64, 64]
    assert not rows["se"].any()
