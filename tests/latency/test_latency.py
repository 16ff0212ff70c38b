"""The timing protocol on fake clocks, and plain facts on real ones with wide margins."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lightlab import latency
from lightlab.latency import latencies, timing
from lightlab.latency.latencies import Timings, Visits
from lightlab.latency.timing import Plan
from lightlab.nets.build import build
from lightlab.space.arch import Arch
from lightlab.space.blocks import Block
from lightlab.space.scaling import scale

SMALL = Arch(16, Block("conv", 8, 3, 2), (Block("mb", 8, 3, 1, 3),), n_classes=10)
QUICK = Plan(rounds=6, samples=2, sample_ms=0.2, warmup_ms=0.5)


class Fake:
    """A runner of `ms` per run on a machine whose speed and attention a test decides."""

    def __init__(self, ms, log=None, name="", slow=lambda: 1.0, busy=lambda: 1.0):
        self.ms, self.log, self.name, self.slow, self.busy = ms, log, name, slow, busy

    def time(self, n):
        if self.log is not None:
            self.log.append((self.name, n))
        wall = self.ms * n / 1e3 * self.slow()
        return wall, wall * self.busy()


def test_every_round_visits_every_network_once_in_changing_order():
    log = []
    runners = {name: Fake(1.0, log, name) for name in "abcdef"}
    plan = Plan(rounds=8, samples=3, sample_ms=2.0, warmup_ms=5.0)
    visits = timing.interleave(runners, plan)
    calls = [name for name, n in log if n == 2]  # samples of two runs of 1 ms each
    per_visit = 1 + 3  # one untimed
    order = calls[::per_visit]
    assert len(calls) == 8 * 6 * per_visit
    assert all(sorted(order[i : i + 6]) == list("abcdef") for i in range(0, 48, 6))
    assert len({tuple(order[i : i + 6]) for i in range(0, 48, 6)}) > 4
    assert np.array(visits.ms) == pytest.approx(np.ones((6, 8)))
    assert (visits.runs == 8 * 3 * 2).all()
    warm = [n for name, n in log if name == "a"][:5]
    assert warm == [1] * 5  # 5 ms of warm-up, run by run, before anything is timed
    runs = [timing.warm_up(Fake(ms), Plan(sample_ms=1.0)) for ms in (0.01, 0.3, 5.0)]
    assert runs == [100, 4, 1]  # a sample lasts at least as long as planned


def test_drift_is_shared_by_interleaved_networks_and_leaves_their_ratio(timings):
    clock = iter(np.linspace(1.0, 3.0, 400))
    drift = lambda: next(clock)  # noqa: E731  the machine becomes twice as slow
    runners = {"a": Fake(1.0, slow=drift), "b": Fake(2.0, slow=drift)}
    visits = timing.interleave(runners, Plan(rounds=20, samples=4, warmup_ms=1.0))
    assert max(visits.ms[0]) > 1.8 * min(visits.ms[0])
    assert timings(visits.ms, ["a", "b"]).ratio("b", "a")[0] == pytest.approx(2.0, rel=0.03)


@pytest.mark.parametrize(
    ("busy", "repeated", "disturbed"),
    [
        ([1.0] * 4 + [0.5] * 6 + [1.0] * 1000, 2, 0),  # warm-up, then two disturbed visits
        ([0.5] * 1000, 5, 5),  # kept, and said so
        ([math.nan] * 1000, 0, 0),
    ],
)
def test_disturbed_visits_are_made_again_up_to_a_cap(busy, repeated, disturbed):
    busy = iter(busy)
    plan = Plan(rounds=5, samples=2, warmup_ms=4.0)
    visits = timing.interleave({"a": Fake(1.0, busy=lambda: next(busy))}, plan)
    assert (*visits.repeated, *visits.disturbed) == (repeated, disturbed)


def test_a_lucky_sample_is_confirmed_by_a_second_round_or_the_cap():
    plan = Plan(rounds=3, samples=1, sample_ms=0, warmup_ms=0, settle=0.02, max_rounds=8)
    rounds = [2.0, 1.0, 1.5, 1.5, 1.01]

    def lucky():
        speeds = iter([9.0] * 3 + [x for ms in rounds for x in (9.0, ms)])  # warm-ups are untimed
        return Fake(1.0, slow=lambda: next(speeds))

    visits = timing.interleave({"calm": Fake(1.0), "lucky": lucky()}, plan)
    assert visits.fastest[0] == pytest.approx([1.0] * 3)  # settled at once, and left in peace
    assert visits.fastest[1] == pytest.approx(rounds)
    found = Timings(visits, latency.Setting(), {}, "fastest")
    assert list(found.latency_ms.values()) == pytest.approx([1.0, 1.0])
    assert found.rounds_ms.shape == (2, 5)
    unsaid = replace(plan, settle=None)
    timed = latency.time_runners({"a": lucky()}, latency.Setting(), plan=unsaid, estimate="fastest")
    assert timed.rounds_ms.shape == (1, 5)  # where the fastest counts it is always confirmed
    faster = iter(0.9 ** np.arange(99))
    never = timing.interleave({"a": Fake(1.0, slow=lambda: next(faster))}, plan)
    assert len(never.fastest[0]) == 8


def test_a_clear_order_is_ranked_and_luck_is_refused(timings):
    rng = np.random.default_rng(0)
    speeds = np.linspace(1, 2, 20)[:, None]
    clear = timings(speeds * rng.normal(1, 0.002, (20, 10)))
    assert clear.trusted
    assert clear.split_half > 0.98
    assert clear.ranking()["name"].tolist() == [f"n{i}" for i in range(20)]
    assert clear.ranking()["rank"].tolist() == list(range(1, 21))
    luck = timings(rng.normal(1, 0.05, (20, 10)))
    assert not luck.trusted
    with pytest.raises(latency.NoisyError, match=r"20 networks cannot be ranked.*rho.*load 0\.5"):
        luck.ranking()
    with pytest.raises(latency.NoisyError, match="rho nan"):  # two networks make no correlation
        timings(np.ones((2, 10))).ranking()


def test_identical_networks_share_a_rank_in_nearly_all_runs(timings, monkeypatch):
    monkeypatch.setattr(latencies, "MIN_SPLIT_HALF", 0.5)
    rng, apart, kept = np.random.default_rng(3), 0, 0
    speeds = np.array([1.0, 1.0, 1.2, 1.5])[:, None]
    for _ in range(300):
        ranks = timings(speeds * rng.lognormal(0, 0.02, (4, 10))).ranking().set_index("name")
        apart += ranks.loc["n0", "rank"] != ranks.loc["n1", "rank"]
        kept += sorted(ranks["rank"]) == [1, 1, 3, 4]
    assert apart < 12
    assert kept > 280
    chain = np.array([3.0, 1.0, 2.001, 2.0, 2.002, 4.0])[:, None]  # neighbours of neighbours
    found = timings(chain * np.random.default_rng(0).normal(1, 0.02, (6, 12))).ranking()
    assert found["rank"].tolist() == [1, 2, 2, 2, 5, 6]


def test_rounds_that_visited_one_of_two_only_say_nothing_of_their_ratio():
    n = np.array([3, 5])
    visits = Visits(["a", "b"], [[2.0] * 3, [1.0] * 5], [[2.0] * 3, [1.0] * 5], n, 0 * n, 0 * n)
    found = Timings(visits, latency.Setting(), {}, "fastest")
    assert found.paired("a", "b").tolist() == [2.0] * 3
    assert found.ratio("a", "b")[0] == pytest.approx(2.0)
    for ask in (lambda: found.ratio("a", "c"), lambda: found.paired("c", "b")):
        with pytest.raises(KeyError, match="no network 'c' was timed; there are a, b"):
            ask()


def test_a_row_has_its_interval_and_a_ratio_is_given_with_one_or_not_at_all(timings):
    ms = np.arange(1.0, 10.0)[None]
    row = timings(ms, "a", "fastest", fastest=ms / 2).table.iloc[0]
    assert (row["latency_ms"], row["median_ms"], row["fastest_ms"]) == (0.5, 5.0, 0.5)
    assert (row["ci_low_ms"], row["ci_high_ms"], row["iqr_ms"], row["n"]) == (2.0, 8.0, 4.0, 10)
    rng = np.random.default_rng(1)
    shared = rng.normal(1, 0.2, 12).clip(0.5)  # the machine's, the same for both
    both = timings([shared * 1.02 * rng.normal(1, 0.002, 12), shared], ["slow", "fast"])
    ratio, low, high = both.ratio("slow", "fast")
    assert 1.01 < low < 1.02 < high < 1.03
    assert ratio == pytest.approx(1.02, abs=0.003)
    with pytest.raises(latency.NoisyError, match=r"a against b.*drowns"):
        timings(rng.normal(1, 0.1, (2, 12)), ["a", "b"]).ratio("a", "b")


def test_the_fastest_sample_survives_what_drowns_the_median(timings):
    rng = np.random.default_rng(2)
    slowed = np.where(rng.random((20, 30, 5)) < 0.6, 1.8, 1.0)  # by a neighbour on the same core
    samples = np.linspace(1, 1.5, 20)[:, None, None] * slowed
    medians, fastest = np.median(samples, axis=2), samples.min(2)
    by_median = timings(medians, fastest=fastest)
    by_fastest = timings(medians, estimate="fastest", fastest=fastest)
    assert by_fastest.split_half == pytest.approx(1.0)
    assert by_fastest.noise_pct == pytest.approx(0.0)
    assert list(by_fastest.latency_ms.values()) == pytest.approx(np.linspace(1, 1.5, 20))
    assert by_median.noise_pct > 3
    with pytest.raises(latency.NoisyError):
        by_median.ranking()


def test_ten_times_the_work_takes_longer():
    wide = scale(SMALL, width_mult=8, resolution=32)
    found = latency.measure_many({"small": SMALL, "wide": wide}, plan=QUICK)
    assert found.latency_ms["wide"] > 1.5 * found.latency_ms["small"]
    assert found.table["name"].tolist() == ["small", "wide"]
    assert (found.table["n"] >= 12).all()
    assert found.device["cpu"] == latency.device()["cpu"]
    with pytest.raises(ValueError, match="no network to time"):
        latency.measure_many({})


@pytest.mark.parametrize("runtime", ["onnxruntime", "onnxruntime-int8", "torch"])
def test_a_network_is_timed_and_left_as_it_was_and_inputs_need_not_be_images(runtime):
    network = build(SMALL).train()
    threads = torch.get_num_threads()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    setting = latency.Setting(runtime, 2, 3)
    found = latency.measure_many({"a": network}, setting, plan=QUICK)
    assert found.latency_ms["a"] > 0
    assert found.setting == setting
    assert network.training
    assert torch.get_num_threads() == threads
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    dense = {"dense": nn.Linear(12, 2)}
    found = latency.measure_many(dense, latency.Setting(runtime), (12,), plan=QUICK)
    assert found.latency_ms["dense"] > 0


DENSE = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))


class Eigen(nn.Module):
    def forward(self, x):
        return torch.linalg.eigvalsh(x)


@pytest.mark.parametrize(
    ("model", "setting", "shape", "words"),
    [
        (SMALL, {"runtime": "onxruntime"}, None, "no runtime 'onxruntime'; the nearest is 'onnxru"),
        (SMALL, {"runtime": "CUDA"}, None, "the nearest is 'cuda'"),
        (SMALL, {"threads": 0}, None, "threads must be a whole number from 1 on, got 0"),
        (SMALL, {"batch": 1.5}, None, "batch must be a whole number from 1 on, got 1.5"),
        (SMALL, {"threads": 999}, None, "at most .*, what this machine has, got 999"),
        (SMALL, {"batch": 10**9}, None, r"batch 1000000000 needs [\d,]+ GiB"),
        (build(SMALL), {"batch": 10**9}, None, r"batch 1000000000 needs [\d,]+ GiB"),
        (SMALL, {}, (1, 16, 16), r"\(3, 16, 16\), not \(1, 16, 16\)"),
        (DENSE, {}, None, "say input_shape"),
        (DENSE, {}, (3, 4, 4), r"no input of shape \(3, 4, 4\)"),
        (Eigen(), {}, (3, 4, 4), "Eigen cannot be written as ONNX"),
        pytest.param(
            SMALL,
            {"runtime": "cuda"},
            None,
            "'cuda' needs an NVIDIA GPU",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here"),
        ),
    ],
)
def test_what_cannot_be_timed_is_one_line(model, setting, shape, words):
    with pytest.raises(ValueError, match=words) as error:
        latency.runner(model, latency.Setting(**setting), shape)
    assert "\n" not in str(error.value)
