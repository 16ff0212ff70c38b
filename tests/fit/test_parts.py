"""Targets, the clock, judging, spaces for a target, what is delivered, and pictures of it."""

import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from lightlab import data, deploy
from lightlab.data import DataSet, Split, splits
from lightlab.fit import budget, evaluate, methods, room, run, task
from lightlab.fit import figures as plots
from lightlab.fit.budget import LATENCY, MACS, SIZE, Clock, Meter, Target
from lightlab.fit.task import Finalist
from lightlab.measure import cost
from lightlab.nets.build import build
from lightlab.space.arch import decode
from lightlab.space.scaling import scale
from lightlab.train import DivergedError


def split(labels, side=16, channels=1, seed=0):
    """Images of noise, a little brighter for each class."""
    y = torch.tensor(labels)
    x = torch.randn(len(y), channels, side, side, generator=torch.Generator().manual_seed(seed))
    return Split(x + y[:, None, None, None], y, torch.arange(len(y)))


def images(train=(0, 1) * 16, val=(0, 1) * 4, test=(0, 1) * 4, names=("a", "b"), side=16):
    parts = (split(p, side, seed=i) for i, p in enumerate((train, val, test)))
    return DataSet("made", *parts, names, (0.5,), (0.25,), "f" * 64)


def test_a_target_is_what_was_asked_for():
    target = Target(latency_ms=5, max_size_kb=100)
    assert target.limits == {LATENCY: 5, SIZE: 100}
    assert str(target) == "at most 5 ms (onnxruntime, 1 thread), 100 kB"
    assert target.kept_by({LATENCY: 5, SIZE: 100, MACS: 1e12})
    assert not target.kept_by({LATENCY: 5, SIZE: 100}, reserve=0.06)
    assert not target.kept_by({LATENCY: 4, SIZE: 101})
    assert target.largest_share({LATENCY: 4, SIZE: 110, MACS: 1e12}) == 1.1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "there is no target"),
        ({"latency_ms": -1}, "latency_ms has to be a number from 0 on"),
        ({"max_macs": float("nan")}, "max_macs has to be"),
        ({"max_macs": 1, "runtime": "tflite"}, "runtime is one of onnxruntime, onnxruntime-int8"),
        ({"max_macs": 1, "threads": 4096}, "threads must be at most"),
    ],
)
def test_impossible_targets_say_why(values, words):
    with pytest.raises(ValueError, match=words):
        Target(**values)


def test_the_clock_tells_and_counts_phases():
    at, heard = [0.0], []
    clock = Clock(100, heard.append, lambda: at[0])
    clock.enter("first", 30)
    at[0] = 40.0
    clock.best = "70.0 % (x)"
    clock.enter("second")
    at[0] = 130.0
    assert [(u.phase, u.expected_s, u.best, u.left_s) for u in heard] == [
        ("first", 30, "", 100),
        ("second", 0, "70.0 % (x)", 60),
    ]
    assert (clock.spent_s, clock.left_s) == (130, 0)
    assert clock.table().to_numpy().tolist() == [["first", 40.0], ["second", 90.0]]


@pytest.mark.parametrize(
    ("lasts", "a_step"),
    [
        ((5.0, 0.2, 0.8, 0.2), 0.1),  # all that is made ready falls into the first run
        ((5.0, 2.0, 0.8, 0.2), 0.1),  # one of the short runs was disturbed
        ((5.0, 2.0, 0.8, 2.0), 0.04),  # both were: steps do not come for nothing
        ((0.2, 0.2, 1.6, 0.2), 7 / 30),  # the long one was: fewer steps than there is time for
    ],
)
def test_a_step_is_timed_by_its_share_of_a_longer_run(lasts, a_step):
    left, clock, asked = list(lasts), [0.0], []

    def play(steps):
        asked.append(steps)
        clock[0] += left.pop(0)

    assert budget.step_s(play, lambda: clock[0]) == pytest.approx(a_step)
    assert asked == [2, 2, 8, 2]


def test_rare_classes_are_repeated_in_training_and_weigh_the_same_in_validation():
    whole = images(train=[0] * 40 + [1] * 3, val=[0] * 9 + [1] * 3)
    even = evaluate.balanced(whole)
    assert even.train.y.bincount().tolist() == [40, 30]  # ten times at most
    assert even.val.y.bincount().tolist() == [9, 9]
    assert even.test is whole.test
    assert set(even.train.groups.tolist()) == set(range(43))
    alike = images()
    assert evaluate.balanced(alike) is alike


def test_repeated_images_have_to_fit_into_memory(monkeypatch):
    rare = images(train=[0] * 40 + [1] * 3)
    a_kb = rare.train.x[0].numel() * 4 / 1000
    monkeypatch.setattr(
        splits.psutil, "virtual_memory", lambda: SimpleNamespace(total=150e3 * a_kb)
    )
    with pytest.raises(ValueError, match="give a smaller resolution or fewer images"):
        evaluate.balanced(rare)  # 40 + 30 to train on, 8 to choose on


def test_choices_are_made_on_what_is_recognised_of_each_class():
    labels = torch.tensor([0] * 10 + [1] * 6)
    logits = torch.eye(2)[[0] * 10 + [0, 0, 0, 0, 1, 1]] * 4.0
    accuracy, loss = evaluate.on_balance(logits, labels)
    assert accuracy == pytest.approx(100 * (1 + 2 / 6) / 2)
    right, wrong = np.log(1 + np.exp(-4)), np.log(1 + np.exp(4))
    assert loss == pytest.approx((right + (4 * wrong + 2 * right) / 6) / 2, rel=1e-6)


def answers(labels, said, names=("a", "b", "c")):
    logits = np.eye(len(names))[said] * 5.0
    return evaluate.Tested.of(logits, torch.tensor(labels), names)


def test_accuracies_are_counted_with_wilson_s_interval():
    # 8 of 10: Wilson's interval is 49.0 to 94.3 % (Agresti & Coull 1998)
    one = answers([0] * 8 + [1] * 2, [0] * 8 + [0, 2])
    assert one.accuracy == pytest.approx((80.0, 49.016, 94.331), abs=1e-3)
    assert one.balanced == 50.0  # all of a, none of b; there is no c
    worst = one.classes.iloc[0]
    assert (worst["class"], worst["images"], worst["recognised"]) == ("b", 2, 0.0)
    counts = one.confusion.set_index(["true", "said"])["images"]
    assert counts["a", "a"] == 8
    assert counts["b", "c"] == counts["b", "a"] == 1
    assert counts.sum() == 10


def test_examples_are_the_surest_errors_of_the_worst_classes():
    whole = images(test=[0, 0, 1, 1])
    one = evaluate.Tested(
        np.array([0, 0, 1, 1]), np.array([0, 1, 0, 0]), np.array([0.9, 0.6, 0.7, 0.8]), ("a", "b")
    )
    shown = one.examples(whole)
    assert shown["class"].tolist() == ["b", "b", "a", "a"]
    assert shown["number"].tolist() == [3, 2, 1, 0]
    assert shown["pixels"][0].shape == (16, 16, 1)
    wanted = (whole.test.x[3, 0] * 0.25 + 0.5).clip(0, 1)
    assert shown["pixels"][0][..., 0] == pytest.approx(wanted.numpy())


@pytest.mark.parametrize(
    ("side", "units", "last"), [(8, 2, 2), (32, 3, 4), (96, 4, 6), (224, 5, 7)]
)
def test_spaces_end_in_small_maps_at_any_resolution(side, units, last):
    found = room.spaces(images(side=side))
    assert len(found[0].depths) == units
    macs = [cost.macs(s.decode(s.corner())) for s in found]
    assert macs == sorted(set(macs))
    assert found[0].skeleton.maps()[-1][-1][1] == last


def test_the_target_lies_within_the_chosen_space_which_keeps_its_depth_if_it_can_be_trained():
    whole = images()
    chosen = room.choose(whole, Meter(Target(max_macs=3e5, max_size_kb=200), whole), 1e12)
    rows = chosen.offered[chosen.offered["chosen"]]
    assert rows["cost"].tolist() == [MACS, SIZE]  # of one space
    assert chosen.space.skeleton.stages[0].layers == room.DEPTH
    assert ((rows["least"] < rows["wanted"]) & (rows["wanted"] < rows["most"])).any()
    space, (sizes, most) = chosen.space, chosen.costs[SIZE]
    assert most == 200
    point = space.sample(np.random.default_rng(0))
    kb = len(Meter(Target(max_size_kb=1), whole).file(build(space.decode(point)))) / 1000
    assert sizes.of([point])[0] == pytest.approx(kb, rel=0.1)


def test_of_spaces_too_large_to_train_depth_is_given_up_before_width():
    whole, most = images(), [cost.macs(s.decode(s.corner())) for s in room.spaces(images(), 2)]
    meter = Meter(Target(max_macs=1e9), whole)
    chosen = room.choose(whole, meter, most[3])
    assert cost.macs(chosen.space.decode(chosen.space.corner())) <= most[3]
    assert chosen.space.skeleton.stages[0].layers == 1
    widths = [s.skeleton.stages[-1].channels for s in (chosen.space, room.spaces(whole)[3])]
    assert widths[0] > widths[1]
    assert chosen.offered.loc[chosen.offered["chosen"], "position"].min() > 1  # no limit
    least = room.choose(whole, meter, 1.0).space
    assert least.identity() == room.spaces(whole, 1)[0].identity()


@pytest.mark.parametrize(
    ("target", "side", "words"),
    [
        ({"max_macs": 10}, 16, r"no network here has MACs of 10: the smallest has .* at 8 px"),
        ({"latency_ms": 1e-5}, 16, r"latency in ms of 1e-05: the smallest has .*raise the target"),
        (
            {"latency_ms": 1e-4, "max_size_kb": 500, "runtime": "onnxruntime-int8"},
            32,
            r"has latency in ms of 0\.0001.* at 16 px",
        ),
    ],
)
def test_a_target_that_nothing_keeps_says_the_least_and_what_would_help(target, side, words):
    whole = images(side=side)
    with pytest.raises(ValueError, match=words):
        room.choose(whole, Meter(Target(**target), whole), 1e12)


def test_the_widest_design_that_keeps_to_the_target():
    whole = images()
    space = room.spaces(whole)[0]
    arch, meter = space.decode(space.smallest()), Meter(Target(max_macs=6e5), whole)
    widest = meter.widest(arch, 1e12)
    assert 0.7 * 6e5 < cost.macs(widest) <= 6e5
    assert Meter(Target(max_macs=10), whole).widest(arch, 1e12) is None
    assert cost.macs(meter.widest(arch, 3e5)) <= 3e5


def finalist(name, width, accuracy):
    space = room.spaces(images())[0]
    return Finalist(
        name, build(scale(space.decode(space.smallest()), width_mult=width)), accuracy, 1.0, 0.0
    )


@pytest.mark.parametrize(
    ("lost", "won", "rare", "keeps", "why"),
    [
        (1, 0, 0, True, "-1.0 points on 100 validation images"),
        (0, 3, 0, True, "+3.0 points on 100 validation images"),
        (5, 3, 0, True, "-2.0 points on 100 validation images"),
        (9, 1, 0, False, "-8.0 points on 100 validation images"),
        (20, 14, 0, False, "-6.0 points on 100 validation images"),
        (2, 0, 2, False, "by -50.0 balanced"),  # all of a rare class: half of the mean over both
    ],
)
def test_integers_are_kept_where_they_keep_the_accuracy(monkeypatch, lost, won, rare, keeps, why):
    exact, small = np.zeros(100, bool), np.zeros(100, bool)
    exact[:lost], small[lost : lost + won] = True, True
    both = iter((exact, small) if not rare else (~small, ~exact))
    monkeypatch.setattr(task, "right", lambda *_: next(both))
    found, told = task.keeps_accuracy(b"", b"", split([1] * rare + [0] * (100 - rare)))
    assert found is keeps
    assert why in told
    none_saved = task.keeps_accuracy(b"x" * 1000, b"x" * 910, split([0] * 4))
    assert none_saved == (False, "8-bit integers are not kept: they save hardly anything")


def test_the_next_smaller_one_is_delivered_where_the_best_misses(monkeypatch):
    whole = images()
    best, larger, smaller = (finalist(n, w, 90 - i) for i, (n, w) in enumerate(
        {"best": 2.0, "larger": 3.0, "smaller": 1.0}.items()))  # fmt: skip
    meter = Meter(Target(latency_ms=1), whole)
    slow = {id(best.network): 2.0, id(larger.network): 3.0, id(smaller.network): 0.5}

    def again(network, model):  # noqa: ARG001
        return SimpleNamespace(costs={LATENCY: slow[id(network)]})

    def costs(archs):
        return [{LATENCY: float(cost.macs(arch))} for arch in archs]

    monkeypatch.setattr(meter, "again", again)
    monkeypatch.setattr(meter, "costs", costs)
    monkeypatch.setattr(task.time, "sleep", lambda _: None)
    made = task.deliver([best, larger, smaller], meter, whole.val)
    assert (made.finalist, made.met, made.missed) == (smaller, True, ("best",))
    assert deploy.parity(smaller.network, made.model, whole.test.x)["max_abs_diff"] < 1e-4
    slow[id(smaller.network)] = 1.5
    made = task.deliver([best, larger, smaller], meter, whole.val)
    assert (made.finalist, made.met) == (smaller, False)  # the nearest
    assert made.measurements == task.N_AGAIN


def test_a_machine_that_is_slow_for_a_moment_has_a_second_try(monkeypatch):
    whole, waited, slow = images(), [], iter((2.0, 2.0, 0.9))
    meter, one = Meter(Target(latency_ms=1), whole), finalist("one", 1.0, 90)
    again = SimpleNamespace(costs={})
    monkeypatch.setattr(
        meter, "again", lambda *_: again.costs.update({LATENCY: next(slow)}) or again
    )
    monkeypatch.setattr(task.time, "sleep", waited.append)
    made = task.deliver([one], meter, whole.val)
    assert (made.met, made.measurements, waited) == (True, 3, [task.PAUSE_S] * 2)


def test_no_training_is_spent_on_a_network_that_misses_the_target():
    archs = [decode(f"r8x1 conv_k3_s2_c{c} head_n3") for c in (32, 16, 8)]
    rows = zip(archs, (90.0, 80.0, 70.0), strict=True)
    finalists = [Finalist(f"{a}", build(a), accuracy, 0.5, 0.0) for a, accuracy in rows]

    def task(kept):
        return SimpleNamespace(meter=SimpleNamespace(promises=lambda net: net.arch in kept))

    assert methods.promising(task(archs), finalists) is finalists[0]
    assert methods.promising(task(archs[1:]), finalists) is finalists[1]
    assert methods.promising(task([]), finalists) is finalists[2]  # the smallest


@pytest.mark.parametrize(
    ("accuracy", "kept"), [(95.0, "after"), (85.0, "after"), (80.0, "one"), (None, "one")]
)
def test_training_on_counts_unless_it_diverges_or_is_worse_by_more_than_chance(
    monkeypatch, accuracy, kept
):
    """Two standard errors of 90 % of 100 images are six points."""

    def fit(*_, **__):
        if accuracy is None:
            raise DivergedError("loss is NaN")
        return pd.DataFrame({"step": [5], "seconds": [1.0]})

    after = finalist("after", 1.0, accuracy)
    monkeypatch.setattr(methods.train, "fit", fit)
    split = SimpleNamespace(train=None, val=range(100))
    task = SimpleNamespace(
        images=split, meter=SimpleNamespace(images=split), seed=0, took=lambda _: None,
        lasting=lambda _: None, finalist=lambda *_: after,
    )  # fmt: skip
    assert methods.tuned(task, finalist("one", 1.0, 90.0), 1.0).name == kept


def test_of_a_rare_class_a_quarter_validates_where_a_tenth_has_none(tmp_path):
    rng = np.random.default_rng(0)
    for name, n in {"a": 30, "b": 20, "rare": 5}.items():
        (tmp_path / name).mkdir()
        for i in range(n):
            pixels = rng.integers(0, 256, (16, 16), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    place = str(tmp_path)
    with pytest.raises(ValueError, match="'rare' has 5 image"):
        data.load(f"imagefolder:{place}", resolution=16)
    found = run.loaded(place, resolution=16)
    assert all(len(part.y.unique()) == 3 for part in (found.train, found.val, found.test))
    for i in (2, 3, 4):
        (tmp_path / "rare" / f"{i}.png").unlink()
    with pytest.raises(ValueError, match="'rare' has 2 image"):
        run.loaded(place, resolution=16)


def test_of_few_images_a_quarter_validates(monkeypatch):
    asked = []
    whole = images(train=(0, 1) * 65, val=(0, 1) * 7)
    cut = replace(whole, val=replace(whole.val, groups=whole.val.groups + 20))
    own = replace(whole, val=replace(whole.val, groups=whole.val.groups + 1000))
    for made, wanted in ((cut, [None, 36]), (own, [None])):
        asked.clear()

        def load(spec, made=made, **how):  # noqa: ARG001
            asked.append(how.get("n_val"))
            return made

        monkeypatch.setattr(data, "load", load)
        run.loaded("parquet:somewhere")
        assert asked == wanted


NAMES = ("$5_$10", "$under_$20")  # formulas, if they were taken for such


def test_names_of_classes_are_no_formulas():
    pairs = [(a, b, 1) for a in NAMES for b in NAMES]
    confusion = plots.confusion(pd.DataFrame(pairs, columns=["true", "said", "images"]))
    rows = {"class": NAMES, "images": 2, "recognised": 50.0, "low": 10.0, "high": 90.0,
            "taken_for": NAMES[::-1]}  # fmt: skip
    classes = plots.classes(pd.DataFrame(rows))
    pixels = [np.zeros((4, 4, 1)) for _ in NAMES]
    shown = {"class": NAMES, "said": NAMES[::-1], "sure": 0.9, "pixels": pixels}
    for figure in (confusion, classes, plots.examples(pd.DataFrame(shown))):
        figure.savefig(io.BytesIO(), format="png")
