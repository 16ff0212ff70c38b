"""What a network is run with: threads, shapes, layouts, sessions, compilation; and what cannot."""

import functools
import itertools
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lightlab import deploy, latency
from lightlab.latency import runtimes, timing
from lightlab.latency.runtimes import Sessions
from lightlab.latency.timing import Plan
from lightlab.measure import machine
from lightlab.space.arch import Arch
from lightlab.space.blocks import Block

SMALL = Arch(16, Block("conv", 8, 3, 2), (Block("mb", 8, 3, 1, 3),), n_classes=10)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_network_has_the_threads_the_shape_and_the_layout_that_are_said(threads):
    model = runtimes.onnx_model(SMALL, SMALL.input_shape, latency.Setting())
    session = deploy.session(model, threads, batch=3)
    options = session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (threads, 1)
    assert session.get_inputs()[0].shape == [3, 3, 16, 16]

    def note(conv, images):
        last = [t.is_contiguous(memory_format=torch.channels_last) for t in (*images, conv.weight)]
        seen.append((torch.get_num_threads(), images[0].shape, *last, torch.is_grad_enabled()))

    seen, conv = [], nn.Conv2d(3, 8, 3)
    conv.register_forward_pre_hook(note)
    ready = latency.runner(conv, latency.Setting("torch", threads, 2), (3, 9, 9))
    seen.clear()
    ready.time(2)
    assert seen == [(threads, (2, 3, 9, 9), True, True, False)] * 2


def compile_by(monkeypatch, backend):
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))


def test_every_network_is_compiled_not_only_the_first_eight(monkeypatch):
    compiled = []
    compile_by(monkeypatch, lambda graph, _: compiled.append(graph) or graph.forward)
    archs = [replace(SMALL, resolution=16 + i) for i in range(10)]
    ready = [latency.runner(arch, latency.Setting("torch-compile")) for arch in archs]
    assert len(compiled) == 10
    for one in ready:
        one.time(2)
    assert len(compiled) == 10  # what is timed is what was compiled


def test_what_cannot_be_compiled_is_one_line(monkeypatch):
    def backend(*_):
        raise RuntimeError("No working C++ compiler found\nand much more")

    compile_by(monkeypatch, backend)
    with pytest.raises(ValueError, match=r"'torch-compile' cannot.*C\+\+") as error:
        latency.runner(SMALL, latency.Setting("torch-compile"))
    assert "\n" not in str(error.value)


def noting(log, name):
    """A runner that notes when it runs."""
    return SimpleNamespace(time=lambda n: log.append(name) or (1e-3 * n, 1e-3 * n))


def test_round_after_round_another_session_is_timed():
    log = []
    plan = Plan(rounds=6, samples=1, sample_ms=0, warmup_ms=0)
    sessions = Sessions(tuple(noting(log, i) for i in range(3)))
    found = latency.time_runners({"a": sessions}, latency.Setting(), plan=plan)
    assert log[:9] == [0] * 3 + [1] * 3 + [2] * 3  # each session is warmed up on its own
    assert [name for name, _ in itertools.groupby(log[9:])] == [0, 1, 2, 0, 1, 2]
    assert found.table["n"].tolist() == [6]


def test_onnx_runtime_gets_several_sessions_of_a_model_that_is_made_once(monkeypatch):
    made = []
    model = runtimes.onnx_model
    monkeypatch.setattr(runtimes, "onnx_model", lambda *x: made.append(x) or model(*x))
    ready = latency.runner(SMALL)
    assert isinstance(ready, Sessions)
    assert len({id(one.run) for one in ready.runners}) == runtimes.SESSIONS == 3
    assert len(made) == 1
    assert ready.time(1)[0] > 0
    assert not isinstance(latency.runner(SMALL, sessions=1), Sessions)
    assert not isinstance(latency.runner(SMALL, latency.Setting("torch")), Sessions)


def test_a_table_may_be_another_machines():
    assert latency.Setting(threads=999).threads == 999
    with pytest.raises(ValueError, match="at most"):
        latency.LookupTable.build([SMALL], setting=latency.Setting(threads=999))


def test_a_misspelt_estimate_is_told_before_anything_is_made_ready(monkeypatch):
    monkeypatch.setattr(timing, "runner", lambda *_, **__: pytest.fail("made ready"))
    with pytest.raises(ValueError, match="estimate is one of"):
        latency.measure_many({"a": SMALL}, estimate="medain")
    timed = []
    with pytest.raises(ValueError, match="estimate is one of"):
        latency.time_runners({"a": noting(timed, "a")}, latency.Setting(), estimate="medain")
    assert not timed


def test_the_device_says_which_vectors_its_kernels_may_use(monkeypatch):
    for about, vectors in (
        ({"flags": "fpu avx2 avx512f avx512_vnni"}, "avx512f avx512_vnni"),
        ({}, "none known"),
    ):
        monkeypatch.setattr(machine, "processor", lambda about=about: {"model name": "A", **about})
        assert latency.device()["vectors"] == vectors
        assert latency.device()["cpu"].startswith("A, ")
