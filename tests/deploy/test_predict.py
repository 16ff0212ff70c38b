"""Image files and what a model says about them."""

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from lightlab import deploy
from lightlab.nets.build import build
from lightlab.space.arch import decode

NAMES = ("anchor", "barrel", "ćma")  # the last outside ASCII
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


@pytest.fixture
def answer(model, tmp_path):
    """What a model, `model` if none is named, says about these pixels: probabilities by class."""

    def answer(pixels, file=model, **how):
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        path = tmp_path / ("a.tif" if image.mode == "CMYK" else "a.png")
        image.save(path, **how)
        return deploy.Predictor(file)(path).set_index("class")["probability"]

    return answer


def test_probabilities_are_those_of_the_network_on_standardised_pixels(answer, network, pixels):
    found = answer(pixels)
    x = (torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255 - _column(MEAN)) / _column(STD)
    with torch.no_grad():
        expected = dict(zip(NAMES, network(x).softmax(1)[0].tolist(), strict=True))
    assert found.to_dict() == pytest.approx(expected, abs=1e-5)
    assert found.is_monotonic_decreasing
    assert found.sum() == pytest.approx(1)


def test_exif_turns_the_image(answer, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6  # held so that the picture has to be turned clockwise to stand upright
    upright, lying = answer(pixels), answer(np.rot90(pixels))
    assert answer(np.rot90(pixels), exif=exif).equals(upright)
    assert not lying.equals(upright)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("kind", ["model", "grey_model"])
def test_any_mode_and_size_goes(kind, mode, answer, request, pixels):
    image = Image.fromarray(pixels).resize((31, 20))
    grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
    image = Image.fromarray(grey) if mode == "I;16" else image.convert(mode)
    found = answer(image, request.getfixturevalue(kind))
    assert len(found) == 3
    if mode == "I;16":  # are as eight
        eight = Image.fromarray(pixels).resize((31, 20)).convert("L")
        assert answer(eight, request.getfixturevalue(kind)).equals(found)


def test_a_large_image_is_cut_to_its_middle_and_shrunk(answer, pixels):
    block = np.asarray(Image.fromarray(pixels).resize((32, 32)))
    margin = np.full((32, 48, 3), 255, np.uint8)
    wide, square, white = map(answer, (np.hstack([margin, block, margin]), block, margin))
    assert (wide - square).abs().max() < 0.02  # the filter sees a little of the margin
    assert (white - square).abs().max() > 0.1


def test_eight_bit_files_predict_too(answer, model, pixels, tmp_path):
    images = torch.rand(64, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    standard = (images - _column(MEAN)) / _column(STD)
    out = deploy.quantize_int8(model, tmp_path / "q.onnx", standard)
    assert (answer(pixels) - answer(pixels, out)).abs().max() < 0.05


def test_images_that_cannot_be_used_are_one_line(refused, model, tmp_path):
    Image.new("RGB", (40, 40), "red").save(tmp_path / "half.jpg")
    content = (tmp_path / "half.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").write_bytes(b"")
    for name in ("half.jpg", "text.png", "empty.png", "missing.png", "."):
        with refused(r"no such file|can be used") as caught:
            deploy.Predictor(model)(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


def test_a_model_that_says_too_little_is_one_line(refused, network, tmp_path):
    (tmp_path / "bare.onnx").write_bytes(deploy.onnx_bytes(network, (3, SIDE, SIDE)))
    with refused("lack arch, class_names.*lightlab export"):
        deploy.Predictor(tmp_path / "bare.onnx")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("mean", "{", "metadata cannot be read"),
        ("mean", "0.5", "mean: Input should be a valid list"),
        ("mean", '["a", 0.1, 0.2]', r"mean\.0: Input should be a valid number"),
        ("mean", "[NaN, 0.1, 0.2]", "mean must be finite"),
        ("std", "[0.1, 0.2]", "std has 2 values for 3 channels"),
        ("class_names", '"abc"', "class_names: Input should be a valid list"),
        ("class_names", "[1, 2, 3]", r"class_names\.0: Input should be a valid string"),
        ("class_names", '["a", "b"]', r"2 class names for \[3\] logits"),
        ("class_names", '["a", "b", "b"]', "two classes are named 'b'"),
        ("input_shape", "[3, 16, 16]", r"is \[3, 16, 16\], the graph takes \[3, 8, 8\]"),
        ("input_shape", "[]", "the graph takes"),
        ("arch", "[" * 5000, "cannot be read"),
    ],
)
def test_metadata_that_do_not_fit_the_graph_are_one_line(
    refused, model, tmp_path, key, value, words
):
    proto = onnx.load(model)
    for prop in proto.metadata_props:
        prop.value = value if prop.key == key else prop.value
    onnx.save(proto, tmp_path / "m.onnx")
    with refused(words) as caught:
        deploy.Predictor(tmp_path / "m.onnx")
    assert str(caught.value).startswith(f"{tmp_path / 'm.onnx'}: its metadata cannot be read: ")


def test_answers_that_are_no_numbers_are_one_line(model, answer, pixels, tmp_path):
    proto = onnx.load(model)
    for weights in proto.graph.initializer:
        values = onnx.numpy_helper.to_array(weights) * np.float32("nan")
        weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
    onnx.save(proto, tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="NaN or infinity"):
        answer(pixels, tmp_path / "m.onnx")


def _column(values):
    return torch.tensor(values)[:, None, None]
