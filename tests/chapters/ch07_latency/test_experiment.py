"""What repeated timings say, on times that a test makes up."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from lightlab import data, deploy, latency
from lightlab.chapters.ch07_latency import experiment
from lightlab.space import scaling
from lightlab.space.arch import Arch
from lightlab.space.blocks import Block
from lightlab.space.scaling import scale

SMALL = Arch(16, Block("conv", 8, 3, 2), (Block("mb", 8, 3, 1, 3),), n_classes=10)
QUICK = latency.Plan(rounds=4, samples=2, sample_ms=0.2, warmup_ms=0.5)


def test_every_setting_has_its_own_networks():
    found = experiment.time_networks(
        {"a": SMALL, "b": SMALL}, {"onnxruntime 1": ["a", "b"], "torch 2": ["b"]}, QUICK
    )
    assert [t.visits.names for t in found.values()] == [["a", "b"], ["b"]]
    assert found["torch 2"].setting == latency.Setting("torch", 2)
    assert found["onnxruntime 1"].rounds_ms.shape == (2, 4)
    assert (found["onnxruntime 1"].rounds_ms > 0).all()
    for wrong in ("torch", "torch two", "tensorrt 1"):
        with pytest.raises(ValueError, match=wrong.split()[0]):
            experiment.time_networks({"a": SMALL}, {wrong: ["a"]}, QUICK)


def test_the_papers_networks_are_timed_and_what_a_parameter_adds():
    names = {*experiment.compared(), "ofa_pixel1_20ms"} & {*scaling.names()}
    assert {"mobilenet_v1", "mnasnet_a1", "mnasnet_mbconv6_k3", "proxyless_cpu"} <= names
    found = experiment.networks(names, ["mobilenet_v3"], [0.5], 64)
    assert {"mobilenet_v3_small", "mobilenet_v2 x0.5", "mnasnet_a1 without se"} <= set(found)
    assert {arch.resolution for arch in found.values()} == {64}
    half, whole = (found[n].blocks[-1] for n in ("mobilenet_v1 x0.5", "mobilenet_v1"))
    assert half.out_channels == whole.out_channels / 2


def test_points_have_a_row_for_every_time_and_name_the_family():
    times = pd.DataFrame({"x 1": [1.0, 2.0], "y 1": [3.0, np.nan]}, index=["mobilenet_v1", "res"])
    found = experiment.points(times, pd.Series({"mobilenet_v1": 10, "res": 20}))
    assert found["latency_ms"].tolist() == [1, 2, 3]
    assert found["family"].tolist() == ["MobileNetV1", "other", "MobileNetV1"]
    assert found["macs"].tolist() == [10, 20, 10]
    assert experiment.family("mobilenet_v1_full") == "full convolutions"
    assert experiment.family("mobilenet_v1_shallow") == "MobileNetV1"


def test_ranks_are_of_the_networks_that_both_have():
    n = 8
    columns = pd.DataFrame({"macs": np.arange(n), "up": np.arange(n) ** 2.0, "few": np.nan})
    columns.loc[:3, "few"] = 1.0
    found = experiment.rank_correlations(columns).set_index(["a", "b"])
    assert found.loc[("macs", "up"), "rho"] == pytest.approx(1)
    assert found.loc[("macs", "up"), "n"] == n
    assert np.isnan(found.loc[("macs", "few"), "rho"])  # four networks rank nothing


def test_multiples_of_what_was_published(timings):
    ms = [[1.0, 2.0, 4.0], [3.0, 6.0, 12.0], [2.0, 3.0, 9.0]]
    here = {"x 1": timings(ms, "abc"), "y 1": timings([[1.0, 1.0, 1.0]], "b")}
    published = pd.Series({"a": 50.0, "b": 75.0}, name="phone")
    macs = pd.Series({"a": 10, "b": 40, "c": 7})
    found = experiment.against_published(published, "a", macs, here).set_index(["name", "kind"])
    ratios = {("b", "macs"): 4, ("b", "phone"): 1.5, ("b", "x 1"): 3}  # y 1 has no a
    assert found["ratio"].to_dict() == pytest.approx(ratios)
    assert found.loc[("b", "x 1"), ["ci_low", "ci_high"]].tolist() == pytest.approx([3, 3])
    names = [*experiment.compared(), "mnasnet_a1 without se"]
    here = {"x 1": timings(np.outer(range(1, len(names) + 1), np.ones(4)), names)}
    macs = pd.Series(1.0, index=names)
    found = experiment.against_a1(macs, here).set_index(["name", "kind"])["ratio"]
    assert found["MBConv6 (k3x3) only", "Pixel 1, published"] > 1
    assert np.isnan(found["A1 without squeeze-excite", "Pixel 1, published"])
    assert found["A1 without squeeze-excite", "x 1"] > 1
    found = experiment.against_phone(macs, here).set_index(["name", "kind"])["ratio"]
    assert found["searched for a CPU", "Xeon, published"] < 1


def test_slowest_and_fastest_are_chosen_and_judged_by_different_rounds(timings):
    ms = np.array([[1.0, 1.0] * 3, [2.0, 1.0] * 3, [1.5, 1.2] * 3, [9.0, 9.0] * 3])
    macs = pd.Series({"a": 100, "b": 105, "c": 95, "d": 200})
    slow, fast, spread = experiment.equal_macs_spread(timings(ms, "abcd"), macs, "a")
    assert (slow, fast) == ("b", "a")  # d has other MACs
    # b was slow by chance, in even rounds; c is the slowest of the odd ones
    assert spread.tolist() == [1.0] * 3 + [1.5] * 3


def test_speedup_divides_round_by_round(timings):
    slow, fast = timings([[2.0, 2.2], [3.0, 3.0]], "ab"), timings([[1.0, 1.1]], "a")
    (gain,) = experiment.speedup(slow, fast).to_dict("records")
    assert gain["name"] == "a"
    assert [gain[k] for k in ("ratio", "ci_low", "ci_high")] == pytest.approx([2, 2, 2])


def test_every_setting_has_a_row_with_its_quality(timings):
    both = {
        "x 1": timings([[1.0, 3.0, 2.0]], "a", "fastest"),
        "y 1": timings([[4.0] * 3, [5.0] * 3], "ab", repeated=3),
    }
    found = experiment.quality(both)
    assert found.index.name == "setting"
    assert found.loc["y 1", ["networks", "repeated", "iqr_pct"]].tolist() == [2, 6, 0]


def test_a_model_in_integers_is_smaller():
    wide = scale(SMALL, width_mult=16)
    small, large = experiment.times_smaller([SMALL, wide])
    assert small < large  # scales and the graph count
    assert 2.5 < large < 4


def test_a_quantised_network_is_compared_with_the_trained_one(tmp_path):
    images = data.load("digits", n_train=200, n_val=20, n_test=50, resolution=16)
    weights, fp32, int8 = (tmp_path / n for n in ("w.safetensors", "fp32.onnx", "int8.onnx"))
    how = (0.25, 1, 3, (weights, fp32, int8))
    found = experiment.train_and_quantise(images, *how).set_index("model")
    assert found["seed"].tolist() == [3, 3]
    assert found.loc["fp32", "accuracy"] == pytest.approx(found.loc["fp32", "torch_accuracy"])
    assert found["torch_max_abs_diff"].max() < 1e-3
    assert int8.stat().st_size == found.loc["int8", "size_bytes"]
    again = tmp_path / "again.onnx"  # the weights are what `lightlab export` reads
    words = ["-m", "lightlab", "export", str(weights), str(again), "--data", "digits"]
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    one, other = (deploy.session(path).run(None, {"input": images.test.x.numpy()})[0]
                  for path in (fp32, again))  # fmt: skip
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_noise_leaves_nothing_to_claim(timings):
    clear = timings(np.outer([1, 2, 3, 4], np.ones(6)), "abcd")
    assert experiment.quiet(clear)
    value, interval, n = experiment.ratio_claim([1.0, 4.0], clear)
    assert (value, n) == (pytest.approx(2.0), 2)
    assert interval[0] < 2 < interval[1]
    luck = timings(np.random.default_rng(0).normal(10, 2, (4, 6)), "abcd")
    assert not experiment.quiet(clear, luck)  # one of them is enough
    assert experiment.ratio_claim([1.5, 1.6], clear, luck) == ([],)
    wavering = timings(np.outer([1, 2, 3, 4], [1.0, 1.04] * 3), "abcd")  # in one order always
    assert wavering.split_half == pytest.approx(1)
    assert experiment.quiet(wavering)
    assert not experiment.quiet(wavering, max_noise_pct=1.0)
