"""Phases, drawings, and whole trainings of a once-for-all network."""

import copy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from lightlab import train
from lightlab.measure import cost
from lightlab.methods import phases, subnets
from lightlab.methods.phases import Phase
from lightlab.methods.price import Price
from lightlab.methods.shrinking import begin, shrink, shrink_many
from lightlab.nets.elastic import ElasticNetwork
from lightlab.search.searcher import SearchError
from lightlab.space.once_for_all import OfaSpace
from lightlab.space.skeleton import Skeleton
from tests.methods.conftest import TINY, same

SPACE = OfaSpace(TINY.skeleton, (3, 5), (2, 4), (1, 2), (12, 16))
RECIPE = train.Recipe(1, batch_size=16, lr=0.05)
PLAN, SANDWICH = phases.progressive(12), phases.sandwich(12)


@pytest.fixture(scope="module")
def full(digits):
    return shrink(SPACE, digits, PLAN[:1], RECIPE).network


def test_the_published_phases_have_the_published_length():
    plan = phases.published()
    assert sum(p.epochs for p in plan) == 605
    assert sum(p.passes for p in plan) == 1205
    assert [p.lr * 2.6 for p in plan] == pytest.approx([2.6, 0.96, 0.08, 0.24, 0.08, 0.24])
    assert [p.warmup for p in plan] == [None, 0.04, 0.0, 0.04, 0.0, 0.04]
    found = [(p.kernels, p.depths, p.expands) for p in plan[2:5]]
    assert found == [(3, 2, 1), (3, 3, 1), (3, 3, 2)]


@pytest.mark.parametrize("plan", [phases.progressive, phases.uniform, phases.sandwich])
def test_all_arms_have_as_many_passes(plan):
    assert sum(p.passes for p in plan(30)) == pytest.approx(30)
    assert sum(p.epochs for p in phases.uniform(30)) == pytest.approx(
        sum(p.epochs for p in phases.progressive(30)), rel=0.01
    )


def test_a_phase_draws_only_what_is_open():
    generator = torch.Generator().manual_seed(0)
    for phase, depths, expands in ((PLAN[0], {2}, {4}), (PLAN[2], {1, 2}, {4})):
        drawn = [SPACE.options(p) for _ in range(50) for p in phases.draw(SPACE, phase, generator)]
        for name, options in (("1.depth", depths), ("1.1.expand", expands)):
            assert {o[name] for o in drawn} == options
        assert {o["resolution"] for o in drawn} == {12, 16}
    (everything,) = phases.uniform(1)
    drawn = [p for _ in range(500) for p in phases.draw(SPACE, everything, generator)]
    assert np.mean(drawn, axis=0) == pytest.approx(0.5, abs=0.08)  # of two options each


@pytest.mark.parametrize("n", [2, 3])
def test_a_sandwich_has_both_ends_and_comes_in_every_resolution(n):
    generator, phase = torch.Generator().manual_seed(0), phases.sandwich(6, n)[0]
    steps = [phases.draw(SPACE, phase, generator) for _ in range(100)]
    for largest, smallest, *drawn in steps:
        assert {largest[0]} == {point[0] for point in (smallest, *drawn)}
        assert largest[1:] == SPACE.corner()[1:]
        assert smallest[1:] == SPACE.smallest()[1:]
    assert np.mean([points[0][0] for points in steps]) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"epochs": 0}, "epochs > 0"),
        ({"depths": 0}, "kernels, depths and expands >= 1"),
        ({"rule": "random"}, "rule is one of uniform, sandwich"),
        ({"rule": "sandwich", "n_subnets": 1}, "in a sandwich 2"),
        ({"lr": 0}, "lr > 0"),
    ],
)
def test_impossible_phases_say_why(change, says):
    with pytest.raises(SearchError, match=says):
        replace(Phase("a", 1, 1, 1, 1.0), **change)


def test_costs_are_counted(digits, full):
    expected = phases.expected_macs(SPACE, PLAN[1:], taught=True, n=400)
    spent = shrink(SPACE, digits, PLAN[1:], RECIPE, start=full, teacher=full).history.iloc[-1]
    whole = sum(
        train.descent.plan(replace(RECIPE, epochs=p.epochs), 96).n_steps * 16 * p.n_subnets
        for p in PLAN[1:]
    )
    assert spent["passes"] == whole
    planned = sum(p.passes for p in PLAN[1:]) * 96
    assert spent["macs"] / whole == pytest.approx(expected * 96 / planned, rel=0.1)
    one = phases.expected_macs(SPACE, PLAN[:1], taught=False)
    macs = Price.macs(SPACE)
    largest = macs.of([(i, *SPACE.corner()[1:]) for i in range(2)]).mean()
    wanted = cost.PASSES_PER_TRAINING_STEP * PLAN[0].epochs * largest
    assert one == pytest.approx(wanted, rel=0.05)


def test_it_learns_equally_with_equal_seeds_and_a_teacher_matters(digits, full):
    history = shrink(SPACE, digits, phases.uniform(60), RECIPE).history
    assert history["largest"].iloc[-1] > 60
    assert history["smallest"].iloc[-1] > 50
    assert history["passes"].is_monotonic_increasing
    before = copy.deepcopy(full.state_dict())
    how = {"start": full, "seed": 5}
    a, b = (shrink(SPACE, digits, PLAN[1:2], RECIPE, **how) for _ in range(2))
    assert same(a, b)
    taught = shrink(SPACE, digits, PLAN[1:2], RECIPE, teacher=full, **how)
    assert not same(a, taught)
    assert all(map(torch.equal, before.values(), full.state_dict().values()))


THREE = OfaSpace(SPACE.skeleton, (3, 5), (2, 3, 4), (1, 2), (12, 16))


def test_channels_are_sorted_where_a_phase_says_so_and_else_stay(digits, full):
    """Each time between the widths that were open: these sub-networks compute what they did."""
    start = shrink(THREE, digits, PLAN[:1], RECIPE).network
    still = replace(RECIPE, lr=1e-12)
    x = digits.val.x[:8]
    for phase, kept in ((PLAN[4], (4,)), (PLAN[5], (4, 3))):
        brief = [replace(phase, epochs=0.17)]
        found = shrink(THREE, digits, brief, still, start=start).network
        for expand in kept:
            point = THREE.corner(expand=expand)
            outs = [subnets.specialise(net, point, digits.train.x)(x) for net in (start, found)]
            torch.testing.assert_close(*outs, atol=1e-3, rtol=1e-3)
        for block in found.elastic:
            worth = block.importance()
            bounds = sorted({0, len(worth), *(e * block.in_channels for e in kept)})
            for low, high in pairwise(bounds):
                part = worth[low:high]
                assert (part[:-1] >= part[1:] - 1e-4).all()
        start = found
    stays = shrink(SPACE, digits, [replace(PLAN[3], epochs=0.17)], still, start=full).network
    for mine, theirs in zip(stays.elastic, full.elastic, strict=True):
        torch.testing.assert_close(mine.importance(), theirs.importance())


@pytest.mark.parametrize(
    ("plan", "taught", "n_rows"), [(PLAN[1:], True, 8), (PLAN[1:], True, 0), (SANDWICH, False, 1)]
)
def test_a_training_goes_on_bit_for_bit(digits, full, tmp_path, killed, plan, taught, n_rows):
    how = {"start": full, "teacher": full if taught else None, "n_rows": n_rows}
    task, path = (SPACE, digits, plan, RECIPE), tmp_path / "c.pt"
    whole = shrink(*task, **how)
    killed(4, shrink, *task, checkpoint=path, **how)
    assert same(whole, shrink(*task, checkpoint=path, **how))
    assert same(whole, shrink(*task, checkpoint=path, **how))  # had ended


def test_trainings_side_by_side_are_those_one_by_one(digits, tmp_path):
    task = {"space": SPACE, "images": digits, "recipe": RECIPE, "n_rows": 0}
    jobs = {s: task | {"phases": phases.uniform(4), "seed": s} for s in range(2)}
    two = shrink_many(jobs, workers=2, resume=tmp_path)
    for seed, job in jobs.items():
        assert same(two[seed], shrink(**job))
        assert len(two[seed].history) == 1
        assert "largest" not in two[seed].history  # nothing was evaluated
    assert len(list(tmp_path.glob("*.pt"))) == 2


def test_the_first_phase_is_trained_for_every_seed(digits, full):
    found = begin({"space": SPACE, "images": digits, "recipe": RECIPE}, 12, [0, 1])
    assert ["largest" in found[seed].history for seed in (0, 1)] == [True, False]
    assert all(map(torch.equal, found[0].network.parameters(), full.parameters()))


WIDE = Skeleton.small((1, 16, 16), 10, [24], layers=2)  # of the same decisions
WIDER = OfaSpace(WIDE, (3, 5), (2, 4), (1, 2), (12, 16))
COLOUR = OfaSpace(Skeleton.small((3, 16, 16), 10, [16], layers=2), (3,), (2,), (1, 2))


@pytest.mark.parametrize(
    ("error", "says", "change"),
    [
        (SearchError, "of another space", {"space": TINY, "start": ElasticNetwork(SPACE)}),
        (SearchError, "of another space", {"space": WIDER, "start": ElasticNetwork(SPACE)}),
        (SearchError, "no phase", {"phases": []}),
        (ValueError, "cannot take images of 1×16×16", {"space": COLOUR}),
        (train.DivergedError, "lower lr", {"recipe": replace(RECIPE, lr=1e30, warmup=0.0)}),
    ],
)
def test_what_cannot_be_trained_is_named(digits, error, says, change):
    job = {"space": SPACE, "images": digits, "phases": PLAN, "recipe": RECIPE}
    with pytest.raises(error, match=says):
        shrink(**job | change)
    wrong = replace(digits, train=replace(digits.train, y=digits.train.y + (digits.train.y > 8)))
    with pytest.raises(ValueError, match="training labels 0 to 10 do not fit"):
        shrink(**job | {"images": wrong})


@pytest.mark.parametrize("other", ["space", "network"])
def test_a_checkpoint_of_another_training_is_refused(digits, tmp_path, other):
    path, start = tmp_path / "c.pt", ElasticNetwork(SPACE, seed=1)
    shrink(SPACE, digits, PLAN[1:2], RECIPE, start=start, checkpoint=path)
    with pytest.raises(ValueError, match=rf"of another training, it differs in .*{other}"):
        shrink(TINY if other == "space" else SPACE, digits, PLAN[1:2], RECIPE, checkpoint=path)
