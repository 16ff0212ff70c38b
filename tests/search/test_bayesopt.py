"""Ask and tell over mixed spaces: determinism, resuming, and everything that may go wrong."""

import json
import math

import numpy as np
import pytest

from lightlab.search import BayesianOptimization, RandomSearch, Trial
from lightlab.space.decisions import Decision, DecisionSpace
from lightlab.space.hyper import Choice, Float, HyperSpace, Int

MIXED = HyperSpace(
    {
        "lr": Float(1e-4, 1.0, log=True),
        "x": Float(-1.0, 1.0),
        "width": Int(8, 64),
        "kind": Choice(("a", "b", "c")),
    }
)


def mixed(config):
    """Best value 0 at lr = 0.01, x = 0.3, width = 40, kind b."""
    return -(
        (math.log10(config["lr"]) + 2) ** 2
        + (config["x"] - 0.3) ** 2
        + ((config["width"] - 40) / 20) ** 2
        + (config["kind"] != "b")
    )


def run(bo, objective, n_trials, batch=1, noise_var=None):
    while len(bo.trials) < n_trials:
        configs = bo.ask(min(batch, n_trials - len(bo.trials)))
        values = [objective(c) for c in configs]
        bo.tell(configs, values, None if noise_var is None else [noise_var] * len(configs))
    return bo


def test_finds_the_optimum_of_a_mixed_space_where_random_does_not():
    best = run(BayesianOptimization(MIXED, seed=0, n_initial=8), mixed, 24).incumbent
    random = [run(RandomSearch(MIXED, seed=s), mixed, 24).incumbent.value for s in range(3)]
    assert best.config["kind"] == "b"
    assert -best.value < 0.02
    assert min(-value for value in random) > 0.02


def test_minimising_is_maximising_the_negative():
    up = run(BayesianOptimization(MIXED, seed=3, n_initial=5), mixed, 9)
    down = run(
        BayesianOptimization(MIXED, seed=3, n_initial=5, maximize=False), lambda c: -mixed(c), 9
    )
    assert [t.config for t in up.trials] == [t.config for t in down.trials]
    assert up.incumbent.value == -down.incumbent.value


def test_the_same_seed_asks_the_same_and_another_seed_something_else():
    def ask(seed):
        return [
            t.config for t in run(BayesianOptimization(MIXED, seed, n_initial=4), mixed, 6).trials
        ]

    assert ask(1) == ask(1)
    assert ask(1) != ask(2)


@pytest.mark.parametrize("done", [2, 6])
def test_goes_on_from_a_list_of_trials_as_if_never_interrupted(done):
    whole = run(BayesianOptimization(MIXED, seed=5, n_initial=4), mixed, 8)
    resumed = BayesianOptimization(MIXED, seed=5, n_initial=4, trials=whole.trials[:done])
    assert run(resumed, mixed, 8).trials == whole.trials


def test_points_of_one_batch_differ_and_pending_points_are_respected():
    bo = run(BayesianOptimization(MIXED, seed=0, n_initial=6), mixed, 6)
    first = bo.ask(3)
    second = bo.ask(2)
    assert bo.pending == first + second
    X = MIXED.to_cube(first + second)
    gaps = np.abs(X[:, None] - X[None]).max(2) + np.eye(5)
    assert gaps.min() > 1e-3
    bo.tell(second, [mixed(c) for c in second])
    assert bo.pending == first


def test_points_that_were_never_asked_may_be_told():
    bo = BayesianOptimization(MIXED, seed=0, n_initial=2)
    point = {"lr": 0.01, "x": 0.3, "width": 40, "kind": "b"}
    bo.tell([point] * 3, [0.0, 0.0, 0.0])
    assert bo.incumbent.config == point
    assert bo.ask(1)[0] != point


def test_failed_trials_do_not_break_it_and_are_kept_away_from():
    def fails_above(config):
        return math.nan if config["x"] > 0 else mixed(config)

    bo = run(BayesianOptimization(MIXED, seed=0, n_initial=8), fails_above, 18)
    assert sum(t.failed for t in bo.trials[:8]) > 0
    assert sum(t.failed for t in bo.trials[8:]) <= 3
    assert not math.isnan(bo.incumbent.value)


def test_only_failures_so_far():
    bo = run(BayesianOptimization(MIXED, seed=0, n_initial=2), lambda _: math.nan, 5)
    assert bo.incumbent is None
    assert len({str(t.config) for t in bo.trials}) == 5
    with pytest.raises(ValueError, match="no trial has finished"):
        bo.surrogates()


def test_constant_observations():
    bo = run(BayesianOptimization(MIXED, seed=0, n_initial=3), lambda _: 7.0, 6)
    mean, sd = bo.surrogates()[0].predict(bo.ask(2))
    assert mean == pytest.approx(7.0, abs=1e-6)
    assert np.isfinite(sd).all()
    assert bo.incumbent.value == 7.0


def test_a_small_space_is_used_up_before_anything_is_asked_twice():
    space = HyperSpace({"a": Int(1, 3), "b": Choice("xyz")})
    bo = run(BayesianOptimization(space, seed=0, n_initial=3), lambda c: c["a"] + ord(c["b"]), 9)
    assert len({tuple(t.config.values()) for t in bo.trials}) == 9
    assert bo.ask(1)[0] in [t.config for t in bo.trials]


def test_known_noise_moves_the_incumbent_from_the_luckiest_to_the_best_mean():
    rng = np.random.default_rng(0)
    space = HyperSpace({"x": Float(0.0, 1.0)})

    def noisy(config):
        return -((config["x"] - 0.7) ** 2) + 0.15 * rng.standard_normal()

    bo = run(BayesianOptimization(space, seed=0, n_initial=5), noisy, 30, noise_var=0.0225)
    luckiest = max(t.values[0] for t in bo.trials)
    assert bo.incumbent.value < luckiest
    assert abs(bo.incumbent.config["x"] - 0.7) < 0.25


def test_a_noisier_reading_weighs_less():
    space = HyperSpace({"x": Float(0.0, 1.0)})
    bo = BayesianOptimization(space, seed=0, n_initial=2)
    points = [{"x": v} for v in (0.0, 0.25, 0.5, 0.75, 1.0)]
    bo.tell(points, [0.0, 0.1, 1.0, 0.1, 0.0], [1e-6, 1e-6, 10.0, 1e-6, 1e-6])
    mean, _ = bo.surrogates()[0].predict(points)
    assert mean[2] < 0.5
    assert mean[1] == pytest.approx(0.1, abs=0.02)


def test_known_unknown_and_no_noise_may_be_mixed():
    bo = BayesianOptimization(MIXED, seed=1, n_initial=2)
    first = RandomSearch(MIXED, seed=1).ask(10)
    bo.tell(first, [mixed(c) for c in first])
    bo.surrogates()  # the next fits begin at this one's, whose noise is inferred
    for noise_var in ([0.01], [0.0], None, [0.01]):
        configs = bo.ask(1)
        bo.tell(configs, [mixed(configs[0])], noise_var)
    assert np.isfinite(bo.incumbent.value)
    assert bo.trials[10].noise_var == (0.01,)


@pytest.mark.parametrize("values", [[1e30, -1e30, 0.0, 1e-30], [math.inf, 0.0, 1.0, -math.inf]])
def test_extreme_values(values):
    bo = BayesianOptimization(MIXED, seed=0, n_initial=2)
    bo.tell(bo.ask(4), values)
    MIXED.to_cube(bo.ask(2))
    assert bo.incumbent.value == max(v for v in values if math.isfinite(v))


@pytest.mark.parametrize(
    ("values", "noise"),
    [([1.0, 2.0], None), ([[1.0, 2.0]], None), ([1.0], [-1.0]), ([1.0], [math.nan])],
)
def test_values_of_a_wrong_shape_or_variance_are_refused(values, noise):
    bo = BayesianOptimization(MIXED, seed=0)
    with pytest.raises(ValueError, match=r"values|variances"):
        bo.tell(bo.ask(1), values, noise)


def test_several_objectives_spread_along_the_front():
    space = HyperSpace({"x": Float(-2.0, 4.0), "kind": Choice(("a", "b"))})

    def both(config):  # Schaffer's problem, and a penalty for kind a
        return [config["x"] ** 2 + (config["kind"] == "a"), -((config["x"] - 2) ** 2)]

    bo = BayesianOptimization(space, seed=0, n_initial=6, maximize=(False, True))
    asked = [t.config for t in run(bo, both, 10).trials[6:]]
    assert np.mean([c["kind"] == "b" and -0.1 <= c["x"] <= 2.1 for c in asked]) >= 0.75
    bo.tell([{"x": -2.0, "kind": "a"}], [[math.nan, 1.0]])
    X = space.to_cube(asked + bo.ask(2))
    assert (np.abs(X[:, None] - X[None]).max(2) + np.eye(6)).min() > 1e-3
    with pytest.raises(ValueError, match="Pareto"):
        _ = bo.incumbent


def options(*n_options: int) -> DecisionSpace:
    return DecisionSpace([Decision(f"d{i}", tuple("abcdefg"[:n])) for i, n in enumerate(n_options)])


def test_a_categorical_space_of_tuples_beats_random():
    space = options(*[3] * 8)  # 6,561 points
    worth = np.random.default_rng(1).random((8, 3))

    def value(point):
        return float(sum(worth[i, j] for i, j in enumerate(point)))

    best = worth.max(1).sum()
    ours = best - run(BayesianOptimization(space, seed=0), value, 40).incumbent.value
    random = [best - run(RandomSearch(space, seed=s), value, 40).incumbent.value for s in range(3)]
    assert ours < 0.25
    assert ours < min(random)


def test_a_huge_categorical_space_works():
    space = options(*[7] * 22)  # 4e18 points
    bo = run(BayesianOptimization(space, seed=0, n_initial=4), lambda p: float(sum(p)), 8)
    assert bo.incumbent.value > np.mean([sum(t.config) for t in bo.trials[:4]])


@pytest.mark.parametrize("high", [20, 100])
def test_whole_numbers_are_asked_once_also_where_they_are_searched_as_if_continuous(high):
    space = HyperSpace({"n": Int(1, high)})
    bo = run(BayesianOptimization(space, seed=0), lambda c: -((c["n"] - 7) ** 2), 10)
    asked = [c["n"] for c in bo.ask(8)] + [t.config["n"] for t in bo.trials]
    assert len(set(asked)) == 18


@pytest.mark.parametrize("scale", [1e-13, 1e-200, 1e160])
def test_a_search_does_not_depend_on_the_scale_of_its_values(scale):
    plain, scaled = (
        run(BayesianOptimization(MIXED, seed=1, n_initial=5), lambda c, s=s: s * mixed(c), 8)
        for s in (1.0, scale)
    )
    near = [MIXED.to_cube([t.config for t in bo.trials]) for bo in (plain, scaled)]
    np.testing.assert_allclose(*near, atol=1e-3)


def test_pending_points_are_dropped_by_forget_and_may_be_asked_again():
    bo = run(BayesianOptimization(MIXED, seed=0, n_initial=3), mixed, 4)
    first, second = bo.ask(2)
    rounded = first | {"lr": round(first["lr"], 3)}
    bo.tell([rounded], [mixed(rounded)])
    assert bo.pending == [first, second]
    bo.forget([first])
    assert bo.pending == [second]
    with pytest.raises(ValueError, match="not pending"):
        bo.forget([first])
    bo.forget([second])
    trials = bo.trials
    assert bo.ask(1) == BayesianOptimization(MIXED, seed=0, n_initial=3, trials=trials).ask(1)


@pytest.mark.parametrize(
    ("space", "point"), [(MIXED, {"lr": 0.01, "x": 0.3, "width": 40, "kind": "b"}), (None, (0, 1))]
)
def test_one_point_without_its_list_is_refused_in_one_line(space, point):
    bo = BayesianOptimization(space or options(2, 2))
    with pytest.raises(TypeError, match="a list of points"):
        bo.tell(point, 0.5)


def test_options_that_are_tuples_come_back_from_json():
    space = HyperSpace({"widths": Choice(((8, 16), (16, (32, 64)))), "x": Float(0.0, 1.0)})
    bo = run(BayesianOptimization(space, n_initial=3), lambda c: c["x"], 4)
    kept = json.loads(json.dumps([t.config for t in bo.trials]))
    again = BayesianOptimization(space, n_initial=3)
    again.tell(kept, [t.values[0] for t in bo.trials])
    assert again.ask(1) == bo.ask(1)


def test_numbers_are_ordered_options_and_what_is_learnt_of_neighbours_counts():
    kernels = Decision("kernel", (7, 3, 5))
    space = DecisionSpace([kernels, Decision("op", "ab"), Decision("id", (1, 2), ordered=False)])
    assert [c.ordered for c in space.columns] == [True, False, False]
    points = [(1, 0, 0), (2, 1, 1), (0, 0, 1)]
    X = space.to_cube(points)
    np.testing.assert_allclose(X[:, 0], [1 / 6, 1 / 2, 5 / 6])  # 3, 5, 7
    assert space.from_cube(X) == points
    ends = [(1, 0, 0), (0, 0, 0), (1, 1, 0), (0, 1, 0)]
    bo = BayesianOptimization(space, trials=[Trial(p, (float(p[0]),)) for p in ends])
    middle, other = bo.surrogates()[0].predict([(2, 0, 0), (1, 0, 1)])[1]
    assert middle < other
    with pytest.raises(ValueError, match="only numbers"):
        Decision("op", "ab", ordered=True)


def test_a_batch_looks_elsewhere_as_well():
    """Fantasies, not the mean: of six points near one optimum some go where the doubt is large."""
    space = HyperSpace({"x": Float(0.0, 1.0)})
    bo = run(BayesianOptimization(space, seed=0, n_initial=4), lambda c: math.sin(9 * c["x"]), 5)
    x = np.sort([c["x"] for c in bo.ask(6)])
    assert np.ptp(x) > 0.3
    assert np.diff(x).min() > 1e-3


def test_cost_aware_search_gets_more_for_as_much():
    """Two equal hills; one costs a hundred times the other."""
    space = HyperSpace({"x": Float(0.0, 1.0)})

    def spent(aware):
        bo = BayesianOptimization(space, seed=0, n_initial=4, cost_aware=aware)
        while len(bo.trials) < 12:
            (config,) = bo.ask(1)
            value = -min(abs(config["x"] - 0.2), abs(config["x"] - 0.8))
            bo.tell([config], [value], costs=[100.0 if config["x"] > 0.5 else 1.0])
        return sum(t.cost for t in bo.trials[4:]), bo.incumbent.value

    (blind, _), (aware, found) = spent(False), spent(True)
    assert aware < 0.5 * blind
    assert found > -0.02


@pytest.mark.parametrize("costs", [[0.0], [-1.0], [math.nan], [math.inf]])
def test_costs_that_are_none_are_refused(costs):
    bo = BayesianOptimization(MIXED)
    with pytest.raises(ValueError, match="costs"):
        bo.tell(bo.ask(1), [1.0], costs=costs)


@pytest.mark.parametrize("beside", [{}, {"n": Int(1, 9)}, {"kind": Choice("ab")}])
def test_what_has_one_value_only_stays_as_it_is(beside):
    space = HyperSpace({"x": Float(0.0, 1.0), "one": Choice("a"), "five": Int(5, 5)} | beside)
    bo = run(BayesianOptimization(space, n_initial=2), lambda c: c["x"], 4)
    assert {(t.config["one"], t.config["five"]) for t in bo.trials} == {("a", 5)}
