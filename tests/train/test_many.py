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

from lightlab import data, train
from lightlab.nets import build
from lightlab.space.arch import decode

FAST = train.Recipe(epochs=1, batch_size=50, shift=1)
CNN = functools.partial(build.cnn, 8, 0.3, depth=2)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", n_train=400, n_val=100, n_test=200)


@pytest.fixture(scope="module")
def jobs(digits):
    taught = torch.zeros(len(digits.train), 10)
    arch = decode("r8x1 conv_k3_s1_c8_relu sep_k3_s2_c16_relu head_n10")
    return [
        train.Job(CNN, digits.train, FAST, seed=3, val=digits.val, test=digits.test),
        train.Job(CNN, digits.train, FAST, seed=4, teacher=taught),
        train.Job(arch, digits.train, FAST, seed=5, val=digits.val),
    ]


def test_results_do_not_depend_on_the_workers_nor_on_the_process(jobs):
    threads = torch.get_num_threads()
    alone = train.fit_many(jobs, workers=1)
    assert torch.get_num_threads() == threads
    for a, b in zip(alone, train.fit_many(jobs, workers=2), strict=True):
        assert a.job.seed == b.job.seed  # the order is that of the jobs
        assert a.history.drop(columns="seconds").equals(b.history.drop(columns="seconds"))
        assert all(torch.equal(a.weights[k], b.weights[k]) for k in a.weights | b.weights)
        assert a.metrics == b.metrics


def test_a_job_is_what_fit_does(jobs, digits):
    trained = train.fit_many(jobs[:1])[0]
    model = CNN(seed=3)
    history = train.fit(model, digits.train, FAST, seed=3, val=digits.val)
    assert history.drop(columns="seconds").equals(trained.history.drop(columns="seconds"))
    network = trained.network()
    assert not network.training
    same = train.logits(network, digits.test), train.logits(model, digits.test)
    torch.testing.assert_close(*same)  # of weights that lie otherwise in memory
    test = train.evaluate(model, digits.test)
    assert trained.metrics["test_accuracy"] == test["accuracy"]
    assert trained.metrics["val_accuracy"] == history["val_accuracy"].iloc[-1]


def test_functions_of_a_notebook_and_few_short_jobs_in_this_process(digits):
    """What is defined in a notebook has no module that a worker could import."""
    made = []

    def network(seed):
        made.append(os.getpid())
        return build.mlp(64, (8,), seed=seed)

    train.fit_many([train.Job(network, digits.train, FAST, seed=s) for s in (0, 1)])
    assert set(made) == {os.getpid()}
    again = train.fit_many(
        [train.Job(network, digits.train, FAST, seed=s) for s in (0, 1)], workers=2
    )
    assert [len(t.history) for t in again] == [1, 1]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_names_its_job(jobs, digits, workers):
    hot = train.Job(CNN, digits.train, train.Recipe(batch_size=50, lr=1e9), name="the hot one")
    with pytest.raises(train.JobError, match=r"the hot one: DivergedError: the loss is"):
        train.fit_many([*jobs, hot], workers=workers)


def test_a_network_that_does_not_fit_is_known_before_any_training(digits):
    wide = train.Job(functools.partial(build.mlp, 63), digits.train, FAST)
    with pytest.raises(train.JobError, match="job 0: RuntimeError"):
        train.fit_many([wide])


def test_impossible_requests(jobs, tmp_path):
    with pytest.raises(train.TrainError, match="workers must be at least 1, got 0"):
        train.fit_many(jobs, workers=0)
    twice = [train.Job(CNN, jobs[0].split, FAST, checkpoint=tmp_path / "a") for _ in range(2)]
    with pytest.raises(train.TrainError, match="two jobs would write one checkpoint"):
        train.fit_many(twice)
    assert train.fit_many([]) == []


def test_a_killed_process_is_one_clear_line(digits):
    here = os.getpid()

    def dying(seed):
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return build.mlp(64, (8,), seed=seed)

    with pytest.raises(train.JobError, match=r"a training process died.* fewer workers"):
        train.fit_many([train.Job(dying, digits.train, FAST) for _ in range(2)], workers=2)


def test_an_interrupt_leaves_no_process(digits):
    """As Ctrl-C: the exception comes while this process waits for the others."""
    long = train.Job(CNN, digits.train, train.Recipe(epochs=1e6, batch_size=50))

    def interrupt(*_):
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            train.fit_many([long, long], workers=2)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert psutil.wait_procs(workers(), timeout=20)[1] == []


def workers():
    """joblib's processes."""
    named = [(p, " ".join(p.cmdline())) for p in psutil.Process().children()]
    return [p for p, name in named if "loky" in name and "resource_tracker" not in name]


def test_trainings_in_the_background_begin_at_once_give_way_and_can_be_given_up(jobs, tmp_path):
    """One job, too, for which no process would be started otherwise."""
    long = replace(FAST, epochs=1e6)
    kept = [replace(jobs[0], recipe=r, checkpoint=tmp_path / f"{r.epochs:g}") for r in (FAST, long)]
    ((number, trained),) = train.fit_each(kept[:1], workers=1, background=True)
    assert (number, trained.network()(jobs[0].split.x[:1]).shape) == (0, (1, 10))
    begun = train.fit_each(kept[1:], workers=1, background=True)
    until = time.monotonic() + 60
    while not kept[1].checkpoint.exists():  # nobody has asked for results
        assert time.monotonic() < until
        time.sleep(0.05)
    busy = workers()
    assert {p.nice() for p in busy} == {psutil.Process().nice() + train.parallel._NICENESS}
    begun.close()
    assert psutil.wait_procs(busy, timeout=20)[1] == []
    assert [one.job.seed for one in train.fit_many(jobs, workers=2)] == [3, 4, 5]
    assert {p.nice() for p in workers()} == {psutil.Process().nice()}


def test_a_process_whose_parent_was_killed_trains_no_further(jobs, monkeypatch):
    def leave(code):
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)
    fields = train.parallel._lend(jobs[0], {})
    with pytest.raises(SystemExit):
        train.parallel._borrow(0, fields, 0, "cpu", parent=-1)


def test_long_work_takes_the_cores_at_hand(jobs, monkeypatch):
    asked = []

    def beside(jobs, macs, device, workers, background):
        assert not background
        asked.append(workers)
        return train.parallel._here(jobs, macs, device)

    monkeypatch.setattr(train.parallel, "_beside", beside)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 3)
    train.fit_many(jobs)
    assert asked == []
    monkeypatch.setattr(train.parallel, "SHORT_MACS", 0)
    assert len(train.fit_many(jobs)) == 3
    train.fit_many(jobs[:2])
    assert asked == [3, 2]


def test_a_gpu_is_taken_where_it_is_faster_than_all_cores(monkeypatch):
    assert train.accelerator(math.inf) == ("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("joblib.cpu_count", lambda: 4)
    assert [train.accelerator(macs) for macs in (5.9e8, 6.1e8)] == ["cpu", "cuda"]
