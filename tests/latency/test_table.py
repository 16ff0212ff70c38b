"""The look-up table: exact where a machine's times are additive, refused where it does not fit."""

from types import SimpleNamespace

import numpy as np
import onnx
import pytest

from lightlab import deploy, latency
from lightlab.latency import pieces, table
from lightlab.latency.pieces import Joint, joints, module, pieces_of
from lightlab.latency.timing import Plan
from lightlab.measure import cost
from lightlab.nets.build import build
from lightlab.space import scaling
from lightlab.space.arch import Arch, Head, layers
from lightlab.space.blocks import Block
from lightlab.space.skeleton import MACRO

TINY = Arch(16, Block("conv", 8, 3, 2), (Block("mb", 8, 3, 1, 3),), Head(16), n_classes=10)
QUICK = Plan(rounds=2, samples=1, sample_ms=0, warmup_ms=0, min_busy=0)
ARCHS = [MACRO.decode(point) for point in MACRO.sample(np.random.default_rng(0), 12)]


@pytest.fixture
def fake_machine(machine, monkeypatch):
    """`machine` in place of this one, and what was made ready on it."""
    machine.made = []

    def runner(piece, _):
        machine.made.append(piece)
        seconds = machine.piece_ms(piece) / 1e3
        return SimpleNamespace(time=lambda n: (seconds * n, seconds * n))

    monkeypatch.setattr(table, "runner", runner)
    return machine


def test_pieces_follow_each_other_and_hold_every_mac():
    for arch in (TINY, scaling.get("mnasnet_a1"), scaling.get("mobilenet_v3_small")):
        found = pieces_of(arch)
        assert len(found) == len(arch.blocks) + 2 + bool(arch.head.features)
        names = [layer.name.split(".")[0] for layer in layers(arch)]
        assert found[0].input_shape == arch.input_shape
        assert joints(arch) == [Joint(p.in_channels, p.in_size) for p in found[1:]]
        assert ("features" in names) == bool(arch.head.features)
        counts = [sum(p.numel() for p in module(piece).parameters()) for piece in found]
        assert min(counts) > 0
        assert sum(counts) == sum(p.numel() for p in build(arch).parameters())
    keys = {p.key for p in pieces_of(scaling.get("mobilenet_v1"))}
    assert "sep_k3_s1_c512 @ 512x14" in keys
    assert len(keys) == 15 - 4  # of 13 blocks five are equal; stem and head


def _parts(model):
    """Operators without "Identity", by which the exporter makes one bias of those that are equal,
    and shapes of weights.
    """
    ops = [n.op_type for n in model.graph.node if n.op_type not in ("Constant", "Identity")]
    return ops, sorted(tuple(w.dims) for w in model.graph.initializer if len(w.dims) > 1)


@pytest.mark.parametrize("name", ["mnasnet_small", "mobilenet_v3_small"])
def test_joined_pieces_are_the_network_that_is_exported(name):
    arch = scaling.get(name, resolution=32)
    joined = onnx.load_from_string(pieces.graph(arch, arch.input_shape))
    whole = onnx.load_from_string(deploy.onnx_bytes(build(arch), arch.input_shape))
    onnx.checker.check_model(joined, full_check=True)
    assert _parts(joined) == _parts(whole)
    session = deploy.session(joined.SerializeToString())
    out = session.run(None, {"input": np.zeros((2, *arch.input_shape), "float32")})[0]
    assert out.shape == (2, arch.n_classes)


def test_where_times_are_additive_the_corrected_sum_is_exact(fake_machine):
    archs = ARCHS[:8]
    found = latency.LookupTable.build(archs, plan=QUICK)
    assert len(fake_machine.made) == len(set(fake_machine.made)) == len(found.entries)
    for arch in archs:
        assert found.predict(arch) == pytest.approx(fake_machine.network_ms(arch))
        apart = sum(map(fake_machine.piece_ms, pieces_of(arch)))
        assert found.predict(arch, "sum") == pytest.approx(apart)


def test_a_line_through_whole_networks_calibrates(fake_machine):
    network_ms = fake_machine.network_ms
    archs = ARCHS[:12]
    found = latency.LookupTable.build(archs, plan=QUICK)
    measured = [0.5 + 1.2 * network_ms(arch) for arch in archs]
    calibrated = found.calibrate(archs[:4], measured[:4])
    assert calibrated.calibration == pytest.approx((0.5, 1.2, 0.0), abs=1e-9)
    assert [calibrated.predict(a) for a in archs] == pytest.approx(measured)
    assert calibrated.predict(archs[0], "corrected") == pytest.approx(network_ms(archs[0]))
    weights = [cost.param_count(arch) / 1e6 for arch in archs]
    cold = [ms + 0.3 * w for ms, w in zip(measured, weights, strict=True)]
    again = found.calibrate(archs[:6], cold[:6])
    assert again.calibration == pytest.approx((0.5, 1.2, 0.3))
    assert [again.predict(a) for a in archs] == pytest.approx(cold)
    for wrong, words in (
        (lambda: found.predict(archs[0], "calibrated"), "not calibrated"),
        (lambda: found.predict(archs[0], "raw"), "how is one of"),
        (lambda: found.calibrate(archs[:3], measured[:3]), "4 points"),
        (lambda: found.calibrate(archs[:1] * 4, measured[:1] * 4), "cannot tell"),
        (lambda: found.calibrate(archs[:4], measured[:3]), "4 networks and 3 latencies"),
    ):
        with pytest.raises(ValueError, match=words):
            wrong()


@pytest.mark.usefixtures("fake_machine")
def test_a_missing_entry_is_named():
    found = latency.LookupTable.build([TINY], plan=QUICK)
    other = Arch(16, TINY.stem, (Block("mb", 8, 5, 1, 6),), TINY.head, n_classes=10)
    with pytest.raises(ValueError, match="no entry 'mb_k5_s1_e6_c8 @ 8x8'"):
        found.predict(other)
    alone = latency.LookupTable.build(pieces_of(TINY), plan=QUICK)
    with pytest.raises(ValueError, match="no entry 'through1 @ 8x8'"):
        alone.predict(TINY)
    with pytest.raises(ValueError, match="no network to build"):
        latency.LookupTable.build([], plan=QUICK)


def test_agreement_is_what_it_says():
    found = latency.agreement([1.1, 2.2, 3.3, 4.4], [1.0, 2.0, 3.0, 4.0])
    wanted = {"rmse_pct": 10, "bias_pct": 10, "rmse_ms": (0.3 / 4) ** 0.5, "spearman": 1}
    wanted["r2"] = 1 - 0.3 / 5
    assert {key: found[key] for key in wanted} == pytest.approx(wanted)
