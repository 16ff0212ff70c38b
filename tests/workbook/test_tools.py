"""The commands about networks as a user types them, in this process: importing PyTorch is slow."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from lightlab import deploy
from lightlab.latency import NoisyError, Timings
from lightlab.nets.build import build
from lightlab.nets.weights import save_weights
from lightlab.space import scaling
from lightlab.space.arch import decode
from lightlab.train.parallel import run_beside
from lightlab.workbook.project import WorkbookError
from lightlab.workbook.tools import common

DIGITS = "r8x1 conv_k3_s2_c8 sep_k3_s1_c8 head_n10"


@pytest.fixture
def weights(tmp_path):
    network = build(decode(DIGITS))
    save_weights(network, tmp_path / "w.safetensors")
    network.classifier.bias.data[0] = float("nan")
    save_weights(network, tmp_path / "nan.safetensors")
    return "w.safetensors"


@pytest.fixture
def image(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 9), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return "a.png"


def one_line(printed):
    assert len(printed.strip().splitlines()) == 1
    assert printed.startswith("lightlab: ")
    return printed


def test_the_list_names_every_network_with_its_costs(lightlab):
    printed = lightlab("arch", "list")
    for name in (*scaling.names(), *scaling.ALIASES):
        assert name in printed
    row = next(line for line in printed.splitlines() if line.startswith("mnasnet_a1"))
    assert row.split()[1:4] == ["224", "311.58M", "3.89M"]
    assert row.rstrip().endswith("  Tan et al. 2019")
    assert max(map(len, printed.splitlines()[:-2])) <= 80  # a terminal's width: no row is folded


def test_a_network_or_a_text_is_shown_layer_by_layer_beside_what_was_printed(lightlab):
    printed = lightlab("arch", "show", "mobilenet_v1")
    assert len([x for x in printed.splitlines() if x.startswith("blocks.")]) == 26
    totals = [line.split() for line in printed.splitlines()]
    assert ["MACs,", "conv+fc", "568,740,352", "569M"] in totals
    assert ["parameters,", "weights_only", "4,209,088", "4.2M"] in totals
    assert "70.6 % top-1" in printed
    assert str(scaling.get("mobilenet_v1")) in printed
    assert "MACs, by no convention of these" in lightlab("arch", "show", "mobilenet_v3_large")
    # width and resolution change the costs and hide what was printed
    printed = lightlab("arch", "show", "mobilenet_v1", "--width", "0.5", "--resolution", "160")
    assert "published" not in printed
    assert "r160x3 conv_k3_s2_c16 " in printed
    assert "76,012,800" in printed  # table 9 prints 76 million
    assert "1,319,648" in printed  # and 1.32 million
    assert f"text: {DIGITS}" in lightlab("arch", "show", DIGITS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["arch", "show", "mobilnet_v1"], "nearest name is 'mobilenet_v1'"),
        (["arch", "show", "r8x1 cov_k3_c8 head_n10"], "cov_k3_c8"),
        (["arch", "show", "mobilenet_v1", "--width", "0"], "0 < width_mult <= 1000"),
        (["arch", "show", "mobilenet_v1", "--width", "inf"], "0 < width_mult <= 1000"),
        (["latency", "mobilnet_v1"], "nearest name is 'mobilenet_v1'"),
        (["latency", "mobilenet_32", "--runtime", "onnx"], "the nearest is 'onnxruntime'"),
        (["export", "mobilnet_v1", "m.onnx"], "nearest name is 'mobilenet_v1'"),
        (["export", "mobilenet_32", "m.onnx"], "give a .safetensors file, or --random-weights"),
        (["export", "none.safetensors", "m.onnx"], "none.safetensors: no such file"),
        (["export", "w.safetensors", "m.onnx"], "say which with --data"),
        (["export", "w.safetensors", "m.onnx", "--data", "digitz"], "unknown data set"),
        (["export", "w.safetensors", "m.onnx", "--width", "0.5"], "leave --width"),
        (["export", "w.safetensors", "no/m.onnx", "--data", "digits"], "there is no folder"),
        (["export", "a.png", "m.onnx", "--data", "digits"], "is no safetensors file"),
        (["export", "mobilenet_32", "m.onnx", "--random-weights", "--int8"], "--data"),
        (["export", "w.safetensors", "w.safetensors", "--data", "digits"], "does not end in .onnx"),
        (["export", "nan.safetensors", "m.onnx", "--data", "digits"], "NaN or infinity"),
        (["latency", "mobilenet_32", "--batch", "1000000000"], "GiB are free"),
        (["latency", "mobilenet_32", "--threads", "999"], "threads must be at most"),
        (["predict", "none.onnx", "a.png"], "none.onnx: there is no such file"),
        (["predict", ":one:.onnx", "a.png"], ":one:.onnx: there is no such file"),
        (["predict", "a.png", "a.png"], "a.png: is no ONNX model"),
    ],
)
def test_bad_input_is_one_line(lightlab, weights, image, words, said):  # noqa: ARG001
    assert said in one_line(lightlab(*words, code=2))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_package_refuses_is_told_be_it_in_a_worker_process(workers):
    with pytest.raises(WorkbookError, match="fit: no network 'nosuch'"), common.told("fit"):
        run_beside(scaling.get, {0: ("nosuch",), 1: ("nosuch",)}, 0, workers)
    with pytest.raises(json.JSONDecodeError), common.told("fit"):  # of Python: a fault of ours
        run_beside(json.loads, {0: ("x",), 1: ("x",)}, 0, workers)


def test_a_file_of_weights_leaves_as_onnx_and_predicts(lightlab, weights, image, tmp_path):
    printed = lightlab("export", weights, "m.onnx", "--data", "digits")
    assert "200 validation images: same class 100.00%" in printed
    assert "m.onnx: 10 classes" in printed
    rows = lightlab("predict", "m.onnx", image, image, "--top", "3").splitlines()
    assert [row.split()[0] for row in rows if row.startswith(image)] == [image] * 2
    assert len([row for row in rows if row.rstrip().endswith("%")]) == 6
    best = deploy.Predictor(tmp_path / "m.onnx")(tmp_path / image).iloc[0]
    assert rows[1].split() == [image, best["class"], f"{best['probability']:.1%}"]
    printed = lightlab("export", weights, "q.onnx", "--data", "digits", "--int8")
    for word in ("fp32", "int8", "accuracy", "same class", " kB", "ms"):
        assert word in printed
    assert image in lightlab("predict", "q.onnx", image)
    # every image that cannot be read is told
    (tmp_path / "text.png").write_text("no image")
    rows = lightlab("predict", "m.onnx", "text.png", image, "none.png", code=2).splitlines()
    told = [row.split(": ")[2] for row in rows if row.startswith("lightlab: predict: ")]
    assert told == ["text.png", "none.png"]
    assert rows[1].startswith(image)


def test_the_weights_are_not_written_over_under_another_name(lightlab, weights, tmp_path):
    content = (tmp_path / weights).read_bytes()
    (tmp_path / "w.onnx").symlink_to(tmp_path / weights)
    (tmp_path / "h.onnx").hardlink_to(tmp_path / weights)
    for source, target in ((weights, "w.onnx"), (weights, "h.onnx"), ("w.onnx", "w.onnx")):
        printed = lightlab("export", source, target, "--data", "digits", code=2)
        assert "would be lost" in one_line(printed)
    assert (tmp_path / weights).read_bytes() == content
    assert (tmp_path / "w.onnx").is_symlink()


@pytest.mark.parametrize("found", [{"top1_agreement": 0.5}, None])
def test_what_was_there_stays_where_the_new_file_does_not_answer_alike(
    lightlab, weights, tmp_path, monkeypatch, found
):
    real = deploy.parity

    def parity(network, model, images):
        if found is None:
            return real(network, model, images[:0])  # is refused
        return found | {"max_abs_diff": 1.0, "n": 200}

    monkeypatch.setattr(deploy, "parity", parity)
    (tmp_path / "m.onnx").write_text("the old one")
    files = sorted(p.name for p in tmp_path.iterdir())
    for more in ([], ["--int8"]):
        one_line(lightlab("export", weights, "m.onnx", "--data", "digits", *more, code=2))
    assert (tmp_path / "m.onnx").read_text() == "the old one"
    assert sorted(p.name for p in tmp_path.iterdir()) == files


def test_names_with_newlines_stay_in_their_row(lightlab, image, tmp_path):
    arch = decode(DIGITS)
    names = ["a\nb\tc", *"bcdefghij"]
    deploy.export_onnx(arch, build(arch), tmp_path / "m.onnx", class_names=names, mean=0, std=1)
    rows = lightlab("predict", "m.onnx", image, "--top", "10").splitlines()
    assert len(rows) == 1 + 10
    assert r"a\nb\tc" in "".join(rows)


def test_random_weights_are_exported_only_when_asked_for(lightlab, tmp_path):
    lightlab("export", "mobilenet_32", "m.onnx", "--random-weights", "--width", "0.25")
    facts = deploy.Predictor(tmp_path / "m.onnx").facts
    assert facts.class_names[-1] == str(len(facts.class_names) - 1)
    assert facts.input_shape == scaling.get("mobilenet_32").input_shape


def test_latency_prints_milliseconds_and_says_whether_they_differ(lightlab):
    big = "r32x3 conv_k3_s1_c32 conv_k3_s1_c64 conv_k3_s1_c64 head_n10"
    small = "r8x1 conv_k3_s2_c8 head_n10"
    rows = lightlab("latency", big, small, "--rounds", "6").splitlines()
    for name, row in zip((big, small), rows[1:3], strict=True):
        assert row.startswith(name)
        assert float(row.split()[-3]) > 0
    assert "onnxruntime, 1 thread" in rows[3]
    assert f"{big} takes" in rows[4]


def test_networks_that_cannot_be_told_apart_are_ties_and_noise_that_drowns_them_is_said(
    lightlab, monkeypatch, timings
):
    texts = [f"r8x1 conv_k3_s2_c{c} head_n10" for c in (8, 9, 10, 11)]
    speeds = np.array([1.0, 2.0, 2.0, 3.0])[:, None]
    measured = timings(speeds * np.random.default_rng(0).normal(1, 0.01, (4, 10)), texts)
    measured.device.update({"cpu": "a processor", "gpu": "a card", "load": 0.1})
    monkeypatch.setattr("lightlab.latency.measure_many", lambda *_, **__: measured)
    printed = lightlab("latency", *texts)
    a, b, c, d = (str(t) for t in measured.ranking()["name"])
    assert f"but for ties (=): {a} < {b} = {c} < {d}; two halves" in printed
    assert "a processor, a card, load 0.1" in printed

    def refuse(*_):
        raise NoisyError("two halves of the rounds agree by rho 0.10")

    monkeypatch.setattr(Timings, "ranking", refuse)
    assert "noise drowns the differences: two halves" in lightlab("latency", *texts)


def test_help_lists_and_what_is_misspelt_need_nothing_large(tmp_path):
    """They have to be there at once; PyTorch alone takes seconds, the others one each."""
    code = """import sys
from lightlab.workbook import cli
for words in sys.stdin:
    sys.argv = ["lightlab", *words.split()]
    try:
        cli.main()
    except SystemExit:
        print(words, {"torch", "onnxruntime", "matplotlib", "scipy"} & set(sys.modules))"""
    commands = ("--help", "arch list", "arch show nosuch", "latency nosuch", "export nosuch m.onnx",
                "export none.safetensors m.onnx", "export mobilenet_32 m.txt",
                "predict none.onnx a.png")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], input="\n".join(commands), text=True,
                          capture_output=True, check=True, cwd=tmp_path)  # fmt: skip
    assert done.stdout.count("set()") == len(commands)


def test_a_notebook_is_read_without_grammars_of_addresses():
    """jsonschema builds them where it can, which takes two seconds of every such process."""
    code = "import lightlab.workbook, nbformat, sys"
    code += "; print({'jsonschema', 'lark'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'jsonschema'}"
