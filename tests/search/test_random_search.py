import pytest

from lightlab.search import GridSearch, RandomSearch
from lightlab.space.hyper import Choice, Float, HyperSpace, Int

SPACE = HyperSpace({"a": Int(1, 4), "b": Choice("xy")})
WIDE = HyperSpace({"a": Float(0.0, 1.0), "b": Choice("xy")})


def value(config):
    return config["a"] + (config["b"] == "x")


def test_random_points_do_not_repeat_until_the_space_is_used_up():
    asked = RandomSearch(SPACE, seed=0).ask(8)
    assert len({tuple(c.values()) for c in asked}) == 8


def test_random_does_not_ask_for_what_it_was_told():
    told = RandomSearch(WIDE, seed=4).ask(3)
    search = RandomSearch(WIDE, seed=4)
    search.tell(told, [value(c) for c in told])
    assert not [c for c in search.ask(5) if c in told]


def test_random_is_the_same_in_any_batches_and_after_resuming():
    one = RandomSearch(WIDE, seed=4)
    whole = one.ask(6)
    two = RandomSearch(WIDE, seed=4)
    parts = two.ask(2) + two.ask(1)
    two.tell(parts, [value(c) for c in parts])
    resumed = RandomSearch(WIDE, seed=4, trials=two.trials)
    assert parts + resumed.ask(3) == whole
    assert RandomSearch(WIDE, seed=5).ask(6) != whole


def test_grid_asks_every_point_once_and_resumes_with_what_is_left():
    grid = GridSearch(WIDE, levels=3, seed=1)
    first = grid.ask(2)
    grid.tell(first, [0.0, 0.0])
    rest = grid.ask(100)
    assert sorted(map(str, first + rest)) == sorted(map(str, WIDE.grid(3)))
    assert grid.ask(1) == []
    assert GridSearch(WIDE, levels=3, seed=1, trials=grid.trials).ask(100) == rest


@pytest.mark.parametrize("maximize", [True, False])
def test_incumbent_is_the_best_finished_trial(maximize):
    search = RandomSearch(SPACE, maximize=maximize)
    assert search.incumbent is None
    search.tell(
        [{"a": 1, "b": "x"}, {"a": 2, "b": "x"}, {"a": 4, "b": "y"}], [2.0, 3.0, float("nan")]
    )
    assert search.incumbent == ({"a": 2, "b": "x"}, 3.0) if maximize else ({"a": 1, "b": "x"}, 2.0)


def test_several_objectives_are_recorded_and_have_no_incumbent():
    search = RandomSearch(SPACE, maximize=(True, False))
    search.tell(search.ask(2), [[1.0, 2.0], [3.0, 4.0]])
    assert [t.values for t in search.trials] == [(1.0, 2.0), (3.0, 4.0)]
    with pytest.raises(ValueError, match="Pareto"):
        _ = search.incumbent
