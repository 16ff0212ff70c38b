"""Predictors, limits, evolution, and what devices cost."""

from dataclasses import replace

import numpy as np
import pytest

from lightlab.measure import cost
from lightlab.methods import subnet_search
from lightlab.methods.price import Price
from lightlab.methods.subnet_search import Evolution, Limits, cheapest, evolve, random_search
from lightlab.search.searcher import SearchError
from lightlab.space.once_for_all import OFA_MOBILENET_V3, OfaSpace
from tests.methods.conftest import TINY

SPACE = OfaSpace(OFA_MOBILENET_V3, resolutions=(160, 192, 224))
MACS = Price.macs(SPACE)


def drawn(n, seed=0):
    return np.array(SPACE.sample(np.random.default_rng(seed), n))


def size(points):
    """A score that grows with the costs."""
    return MACS.of(points) / 1e6


def test_the_least_cost_is_the_least():
    costs = Price.macs(TINY)
    everything = np.array([TINY.unrank(i) for i in range(TINY.size())])
    least, point = cheapest(costs)
    assert least == costs.of(everything).min() == costs.of(point)
    rng = np.random.default_rng(0)
    odd = replace(costs, added=[rng.normal(size=part.shape) * (part > 0) for part in costs.added])
    assert cheapest(odd)[0] == pytest.approx(odd.of(everything).min())


def test_evolution_keeps_to_its_limits_and_beats_chance():
    limits = Limits({"MACs": (MACS, 250e6), "parameters": (Price.param_count(SPACE), 5.2e6)})
    settings = Evolution(generations=40)
    best = evolve(SPACE, size, limits, settings)
    chance = random_search(SPACE, size, limits, settings.calls)
    arch = SPACE.decode(best.point)
    assert cost.macs(arch) <= 250e6
    assert cost.param_count(arch) <= 5.2e6
    assert best.score == pytest.approx(cost.macs(arch) / 1e6)
    assert best.score > chance.score
    assert best.score > 248
    assert best.calls == chance.calls == settings.calls == 4100
    assert Evolution().calls == 50_100  # the paper's
    assert evolve(SPACE, size, limits, settings) == best


def test_a_limit_that_one_network_keeps_finds_it_one_that_none_keeps_says_the_least():
    least, point = cheapest(MACS)
    found = evolve(SPACE, size, Limits({"MACs": (MACS, least)}), Evolution(generations=2))
    assert SPACE.decode(found.point) == SPACE.decode(point)
    with pytest.raises(SearchError, match=r"MACs of 1e\+07: the smallest possible is 6\.324e\+07"):
        Limits({"MACs": (MACS, 1e7)})
    with pytest.raises(SearchError, match="latency in ms of nan"):
        Limits({"latency in ms": (MACS, float("nan"))})
    macs = Price.macs(TINY)
    other = Price(TINY, -macs.fixed, [-part for part in macs.added])
    both = {"MACs": (macs, cheapest(macs)[0]), "its opposite": (other, cheapest(other)[0])}
    with pytest.raises(SearchError, match="no network within MACs, its opposite at once"):
        evolve(TINY, lambda p: np.zeros(len(p)), Limits(both))


@pytest.mark.parametrize("change", [{"population": 2}, {"parents": 0}, {"generations": 0}])
def test_impossible_evolutions_say_why(change):
    with pytest.raises(SearchError, match="this evolution needs"):
        Evolution(**change)


def samples(n):
    points, rng = drawn(n), np.random.default_rng(0)
    accuracy = 70 + 4 * np.log(MACS.of(points) / 3e8) + 2 * (points[:, 2] == 1)
    return SPACE.encode(points), MACS.of(points), accuracy + 0.1 * rng.normal(size=n)


def test_members_agree_on_what_they_saw_and_less_on_what_they_did_not():
    codes, _, y = samples(60)
    model = subnet_search.MLP(codes, y)
    unseen = SPACE.encode(drawn(200, 9))
    assert np.abs(model(codes) - y).mean() < 0.3
    assert model.each(unseen).std(0).mean() > 1.5 * model.each(codes).std(0).mean()
    again = subnet_search.MLP(codes, y)
    assert (again(unseen) == model(unseen)).all()


@pytest.mark.parametrize("n", [0, 3])
@pytest.mark.parametrize("name", subnet_search.MODELS)
def test_too_few_samples_are_refused(n, name):
    codes, macs, y = samples(10)
    with pytest.raises(ValueError, match="4 or more"):
        subnet_search.MODELS[name](codes[:n], macs[:n], y[:n], 0)
