"""What a GPU does, where one is at hand: everything here is skipped where there is none."""

from dataclasses import replace

import pytest
import torch

from lightlab import data, latency, train
from lightlab.chapters.ch09_proxylessnas import gates
from lightlab.latency.timing import FASTEST
from lightlab.methods import phases
from lightlab.methods.architect import Settings
from lightlab.methods.price import Price
from lightlab.methods.proxyless import search
from lightlab.methods.shrinking import shrink
from lightlab.space.once_for_all import OfaSpace
from lightlab.space.proxyless import ProxylessSpace
from lightlab.space.skeleton import Skeleton
from lightlab.train import parallel
from tests.methods.conftest import same

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")

SPACE = ProxylessSpace(Skeleton.small((1, 16, 16), 10, [16]))
PRICE = Price.macs(SPACE)
RECIPE = train.Recipe(epochs=6, batch_size=16, lr=0.05)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", n_train=480, n_val=160, n_test=160, resolution=16)


@pytest.fixture
def everything(monkeypatch):
    """Small networks go to the GPU as well."""
    monkeypatch.setattr(parallel, "LEAST_MACS_PER_CORE", 0.0)


def test_what_is_learnt_there_is_what_is_learnt_here(digits):
    job = train.Job(SPACE.decode(SPACE.centre()), digits.train, RECIPE, test=digits.test)
    here, there = (train.train_each({0: job}, device=device)[0] for device in ("cpu", "cuda"))
    assert there.metrics["test_accuracy"] == pytest.approx(here.metrics["test_accuracy"], abs=0.1)
    assert there.history["loss"].iloc[0] == pytest.approx(here.history["loss"].iloc[0], rel=0.02)
    assert all(v.device.type == "cpu" for v in there.network().state_dict().values())


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("form", ["two", "all", "sum", "reinforce"])
def test_a_search_goes_on_from_its_checkpoint(digits, tmp_path, killed, form):
    weight = 0.0 if form == "reinforce" else 0.1
    how = Settings(RECIPE, form=form, every=2, n_paths=3, latency_weight=weight)
    task = (SPACE, digits, PRICE, PRICE.of(SPACE.centre()), how, 0)
    whole = search(*task)
    killed(5, search, *task, checkpoint=tmp_path / "kept.pt")
    assert same(whole, search(*task, checkpoint=tmp_path / "kept.pt"))
    assert whole.history["loss"].iloc[-1] < whole.history["loss"].iloc[0]


@pytest.mark.usefixtures("everything")
def test_shrinking_leaves_a_network_for_the_processor(digits):
    skeleton = Skeleton.small((1, 16, 16), 10, [16], layers=2)
    space = OfaSpace(skeleton, (3, 5), (2, 4), (1, 2), (12, 16))
    plan = phases.progressive(12)
    full = shrink(space, digits, plan[:1], RECIPE)
    found = shrink(space, digits, plan[1:], RECIPE, start=full.network, teacher=full.network)
    assert {p.device.type for p in found.network.parameters()} == {"cpu"}
    assert full.history["largest"].iloc[-1] > 30
    assert found.history["smallest"].iloc[-1] > 20


def test_memory_of_two_paths_is_flat_and_that_of_the_sum_grows():
    skeleton = Skeleton.small((3, 32, 32), 10, [24, 48, 96], layers=3)
    table = gates.steps(skeleton, (2, 7), batch=64, rounds=1)
    peak = table.pivot(index="form", columns="candidates", values="cuda_mib")
    assert peak.loc["two", 7] <= 1.15 * peak.loc["two", 2]
    assert peak.loc["sum", 7] >= 2.5 * peak.loc["sum", 2]


def test_latency_there_is_measured_and_predicted_by_its_table():
    plan = replace(FASTEST, rounds=6)
    table = latency.LookupTable.build(
        SPACE.uniform(), setting=latency.Setting("cuda", batch=16), plan=plan
    )
    arch = SPACE.decode(SPACE.centre())
    measured = latency.measure_many({"n": arch}, latency.Setting("cuda", batch=16), plan=plan)
    assert 0.3 < table.predict(arch) / measured.latency_ms["n"] < 3
