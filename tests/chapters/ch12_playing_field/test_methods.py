"""Every method keeps to its budget and its limit."""

import pytest

from lightlab.chapters.ch12_playing_field import methods
from lightlab.measure import cost
from lightlab.methods import baselines


@pytest.mark.parametrize("name", methods.METHODS)
def test_every_method_keeps_to_its_budget_and_limit(agreed, targets, name):
    search, n = methods.METHODS[name].search, len(agreed.images.train)
    for target in targets:
        (pick,) = search(agreed, [target], 3.0, seed=1)
        assert 2.4 * n <= pick.samples <= 3.4 * n
        if name != methods.CONTROLLER:  # it is asked softly
            assert agreed.price.of(agreed.space.find(pick.arch)) <= target * 1.0001
    assert search(agreed, [target], 3.0, seed=1)[0].arch == pick.arch


def test_the_best_is_accurate_and_fast_or_else_the_fastest():
    tried = [((0,), 1.0, 50.0), ((1,), 2.0, 90.0), ((2,), 1.5, 60.0)]
    assert methods.best(tried, 1.6) == (2,)
    assert methods.best(tried, 0.5) == (0,)


def test_a_network_inherits_what_it_keeps(agreed):
    trained = agreed.train(agreed.space.decode(agreed.space.largest()), 1.0, 0)
    whole = methods.inherit(agreed, trained, agreed.space.largest())
    assert agreed.validate(whole) == pytest.approx(agreed.validate(trained), abs=8)
    options = agreed.space.options(agreed.space.largest()) | {"1.2": "zero", "2.1": "k3_e2"}
    small = methods.inherit(agreed, trained, agreed.space.point(options))
    assert len(small.blocks) == len(trained.blocks) - 1


def test_a_design_loses_layers_only_where_no_width_is_as_fast(agreed):
    macs = lambda archs: [float(cost.macs(arch)) for arch in archs]  # noqa: E731
    narrow = {}  # by depth, of the least width
    for depth in (1, 2):
        arch = dict(baselines.designs(agreed.elastic, [1.0], depth))[baselines.MOBILENET_V2]
        narrow[depth] = baselines.match_latency(arch, 1.0, macs)[0]
    least, less = (cost.macs(narrow[depth]) for depth in (1, 2))
    asked = [least / 2, least, 1.05 * less]
    depths = [
        len(pick.arch.blocks) - len(narrow[1].blocks)
        for pick in methods.by_hand(agreed, methods.V2, asked, macs)
    ]
    assert depths == [0, 0, 2]
