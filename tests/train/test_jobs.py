"""Networks side by side: the same results as one after another, and failures that name the job."""

import functools
import math
import os
import signal
import time
from dataclasses import replace

import joblib
import psutil
import pytest
import torch

from lightlab import train
from lightlab.nets import build
from lightlab.space.arch import decode
from lightlab.train import parallel
from lightlab.train.training import Training

FAST = train.Recipe(epochs=1, batch_size=50, shift=1)
CNN = functools.partial(build.cnn, 8, 0.3, depth=2)
ARCH = decode("r8x1 conv_k3_s1_c8_relu sep_k3_s2_c16_relu head_n10")


@pytest.fixture(scope="module")
def jobs(digits):
    taught = torch.zeros(len(digits.train), 10, requires_grad=True)
    return {
        "a": train.Job(CNN, digits.train, FAST, seed=3, val=digits.val, test=digits.test),
        "b": train.Job(CNN, digits.train, FAST, seed=4, teacher=taught),
        "c": train.Job(ARCH, digits.train, FAST, seed=5, val=digits.val),
    }


def assert_same(first, second):
    assert list(first) == list(second)
    for a, b in zip(first.values(), second.values(), strict=True):
        assert a.history.drop(columns="seconds").equals(b.history.drop(columns="seconds"))
        assert all(torch.equal(a.weights[k], b.weights[k]) for k in a.weights | b.weights)
        assert a.metrics == b.metrics


def test_results_do_not_depend_on_the_workers_nor_on_the_process(jobs):
    threads = torch.get_num_threads()
    alone = train.train_each(jobs, workers=1)
    assert torch.get_num_threads() == threads
    assert_same(alone, train.train_each(jobs, workers=2))
    assert list(alone) == list(jobs)


def test_a_job_is_what_fit_does_and_its_row_says_what_came_of_it(jobs, digits):
    done = train.train_each({("first", 3): jobs["a"]})
    trained = done["first", 3]
    model = CNN(seed=3)
    history = train.fit(model, digits.train, FAST, seed=3, val=digits.val)
    assert history.drop(columns="seconds").equals(trained.history.drop(columns="seconds"))
    network = trained.network()
    assert not network.training
    same = train.logits(network, digits.test), train.logits(model, digits.test)
    torch.testing.assert_close(*same)  # of weights that lie otherwise in memory
    last = trained.history.iloc[-1]
    assert train.tabulate(done, "arm", "seed").to_dict("records") == [
        {"arm": "first", "seed": 3, "samples": 400, "validated": 100 * last["val_accuracy"]}
        | {k: last[k] for k in ("macs", "seconds", "loss")}
        | {"accuracy": 100 * train.evaluate(model, digits.test)["accuracy"]}
    ]


def test_functions_of_a_notebook_and_few_short_jobs_in_this_process(digits):
    """What is defined in a notebook has no module that a worker could import."""
    made = []

    def network(seed):
        made.append(os.getpid())
        return build.mlp(64, (8,), seed=seed)

    jobs = {seed: train.Job(network, digits.train, FAST, seed) for seed in (0, 1)}
    train.train_each(jobs)
    assert set(made) == {os.getpid()}
    assert [len(one.history) for one in train.train_each(jobs, workers=2).values()] == [1, 1]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_names_its_job(jobs, digits, workers):
    hot = train.Job(CNN, digits.train, train.Recipe(batch_size=50, lr=1e9))
    with pytest.raises(train.JobError, match=r"the hot 1: DivergedError: the loss is"):
        train.train_each(jobs | {("the hot", 1): hot}, workers=workers)
    wide = train.Job(functools.partial(build.mlp, 63), digits.train, FAST)
    with pytest.raises(train.JobError, match="job 0: RuntimeError"):  # before any training
        train.train_each({0: wide}, workers=workers)


def test_impossible_requests_and_a_checkpoint_of_ones_own(jobs, tmp_path):
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        train.train_each(jobs, workers=0)
    twice = {i: replace(job, checkpoint=tmp_path / "a") for i, job in jobs.items()}
    with pytest.raises(ValueError, match="two jobs would write one checkpoint"):
        train.train_each(twice)
    assert train.train_each({}) == {}
    mine = {0: replace(jobs["c"], checkpoint=tmp_path / "mine")}
    train.train_each(mine, workers=1, resume=tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]  # a job keeps its own


def test_a_killed_process_is_one_clear_line(digits):
    here = os.getpid()

    def dying(seed):
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return build.mlp(64, (8,), seed=seed)

    with pytest.raises(train.JobError, match=r"a training process died.* fewer workers"):
        train.train_each({i: train.Job(dying, digits.train, FAST) for i in range(2)}, workers=2)


def test_an_interrupt_leaves_no_process(digits):
    """As Ctrl-C: the exception comes while this process waits for the others."""
    long = train.Job(CNN, digits.train, train.Recipe(epochs=1e6, batch_size=50))

    def interrupt(*_):
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            train.train_each({0: long, 1: long}, workers=2)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert psutil.wait_procs(workers(), timeout=20)[1] == []


def workers():
    """joblib's processes."""
    named = [(p, " ".join(p.cmdline())) for p in psutil.Process().children()]
    return [p for p, name in named if "loky" in name and "resource_tracker" not in name]


def test_trainings_in_the_background_begin_at_once_give_way_and_can_be_given_up(jobs, tmp_path):
    """One job, too, for which no process would be started otherwise."""
    kept, long = tmp_path / "kept", replace(FAST, epochs=1e6)
    ((key, trained),) = train.start({"x": jobs["a"]}, workers=1, background=True)
    assert (key, trained.network()(jobs["a"].split.x[:1]).shape) == ("x", (1, 10))
    endless = replace(jobs["a"], recipe=long, checkpoint=kept)
    begun = train.start({0: endless}, workers=1, background=True)
    until = time.monotonic() + 60
    while not kept.exists():  # nobody has asked for results
        assert time.monotonic() < until
        time.sleep(0.05)
    busy = workers()
    assert {p.nice() for p in busy} == {psutil.Process().nice() + parallel._NICENESS}
    begun.close()
    assert psutil.wait_procs(busy, timeout=20)[1] == []
    assert len(train.train_each(jobs, workers=2)) == 3
    assert {p.nice() for p in workers()} == {psutil.Process().nice()}


def test_a_process_whose_parent_was_killed_trains_no_further(jobs, monkeypatch):
    def leave(code):
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)
    lent = parallel._convert(jobs["a"], lambda tensor: tensor.detach().numpy())
    with pytest.raises(SystemExit):
        parallel._borrow(0, lent, 0, "cpu", parent=-1)


def test_long_work_takes_the_cores_at_hand(jobs, monkeypatch):
    asked = []

    def beside(jobs, macs, device, workers, background):
        assert not background
        asked.append(workers)
        return parallel.train_here(jobs, macs, device)

    monkeypatch.setattr(train.jobs, "train_beside", beside)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 3)
    train.train_each(jobs)
    assert asked == []
    monkeypatch.setattr(train.jobs, "SHORT_MACS", 0)
    assert len(train.train_each(jobs)) == 3
    train.train_each({k: jobs[k] for k in "ab"})
    assert asked == [3, 2]


@pytest.fixture
def steps(monkeypatch):
    """Steps as they are made; with as many as `most`, the next is the power failure."""
    descend, made = Training._descend, []

    def count(self):
        made.append(self.steps)
        if len(made) == count.most:
            raise KeyboardInterrupt
        descend(self)

    count.most = None
    monkeypatch.setattr(Training, "_descend", count)
    return made, count


def test_what_had_ended_is_not_trained_again_and_what_was_cut_off_goes_on(jobs, tmp_path, steps):
    """Another network in a job's place begins anew: what is chosen by time may be another one."""
    longer = {k: replace(jobs[k], recipe=replace(FAST, epochs=2)) for k in "ac"}
    whole = train.train_each(longer, workers=1)
    made, count = steps
    made.clear()
    count.most = 27  # in the second epoch of the second job: an epoch has 8 steps
    with pytest.raises(KeyboardInterrupt):
        train.train_each(longer, workers=1, resume=tmp_path)
    assert len(list(tmp_path.glob("*.pt"))) == 2
    assert_same(whole, train.train_each(longer, workers=1, resume=tmp_path))
    assert made[27:] == [*range(9, 17)]
    other = decode("r8x1 conv_k3_s1_c4_relu head_n10")
    longer["c"] = replace(longer["c"], network=other)
    found = train.train_each(longer, workers=1, resume=tmp_path)
    assert made[35:] == [*range(1, 17)]  # nothing of what had ended
    alone = train.train_each({"c": longer["c"]}, workers=1)
    assert_same({"c": found["c"]}, alone)


def test_a_gpu_is_taken_where_it_is_faster_than_all_cores(monkeypatch):
    assert train.accelerator(math.inf) == ("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("joblib.cpu_count", lambda: 4)
    assert [train.accelerator(macs) for macs in (5.9e8, 6.1e8)] == ["cpu", "cuda"]
