"""The rules are one space in two forms, at one price."""

import itertools

import numpy as np
import pytest

from lightlab.chapters.ch12_playing_field import rules


def test_both_forms_of_the_space_hold_the_same_networks_at_the_same_price(agreed):
    space, elastic = agreed.space, agreed.elastic
    points = map(space.unrank, range(space.size()))
    prices = {space.decode(p): agreed.price.of(p) for p in points}
    assert len(prices) == elastic.n_archs()
    for arch, ms in itertools.islice(prices.items(), 0, None, 7):
        point = elastic.find(arch)
        assert agreed.elastic_price.of(point) == pytest.approx(ms, rel=1e-6)


def test_an_interrupted_race_goes_on_under_the_same_table(agreed, spaces, tmp_path):
    space, elastic = spaces

    def again():
        meter = rules.meter(space, "onnxruntime/1/1", tmp_path)
        return rules.agree(space, elastic, meter, agreed.images, agreed.recipe, 1.0)[0]

    plain = [(one.price.plain(), one.elastic_price.plain()) for one in (again(), again())]
    assert plain[0] == plain[1]


def test_targets_lie_between_the_fastest_and_the_slowest(agreed, targets):
    prices = [agreed.price.of(agreed.space.unrank(i)) for i in range(agreed.space.size())]
    steps = np.diff(np.log([min(prices), *targets, max(prices)]))
    assert steps == pytest.approx([steps.mean()] * 3)
