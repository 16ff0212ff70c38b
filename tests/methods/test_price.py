"""Costs that add up: equal to counting and to the look-up table, with the gradient of the paper."""

import numpy as np
import pandas as pd
import pytest
import torch

from lightlab import latency
from lightlab.disk import Journal
from lightlab.latency import table as tables
from lightlab.latency.pieces import joints, pieces_of
from lightlab.measure import cost
from lightlab.methods.mnasnet import Meter
from lightlab.methods.price import Price, predictions, price_latency
from lightlab.space.arch import Arch, encode
from lightlab.space.proxyless import ProxylessSpace
from lightlab.space.skeleton import Skeleton

SPACE = ProxylessSpace(Skeleton.small((3, 16, 16), 10, [16, 24]))
POINTS = SPACE.sample(np.random.default_rng(0), 20)
PLAN = latency.Plan(rounds=6, samples=2, sample_ms=0.05, min_busy=0, warmup_ms=0.5)


def drawn_table():
    """A look-up table whose times are drawn, so that nothing has to be measured."""
    rng, table = np.random.default_rng(0), latency.LookupTable(latency.Setting(), latency.device())
    for arch in [SPACE.decode([min(i, n - 1) for n in SPACE.n_options]) for i in range(7)]:
        for piece in [*pieces_of(arch), *(p for j in joints(arch) for p in j.through)]:
            low, high = (0.01, 0.011) if piece.text.startswith("through") else (0.02, 0.1)
            table.entries.setdefault(piece.key, [float(rng.uniform(low, high))])
    return table


def made_up():
    """A price of three and of two candidates."""
    small = ProxylessSpace(Skeleton.small((3, 16, 16), 10, [16]), {"a": (3, 3)})
    return Price(small, np.array([1.0]), [np.array([[1.0, 2.0, 5.0]]), np.array([[0.0, 3.0]])])


def test_macs_are_those_that_are_counted():
    macs = Price.macs(SPACE)
    assert [macs.of(p) for p in POINTS] == [cost.macs(SPACE.decode(p)) for p in POINTS]


@pytest.mark.parametrize("calibrated", [False, True])
def test_latencies_are_the_table_s(calibrated):
    table = drawn_table()
    if calibrated:
        archs = [SPACE.decode(p) for p in POINTS[:8]]
        y = [0.02 + 1.3 * table.predict(a) + 0.5 * cost.param_count(a) / 1e6 for a in archs]
        table = table.calibrate(archs, y)
    found = Price.latency_ms(SPACE, table)
    wanted = [table.predict(SPACE.decode(p)) for p in POINTS]
    np.testing.assert_allclose([found.of(p) for p in POINTS], wanted)


def test_a_missing_entry_is_named():
    table = drawn_table()
    key = next(k for k in table.entries if k.startswith("mb_k7_s2_e6_c24"))
    del table.entries[key]
    with pytest.raises(ValueError, match="no entry 'mb_k7_s2_e6_c24"):
        Price.latency_ms(SPACE, table)


def test_the_expectation_and_its_gradient_are_the_paper_s():
    price = made_up()
    logits = [torch.randn(3, requires_grad=True), torch.randn(2, requires_grad=True)]
    chances = [x.softmax(0) for x in logits]
    everything = [range(3), range(2)]
    total = price.expected(chances, everything)
    p, q = (c.tolist() for c in chances)
    enumerated = sum(p[i] * q[j] * price.of((i, j)) for i in range(3) for j in range(2))
    assert total.item() == pytest.approx(enumerated, rel=1e-6)
    total.backward()
    for p, part, x in zip(chances, price.added, logits, strict=True):
        F, p = p.new_tensor(part[0]), p.detach()
        torch.testing.assert_close(x.grad, p * (F - (p * F).sum()))


def test_of_involved_candidates_only_these_count():
    price = made_up()
    found = price.expected([torch.tensor([0.25, 0.75]), torch.tensor([1.0])], [(2, 0), (1,)])
    assert found.item() == 1 + 0.25 * 5 + 0.75 * 1 + 3


def test_a_table_of_all_candidates_prices_every_network():
    plan = latency.Plan(rounds=1, samples=1, sample_ms=0.01, min_busy=0, warmup_ms=0.0)
    table = latency.LookupTable.build(SPACE.uniform(), plan=plan)
    found = Price.latency_ms(SPACE, table)
    assert all(np.isfinite(found.of(p)) for p in POINTS)
    assert [part.shape for part in found.added] == [(1, 6), (1, 7), (1, 6), (1, 7)]
    assert found.added[1][0, -1] == 0  # a block left out adds nothing


def test_a_price_and_times_are_measured_once_also_across_a_kill(tmp_path, monkeypatch):
    centre, path = SPACE.decode(SPACE.centre()), tmp_path / "times.jsonl"
    archs = [SPACE.decode(p) for p in SPACE.sample(np.random.default_rng(7), 3)]
    meter = Meter(centre, plan=PLAN, journal=Journal(path))
    price, checked = price_latency(SPACE, meter, 6, 6)
    times = [meter(archs[:1]), meter(archs[1:])]
    again = Meter(centre, plan=PLAN, journal=Journal(path))
    with monkeypatch.context() as patch:
        patch.setattr(latency, "time_runners", None)  # nothing is measured
        kept = price_latency(SPACE, again, 6, 6)
        assert kept[0].plain() == price.plain()
        pd.testing.assert_frame_equal(kept[1], checked)
        assert [again(archs[:1]), again(archs[1:])] == times
    assert again(archs[1:]) != times[1]  # asked once more than before: measured


class Steady:
    """Takes what its pieces take, neither more nor less, however busy the machine is."""

    def __init__(self, of, _setting):
        parts = pieces_of(of) if isinstance(of, Arch) else [of]
        self.ms = sum(1e-3 * len(part.text) * part.in_channels for part in parts)

    def time(self, n):
        return self.ms * n / 1e3, self.ms * n / 1e3


def test_a_calibrated_table_predicts_a_steady_machine(monkeypatch):
    for module in (tables, latency):
        monkeypatch.setattr(module, "runner", Steady)
    meter = Meter(SPACE.decode(SPACE.centre()), plan=PLAN)
    price, checked = price_latency(SPACE, meter, 6, 6)
    assert len(checked) == 6
    (timed,) = (row["archs"] for row in meter.journal.of("timed"))
    assert timed[:2] == [encode(SPACE.decode(p)) for p in (SPACE.smallest(), SPACE.largest())]
    assert (checked["predicted_ms"] / checked["latency_ms"]).between(0.9, 1.1).all()
    points = SPACE.sample(np.random.default_rng(5), 6)
    found = predictions(price, points, meter([SPACE.decode(p) for p in points]))
    assert (found["predicted_ms"] / found["latency_ms"]).between(0.9, 1.1).all()
