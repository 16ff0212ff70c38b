"""Prices add up: equal to counting and to the look-up table, with the gradient of the paper."""

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
from lightlab.space.once_for_all import OFA_MOBILENET_V3, OfaSpace
from lightlab.space.proxyless import ProxylessSpace
from lightlab.space.skeleton import Skeleton

SPACE = ProxylessSpace(Skeleton.small((3, 16, 16), 10, [16, 24]))
OFA = OfaSpace(Skeleton.small((3, 16, 16), 10, [16, 24]), (3, 7), (2, 4), (1, 2), (12, 16))
PAPER = OfaSpace(OFA_MOBILENET_V3, resolutions=(160, 192, 224))
BOTH = pytest.mark.parametrize("space", [SPACE, OFA], ids=["proxyless", "once-for-all"])
PLAN = latency.Plan(rounds=6, samples=2, sample_ms=0.05, min_busy=0, warmup_ms=0.5)


def drawn(space, n=20, seed=0):
    return space.sample(np.random.default_rng(seed), n)


def drawn_table(space):
    """A look-up table whose times are drawn, so that nothing has to be measured."""
    rng, table = np.random.default_rng(0), latency.LookupTable(latency.Setting(), latency.device())
    for arch in space.uniform():
        for piece in [*pieces_of(arch), *(p for j in joints(arch) for p in j.through)]:
            low, high = (0.01, 0.011) if piece.text.startswith("through") else (0.02, 0.1)
            table.entries.setdefault(piece.key, [float(rng.uniform(low, high))])
    return table


@pytest.mark.parametrize("space", [SPACE, OFA, PAPER], ids=["proxyless", "once-for-all", "paper"])
@pytest.mark.parametrize("name", ["macs", "param_count"])
def test_sums_are_what_is_counted(space, name):
    points = drawn(space, 50)
    found = getattr(Price, name)(space).of(points)
    assert found.tolist() == [getattr(cost, name)(space.decode(p)) for p in points]


@BOTH
@pytest.mark.parametrize("calibrated", [False, True])
def test_latencies_are_the_table_s_and_a_missing_entry_is_named(space, calibrated):
    table = drawn_table(space)
    if calibrated:
        archs = [space.decode(p) for p in drawn(space, 8)]
        y = [0.02 + 1.3 * table.predict(a) + 0.5 * cost.param_count(a) / 1e6 for a in archs]
        table = table.calibrate(archs, y)
    points = drawn(space)
    wanted = [table.predict(space.decode(p)) for p in points]
    price = Price.latency_ms(space, table)
    np.testing.assert_allclose(price.of(points), wanted)
    if space is SPACE:
        assert [part.shape for part in price.added] == [(1, 6), (1, 7), (1, 6), (1, 7)]
        assert price.added[1][0, -1] == 0  # a block left out adds nothing
    del table.entries[next(k for k in table.entries if k.startswith("mb_k7_s2_e"))]
    with pytest.raises(ValueError, match=r"no entry 'mb_k7_s2_e"):
        Price.latency_ms(space, table)


def test_the_expectation_and_its_gradient_are_the_paper_s():
    space = ProxylessSpace(Skeleton.small((3, 16, 16), 10, [16]), {"a": (3, 3)})
    added = [np.array([[1.0, 2.0, 5.0]]), np.array([[0.0, 3.0]])]
    made_up = Price(space, np.array([1.0]), added)
    logits = [torch.randn(3, requires_grad=True), torch.randn(2, requires_grad=True)]
    chances = [x.softmax(0) for x in logits]
    total = made_up.expected(chances, [range(3), range(2)])
    p, q = (c.tolist() for c in chances)
    enumerated = sum(p[i] * q[j] * made_up.of((i, j)) for i in range(3) for j in range(2))
    assert total.item() == pytest.approx(enumerated, rel=1e-6)
    pair = [torch.tensor([0.25, 0.75]), torch.tensor([1.0])]  # of those that are involved
    assert made_up.expected(pair, [(2, 0), (1,)]).item() == 1 + 0.25 * 5 + 0.75 * 1 + 3
    total.backward()
    for p, part, x in zip(chances, made_up.added, logits, strict=True):
        F, p = p.new_tensor(part[0]), p.detach()
        torch.testing.assert_close(x.grad, p * (F - (p * F).sum()))


def test_a_price_and_times_are_measured_once_also_across_a_kill(tmp_path, monkeypatch):
    centre, path = SPACE.decode(SPACE.centre()), tmp_path / "times.jsonl"
    archs = [SPACE.decode(p) for p in drawn(SPACE, 3, 7)]
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


@BOTH
def test_a_calibrated_table_predicts_a_steady_machine(space, monkeypatch):
    for module in (tables, latency):
        monkeypatch.setattr(module, "runner", Steady)
    meter = Meter(space.decode(space.smallest()), plan=PLAN)
    price, checked = price_latency(space, meter, 6, 6)
    assert len(checked) == 6
    (timed,) = (row["archs"] for row in meter.journal.of("timed"))
    assert timed[:2] == [encode(space.decode(p)) for p in (space.smallest(), space.largest())]
    points = drawn(space, 6, 5)
    found = predictions(price, points, meter([space.decode(p) for p in points]))
    for table in (checked, found):
        assert (table["predicted_ms"] / table["latency_ms"]).between(0.9, 1.1).all()
    assert price_latency(space, Meter(meter.reference, plan=PLAN), 6)[1].empty
