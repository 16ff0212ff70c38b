"""Image files and what a model says about them."""

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from lightlab import deploy
from lightlab.nets.build import build
from lightlab.space.arch import decode, encode

NAMES = ("anchor", "barrel", "ćma")
MEAN, STD = (0.2, 0.4, 0.6), (0.1, 0.2, 0.3)
SIDE = 8


def arch(channels):
    return decode(f"r{SIDE}x{channels} conv_k3_s1_c8 head_n3")


@pytest.fixture(scope="module")
def network():
    return build(arch(3), seed=3).eval()


@pytest.fixture(scope="module")
def model(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("rgb") / "m.onnx"
    return deploy.export_onnx(arch(3), network, path, class_names=NAMES, mean=MEAN, std=STD)


@pytest.fixture(scope="module")
def grey_model(tmp_path_factory):
    path = tmp_path_factory.mktemp("grey") / "m.onnx"
    return deploy.export_onnx(arch(1), build(arch(1)), path, class_names=NAMES, mean=0.5, std=0.5)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def test_probabilities_are_those_of_the_network_on_standardised_pixels(
    model, network, pixels, tmp_path
):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    table = deploy.Predictor(model)(tmp_path / "a.png")
    x = (torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255 - _column(MEAN)) / _column(STD)
    with torch.no_grad():
        expected = dict(zip(NAMES, network(x).softmax(1)[0].tolist(), strict=True))
    assert dict(zip(table["class"], table["probability"], strict=True)) == pytest.approx(
        expected, abs=1e-5
    )
    assert table["probability"].is_monotonic_decreasing
    assert table["probability"].sum() == pytest.approx(1)


def test_exif_turns_the_image(model, pixels, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # held so that the picture has to be turned clockwise to stand upright
    Image.fromarray(pixels).save(tmp_path / "upright.png")
    Image.fromarray(np.rot90(pixels)).save(tmp_path / "turned.png", exif=exif)
    Image.fromarray(np.rot90(pixels)).save(tmp_path / "lying.png")
    upright, turned, lying = (
        deploy.Predictor(model)(tmp_path / f"{name}.png")["probability"].tolist()
        for name in ("upright", "turned", "lying")
    )
    assert turned == upright
    assert lying != upright


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("kind", ["model", "grey_model"])
def test_any_mode_and_size_goes(kind, mode, tmp_path, request, pixels):
    image = Image.fromarray(pixels).resize((31, 20))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    else:
        image = image.convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image.save(path)
    assert len(deploy.Predictor(request.getfixturevalue(kind))(path)) == 3


def test_sixteen_bits_of_grey_are_as_eight(grey_model, pixels, tmp_path):
    grey = pixels[:, :, 0]
    Image.fromarray(grey).save(tmp_path / "8.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "16.png")
    eight, sixteen = (deploy.Predictor(grey_model)(tmp_path / f"{n}.png") for n in (8, 16))
    assert eight.equals(sixteen)


def test_a_large_image_is_cut_to_its_middle_and_shrunk(model, pixels, tmp_path):
    block = np.asarray(Image.fromarray(pixels).resize((32, 32)))
    margin = np.full((32, 48, 3), 255, np.uint8)
    Image.fromarray(np.hstack([margin, block, margin])).save(tmp_path / "wide.png")
    Image.fromarray(block).save(tmp_path / "square.png")
    Image.fromarray(margin).save(tmp_path / "white.png")
    wide, square, white = (
        deploy.Predictor(model)(tmp_path / f"{n}.png").set_index("class")["probability"]
        for n in ("wide", "square", "white")
    )
    assert (wide - square).abs().max() < 0.02  # the filter sees a little of the margin
    assert (white - square).abs().max() > 0.1


def test_eight_bit_files_predict_too(model, pixels, tmp_path):
    images = (
        torch.rand(64, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) - _column(MEAN)
    ) / _column(STD)
    out = deploy.quantize_int8(model, tmp_path / "q.onnx", images)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    exact, rounded = (
        deploy.Predictor(m)(tmp_path / "a.png").set_index("class")["probability"]
        for m in (model, out)
    )
    assert (exact - rounded).abs().max() < 0.05


def test_images_that_cannot_be_used_are_one_line(model, tmp_path):
    Image.new("RGB", (40, 40), "red").save(tmp_path / "half.jpg")
    content = (tmp_path / "half.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").write_bytes(b"")
    for name in ("half.jpg", "text.png", "empty.png", "missing.png", "."):
        with pytest.raises(deploy.DeployError, match=r"no such file|can be used") as caught:
            deploy.Predictor(model)(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_models_that_say_too_little_are_one_line(model, network, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "bare.onnx").write_bytes(deploy.onnx_bytes(network, (3, SIDE, SIDE)))
    with pytest.raises(deploy.DeployError, match="lack arch, class_names") as caught:
        deploy.Predictor(tmp_path / "bare.onnx")(tmp_path / "a.png")
    assert "lightlab export" in str(caught.value)
    proto = onnx.load(model)
    for prop in proto.metadata_props:
        prop.value = "{" if prop.key == "mean" else prop.value
    onnx.save(proto, tmp_path / "damaged.onnx")
    with pytest.raises(deploy.DeployError, match="metadata cannot be read"):
        deploy.Predictor(tmp_path / "damaged.onnx")(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("mean", "0.5", "mean: Input should be a valid list"),
        ("mean", '["a", 0.1, 0.2]', r"mean\.0: Input should be a valid number"),
        ("mean", "[NaN, 0.1, 0.2]", "mean must be finite"),
        ("std", "[0.1, 0.2]", "std has 2 values for 3 channels"),
        ("class_names", '"abc"', "class_names: Input should be a valid list"),
        ("class_names", "[1, 2, 3]", r"class_names\.0: Input should be a valid string"),
        ("class_names", '["a", "b"]', r"2 class names for \[3\] logits"),
        ("class_names", '["a", "b", "b"]', "two classes are named 'b'"),
        (
            "input_shape",
            "[3, 16, 16]",
            r"input_shape is \[3, 16, 16\], the graph takes \[3, 8, 8\]",
        ),
        ("input_shape", "[]", "the graph takes"),
        ("arch", "[" * 5000, "cannot be read"),
    ],
)
def test_metadata_that_do_not_fit_the_graph_are_one_line(model, tmp_path, key, value, words):
    proto = onnx.load(model)
    for prop in proto.metadata_props:
        prop.value = value if prop.key == key else prop.value
    onnx.save(proto, tmp_path / "m.onnx")
    with pytest.raises(deploy.DeployError, match=words) as caught:
        deploy.Predictor(tmp_path / "m.onnx")
    assert str(caught.value).startswith(f"{tmp_path / 'm.onnx'}: its metadata cannot be read: ")
    assert "\n" not in str(caught.value)


def test_answers_that_are_no_numbers_are_one_line(model, tmp_path):
    proto = onnx.load(model)
    for weights in proto.graph.initializer:
        values = onnx.numpy_helper.to_array(weights) * np.float32("nan")
        weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
    onnx.save(proto, tmp_path / "m.onnx")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(deploy.DeployError, match="NaN or infinity"):
        deploy.Predictor(tmp_path / "m.onnx")(tmp_path / "a.png")


def test_names_outside_ascii_come_back(model):
    assert deploy.Predictor(model).facts.class_names == NAMES
    assert deploy.Predictor(model).facts.arch == encode(arch(3))


def _column(values):
    return torch.tensor(values)[:, None, None]
