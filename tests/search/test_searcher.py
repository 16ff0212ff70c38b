"""What all searchers keep to, over decisions and hyperparameters; each finds more than luck."""

import itertools

import numpy as np
import pytest
import torch

from lightlab.search import (
    NSGA2,
    BayesianOptimization,
    GridSearch,
    RandomSearch,
    RegularizedEvolution,
    SearchError,
    pareto,
)
from lightlab.search.controller import PPO, Controller
from lightlab.search.optuna_search import OptunaSearch
from lightlab.search.searcher import Trial
from lightlab.space.decisions import Decision, DecisionSpace
from lightlab.space.hyper import Choice, Float, HyperSpace, Int

SINGLE = (RandomSearch, RegularizedEvolution, Controller, BayesianOptimization)
SEVERAL = (RandomSearch, NSGA2, BayesianOptimization)
ALL = (*SINGLE, NSGA2)


def space_of(*n_options: int) -> DecisionSpace:
    return DecisionSpace([Decision(f"d{i}", tuple(range(n))) for i, n in enumerate(n_options)])


SPACE = space_of(*[4] * 6)
WORTH = np.random.default_rng(7).random((6, 4))


def value(point) -> float:
    """Every decision counts, and neighbours a little for each other."""
    own = sum(WORTH[i, j] for i, j in enumerate(point))
    return float(own + 0.3 * sum(a == b for a, b in itertools.pairwise(point)))


def run(searcher, n, evaluate=value, batch=1):
    for _ in range(n // batch):
        points = searcher.ask(batch)
        searcher.tell(points, [evaluate(p) for p in points])
    return searcher


@pytest.mark.parametrize("kind", SINGLE)
def test_equal_seeds_ask_equally_and_a_search_goes_on_from_its_trials(kind):
    n = 18 if kind is BayesianOptimization else 45
    whole, again = (run(kind(SPACE, seed=3), n) for _ in range(2))
    asked = [t.config for t in whole.trials]
    assert asked == [t.config for t in again.trials]
    assert asked != [t.config for t in run(kind(SPACE, seed=4), n).trials]
    most = kind(SPACE, seed=3, trials=whole.trials[: 2 * n // 3])
    assert [t.config for t in run(most, n // 3).trials] == asked


@pytest.mark.parametrize("kind", SINGLE)
def test_no_point_is_asked_twice_and_all_of_a_small_space_is_found(kind):
    space = space_of(2, 3, 2)
    searcher = kind(space, seed=0)
    points = searcher.ask(5)
    searcher.tell(points, range(5))
    points += [p for _ in range(7) for p in searcher.ask(1)]
    assert len(set(points)) == 12
    if kind is not BayesianOptimization:  # which then repeats: it may reduce noise
        assert searcher.ask(3) == []
    assert kind(space_of(1, 1), seed=0).ask(1) == [(0, 0)]


@pytest.mark.parametrize("kind", SINGLE)
def test_failures_are_told_and_learnt_from_by_nobody(kind):
    searcher = kind(SPACE, seed=1)
    for i in range(30):
        points = searcher.ask(1)
        searcher.tell(points, [float("nan") if i % 3 else value(points[0])])
    assert searcher.incumbent.value == max(t.values[0] for t in searcher.trials if not t.failed)
    run(kind(SPACE, seed=1), 25, lambda _: float("nan"))  # and nothing but failures stops none


@pytest.mark.parametrize("kind", [RegularizedEvolution, Controller, BayesianOptimization])
def test_each_finds_more_than_luck(kind):
    n = 25 if kind is BayesianOptimization else 150
    ours = [run(kind(SPACE, seed=s), n).incumbent.value for s in range(2)]
    luck = [run(RandomSearch(SPACE, s), n).incumbent.value for s in range(8)]
    assert np.mean(ours) > np.mean(luck)


@pytest.mark.parametrize("kind", [RegularizedEvolution, Controller])
def test_small_values_can_be_what_is_wanted(kind):
    large = run(kind(SPACE, seed=2), 60)
    mirrored = run(kind(SPACE, seed=2, maximize=False), 60, lambda p: -value(p))
    assert [t.config for t in mirrored.trials] == [t.config for t in large.trials]


@pytest.mark.parametrize("kind", SEVERAL)
def test_two_objectives_are_traded_off(kind):
    n = 25 if kind is BayesianOptimization else 60
    searcher = run(kind(SPACE, seed=0, maximize=(True, True)), n, lambda p: (value(p), -sum(p)))
    assert pareto.is_non_dominated([t.values for t in searcher.trials]).sum() >= 2
    with pytest.raises(ValueError, match="Pareto front"):
        _ = searcher.incumbent


def test_evolution_finds_a_larger_front_than_luck():
    def volume(kind, seed):
        searcher = kind(SPACE, seed=seed, maximize=(True, False))
        run(searcher, 150, lambda p: (value(p), sum(p)))
        values = np.array([t.values for t in searcher.trials]) * (1, -1)
        return pareto.hypervolume(values, np.array([0.0, -18.0]))

    ours, luck = ([volume(kind, s) for s in range(4)] for kind in (NSGA2, RandomSearch))
    assert np.mean(ours) > np.mean(luck)


def test_the_old_die_in_regularised_evolution():
    """A good trial that is older than the population has no children any more."""
    searcher = RegularizedEvolution(SPACE, 0, population_size=5, tournament_size=5, n_initial=2)
    best = (3, 3, 3, 3, 3, 3)
    searcher.tell([best], [100.0])
    searcher.tell([(0, 0, 0, 0, 0, i) for i in range(4)], [1.0, 2.0, 3.0, 4.0])
    assert sum(a != b for a, b in zip(searcher.ask(1)[0], best, strict=True)) == 1
    searcher.tell([(0, 0, 0, 0, 1, 0)], [0.0])
    child = searcher.ask(1)[0]
    assert sum(a != b for a, b in zip(child, (0, 0, 0, 0, 0, 3), strict=True)) == 1


def test_the_policy_prefers_what_was_rewarded():
    controller = Controller(space_of(3, 3, 3), seed=0, ppo=PPO(batch_size=9))
    before = controller.entropy
    for _ in range(3):
        points = controller.ask(9)
        controller.tell(points, [float(p[0] == 2) for p in points])
    assert controller.n_updates == 3
    assert controller.entropy < before
    points, log_p, _ = controller.policy(None, 500)
    assert (points[:, 0] == 2).float().mean() > 0.4  # 1/3 before
    again, same, _ = controller.policy(points)
    assert np.allclose(log_p.detach(), same.detach(), atol=1e-6)
    assert (again == points).all()
    everything = torch.tensor(list(itertools.product(range(3), repeat=3)))
    assert controller.policy(everything)[1].exp().sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: RegularizedEvolution(SPACE, population_size=1), "population_size"),
        (lambda: RegularizedEvolution(SPACE, tournament_size=21), "tournament_size"),
        (lambda: RegularizedEvolution(SPACE, maximize=(True, True)), "take NSGA2"),
        (lambda: Controller(SPACE, maximize=(True, True)), "one objective"),
        (lambda: RegularizedEvolution(SPACE).tell([(9,) * 6], [1.0]), "is no index"),
        (lambda: RegularizedEvolution(SPACE).tell([(0,) * 6], [1.0, 2.0]), "values of shape"),
    ],
)
def test_what_cannot_be_is_refused(make, told):
    with pytest.raises(ValueError, match=told):
        make()


@pytest.mark.parametrize("kind", ALL)
def test_a_constraint_is_never_broken_and_ends_a_search_that_it_leaves_nothing(kind):
    space = space_of(3, 3, 3, 3)
    few = {(0, 0, 0, 0), (1, 2, 0, 1), (2, 2, 2, 2)}
    searcher = kind(space, seed=0, feasible=few.__contains__)
    several = kind is NSGA2
    asked = []
    for _ in range(6):
        points = searcher.ask(2)
        asked += points
        searcher.tell(points, np.ones((len(points), 1 + several)))
    assert sorted(asked) == sorted(few)
    many = () if kind is BayesianOptimization else (space_of(*[9] * 20),)
    for impossible in (space, *many):
        with pytest.raises(SearchError, match=r"no point of .* was found feasible: loosen"):
            kind(impossible, seed=0, feasible=lambda _: False).ask(1)
    if kind is BayesianOptimization:
        return

    def narrow(point):
        return sum(point) % 40 == 0 or point[:3] == (0, 0, 0)

    searcher = kind(space_of(*[4] * 12), seed=0, feasible=narrow)
    points = {t.config for t in run(searcher, 120, lambda p: (sum(p),) * (1 + several)).trials}
    assert len(points) == 120
    assert all(map(narrow, points))


@pytest.mark.parametrize("kind", ALL)
def test_trials_may_come_back_from_json_and_have_to_be_of_the_space(kind):
    value = (1.0, 2.0) if kind is NSGA2 else (1.0,)
    searcher = kind(SPACE, seed=0, trials=[Trial([0] * 6, value), Trial([1] * 6, value)])
    assert (0,) * 6 not in searcher.ask(4)
    with pytest.raises(ValueError, match="no index"):
        kind(SPACE, seed=0, trials=[Trial([7] * 6, value)]).ask(1)


def test_a_controller_goes_on_though_most_of_a_long_batch_was_asked():
    space = space_of(3, 3, 3, 3, 3)
    whole = run(Controller(space, seed=1, ppo=PPO(batch_size=500)), 150)
    asked = whole.ask(40)
    resumed = Controller(space, seed=1, ppo=PPO(batch_size=500), trials=whole.trials)
    assert resumed.ask(40) == asked


def test_two_objectives_do_not_depend_on_how_many_are_told_at_once():
    points = SPACE.sample(np.random.default_rng(0), 60)
    values = np.random.default_rng(1).random((60, 2))
    one, many = NSGA2(SPACE, seed=0), NSGA2(SPACE, seed=0)
    for point, value in zip(points, values, strict=True):
        one.tell([point], [value])
    many.tell(points, values)
    assert one.ask(10) == many.ask(10)


HYPER = HyperSpace({"a": Float(0.0, 1.0), "b": Choice("xy")})
FEW = HyperSpace({"a": Int(1, 4), "b": Choice("xy")})


def test_random_points_do_not_repeat_whether_asked_or_told():
    assert len({tuple(c.values()) for c in RandomSearch(FEW).ask(8)}) == 8
    told = RandomSearch(HYPER, seed=4).ask(3)
    search = RandomSearch(HYPER, seed=4)
    search.tell(told, [1.0, 2.0, 3.0])
    assert not [c for c in search.ask(5) if c in told]
    search = RandomSearch(space_of(2, 2))
    search.tell([(0, 0), (1, 1)], [1.0, 2.0])
    assert sorted(search.ask(9)) == [(0, 1), (1, 0)]


def test_random_is_the_same_in_any_batches_and_after_resuming():
    whole, two = RandomSearch(HYPER, seed=4).ask(6), RandomSearch(HYPER, seed=4)
    parts = two.ask(2) + two.ask(1)
    two.tell(parts, [c["a"] for c in parts])
    assert parts + RandomSearch(HYPER, seed=4, trials=two.trials).ask(3) == whole
    assert RandomSearch(HYPER, seed=5).ask(6) != whole


def test_grid_asks_every_point_once_and_resumes_with_what_is_left():
    grid = GridSearch(HYPER, levels=3, seed=1)
    first = grid.ask(2)
    grid.tell(first, [0.0, 0.0])
    rest = grid.ask(100)
    assert sorted(map(str, first + rest)) == sorted(map(str, HYPER.grid(3)))
    assert grid.ask(1) == []
    assert GridSearch(HYPER, levels=3, seed=1, trials=grid.trials).ask(100) == rest


@pytest.mark.parametrize("maximize", [True, False])
def test_incumbent_is_the_best_finished_trial(maximize):
    search = RandomSearch(FEW, maximize=maximize)
    assert search.incumbent is None
    points = [{"a": 1, "b": "x"}, {"a": 2, "b": "x"}, {"a": 4, "b": "y"}]
    search.tell(points, [2.0, 3.0, float("nan")])
    assert search.incumbent == ((points[1], 3.0) if maximize else (points[0], 2.0))


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_peers_answer_the_same_protocol_also_about_points_that_were_not_asked(sampler):
    space = HyperSpace(
        {"lr": Float(1e-3, 1.0, log=True), "n": Int(1, 9), "c": Choice((None, (1, 2), "s"))}
    )
    search = OptunaSearch(space, sampler, seed=0, n_initial=4, deterministic=sampler == "gp")
    for _ in range(3):
        configs = search.ask(2)
        space.to_cube(configs)
        search.tell(configs, [configs[0]["n"], float("nan")])
    assert [t.failed for t in search.trials] == [False, True] * 3
    assert search.incumbent.value == max(t.config["n"] for t in search.trials[::2])
    points = [{"lr": 0.1, "n": n, "c": (1, 2)} for n in (1, 9)]
    search.tell(points, [1.0, 10.0])
    assert search.incumbent.config == points[1]
    assert search.ask(1)[0] not in points
    with pytest.raises(ValueError, match="names"):
        search.tell([{"lr": 0.1}], [0.0])
