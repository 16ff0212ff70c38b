"""What a recipe may ask for beyond plain descent, each against a closed form."""

import dataclasses
import functools
import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lightlab import data, train
from lightlab.nets.build import build, cnn, mlp
from lightlab.space.arch import decode
from lightlab.train import descent, device, training
from lightlab.train.descent import augment, flip, shift

SHORT = train.Recipe(epochs=1, batch_size=100)
SEPARABLE = decode("r16x1 conv_k3_s2_c8_relu sep_k3_s1_c16_relu sep_k3_s2_c16_relu head_n10")


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", n_train=400, n_val=100, n_test=200)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_training_that_runs_out_of_time_ends_its_schedule_early(digits, monkeypatch, tmp_path):
    """Steps of a tenth of a second each: of 40 there is time for 11, and the rate comes to 0."""
    rates, learning_rate = [], descent.learning_rate
    monkeypatch.setattr(
        descent, "learning_rate", lambda *args: rates.append(learning_rate(*args)) or rates[-1]
    )
    clock = SimpleNamespace(perf_counter=functools.partial(next, itertools.count(0, 0.05)))
    monkeypatch.setattr(training, "time", clock)
    recipe = dataclasses.replace(SHORT, epochs=10, most_seconds=1.05)
    model, path = build(SEPARABLE), tmp_path / "kept"
    h = train.fit(model, digits.train, recipe, checkpoint=path, progress=False)
    assert 9 <= h["step"].iloc[-1] <= 11
    assert max(rates) == pytest.approx(0.1, rel=0.2)
    assert rates[-1] < 0.02
    again = train.fit(build(SEPARABLE), digits.train, recipe, checkpoint=path, progress=False)
    assert again.equals(h)  # it had ended
    plain = dataclasses.replace(SHORT, epochs=2)
    free = [
        train.fit(build(SEPARABLE), digits.train, r, progress=False).drop(columns="seconds")
        for r in (plain, dataclasses.replace(plain, most_seconds=1e9))
    ]
    assert free[0].equals(free[1])


@settings(max_examples=20)
@given(max_px=st.integers(1, 4), seed=st.integers(0, 1000))
def test_reflected_shifts_bring_the_border_back(max_px, seed):
    """A ramp shifted with its mirror image stays between its ends and keeps its slope of one."""
    ramp = torch.arange(12.0).expand(5, 2, 12, 12)
    moved = train.shift(ramp, max_px, generator(seed), "reflect")
    steps = moved.diff(dim=3).abs()
    assert (steps == 1).all()
    assert (moved.diff(dim=2) == 0).all()


def test_half_of_the_images_are_mirrored():
    images = torch.randn(400, 2, 5, 6)
    flipped = train.flip(images, generator())
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    same = (flipped == images).flatten(1).all(1)
    assert (mirrored ^ same).all()
    assert 150 < mirrored.sum() < 250


def test_augmentation_comes_from_the_generator_and_changes_the_training(digits):
    recipe = train.Recipe(shift=2, padding="reflect", flip=True)
    images = digits.train.x[:50]
    a, b = (train.augment(images, recipe, generator(5)) for _ in range(2))
    assert torch.equal(a, b)
    assert a.shape == images.shape
    assert not torch.equal(a, train.augment(images, recipe, generator(6)))


def test_the_loss_with_a_teacher():
    """Its own outputs as the teacher's leave the labels' share; one-hot answers are labels."""
    outputs, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    hard = nn.functional.cross_entropy(outputs, labels)
    recipe = train.Recipe(temperature=3.0, teacher_weight=0.25)
    assert descent.loss(outputs, labels, outputs, recipe).item() == pytest.approx(
        0.75 * hard.item()
    )
    certain = nn.functional.one_hot(labels, 4) * 1e4
    recipe = train.Recipe(temperature=1.0, teacher_weight=1.0)
    assert descent.loss(outputs, labels, certain, recipe).item() == pytest.approx(hard.item())


def test_a_teacher_teaches_what_the_labels_do_not(digits):
    """Labels are all 0 here; the teacher, network or logits, knows the digits."""
    blank = data.Split(digits.train.x, torch.zeros_like(digits.train.y), digits.train.groups)
    known = mlp(64)
    train.fit(known, digits.train, train.Recipe(epochs=10, batch_size=50))
    known.train()
    recipe = train.Recipe(epochs=10, batch_size=50, teacher_weight=1.0)
    answers = train.logits(known, digits.train)
    students = [mlp(64, seed=1) for _ in range(2)]
    for student, source in zip(students, (known, answers), strict=True):
        train.fit(student, blank, recipe, teacher=source)
    assert known.training  # as it was
    accuracies = [train.evaluate(student, digits.test)["accuracy"] for student in students]
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.01)
    assert min(accuracies) > 0.8


def test_sixteen_bits_spare_depthwise_convolutions_and_nothing_stays_behind():
    network = build(SEPARABLE)
    kinds = {}

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
        model = cnn(8, depth=2)
        history = train.fit(
            model, digits.train, train.Recipe(epochs=5, batch_size=50, lr=0.1, precision=kind)
        )
        assert history.attrs["precision"] == kind
        losses[kind] = history["loss"].iloc[-1]
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.15)


@pytest.mark.parametrize(("slow", "chosen"), [("bfloat16", "float32"), ("float32", "bfloat16")])
def test_auto_takes_the_faster_and_says_so(digits, monkeypatch, slow, chosen):
    """The clock is a list: a step of `slow` takes twice as long. The choice is all that differs."""
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
    monkeypatch.setattr(device, "LEAST_STEPS", 1)
    histories = {}
    for kind in ("auto", "float32", "bfloat16"):
        model = cnn(8, dropout=0.3, depth=2)
        recipe = train.Recipe(epochs=1, batch_size=50, precision=kind)
        histories[kind] = train.fit(model, digits.train, recipe)
    auto = histories["auto"]
    assert auto.attrs["float32_ms"] > 0
    same = histories[auto.attrs["precision"]]
    assert auto.drop(columns="seconds").equals(same.drop(columns="seconds"))


def test_short_trainings_are_not_timed(digits):
    recipe = train.Recipe(epochs=1, batch_size=50, precision="auto")
    history = train.fit(cnn(4, depth=2), digits.train, recipe)
    assert history.attrs == {"precision": "float32"}


@pytest.mark.parametrize(
    ("make", "arguments", "words"),
    [
        (lambda: mlp(64, (), 5), {}, r"training labels 0 to 9 do not fit .* 5 outputs"),
        (lambda: mlp(63), {}, r"the network cannot take images of 1×8×8 \(C×H×W\): "),
        (lambda: nn.Conv2d(1, 2, 9), {}, r"cannot take images of 1×8×8"),
        (lambda: nn.Conv2d(1, 2, 3), {}, r"answers with \(1, 2, 6, 6\), not with"),
        (lambda: mlp(64), {"teacher": mlp(64, (), 7)}, "7 classes, the network 10"),
        (lambda: mlp(64), {"teacher": mlp(99)}, "the teacher cannot take images"),
        (lambda: mlp(64), {"teacher": torch.zeros(3, 10)}, r"logits are \(3, 10\), but 400"),
        (
            lambda: mlp(64),
            {"recipe": train.Recipe(shift=8)},
            "nothing of images of 8 px",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(digits, make, arguments, words):
    with pytest.raises(train.TrainError, match=words) as caught:
        train.fit(make(), digits.train, **{"recipe": train.Recipe(), **arguments})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda s: data.Split(s.x.repeat(1, 3, 1, 1), s.y, s.groups),
            r"3×8×8 .*, training .* 1×8×8",
        ),
        (
            lambda s: data.Split(s.x, s.y.int(), s.groups),
            "labels have to be int64, not torch.int32",
        ),
        (lambda s: data.Split(s.x, s.y + 9, s.groups), "labels 9 to 18 do not fit"),
        (lambda s: s.take(slice(0)), "on an empty split"),
        (lambda s: data.Split(s.x / 0, s.y, s.groups), "images hold NaN or infinity"),
    ],
)
def test_other_images_are_checked_before_the_training(digits, change, words, monkeypatch):
    def never(*_):
        raise AssertionError("a step was made")

    monkeypatch.setattr(training.Training, "_descend", never)
    wrong = change(digits.val)
    with pytest.raises(train.TrainError, match=words):
        train.fit(mlp(64), digits.train, train.Recipe(), val=wrong)
    job = train.Job(functools.partial(mlp, 64), digits.train, train.Recipe(), test=wrong)
    with pytest.raises(train.JobError, match=words):
        train.train_each({0: job})


def test_networks_and_images_that_cannot_be_trained(digits):
    frozen = mlp(64).requires_grad_(False)
    for nothing in (frozen, nn.Flatten()):
        with pytest.raises(train.TrainError, match="no parameter to train"):
            train.fit(nothing, digits.train, train.Recipe())
    holed = data.Split(digits.train.x.clone(), digits.train.y, digits.train.groups)
    holed.x[3, 0, 0, 0] = math.nan
    with pytest.raises(train.TrainError, match="training images hold NaN"):
        train.fit(mlp(64), holed, train.Recipe())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"seed": 0.5}, "seed has to be a whole number, got 0.5"),
        ({"seed": "0"}, "seed has to be a whole number, got '0'"),
        ({"eval_every": -3}, "eval_every must be at least 1"),
        ({"every": 2.5}, "every has to be a whole number"),
    ],
)
def test_impossible_arguments(digits, wrong, words):
    with pytest.raises(train.TrainError, match=words):
        train.fit(mlp(64), digits.train, SHORT, **wrong)


def test_a_divergence_in_the_last_step_is_told(digits):
    hot = train.Recipe(epochs=0.01, batch_size=100, lr=1e30, warmup=0)  # one step
    with pytest.raises(train.DivergedError, match="after the last step: lower lr"):
        train.fit(mlp(64), digits.train, dataclasses.replace(hot, weight_decay=1e20))
    with pytest.raises(train.DivergedError, match="validation loss is"):
        train.fit(cnn(4, depth=2), digits.train, hot, val=digits.val)
    job = train.Job(functools.partial(cnn, 4, depth=2), digits.train, hot, test=digits.test)
    with pytest.raises(train.JobError, match="DivergedError"):
        train.train_each({0: job})


def test_infinity_on_purpose_is_no_divergence(digits):
    """As in the masks of attention."""
    model = mlp(64)
    model.register_buffer("mask", torch.tensor([0.0, -math.inf]))
    train.fit(model, digits.train, SHORT)
    assert model.mask.isinf().any()


def test_numbers_of_any_type_are_taken(tmp_path):
    one, plain = np.int64(1), train.Recipe(epochs=1, batch_size=50, shift=1, lr=0.25, flip=True)
    recipe = train.Recipe(one, np.int64(50), np.float32(0.25), shift=np.int32(1), flip=np.True_)
    assert recipe == plain
    assert hash(recipe) == hash(plain)
    assert recipe.batch_size == train.Recipe(batch_size=50.0).batch_size == 50
    path, network = tmp_path / "x", build(SEPARABLE, seed=one)
    images = data.load("digits", n_train=400, n_val=0, resolution=16).train
    counts = {"seed": one, "eval_every": one, "every": np.int32(3), "macs_per_image": np.int64(9)}
    first = train.fit(network, images, recipe, checkpoint=path, **counts)
    counts = {"seed": 1, "eval_every": 1, "every": 3, "macs_per_image": 9}
    again = train.fit(build(SEPARABLE, seed=1), images, plain, checkpoint=path, **counts)
    assert again.equals(first)  # it is the same training, and had ended


def test_a_teachers_logits_may_carry_a_gradient(digits):
    logits = mlp(64)(digits.train.x)
    assert logits.requires_grad
    job = train.Job(functools.partial(mlp, 64), digits.train, SHORT, teacher=logits)
    alone, beside = (train.train_each({0: job, 1: job}, workers=n) for n in (1, 2))
    assert alone[0].history["loss"].equals(beside[0].history["loss"])


def test_a_teacher_keeps_its_statistics_and_its_mode(digits):
    network = cnn(4, depth=2, dropout=0.5).train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    first = train.fit(cnn(4, depth=2), digits.train, SHORT, teacher=network)
    again = train.fit(cnn(4, depth=2), digits.train, SHORT, teacher=network)
    assert network.training
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert first["loss"].equals(again["loss"])  # its dropout is off


@pytest.mark.parametrize("change", [{"shift": 2}, {"flip": True}])
def test_each_change_of_images_is_the_one_that_was_asked_for(digits, change):
    images = digits.train.x[:20]
    alone, arguments = {"shift": (shift, (2,)), "flip": (flip, ())}[next(iter(change))]
    expected = alone(images, *arguments, generator(5))
    found = augment(images, train.Recipe(**change), generator(5))
    assert torch.equal(found, expected)
    assert not torch.equal(found, images)


def test_label_smoothing_against_its_closed_form():
    outputs, labels = torch.randn(6, 4, generator=generator()), torch.tensor([0, 1, 2, 3, 0, 1])
    recipe = train.Recipe(label_smoothing=0.2)
    log_p = outputs.log_softmax(1)
    target = torch.full((6, 4), 0.2 / 4)
    target[range(6), labels] += 0.8
    assert descent.loss(outputs, labels, None, recipe).item() == pytest.approx(
        -(target * log_p).sum(1).mean().item(), rel=1e-6
    )


def test_maps_are_stored_channels_last(digits):
    """The layout that convolutions on a CPU and on tensor cores are fastest in."""
    network, known = cnn(4, depth=2), cnn(4, depth=2, seed=1)
    seen = []

    def note(module, inputs):
        tensors = (inputs[0], module.weight)
        seen.append([t.is_contiguous(memory_format=torch.channels_last) for t in tensors])

    colour = data.Split(digits.train.x.expand(-1, 3, -1, -1), digits.train.y, digits.train.groups)
    for part in (network, known):
        part[0][0] = nn.Conv2d(3, 4, 3, bias=False)
        part[0][0].register_forward_pre_hook(note)
    train.fit(network, colour, SHORT, val=colour, teacher=known, macs_per_image=1)
    assert len(seen) > 8
    assert seen[2:] == [[True, True]] * len(seen[2:])  # after the two looks at one image each


def test_empty_splits_and_labels_outside(digits):
    empty, wrong = digits.train.take(slice(0)), digits.val.take(slice(10))
    wrong = data.Split(wrong.x, wrong.y - 10, wrong.groups)
    for part, words in ((empty, "cannot train on 0 images"), (wrong, "training labels -10 to")):
        with pytest.raises(train.TrainError, match=words):
            train.fit(mlp(64), part, train.Recipe())
    for part, words in ((empty, "on an empty split"), (wrong, "validation labels -10 to")):
        with pytest.raises(train.TrainError, match=words):
            train.fit(mlp(64), digits.train, train.Recipe(), val=part)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"padding": "edge"}, "padding one of zeros, reflect"),
        ({"precision": "float16"}, "precision one of float32, bfloat16, auto"),
        ({"shift": -1}, "shift >= 0"),
        ({"temperature": 0}, "temperature > 0"),
        ({"teacher_weight": 1.1}, "0 <= teacher_weight <= 1"),
        ({"lr": math.inf}, "finite"),
        ({"epochs": math.nan}, "finite"),
        ({"shift": 1.5}, "shift has to be a whole number"),
        ({"batch_size": True}, "batch_size has to be a whole number"),
        ({"lr": "0.1"}, "lr has to be a finite number, not '0.1'"),
        ({"warmup": None}, "warmup has to be a finite number, not None"),
        ({"flip": "no"}, "flip has to be True or False, not 'no'"),
    ],
)
def test_impossible_options(wrong, words):
    with pytest.raises(train.TrainError, match=words):
        train.Recipe(**wrong)
