"""From images and a target to a model: read, found, trained, delivered, tested once."""

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import joblib
import pandas as pd
import torch

from lightlab import data, latency, train
from lightlab.data import DataSet
from lightlab.data.splits import TooFewError
from lightlab.deploy import session
from lightlab.deploy.export import run as run_onnx
from lightlab.fit import evaluate, methods, room
from lightlab.fit.budget import Clock, Meter, Now, Target, Tell
from lightlab.fit.evaluate import Tested
from lightlab.fit.methods import AUTO, METHODS, SCALED, chosen, designs
from lightlab.fit.room import Room
from lightlab.fit.task import Delivered, Finalist, Found, Running, Task, deliver
from lightlab.measure import cost
from lightlab.measure.machine import torch_threads
from lightlab.space.arch import Arch, encode

FEW = 2000  # training and validation images, below which a quarter of them validates
_VAL_SHARE = 0.25


def loaded(spec: str, *, seed: int = 0, n_eval: int | None = None, **how: object) -> DataSet:
    """`data.load` of a spec or a folder's path, with `n_eval` validation and test images if given.

    Of a small data set without validation images of its own a quarter validates, not a tenth: every
    choice is made on them, and rare classes have some.
    """
    if os.path.isdir(spec):
        spec = f"imagefolder:{spec}"
    elif ":" not in spec and spec not in data.SPECS:
        how = "give a folder with one folder of images for each class, parquet:… or hf:…"
        raise ValueError(f"{os.path.abspath(spec)}: there is no such folder: {how}")
    if n_eval is not None:
        return data.load(spec, seed=seed, n_val=n_eval, n_test=n_eval, **how)
    try:
        images = data.load(spec, seed=seed, **how)
    except TooFewError:  # of some class a tenth has no image
        n = len(data.load(spec, seed=seed, n_val=0, **how).train)
        images = data.load(spec, seed=seed, n_val=round(_VAL_SHARE * n), **how)
        if len(images.val.y.unique()) < len(images.class_names):
            raise
        return images
    n = len(images.train) + len(images.val)
    # Cut from the training images: their numbers lie among those of these, else behind them.
    cut = len(images.val) and images.val.groups.min() < images.train.groups.max()
    if spec in data.SPECS or n >= FEW or not cut:
        return images
    n_val = max(len(images.val), round(_VAL_SHARE * n))
    return data.load(spec, seed=seed, n_val=n_val, **how)


LEAST_BUDGET_S = 5
SCALING = "scaling MobileNetV2 and V3 to the target"
_LONG_AGO_S = 60
FLOAT, INT8 = "in float32", "in 8-bit integers"
# Of what is left once prices are known the search has this share, and the designs have the rest. Or
# both have all of it, side by side, where there is a core beyond those that the target is timed on,
# and so much time that starting processes pays.
METHOD_SHARE = 0.7
_BESIDE_S = 30
_ENDING = 0.08  # share of the budget that delivery and tests need, at least _ENDING_S
_ENDING_S = 4.0


@dataclass(frozen=True, eq=False)
class Fitted:
    """A delivered model and everything that its card says.

    `answers` are those on the test images, used once: of each finalist's file of the target's kind,
    and under FLOAT and INT8 of the delivered two. `comparison` has a row for each of `finalists`:
    model, delivered, validated, accuracy with low and high, balanced (all in %), latency_ms (timed
    in turn), macs, size_kb, params, spent_s, arch. `failed` says why designs are missing, `capped`
    whether few images ended a training early.
    """

    target: Target
    method: str
    seed: int
    delivered: Delivered
    room: Room
    found: Found
    answers: dict[str, Tested]
    comparison: pd.DataFrame
    finalists: list[Finalist]
    failed: str
    capped: bool
    phases: pd.DataFrame
    budget_s: float
    spent_s: float

    @property
    def tested(self) -> Tested:
        return self.answers[self.delivered.finalist.name]

    @property
    def arch(self) -> Arch:
        return self.delivered.finalist.network.arch


@torch_threads(1)  # two on two cores collapse as soon as another process wants one
def fit(
    images: DataSet,
    target: Target,
    budget_s: float,
    method: str = AUTO,
    *,
    seed: int = 0,
    mirror: bool = False,
    tell: Tell | None = None,
    now: Now = time.monotonic,
) -> Fitted:
    """The best small model for `images` that `method` finds within `target` and `budget_s` seconds,
    and MobileNetV2's and V3's designs of the same cost beside it; AUTO: see `methods.chosen`.

    Delivered is the highest balanced validation accuracy whose file keeps to the target when
    measured again; `met` says whether one did. `mirror` shows images mirrored left to right too:
    for photos, not for writing. `tell` hears of every phase. ValueError where no network can
    keep to the target, on an unknown method, too short a budget, or without validation images.
    """
    check_method(method)
    if not budget_s >= LEAST_BUDGET_S:
        raise ValueError(f"the budget is at least {LEAST_BUDGET_S} seconds, not {budget_s:.0f}")
    if not len(images.val):
        raise ValueError(f"{images.spec}: choices are made on validation images: there are none")
    clock, meter = Clock(budget_s, tell, now), Meter(target, images)
    beside = budget_s >= _BESIDE_S and joblib.cpu_count() > target.threads
    share = 1.0 if beside else METHOD_SHARE
    task = _task(images, meter, clock, seed, mirror, share)
    task = replace(task, designs=_designs(task))
    method = chosen(task) if method == AUTO else method
    archs = {} if method == SCALED else task.designs
    begin, usable = clock.spent_s, _usable_s(clock)
    with contextlib.ExitStack() as stack:  # an end by an error, or by hand, is that of both
        under_way = None
        if archs and beside:
            under_way = stack.enter_context(contextlib.closing(task.begun(archs, usable)))
            task = replace(task, workers=1)  # joblib has one set of processes: theirs
        found = METHODS[method](task, usable * (share if archs else 1))
        searched_s = clock.spent_s - begin
        rest, failed = _trained(task, archs, under_way)
    clock.enter("measuring again and testing")
    mine, rest = ([_judged(x, task) for x in part] for part in (found.finalists, rest))
    others = mine[1:] if method == SCALED else rest
    ranked = sorted([*mine, *rest], key=lambda one: one.rank, reverse=True)
    delivered = deliver(ranked, meter, images.val)
    compared = {one.name: one for one in [delivered.finalist, mine[0], *others][::-1]}
    answers = {FLOAT: _answers(delivered.model, images), INT8: _answers(delivered.int8, images)}
    for name, one in compared.items():
        own = one is delivered.finalist
        file = INT8 if target.integers else FLOAT
        answers[name] = answers[file] if own else _answers(meter.file(one.network), images)
    searched = {one.name for one in mine} if method != SCALED else set()
    took = {n: searched_s if n in searched else one.seconds for n, one in compared.items()}
    table = _comparison(compared, answers, took, delivered.finalist, meter)
    clock.best = f"{delivered.finalist.accuracy:.1f} % ({delivered.finalist.name})"
    return Fitted(
        target, method, seed, delivered, task.room, Found(mine, found.tried), answers, table,
        [compared[name] for name in table["model"]], failed, clock.capped, clock.table(), budget_s,
        clock.spent_s,
    )  # fmt: skip


def check_method(method: str) -> None:
    """ValueError on an unknown method, before images are read."""
    if method not in (known := (AUTO, *METHODS)):
        raise ValueError(f"method is one of {', '.join(known)}, not {method!r}")


def _task(
    images: DataSet, meter: Meter, clock: Clock, seed: int, mirror: bool, share: float
) -> Task:
    clock.enter("measuring what networks cost here")
    side = images.input_shape[1]
    recipe = train.Recipe(
        1, batch_size=32, lr=0.1, shift=max(1, side // 10), padding="reflect", flip=mirror,
        label_smoothing=0.05,
    )  # fmt: skip
    even = evaluate.balanced(images)
    most_macs = room.affordable_macs(
        even, recipe, share * methods.SUPERNET * clock.left_s, clock.now
    )
    chosen = room.choose(images, meter, most_macs)
    return Task(even, chosen, meter, clock, recipe, seed)


def _usable_s(clock: Clock) -> float:
    return max(0.0, clock.left_s - max(_ENDING * clock.budget_s, _ENDING_S))


def _designs(task: Task) -> dict[str, Arch]:
    """Before the search: it has their time where none keeps to the target."""
    task.clock.enter(SCALING)
    return designs(task)


def _trained(
    task: Task, archs: Mapping[str, Arch], under_way: Running | None
) -> tuple[list[Finalist], str]:
    """The scaled designs, trained beside the search or in the time left; none, and why, on failure.

    After a long search they are scaled anew: the machine's clock may be another by now.
    """
    if not archs:
        return [], ""
    failure = f"the training of {' and '.join(archs)} failed"
    if under_way is not None:
        task.clock.enter("waiting for MobileNetV2 and V3, trained beside it")
        try:
            return task.finalists(under_way, archs), ""
        except train.JobError as e:
            return [], f"{failure}: {e}"
    if task.clock.since_s(SCALING) > _LONG_AGO_S:
        archs = _designs(task) or archs
    seconds = _usable_s(task.clock)
    task.clock.enter("training MobileNetV2 and V3 to compare with", seconds)
    try:
        return task.trained(archs, seconds), ""
    except (train.DivergedError, train.JobError) as e:
        return [], f"{failure}: {e}"


def _judged(one: Finalist, task: Task) -> Finalist:
    """The finalist by what its file answers, where the target is about 8-bit integers."""
    if not task.meter.target.integers:
        return one
    model, val = session(task.meter.file(one.network)), task.meter.images.val
    accuracy, loss = evaluate.on_balance(torch.from_numpy(run_onnx(model, val.x)), val.y)
    return replace(one, accuracy=accuracy, loss=loss)


def _answers(model: bytes, images: DataSet) -> Tested:
    logits = run_onnx(session(model), images.test.x)
    return Tested.of(logits, images.test.y, images.class_names)


def _comparison(
    finalists: Mapping[str, Finalist],
    tested: Mapping[str, Tested],
    took: Mapping[str, float],
    delivered: Finalist,
    meter: Meter,
) -> pd.DataFrame:
    archs = {name: one.network.arch for name, one in finalists.items()}
    times = latency.measure_many(archs, meter.target.setting).latency_ms
    rows = []
    for name, one in finalists.items():
        accuracy, low, high = tested[name].accuracy
        rows.append(
            {
                "model": name,
                "delivered": one is delivered,
                "validated": one.accuracy,
                "accuracy": accuracy,
                "low": low,
                "high": high,
                "balanced": tested[name].balanced,
                "latency_ms": times[name],
                "macs": cost.macs(archs[name]),
                "spent_s": took[name],
                "size_kb": len(meter.file(one.network)) / 1000,
                "params": cost.param_count(archs[name]),
                "arch": encode(archs[name]),
            }
        )
    return pd.DataFrame(rows).sort_values("delivered", ascending=False, ignore_index=True)
