"""Networks that leave as ONNX, and what comes out of the file again."""

import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lightlab import deploy, train
from lightlab.nets.build import build, predicting
from lightlab.space.arch import Arch, decode, encode

# every kind of layer that the papers' networks have, in miniature
ARCH = decode(
    "r8x1 conv_k3_s2_c16_hswish sep_k3_s1_c16 mb_k3_s1_e3_c16_se0.25x_hswish "
    "mb_k5_s1_e2_c24_relu6 head_f48_h32_hswish_n10"
)
NAMES = {"class_names": [f"class {i}" for i in range(10)], "mean": 0.5, "std": 0.25}


@pytest.fixture(scope="module")
def network(digits):
    net = build(ARCH)
    train.fit(net, digits.train, train.Recipe(epochs=4))
    return net


@pytest.fixture(scope="module")
def exported(network, digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "m.onnx"
    return deploy.export_onnx(ARCH, network, path, data=digits)


def test_the_file_says_what_is_needed_to_use_it(exported, digits):
    facts = deploy.facts_of(deploy.session(exported), exported)
    assert facts.arch == encode(ARCH)
    assert facts.class_names == digits.class_names
    assert facts.input_shape == (1, 8, 8)
    assert facts.mean == pytest.approx(tuple(digits.mean))
    assert facts.std == pytest.approx(tuple(digits.std))
    proto = onnx.load(exported)
    assert proto.opset_import[0].version == deploy.OPSET
    assert {p.key for p in proto.metadata_props} >= {"class_names", "mean", "std", "input_shape"}


def test_the_file_answers_as_its_network_does_and_no_other(exported, network, digits):
    found = deploy.parity(network, exported, digits.test.x)
    assert found["n"] == 500
    assert found["max_abs_diff"] < 1e-4
    assert found["top1_agreement"] == 1
    other = deploy.parity(build(ARCH, seed=1), exported, digits.test.x)
    assert other["max_abs_diff"] > 0.1
    assert other["top1_agreement"] < 0.5


@settings(max_examples=12)
@given(st.from_type(Arch))
def test_any_architecture_leaves_as_onnx_and_answers_the_same(arch):
    network = build(arch)
    images = torch.randn(3, *arch.input_shape, generator=torch.Generator().manual_seed(0))
    model = deploy.onnx_bytes(network, arch.input_shape)
    found = deploy.parity(network, model, images)
    with predicting(network):
        size = 1 + network(images).abs().max().item()
    assert found["max_abs_diff"] < 1e-4 * size
    nodes = [n.op_type for n in onnx.load_from_string(model).graph.node]
    assert "BatchNormalization" not in nodes  # folded into the convolutions
    assert nodes.count("Conv") == sum(isinstance(m, torch.nn.Conv2d) for m in network.modules())


def test_exporting_leaves_the_network_in_training_and_a_state_dict_does(
    network, exported, digits, tmp_path
):
    network.train()
    deploy.onnx_bytes(network, ARCH.input_shape)
    assert network.training
    path = deploy.export_onnx(ARCH, network.state_dict(), tmp_path / "m.onnx", data=digits)
    assert path.read_bytes() == exported.read_bytes()  # its weights are as before, too


def test_weights_that_do_not_fit_or_are_no_numbers_are_refused(refused, network, digits, tmp_path):
    other, colour = (decode(f"r8x{n} conv_k3_s2_c16 head_n10") for n in (1, 3))
    whole = network.state_dict()
    bias = whole["classifier.bias"]
    for arch, weights, words in (
        (other, network, "the weights are of"),
        (other, whole, "the weights do not fit the architecture"),
        (ARCH, whole | {"classifier.bias": bias / 0}, r"NaN or infinity: classifier\.bias"),
    ):
        with refused(words):
            deploy.export_onnx(arch, weights, tmp_path / "m.onnx", **NAMES)
    with refused("digits are 1×8×8, the network takes 3×8×8"):
        deploy.export_onnx(colour, build(colour), tmp_path / "m.onnx", data=digits)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"class_names": ["a", "b"]}, "2 class names for the 10 classes"),
        ({"class_names": None}, "needs class_names"),
        ({"mean": None, "std": None}, "needs mean, std"),
        ({"mean": (0.1, 0.2, 0.3)}, "mean has 3 values for 1 channels"),
        ({"std": 0.0}, "std must be positive"),
        ({"mean": float("nan")}, "mean must be finite"),
        ({"std": float("inf")}, "std must be finite"),
        ({"mean": "half"}, "mean is a number, or one for each channel"),
        ({"class_names": "0123456789"}, "class_names is"),
        ({"class_names": ["a", *"abcdefghi"]}, "two classes are named 'a'"),
        ({"class_names": ["\udce9", *"abcdefghi"]}, "no text: rename the class"),
    ],
)
def test_facts_that_do_not_fit_are_refused(refused, network, tmp_path, change, words):
    with refused(words):
        deploy.export_onnx(ARCH, network, tmp_path / "m.onnx", **(NAMES | change))


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("missing/m.onnx", "there is no folder"),
        ("file/m.onnx", "there is no folder"),
        (".", "cannot be written"),
        ("/proc/m.onnx", "cannot be written"),
    ],
)
def test_a_place_that_cannot_be_written_is_one_line(refused, network, tmp_path, place, words):
    (tmp_path / "file").write_text("")
    with refused(words):
        deploy.export_onnx(ARCH, network, tmp_path / place, **NAMES)


@pytest.mark.parametrize(
    ("name", "threads", "words"),
    [
        ("text.onnx", 1, r"text\.onnx: is no ONNX model"),
        ("missing.onnx", 1, "there is no such file"),
        (".", 1, "cannot be read"),
        ("text.onnx", 0, "threads must be 1 to"),
        ("text.onnx", 999, "threads must be 1 to"),
    ],
)
def test_what_no_session_can_run_is_one_line(refused, tmp_path, name, threads, words):
    (tmp_path / "text.onnx").write_text("hello")
    with refused(words):
        deploy.session(tmp_path / name, threads)


def test_what_has_no_parity_is_one_line(refused, exported, network, digits):
    broken = build(ARCH)
    broken.classifier.bias.data[:] = torch.nan
    model = deploy.onnx_bytes(broken, ARCH.input_shape)
    images = digits.test.x
    for one, file, shown, words in (
        (broken, exported, images, "the network answers with NaN"),
        (network, model, images, "the model answers with NaN"),
        (broken, model, images, "the model answers with NaN"),  # two NaN do not agree
        (network, exported, torch.zeros(2, 3, 8, 8), "the model takes"),
        (network, exported, images[:0], "at least one image"),
    ):
        with refused(words):
            deploy.parity(one, file, shown)


def test_a_module_without_parameters_or_in_another_precision_has_parity_too():
    images = torch.linspace(-1, 1, 60).view(5, 3, 2, 2)
    flat = torch.nn.Flatten()
    assert deploy.parity(flat, deploy.onnx_bytes(flat, (3, 2, 2)), images)["max_abs_diff"] == 0
    double = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
    model = deploy.onnx_bytes(double, (3, 2, 2))
    assert deploy.parity(double.double(), model, images)["max_abs_diff"] < 1e-5
