"""From images to a delivered model, with every method."""

import time
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
import torch

from lightlab import deploy, train
from lightlab.chapters.ch13_your_model.experiment import linear
from lightlab.data import DataSet, Split
from lightlab.deploy import session
from lightlab.deploy.export import run as answers_of
from lightlab.fit import budget, evaluate, methods, report, room, run
from lightlab.fit import task as task_of_fit
from lightlab.fit.budget import MACS, SIZE, Clock, Meter, Target
from lightlab.fit.methods import METHODS, RANDOM, SCALED
from lightlab.fit.task import Task
from lightlab.measure import cost, stats
from lightlab.methods import baselines, shrinking
from lightlab.methods.baselines import MOBILENET_V2
from lightlab.nets.build import build
from lightlab.space.scaling import scale
from lightlab.train import parallel, training
from lightlab.workbook.tools import card


def bars(n, seed):
    """Images of 16 px with a bar that lies or stands anywhere: no linear classifier sees it."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.3, (n, 1, 16, 16)).astype(np.float32)
    y = np.arange(n) % 2
    for image, label in zip(x[:, 0], y, strict=True):
        a, b = rng.integers(0, 9), rng.integers(1, 14)
        part = image if label else image.T
        part[a : a + 7, b : b + 2] += rng.choice((-1.5, 1.5))
    return Split(torch.from_numpy(x), torch.from_numpy(y), torch.arange(n) + 1000 * seed)


@pytest.fixture(scope="module", autouse=True)
def processor_time():
    """Budgets are of processor time here: what others do on the machine does not matter."""
    with pytest.MonkeyPatch.context() as patch:
        processor = SimpleNamespace(perf_counter=time.process_time, process_time=time.process_time)
        for module in (training, shrinking):
            patch.setattr(module, "time", processor)
        yield


@pytest.fixture(scope="module")
def images():
    parts = (bars(n, seed) for seed, n in enumerate((256, 64, 100)))
    return DataSet("bars", *parts, ("lying", "standing"), (0.0,), (1.0,), "0" * 64)


TARGET = Target(max_macs=4e5, max_size_kb=150)


@pytest.fixture(scope="module")
def fitted(images):
    heard, asked, real = [], [], parallel.pool

    def pool(workers, **how):  # of trainings, which say how, or of what is run beside them
        return real(workers, **how) if how else asked.append(workers) or joblib.Parallel(1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "SHORT_MACS", 0)
        patch.setattr(parallel, "pool", pool)
        patch.setattr(joblib, "cpu_count", lambda: 2)
        patch.setattr(run, "_BESIDE_S", 16)  # designs are trained beside the search
        found = run.fit(
            images, TARGET, 16, "once-for-all", seed=1, tell=heard.append, now=time.process_time
        )
    assert set(asked) == {1}  # what asks for others would wait for the designs' processes
    return found, heard


def test_a_loose_target_leaves_a_space_whose_supernet_can_be_trained(images, monkeypatch):
    """As many steps as a small network needs, however few or many images an epoch has."""
    layers, each = 0.01, 1e-8  # seconds of a step, for all layers and for each MAC
    a_step = lambda network, *_: layers + each * cost.macs(network.arch)  # noqa: E731
    monkeypatch.setattr(budget, "network_step_s", a_step)
    middle = room.spaces(images)[len(room.spaces(images)) // 2]
    macs = cost.macs(middle.decode(middle.corner()))
    recipe, rate = train.Recipe(1, batch_size=32), macs / (layers + each * macs)
    most = room.affordable_macs(images, recipe, 190.0, time.monotonic)
    assert most == pytest.approx(rate * 190 / 3 / room._LEAST_STEPS)
    many = replace(images, train=images.train.take(torch.arange(256).repeat(200)))
    assert room.affordable_macs(many, recipe, 190.0, time.monotonic) == most
    smallest = room.spaces(images, 1)[0]
    least = cost.macs(smallest.decode(smallest.corner()))
    most = room.affordable_macs(images, recipe, 0.3, time.monotonic)
    assert most == pytest.approx(room._WIDEST * least)  # width costs next to nothing


def test_a_model_is_delivered_that_keeps_to_its_target(fitted, images):
    found, heard = fitted
    delivered, network = found.delivered, found.delivered.finalist.network
    assert delivered.met
    assert cost.macs(network.arch) == delivered.again.costs[MACS] <= TARGET.max_macs
    assert len(delivered.model) / 1000 == delivered.again.costs[SIZE] <= TARGET.max_size_kb
    assert deploy.parity(network, delivered.model, images.test.x)["max_abs_diff"] < 1e-3
    assert found.tested.right.mean() == train.evaluate(network, images.test)["accuracy"]
    gap = stats.mean_ci(100.0 * found.tested.right - 100.0 * linear(images, 0).right)
    assert gap[1] > 0, gap
    assert heard[0].phase == "measuring what networks cost here"
    assert heard[-1].best.startswith(f"{delivered.finalist.accuracy:.1f} %")
    assert all(a.left_s >= b.left_s for a, b in pairwise(heard))


def test_what_is_told_about_it_is_complete(fitted):
    found, _ = fitted
    assert found.comparison["delivered"].tolist().count(True) == 1
    assert (found.comparison["macs"] <= TARGET.max_macs).all()
    assert len(found.comparison) == 3, found.failed
    assert "waiting for MobileNetV2 and V3, trained beside it" in found.phases["phase"].tolist()
    assert set(report.tried(found)["stage"]) == {"sampled", "candidate", "trained on"}
    assert found.spent_s < 1.15 * found.budget_s  # of processor time: others do not matter
    took = found.comparison.set_index("model")["spent_s"]
    assert (took > 0).all()
    assert took["once-for-all"] < found.spent_s  # designs have processes, of the wall's clock
    assert found.phases["seconds"].sum() == pytest.approx(found.spent_s, abs=1)
    assert "met when measured again" in report.headline(found)
    assert report.layers(found)["network"].nunique() == len(found.comparison)


def test_what_the_card_warns_of(fitted):
    found, _ = fitted
    soon = replace(found, budget_s=3 * found.spent_s)
    for capped in (True, False):
        early = " ".join(report.warnings(replace(soon, capped=capped)))
        assert ("More images help, more minutes do not" in early) == capped
    phases = found.phases.assign(seconds=found.phases["seconds"] / 10)
    slow = " ".join(report.warnings(replace(found, phases=phases, budget_s=found.spent_s)))
    assert "of the time was spent on training" in slow
    some = found.comparison[found.comparison["model"] != MOBILENET_V2]
    why = f"the training of {MOBILENET_V2} failed: out of memory"
    words = report.how_found(replace(found, comparison=some, failed=why))
    assert f"The training of {MOBILENET_V2} failed: out of memory." in words
    assert f"smallest of {MOBILENET_V2}" not in words
    words = report.how_found(replace(found, comparison=some))
    assert f"Not even the smallest of {MOBILENET_V2} keeps to it." in words


def test_what_was_found_is_delivered_where_nothing_can_be_compared_with_it():
    def trained(*_):
        raise train.JobError("a worker was killed")

    task = SimpleNamespace(clock=Clock(60), trained=trained)
    task.clock.enter(run.SCALING)
    why = "the training of a design failed: a worker was killed"
    assert run._trained(task, {"a design": None}, None) == ([], why)


@pytest.mark.parametrize(("gone", "wanted"), [(30, "before"), (90, "anew")])
def test_after_a_long_search_designs_are_scaled_anew(monkeypatch, gone, wanted):
    times = [0.0]
    clock = Clock(600, now=lambda: times[0])
    clock.enter(run.SCALING)
    times[0] = gone
    monkeypatch.setattr(run, "designs", lambda _: {"anew": None})
    task = SimpleNamespace(clock=clock, trained=lambda archs, _: list(archs))
    assert run._trained(task, {"before": None}, None) == ([wanted], "")


def test_trainings_last_as_long_as_they_may_or_end_early_for_few_images(images, monkeypatch):
    """All that there are: the supernet's, one that goes on, and from scratch."""
    monkeypatch.setattr(task_of_fit, "MOST_EPOCHS", 3)
    space = room.spaces(images, 1)[0]
    arch = space.decode(space.smallest())
    meter, chosen = Meter(TARGET, images), SimpleNamespace(space=space)

    def capped(seconds):
        clock = Clock(60)
        task = Task(images, chosen, meter, clock, train.Recipe(1, batch_size=32), 0)
        for step in (
            lambda: methods.supernet(task, seconds),
            lambda: methods.tuned(
                task, task_of_fit.Finalist("", build(arch), 0.0, 9.0, 0), seconds
            ),
            lambda: task.trained({"a": arch, "b": arch}, seconds),
        ):
            clock.capped, begin = False, time.process_time()
            step()
            yield clock.capped, time.process_time() - begin

    assert [early for early, _ in capped(60.0)] == [True] * 3
    found = list(capped(0.01))
    assert [early for early, _ in found] == [False] * 3
    assert all(seconds < 3 for _, seconds in found), found


def test_a_target_about_integers_is_judged_by_their_file(images):
    target = Target(max_macs=4e5, max_size_kb=60, runtime="onnxruntime-int8")
    found = run.fit(images, target, 12, "once-for-all", seed=1, now=time.process_time)
    delivered = found.delivered
    assert delivered.keeps_int8
    assert len(delivered.int8) / 1000 == delivered.again.costs[SIZE]
    said = answers_of(session(delivered.int8), images.test.x).argmax(1)
    assert (found.tested.said == said).all()
    own = found.comparison[found.comparison["delivered"]].iloc[0]
    assert own["accuracy"] == pytest.approx(100 * (said == images.test.y.numpy()).mean())
    assert own["size_kb"] == delivered.again.costs[SIZE]
    assert "model-int8.onnx" in card.snippet(found)


def test_the_default_searches_where_designs_are_trained_to_their_end_beside_it(images, monkeypatch):
    """MOST_EPOCHS of eight steps take 24 s."""
    monkeypatch.setattr(budget, "network_step_s", lambda *_: 0.01)
    space, recipe = room.spaces(images)[0], train.Recipe(1, batch_size=32)

    def of(seconds, designs):
        clock, where = Clock(seconds, now=lambda: 0.0), SimpleNamespace(space=space)
        return methods.chosen(Task(images, where, None, clock, recipe, 0, designs))

    assert [of(s, {"a design": None}) for s in (47, 49)] == [SCALED, "once-for-all"]
    assert of(9, {}) == "once-for-all"  # which finds smaller networks than any design


A_DESIGN = {"a design": None}


@pytest.mark.parametrize(
    ("archs", "budget", "threads", "cores", "share"),
    [
        (A_DESIGN, 60, 1, 2, 1.0),  # a core is spare: the designs are trained on it meanwhile
        (A_DESIGN, 60, 2, 2, run.METHOD_SHARE),  # the model is timed on both
        (A_DESIGN, 29, 1, 8, run.METHOD_SHARE),  # starting processes does not pay
        ({}, 29, 1, 8, 1.0),  # no design keeps to the target
        ({}, 60, 1, 8, 1.0),
    ],
)
def test_search_and_designs_share_time_or_cores(
    images, monkeypatch, archs, budget, threads, cores, share
):
    class StopError(Exception):
        pass

    def begun(_, given, seconds):
        assert given == archs
        under_way.append(seconds)
        return SimpleNamespace(close=lambda: under_way.append("given up"))

    def method(task, seconds):
        assert seconds == pytest.approx(share * run._usable_s(task.clock), abs=0.1)
        assert task.workers == (1 if under_way else cores)
        raise StopError

    under_way = []
    monkeypatch.setattr(Task, "begun", begun)
    monkeypatch.setattr(joblib, "cpu_count", lambda: cores)
    monkeypatch.setattr(run, "designs", lambda _: archs)
    monkeypatch.setattr(
        run, "_task", lambda *how: Task(images, None, None, how[2], None, 0, workers=cores)
    )
    monkeypatch.setitem(run.METHODS, "once-for-all", method)
    target = SimpleNamespace(threads=threads)
    with pytest.raises(StopError):
        run.fit(images, target, budget, "once-for-all")
    beside = bool(archs) and share == 1
    assert under_way == ([pytest.approx(0.92 * budget, abs=0.1), "given up"] if beside else [])


@pytest.mark.parametrize("method", [RANDOM, SCALED])
def test_other_methods_find_networks_within_the_target(method, images):
    clock, meter = Clock(60, now=time.process_time), Meter(TARGET, images)
    chosen = room.choose(images, meter, 2e6)
    recipe = train.Recipe(1, batch_size=32)
    task = Task(evaluate.balanced(images), chosen, meter, clock, recipe, seed=0)
    found = METHODS[method](replace(task, designs=methods.designs(task)), 2.0)
    assert all(TARGET.kept_by(c) for c in meter.costs([x.network.arch for x in found.finalists]))
    assert len(found.tried) == (9 if method == RANDOM else 2)
    assert clock.best


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"budget_s": 1}, "the budget is at least"),
        ({"method": "magic"}, "method is one of auto, once-for-all, random, scaled, not 'magic'"),
        ({"target": Target(max_macs=10)}, "no network here has MACs of 10"),
        ({"images": None}, "validation images: there are none"),
    ],
)
def test_what_cannot_be_done_is_told_before_training(images, how, words):
    if "images" in how:
        how = {"images": replace(images, val=images.val.take(slice(0)))}
    with pytest.raises(ValueError, match=words):
        run.fit(**({"images": images, "target": TARGET, "budget_s": 30} | how))


def designs_within(space, images, most):
    """The task of a target of so many MACs, with its designs."""
    meter = Meter(Target(max_macs=most), images)
    task = SimpleNamespace(room=SimpleNamespace(space=space), meter=meter)
    task.designs = methods.designs(task)
    return task


def test_designs_lose_layers_before_they_are_given_up_which_is_told(images):
    space = room.spaces(images)[1]
    whole = [dict(baselines.designs(space, [1.0], d))[MOBILENET_V2] for d in (None, 1)]
    assert len(whole[0].blocks) > len(whole[1].blocks)
    for arch in whole:
        most = 1.01 * cost.macs(scale(arch, width_mult=0.25))
        found = designs_within(space, images, most).designs[MOBILENET_V2]
        assert len(found.blocks) == len(arch.blocks)
        assert cost.macs(found) <= most
    task = designs_within(space, images, 10)
    assert task.designs == {}
    with pytest.raises(ValueError, match="not even the smallest of MobileNetV2's and V3's designs"):
        methods.scaled(task, 1.0)
