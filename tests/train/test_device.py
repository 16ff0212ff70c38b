"""Processor or GPU, 32 bits or 16."""

import itertools
import math

import pytest
import torch
from torch import nn

from lightlab import train
from lightlab.nets.build import build, cnn
from lightlab.space.arch import decode
from lightlab.train import device

SEPARABLE = decode("r16x1 conv_k3_s2_c8_relu sep_k3_s1_c16_relu sep_k3_s2_c16_relu head_n10")


def test_a_gpu_is_taken_where_it_is_faster_than_all_cores(monkeypatch):
    assert train.accelerator(math.inf) == ("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("joblib.cpu_count", lambda: 4)
    assert [train.accelerator(macs) for macs in (5.9e8, 6.1e8)] == ["cpu", "cuda"]


def test_sixteen_bits_spare_depthwise_convolutions_and_nothing_stays_behind():
    network, kinds = build(SEPARABLE), {}

    def note(module, _, output):
        kinds[module.groups > 1] = kinds.get(module.groups > 1, set()) | {output.dtype}

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note)
    images = torch.randn(4, 1, 16, 16)
    with device.computing(network, "bfloat16"):
        network(images)
    assert kinds == {True: {torch.float32}, False: {torch.bfloat16}}
    kinds.clear()
    network(images)
    assert kinds == {True: {torch.float32}, False: {torch.float32}}
    assert not any("forward" in vars(module) for module in network.modules())


def test_sixteen_bits_train_as_well(digits):
    losses = {}
    for kind in ("float32", "bfloat16"):
        recipe = train.Recipe(epochs=5, batch_size=50, precision=kind)
        history = train.fit(cnn(8, depth=2), digits.train, recipe)
        assert history.attrs["precision"] == kind
        losses[kind] = history["loss"].iloc[-1]
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.15)


@pytest.mark.parametrize(("slow", "chosen"), [("bfloat16", "float32"), ("float32", "bfloat16")])
def test_auto_takes_the_faster_and_says_so(digits, monkeypatch, slow, chosen):
    """The clock is a list: a step of `slow` takes twice as long."""
    calls, now = itertools.count(), [0.0]

    def clock():
        of = ("float32", "bfloat16")[next(calls) // 2 % 2]  # begin and end of one, then the other
        now[0] += 2.0 if of == slow else 1.0
        return now[0]

    monkeypatch.setattr(device.time, "perf_counter", clock)
    plain = cnn(4, dropout=0.5, depth=2)
    found, times = device.faster(plain, lambda m: m(digits.train.x[:50]).square().mean())
    assert found == chosen
    assert set(times) == {"float32_ms", "bfloat16_ms"}


def test_auto_trains_as_the_precision_that_it_chose(digits, monkeypatch):
    def fitted(kind):
        recipe = train.Recipe(epochs=1, batch_size=50, precision=kind)
        return train.fit(cnn(8, dropout=0.3, depth=2), digits.train, recipe)

    assert fitted("auto").attrs == {"precision": "float32"}  # short trainings are not timed
    monkeypatch.setattr(device, "LEAST_STEPS", 1)
    auto = fitted("auto")
    assert auto.attrs["float32_ms"] > 0
    same = fitted(auto.attrs["precision"])
    assert auto.drop(columns="seconds").equals(same.drop(columns="seconds"))
