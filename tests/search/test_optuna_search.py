import math

import pytest

from lightlab.search.optuna_search import OptunaSearch
from lightlab.space.hyper import Choice, Float, HyperSpace, Int

SPACE = HyperSpace(
    {"lr": Float(1e-3, 1.0, log=True), "n": Int(1, 9), "c": Choice((None, (1, 2), "s"))}
)


def value(config):
    return math.log(config["lr"]) + config["n"] + (config["c"] == (1, 2))


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_peers_answer_the_same_protocol(sampler):
    search = OptunaSearch(SPACE, sampler, seed=0, n_initial=4, deterministic=sampler == "gp")
    for _ in range(3):
        configs = search.ask(2)
        SPACE.to_cube(configs)
        search.tell(configs, [value(configs[0]), math.nan])
    assert [t.failed for t in search.trials] == [False, True] * 3
    assert search.incumbent.value == max(value(t.config) for t in search.trials if not t.failed)


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_points_that_were_not_asked_may_be_told(sampler):
    search = OptunaSearch(SPACE, sampler, n_initial=2)
    points = [{"lr": 0.1, "n": n, "c": (1, 2)} for n in (1, 9)]
    search.tell(points, [value(p) for p in points])
    assert search.incumbent.config == points[1]
    assert search.ask(1)[0] not in points
    with pytest.raises(ValueError, match="names"):
        search.tell([{"lr": 0.1}], [0.0])
