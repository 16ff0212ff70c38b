"""`lightlab fit` as a user types it, in this process: importing PyTorch is slow."""

import json
import re
import shutil
import subprocess
import sys
import time
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lightlab import deploy
from lightlab.chapters.ch13_your_model.experiment import linear
from lightlab.fit import run
from lightlab.train import training
from lightlab.workbook.project import WorkbookError
from lightlab.workbook.tools import card, fit
from lightlab.workbook.tools import fit as fitting

SHAPES = ("cross", "disc", "triangle")
TARGET_MS = 0.1


def photo(shape, rng, grey=False):
    """A shape of any colour, place and size on a noisy background of any proportions."""
    w, h = (int(v) for v in rng.integers(48, 110, 2))
    base = rng.integers(40, 216, 3)
    pixels = base + rng.normal(0, 18, (h, w, 3)) + np.linspace(-25, 25, w)[None, :, None]
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    draw, side = ImageDraw.Draw(image), min(w, h)
    r = side * rng.uniform(0.18, 0.34)
    x, y = (s / 2 + rng.uniform(-1, 1) * (side / 2 - r) for s in (w, h))
    colour = tuple(int(v) for v in (base + 128 + rng.integers(-30, 30, 3)) % 256)
    if shape == "disc":
        draw.ellipse([x - r, y - r, x + r, y + r], fill=colour)
    elif shape == "cross":
        draw.rectangle([x - r, y - r / 3, x + r, y + r / 3], fill=colour)
        draw.rectangle([x - r / 3, y - r, x + r / 3, y + r], fill=colour)
    else:
        draw.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=colour)
    return image.convert("L") if grey else image


def make(folder, counts, grey=False):
    """A folder of photos, one per class, as files of two kinds."""
    rng = np.random.default_rng(0)
    for shape, n in zip(SHAPES, counts, strict=True):
        (folder / shape).mkdir(parents=True)
        for i in range(n):
            photo(shape, rng, grey).save(folder / shape / f"{i}.{'jpg' if i % 2 else 'png'}")
    return folder


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A folder with photos of three classes, and with photos of one."""
    place = tmp_path_factory.mktemp("fit")
    make(place / "shapes", (60, 60, 60))
    (place / "one_class" / "a").mkdir(parents=True)
    Image.new("RGB", (40, 30), "red").save(place / "one_class" / "a" / "1.png")
    return place


@pytest.fixture
def lightlab(lightlab, monkeypatch, places):
    """The command, called in that folder with a budget of processor time: what others do on the
    machine does not matter.
    """
    lightlab.root = places
    monkeypatch.setenv("LIGHTLAB_CACHE", str(places / "cache"))
    monkeypatch.setattr(run, "fit", partial(run.fit, now=time.process_time))
    monkeypatch.setattr(fitting, "time", SimpleNamespace(monotonic=time.process_time))
    monkeypatch.setattr(training, "time", SimpleNamespace(perf_counter=time.process_time))
    return lightlab


def test_a_folder_of_photos_becomes_a_model_that_keeps_to_its_target(lightlab, places):
    data = places / "shapes"
    words = ("fit", "shapes", "--target-latency-ms", TARGET_MS, "--budget-minutes", 0.5)
    words += ("--method", "once-for-all")
    printed = lightlab(*words, "-o", "model", "--licence", "CC0 <b>")
    assert "3 classes, 108 train, 36 val, 36 test images at 32 px, RGB" in printed
    assert "training the supernet" in printed
    assert "met when measured again" in printed
    model = places / "model"
    facts = json.loads((model / "fit.json").read_text())
    assert facts["met"]
    assert facts["class_names"] == list(SHAPES)
    images = run.loaded(str(data), resolution=32)
    assert facts["accuracy"] > linear(images, 0).accuracy[0]
    again(model / "model.onnx")
    page = (model / "card.html").read_text()
    for word in ("Licence of the data as given: CC0 &lt;b&gt;", "data:image/png;base64", "Wilson"):
        assert word in page
    assert 'src="figures/' not in page
    snippet_agrees(model, [*data.glob("*/1.jpg"), *data.glob("*/2.png")])
    ten_lines_agree(model, sorted(data.glob("*/1.jpg"))[0])


def again(model):
    """The target is kept in a fresh process, up to what two sessions with one graph differ by."""
    program = (
        "import sys; from lightlab.latency import Setting, time_runners\n"
        "from lightlab.latency.runtimes import onnx_runner, random_images\n"
        "model = open(sys.argv[1], 'rb').read(); s = Setting()\n"
        "run = onnx_runner(model, s, random_images(1, (3, 32, 32)), 3)\n"
        "print(time_runners({'m': run}, s, estimate='fastest').latency_ms['m'])"
    )
    found = []
    while len(found) < 5 and not (found and min(found) <= 1.03 * TARGET_MS):
        # the clock of a shared machine falls by half for seconds: time is only ever added
        found.append(float(python(program, model)))
    assert min(found) <= 1.03 * TARGET_MS, found


def python(*words, cwd="/"):
    words = [sys.executable, "-c", *map(str, words)]
    return subprocess.run(words, capture_output=True, text=True, check=True, cwd=cwd).stdout


def snippet_agrees(model, files):
    """The script beside the model says what lightlab's predictor says, without lightlab."""
    program = (
        "import runpy, sys; sys.modules['lightlab'] = sys.modules['torch'] = None\n"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    predictor = deploy.Predictor(model / "model.onnx")
    wanted = [f"{file} {predictor(file)['class'][0]}" for file in files]
    assert python(program, model / "run_model.py", *files).splitlines() == wanted


def ten_lines_agree(model, photo):
    """The card's lines do as they stand there, in the model's folder."""
    (code,) = re.findall(r"```python\n(.*?)```", (model / "card.md").read_text(), re.DOTALL)
    assert len(code.strip().splitlines()) == 10
    shutil.copy(photo, model / "photo.jpg")
    said = python(code, cwd=model).strip()
    (model / "photo.jpg").unlink()
    assert said == deploy.Predictor(model / "model.onnx")(photo)["class"][0]


def test_few_grey_photos_of_uneven_classes_do_and_a_model_of_ours_is_replaced(lightlab, places):
    make(places / "uneven", (60, 30, 9), grey=True)
    words = ("fit", "uneven", "--max-macs", 1e6, "--max-size-kb", 300, "--budget-minutes", 0.25)
    (places / "model").mkdir(exist_ok=True)
    (places / "model" / "fit.json").touch()
    printed = lightlab(*words, "--method", "scaled", "-o", "model")
    assert "images at 32 px, grey" in printed
    assert "model: replaced in" in printed
    facts = json.loads((places / "model" / "fit.json").read_text())
    assert facts["measured"]["MACs"] <= 1e6
    assert (places / "model" / "model.onnx").stat().st_size <= 300_000
    assert [p.name for p in places.glob(".model*")] == []
    levels = np.linspace(0, 65535, 48 * 48).reshape(48, 48).astype(np.uint16)
    Image.fromarray(levels).save(places / "deep.png")  # of 16 bits
    snippet_agrees(places / "model", [places / "deep.png", *places.glob("uneven/*/1.jpg")])


def test_a_model_that_cannot_be_written_where_it_should_is_kept(monkeypatch, tmp_path):
    def full(*_):
        monkeypatch.undo()
        raise OSError(28, "No space left on device")

    spare = tmp_path / "spare"
    spare.mkdir()
    made = {"model.onnx": b"weights", "figures/a.png": b"picture"}
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "photo.jpg").touch()  # since the search began
    for name, what in (("theirs", "no model of"), ("mine", "mine: No space left on device")):
        with monkeypatch.context() as patch:
            patch.setattr(card, "contents", lambda *_: made)
            patch.setattr(fit, "_facts", lambda *_: b"facts")
            patch.setattr(fit.tempfile, "mkdtemp", lambda prefix: str(spare))  # noqa: ARG005
            if name == "mine":
                monkeypatch.setattr(fit.disk, "sync_folder", full)
            with pytest.raises(WorkbookError) as caught:
                fit.write(tmp_path / name, None, None, "")
        (fault,) = caught.value.faults
        assert what in str(fault)
        assert f"the model is in {spare / name}" in str(fault)
        assert (spare / name / "figures" / "a.png").read_bytes() == b"picture"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["spare", "theirs"]
    assert [p.name for p in (tmp_path / "theirs").iterdir()] == ["photo.jpg"]


def test_a_search_that_is_stopped_says_that_nothing_was_written(lightlab, places, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "fit", stopped)
    printed = lightlab("fit", "shapes", "--max-macs", 1e6, "-o", "none", code=130)
    assert "lightlab: stopped; nothing was written" in printed
    assert not (places / "none").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("photso", "--max-macs", 1e6), "/photso: there is no such folder: give a folder with one"),
        (("imagefolder:nowhere", "--max-macs", 1e6), "does not exist"),
        (("one_class", "--max-macs", 1e6), "there is only the class"),
        (("shapes",), "there is no target: give"),
        (("one_class", "--max-macs", 1e6, "--method", "magic"), "method is one of"),  # read nothing
        (("shapes", "--max-macs", 1e6, "--runtime", "torch"), "runtime is one of"),
        (("shapes", "--max-macs", 1e6, "-o", "no/where"), "there is no folder"),
        (("shapes", "--max-macs", 1e6, "-o", "shapes"), "holds files that are no model of"),
        (
            ("shapes", "--target-latency-ms", 1e-4),
            "no network here has latency in ms of 0.0001: the smallest has .* at 16 px.*"
            "raise the target to",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(lightlab, places, words, said):
    (places / "cache").mkdir(exist_ok=True)
    before = set(places.iterdir())
    rest = () if "-o" in words else ("-o", "none")
    last = lightlab("fit", *words, *rest, code=2).strip().splitlines()[-1]
    assert last.startswith("lightlab: ")
    assert re.search(said, last)
    assert set(places.iterdir()) == before


def test_a_budget_that_reading_uses_up_is_told_in_minutes(lightlab, monkeypatch):
    monkeypatch.setattr(fitting, "CARD_S", 12.0)
    words = ("fit", "shapes", "--max-macs", 1e6, "--budget-minutes", 0.25, "-o", "model")
    printed = lightlab(*words, code=2)
    assert "0.25 minutes: " in printed
    assert "give --budget-minutes 0.75 or more" in printed
