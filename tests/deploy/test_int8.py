"""Networks in 8-bit integers."""

import onnx
import pytest
import torch

from lightlab import deploy, latency, train
from lightlab.nets.build import build
from lightlab.space.arch import decode

ARCH = decode(
    "r8x1 conv_k3_s1_c32 sep_k3_s2_c64 mb_k3_s1_e3_c64_se0.25x_hswish mb_k5_s1_e2_c64_relu6 "
    "head_f128_n10"
)


@pytest.fixture(scope="module")
def path(digits, tmp_path_factory):
    network = build(ARCH)
    train.fit(network, digits.train, train.Recipe(epochs=6))
    return deploy.export_onnx(ARCH, network, tmp_path_factory.mktemp("f") / "m.onnx", data=digits)


@pytest.fixture(scope="module")
def quantised(path, digits, tmp_path_factory):
    out = tmp_path_factory.mktemp("q") / "m8.onnx"
    return deploy.quantize_int8(path, out, digits.train.x[:200])


def test_eight_bits_keep_the_accuracy_and_say_what_they_cost(path, quantised, digits):
    found = latency.compare_files(path, quantised, digits.test)
    assert found.attrs["device"]["cpu"]
    table = found.set_index("model")
    assert table.loc["fp32", "accuracy"] > 0.9
    assert table.loc["int8", "accuracy"] > table.loc["fp32", "accuracy"] - 0.02
    assert table.loc["int8", "top1_agreement"] > 0.97
    assert table.loc["fp32", "top1_agreement"] == 1
    assert 0 < table.loc["int8", "max_abs_diff"] < 5
    assert list(table["size_bytes"]) == [path.stat().st_size, quantised.stat().st_size]
    assert table.loc["int8", "size_bytes"] < 0.6 * table.loc["fp32", "size_bytes"]
    assert (table["latency_ms"] > 0).all()
    assert (table["iqr_ms"] >= 0).all()


def test_convolutions_have_integer_weights_and_a_scale_for_each_channel(quantised):
    graph = onnx.load(quantised).graph
    kernels = [t for t in graph.initializer if t.data_type == onnx.TensorProto.INT8]
    depthwise = [t for t in kernels if len(t.dims) == 4 and t.dims[1] == 1]
    assert len(depthwise) == 4  # and the stem, whose image is grey
    scales = {t.name: t for t in graph.initializer if t.name.endswith("_scale")}
    for kernel in depthwise:
        assert list(scales[kernel.name.replace("_quantized", "_scale")].dims) == [kernel.dims[0]]
        # seven bits, so that sums of two products fit into sixteen
        assert abs(onnx.numpy_helper.to_array(kernel).astype(int)).max() <= 64


@pytest.mark.parametrize("batch", [1, 7])
def test_any_batch_size_goes_and_metadata_stay(quantised, path, digits, batch):
    running = deploy.session(quantised)
    assert running.run(None, {"input": digits.test.x[:batch].numpy()})[0].shape == (batch, 10)
    assert deploy.facts_of(running, "q") == deploy.facts_of(deploy.session(path), "f")


def test_ways_of_calibrating_differ_and_work(path, quantised, digits, tmp_path):
    files, few = {quantised.read_bytes()}, digits.test.take(slice(100))
    for method in ("percentile", "entropy"):
        out = deploy.quantize_int8(path, tmp_path / "q.onnx", digits.train.x[:200], method=method)
        files.add(out.read_bytes())
        assert latency.compare_files(path, out, few)["top1_agreement"].min() > 0.9
    assert len(files) == 3


def test_calibration_on_blank_images_shows(path, quantised, digits, tmp_path):
    """Ranges do come from the images: those of one grey cut off what others need."""
    blank = torch.zeros(8, 1, 8, 8)
    out = deploy.quantize_int8(path, tmp_path / "q.onnx", blank)
    found = [latency.compare_files(path, file, digits.test) for file in (out, quantised)]
    bad, good = (table["accuracy"][1] for table in found)
    assert bad < good - 0.05


@pytest.mark.parametrize(
    ("images", "how", "words"),
    [
        (torch.zeros(0, 1, 8, 8), {}, "calibration set is empty"),
        (torch.zeros(2, 3, 8, 8), {}, "the model takes"),
        (torch.full((2, 1, 8, 8), torch.nan), {}, "NaN"),
        (torch.zeros(2, 1, 8, 8), {"method": "guess"}, "method is one of minmax"),
        (torch.zeros(2, 1, 8, 8), {"weight_bits": 4}, "weight_bits is 7 or 8"),
    ],
)
def test_what_cannot_be_calibrated_is_one_line(refused, path, images, how, words, tmp_path):
    with refused(words):
        deploy.quantize_int8(path, tmp_path / "q.onnx", images, **how)


def test_a_comparison_needs_an_image(refused, path, digits):
    with refused("at least one image"):
        latency.compare_files(path, path, digits.test.take(slice(0)))
