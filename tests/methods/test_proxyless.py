"""ProxylessNAS's steps and whole searches."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from lightlab import train
from lightlab.methods.architect import Architect, Settings, keep_mass, likeliest_within
from lightlab.methods.price import Price
from lightlab.methods.proxyless import search
from lightlab.nets.mixed import FORMS, Supernet
from lightlab.search.searcher import SearchError
from lightlab.space.proxyless import ProxylessSpace
from lightlab.space.skeleton import Skeleton
from tests.methods.conftest import same

SPACE = ProxylessSpace(Skeleton.small((1, 16, 16), 10, [16]))
PRICE = Price.macs(SPACE)
TARGET = PRICE.of(SPACE.centre())
RECIPE = train.Recipe(epochs=4, batch_size=16, lr=0.05)
QUICK = Settings(RECIPE, arch_lr=0.1, every=1, n_paths=3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"latency_weight": -0.1}, "latency_weight is 0 or more"),
        ({"form": "three"}, "form is one of sum, all, two, reinforce"),
        ({"limit": True, "latency_weight": 0.0}, "latency_weight above 0 where the target is a"),
        ({"limit": True, "form": "reinforce"}, "no limit where the loss has no λ"),
        ({"every": 0}, "every >= 1"),
        ({"warmup": 1.0}, "0 <= warmup < 1"),
        ({"n_paths": 1}, "n_paths >= 2"),
        ({"arch_lr": 0.0}, "arch_lr > 0"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(change, says):
    with pytest.raises(SearchError) as error:
        replace(QUICK, **change)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_the_loss_adds_the_expected_latency_in_targets():
    """CE + λ E[LAT] / T: what λ adds to the gradient of every logit."""
    x, y = torch.randn(8, 1, 16, 16, generator=torch.Generator().manual_seed(1)), torch.arange(8)
    found = []
    for weight in (0.0, 0.3):
        net = Supernet(SPACE, seed=2)
        architect = Architect(net, PRICE, TARGET, replace(QUICK, form="all", latency_weight=weight))
        architect.optimizer.step = lambda: None
        architect.step(x, y, torch.Generator().manual_seed(0))
        found.append([logits.grad.clone() for logits in net.arch_logits()])
    everything = [tuple(range(len(logits))) for logits in net.arch_logits()]
    odds = [logits.softmax(0) for logits in net.arch_logits()]
    expected = torch.autograd.grad(PRICE.expected(odds, everything), net.arch_logits())
    for without, with_price, slope in zip(*found, expected, strict=True):
        torch.testing.assert_close(with_price - without, 0.3 / TARGET * slope)


def test_two_paths_leave_the_other_probabilities_untouched():
    before = torch.tensor([0.1, -0.3, 0.7, 0.2])
    logits = before.clone()
    logits[[1, 3]] += torch.tensor([0.5, -0.2])  # what an optimiser did
    keep_mass(logits, before, (3, 1))
    old, new = before.softmax(0), logits.softmax(0)
    torch.testing.assert_close(new[[0, 2]], old[[0, 2]])
    assert new[1] > old[1]
    assert new[3] < old[3]
    assert logits[1] - logits[3] == pytest.approx(before[1] + 0.5 - (before[3] - 0.2))


@pytest.mark.parametrize("form", FORMS)
def test_an_architecture_step_moves_logits_and_no_weights(form):
    net = Supernet(SPACE)
    architect = Architect(net, PRICE, TARGET, replace(QUICK, form=form))
    weights, logits = (
        [x.detach().clone() for x in of] for of in (net.weights(), net.arch_logits())
    )
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(8, 1, 16, 16, generator=generator), torch.arange(8)
    assert architect.step(x, y, generator) > 0
    assert all(map(torch.equal, weights, net.weights()))
    assert all(w.requires_grad for w in net.weights())
    changed = [int((a != b).sum()) for a, b in zip(logits, net.arch_logits(), strict=True)]
    assert 1 <= max(changed) <= {"two": 2}.get(form, 7)


def test_only_what_is_above_a_limit_is_paid_for():
    ratio = PRICE.of(Supernet(SPACE).derive()) / TARGET
    limited = replace(QUICK, latency_weight=0.2, limit=True)
    for share, weight in ((0.5, 0.2), (0.8, 0.05), (1.0, 0.0), (2.0, 0.0)):
        architect = Architect(Supernet(SPACE), PRICE, share * ratio * TARGET, limited)
        assert architect.latency_weight == pytest.approx(weight)
    fixed = Architect(Supernet(SPACE), PRICE, 0.1 * TARGET, QUICK)
    assert fixed.latency_weight == QUICK.latency_weight


def test_a_search_with_a_limit_keeps_to_it_and_uses_it(digits):
    how, target = {"recipe": replace(RECIPE, epochs=40)}, 0.5 * TARGET
    free = search(SPACE, digits, PRICE, target, replace(QUICK, latency_weight=0.0, **how))
    limited = replace(QUICK, latency_weight=1.0, limit=True, **how)
    found = search(SPACE, digits, PRICE, target, limited)
    assert 0.8 < PRICE.of(found.point) / target <= 1 < PRICE.of(free.point) / target
    ends = [one.history["expected_ms"].iloc[-1] / target for one in (found, free)]
    assert ends[0] < ends[1]
    weights = found.history["latency_weight"]
    assert np.isnan(weights.iloc[0])  # no step of the architecture in the warm-up
    assert weights.max() > 0 <= weights.min()


def test_a_high_price_of_latency_leads_to_the_fastest_network(digits):
    fastest = tuple(int(part.argmin()) for part in PRICE.added)
    for form in ("two", "all", "sum"):
        dear = replace(QUICK, form=form, latency_weight=1e3, recipe=replace(RECIPE, epochs=12))
        found = search(SPACE, digits, PRICE, TARGET, dear)
        assert found.point == fastest
        ends = found.history["expected_ms"].iloc[[0, -1]]
        assert ends.iloc[1] < ends.iloc[0]
    fast = replace(dear, form="reinforce", exponent=-5.0)
    found = search(SPACE, digits, PRICE, TARGET, fast)
    assert PRICE.of(found.point) < PRICE.of(SPACE.centre())


def test_equal_seeds_give_equal_searches_and_rows_say_what_was_spent(digits):
    one, two, other = (search(SPACE, digits, PRICE, TARGET, QUICK, s) for s in (0, 0, 1))
    assert same(one, two)
    assert not same(one, other)
    h = one.history
    assert h["macs"].is_monotonic_increasing
    assert h["samples"].iloc[-1] == 4 * 96 + 18 * 16  # no architecture step in the first quarter
    assert h["entropy"].iloc[0] == pytest.approx(1, abs=0.01)
    assert one.arch == SPACE.decode(one.point)
    assert h["latency_ms"].iloc[-1] == pytest.approx(PRICE.of(one.point))


@pytest.mark.parametrize("form", FORMS)
def test_a_search_goes_on_from_its_checkpoint_bit_for_bit(digits, tmp_path, killed, form):
    path = tmp_path / "c.pt"
    task = (SPACE, digits, PRICE, TARGET, replace(QUICK, form=form, limit=form != "reinforce"))
    whole = search(*task)
    killed(8, search, *task, checkpoint=path)
    assert same(whole, search(*task, checkpoint=path))
    assert same(whole, search(*task, checkpoint=path))  # nothing left to do
    other = replace(task[-1], latency_weight=0.3)
    with pytest.raises(ValueError, match="it differs in settings"):
        search(*task[:-1], other, checkpoint=path)
    with pytest.raises(ValueError, match="no validation images"):
        search(SPACE, replace(digits, val=digits.val.take(slice(0))), *task[2:])


ONE = ProxylessSpace(SPACE.skeleton, {"k3_e6": (3, 6)}, zero=False)
FASTEST = PRICE.fixed[0] + sum(part.min() for part in PRICE.added)


@pytest.mark.parametrize(
    ("error", "says", "change"),
    [
        (SearchError, "nothing to search", {"space": ONE, "latency": Price.macs(ONE)}),
        (ValueError, "above 0 ms", {"target_ms": 0.0}),
        (SearchError, "no network of the space is as fast as", {"target_ms": 0.9 * FASTEST}),
        (ValueError, "shift 16 would leave nothing", {"recipe": {"shift": 16}}),
        (train.DivergedError, "lower lr", {"recipe": {"lr": 1e30, "warmup": 0.0}}),
    ],
)
def test_what_cannot_be_searched_is_named(digits, error, says, change):
    recipe = replace(RECIPE, **change.pop("recipe", {}))
    settings = replace(QUICK, recipe=recipe, limit=True, latency_weight=1.0)
    task = {"space": SPACE, "latency": PRICE, "target_ms": TARGET, "settings": settings}
    with pytest.raises(error, match=says):
        search(**task | change, images=digits)


def test_the_likeliest_network_within_a_limit_is_found_exactly():
    skeleton, rng = Skeleton.small((1, 16, 16), 10, [16, 24]), np.random.default_rng(0)
    space = ProxylessSpace(skeleton, {f"e{e}": (3, e) for e in (2, 3, 4)}, zero=False)
    for _ in range(30):
        costs = [rng.uniform(-0.2, 1, (1, 3)) for _ in range(4)]
        chances = rng.dirichlet(np.ones(3), 4)
        price, limit = Price(space, np.array([0.9]), costs), rng.uniform(1.0, 3.5)
        fine = [p for p in itertools.product(range(3), repeat=4) if price.of(p) <= limit]
        if not fine:
            with pytest.raises(SearchError, match="no network of the space is as fast"):
                likeliest_within(chances, price, limit)
            continue
        odds = {p: np.log([chances[i][j] for i, j in enumerate(p)]).sum() for p in fine}
        found = likeliest_within(chances, price, limit)
        assert price.of(found) <= limit
        close = [p for p in fine if price.of(p) <= 0.996 * limit]  # rounding may lose the rest
        assert odds[found] >= max((odds[p] for p in close), default=-np.inf) - 1e-9
