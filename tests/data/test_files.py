"""Data sets from outside: real CIFAR-10, generated folders and parquet files, all that is wrong."""

import io
import logging
import os
import shutil
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import datasets
import numpy as np
import pyarrow as pa
import pytest
import torch
from huggingface_hub import constants
from PIL import ExifTags, Image
from pyarrow import parquet
from torch.nn import functional as F

from lightlab import data
from lightlab.data import decode, folders, hub, splits

CIFAR10 = Path(__file__).parents[3] / "shared" / "data" / "cifar10"
PARTS = ("train", "val", "test")


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LIGHTLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def picture(rng):
    """A maker of noise images of any mode."""

    def make(mode="RGB", size=(12, 12)):
        return Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), np.uint8)).convert(mode)

    return make


@pytest.fixture
def folder(tmp_path, picture):
    """A maker of folders: images per class, once or in every split."""

    def make(classes, parts=("",), suffix=".png", **how):
        for part in parts:
            for name, n in classes.items():
                (tmp_path / "set" / part / name).mkdir(parents=True)
                for i in range(n):
                    picture(**how).save(tmp_path / "set" / part / name / f"{i:03}{suffix}")
        return tmp_path / "set"

    return make


@pytest.fixture
def tables(tmp_path, picture):
    """A maker of folders of parquet files with 40 images and the columns given."""

    def make(*names, **columns):
        (tmp_path / "set").mkdir(exist_ok=True)
        content = []
        for _ in range(40):
            picture().save(file := io.BytesIO(), "PNG")
            content.append({"bytes": file.getvalue(), "path": None})
        if not columns:
            columns = {"label": [i % 2 for i in range(40)]}
        for name in names or ["train.parquet"]:
            parquet.write_table(
                pa.table({"image": content, **columns}), tmp_path / "set" / name, row_group_size=10
            )
        return tmp_path / "set"

    return make


def pixels(ds, part="train"):
    """The images of a split as 0..255, undoing the standardisation."""
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (ds.mean, ds.std))
    return ((getattr(ds, part).x * std + mean) * 255).round().to(torch.uint8)


def refusal(spec, **options):
    """The one line with which a data set is refused."""
    with pytest.raises(ValueError, match=" ") as error:
        data.load(spec, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


# --- real images


@pytest.mark.skipif(not CIFAR10.is_dir(), reason=f"no CIFAR-10 under {CIFAR10}")
def test_cifar10_as_it_is_and_at_another_resolution(tmp_path):
    """2,000 and 500 of its images, in files like the real ones."""
    cifar = tmp_path / "cifar"
    cifar.mkdir()
    for part, n in (("train", 2000), ("test", 500)):
        name = f"{part}-00000-of-00001.parquet"
        parquet.write_table(parquet.read_table(CIFAR10 / name)[:n], cifar / name)
    ds = data.load(f"parquet:{cifar}", seed=4)
    assert ds.class_names[:4] == ("airplane", "automobile", "bird", "cat")
    assert ds.input_shape == (3, 32, 32)
    assert [len(getattr(ds, part)) for part in PARTS] == [1800, 200, 500]
    assert ds.mean == pytest.approx((0.491, 0.482, 0.447), abs=0.01)
    assert ds.train.x.mean((0, 2, 3)).abs().max() < 1e-4
    assert ds.train.x.std((0, 2, 3)).tolist() == pytest.approx([1, 1, 1], abs=1e-4)
    rows = parquet.read_table(cifar / "train-00000-of-00001.parquet").to_pylist()
    for i in (0, 700, 1799):
        row = rows[int(ds.train.groups[i])]
        original = np.asarray(Image.open(io.BytesIO(row["img"]["bytes"])))
        assert np.array_equal(pixels(ds)[i].permute(1, 2, 0).numpy(), original)
        assert ds.train.y[i] == row["label"]
    half = data.load(f"parquet:{cifar}", seed=4, n_train=50, resolution=16)
    assert half.input_shape == (3, 16, 16)
    assert torch.equal(half.train.y, ds.train.y[:50])
    smooth = F.interpolate(pixels(ds)[:50].float(), 16, mode="bilinear", antialias=True)
    assert (pixels(half).float() - smooth).abs().max() <= 1.01  # rounded twice
    assert ds.fingerprint != half.fingerprint


def test_fifty_thousand_images_from_the_cache_in_two_seconds(monkeypatch, tmp_path, rng):
    """The bar is quiet wall time; a busy machine may take twice as much processor time."""
    x = rng.integers(0, 256, (50_000, 3, 32, 32), np.uint8)
    y = np.arange(50_000) % 10
    monkeypatch.setattr(decode, "images", lambda *_: {"train": x, "test": x[:100]})
    labels = {"train": y, "test": y[:100]}
    monkeypatch.setattr(hub, "opened", lambda *_: ({}, labels, tuple("0123456789")))
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train").touch()
    data.load(f"parquet:{tmp_path}/set", n_train=10, n_val=0)
    monkeypatch.setattr(decode, "images", None)
    start = time.process_time()
    ds = data.load(f"parquet:{tmp_path}/set", n_val=0)
    assert time.process_time() - start < 4
    assert len(ds.train) == 50_000


# --- splits


def test_splits_of_the_source_are_kept(folder):
    place = folder({"a": 20, "b": 10}, ("Train", "valid", "test"))
    ds = data.load(f"imagefolder:{place}")
    assert [len(getattr(ds, part)) for part in PARTS] == [30, 30, 30]
    groups = [set(getattr(ds, part).groups.tolist()) for part in PARTS]
    assert len(set.union(*groups)) == 90
    names = sorted((place / "valid").rglob("*.png"))
    own = {np.asarray(Image.open(n)).tobytes() for n in names}
    assert own == {
        np.ascontiguousarray(p.permute(1, 2, 0)).tobytes() for p in pixels(ds, "val").unbind()
    }


def test_missing_splits_are_cut_evenly_from_train(folder):
    ds = data.load(f"imagefolder:{folder({'a': 100, 'b': 50})}")
    assert [len(getattr(ds, part)) for part in PARTS] == [108, 12, 30]
    for part in PARTS:
        n_a, n_b = torch.bincount(getattr(ds, part).y).tolist()
        assert abs(n_a - 2 * n_b) <= 2
    groups = [set(getattr(ds, part).groups.tolist()) for part in PARTS]
    assert len(set.union(*groups)) == 150


def test_sizes_take_the_first_images_of_larger_ones(folder):
    spec = f"imagefolder:{folder({'a': 60, 'b': 60})}"
    whole = data.load(spec, seed=1)
    few = data.load(spec, seed=1, n_train=10, n_val=4, n_test=6)
    for part in PARTS:
        small, large = getattr(few, part).groups, getattr(whole, part).groups
        assert torch.equal(small, large[: len(small)])
        assert torch.bincount(getattr(few, part).y).tolist() == [len(small) // 2] * 2
    other = data.load(spec, seed=2, n_train=10, n_val=4, n_test=6)
    assert not torch.equal(other.train.groups, few.train.groups)
    assert len({whole.fingerprint, few.fingerprint, other.fingerprint}) == 3
    everything = data.load(spec, seed=1, n_val=0)
    assert set(everything.test.groups.tolist()) == set(whole.test.groups.tolist())
    assert len(everything.train) == len(whole.train) + len(whole.val)


@pytest.mark.parametrize("counts", [(10, 10), (40, 4), (7, 5, 3, 1)])
def test_every_stretch_of_the_order_holds_the_classes_in_proportion(counts, rng):
    labels = np.repeat(np.arange(len(counts)), counts)
    order = splits.even_order(labels, rng)
    assert sorted(order) == list(range(len(labels)))
    for n in range(len(labels) + 1):
        expected = n / len(labels) * np.array(counts)
        found = np.bincount(labels[order[:n]], minlength=len(counts))
        assert np.abs(found - expected).max() <= 1.5


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"n_train": 100}, "n_train must lie in 1..29, got 100"),
        ({"n_train": 5, "n_val": 30}, "n_train must lie in 1..2, got 5"),
        ({"n_val": 32}, "n_val must lie in 0..31, got 32"),
        ({"n_test": 9}, "n_test must lie in 1..8, got 9"),
        ({"n_test": 0}, "n_test must lie in 1..8, got 0"),
        ({"resolution": 7}, "resolution must lie in 8..512 px, got 7"),
    ],
)
def test_sizes_that_are_not_there(folder, sizes, words):
    assert words in refusal(f"imagefolder:{folder({'a': 20, 'b': 20})}", **sizes)


# --- images of all kinds


def test_grey_stays_grey_and_a_mixture_becomes_rgb(folder, picture):
    place = folder({"a": 20, "b": 20}, mode="L")
    grey = data.load(f"imagefolder:{place}")
    assert grey.input_shape == (1, 12, 12)
    assert len(grey.mean) == len(grey.std) == 1
    picture("RGB").save(place / "b" / "colour.png")
    mixed = data.load(f"imagefolder:{place}")
    assert mixed.input_shape == (3, 12, 12)
    assert len(mixed.mean) == 3


@pytest.mark.parametrize("mode", ["RGBA", "P", "CMYK", "1", "LA", "I;16"])
def test_pixels_of_every_mode(mode):
    """A white square on black, at half of the range where a mode has greys."""
    level = 255 if mode == "1" else 128
    array = np.zeros((8, 8), np.uint8)
    array[2:6, 2:6] = level
    if mode == "I;16":
        image = Image.fromarray(array.astype(np.uint16) * 256)
    else:
        image = Image.fromarray(array).convert("RGB")
        image = image.quantize() if mode == "P" else image.convert(mode)
    for channels in (1, 3) if mode in ("1", "LA", "I;16") else (3,):
        found = decode._pixels(image, decode.Frame(8, channels, None))
        assert found.shape == (channels, 8, 8)
        assert np.abs(found.astype(int) - array).max() <= 2


@pytest.mark.parametrize("mode", decode._GREY + decode._COLOUR)
def test_every_mode_that_is_let_in_can_be_used(mode):
    image = Image.new(mode, (8, 8), 2**15 if mode.startswith("I") else None)
    assert decode._pixels(image, decode.Frame(8, 3, None)).shape == (3, 8, 8)


@pytest.mark.parametrize(("mode", "level"), [("I;16", 0), ("RGBA", 255)])
def test_black_of_sixteen_bits_is_black_and_what_is_transparent_lies_on_white(mode, level):
    found = decode._pixels(Image.new(mode, (8, 8)), decode.Frame(8, 3, None))
    assert (found == level).all()


def test_one_image_that_is_too_large_is_an_error_without_a_warning(tmp_path):
    Image.new("1", (12_000, 8_000)).save(tmp_path / "huge.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="12000×8000 px are too many"):
            decode.one(tmp_path / "huge.png", 16, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_the_camera_was_held(tmp_path, orientation):
    upright = np.zeros((16, 12, 3), np.uint8)
    upright[:4, :6] = 255
    back = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE"}
    back |= {6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270"}
    stored = Image.fromarray(upright)
    if orientation in back:
        stored = stored.transpose(Image.Transpose[back[orientation]])
    tag = Image.Exif()
    tag[ExifTags.Base.Orientation] = orientation
    stored.save(tmp_path / "x.png", exif=tag)
    image = decode._upright({"bytes": None, "path": str(tmp_path / "x.png")})
    assert np.array_equal(np.asarray(image), upright)


def test_mixed_sizes_come_to_32_px_from_the_middle(folder):
    place = folder({"a": 20, "b": 20})
    wide = np.zeros((40, 120, 3), np.uint8)
    wide[:, 40:80] = 200  # the middle square
    Image.fromarray(wide).save(place / "a" / "wide.png")
    ds = data.load(f"imagefolder:{place}", n_val=0)
    assert ds.input_shape == (3, 32, 32)
    found = torch.cat([pixels(ds), pixels(ds, "test")])
    inside = (found[:, :, :, 1:-1] == 200).flatten(1).all(1)  # the filter reaches beyond the cut
    assert inside.sum() == 1


def test_names_in_any_script_and_other_files(folder):
    place = folder({"Käse [1]": 10, "猫 *": 10}, suffix=".JPG")
    (place / "Käse [1]" / "notes.txt").write_text("no image")
    (place / ".DS_Store").write_text("hidden")
    (place / "__MACOSX" / "猫 *").mkdir(parents=True)  # no class
    (place / "__MACOSX" / "猫 *" / "._000.png").touch()
    with pytest.warns(UserWarning, match=r"1 file\(s\) that are no images .* such as notes\.txt"):
        ds = data.load(f"imagefolder:{place}", n_val=0)
    assert ds.class_names == ("Käse [1]", "猫 *")
    assert len(ds.train) + len(ds.test) == 20


def test_one_size_is_kept_and_a_class_may_be_named_as_a_split(folder):
    ds = data.load(f"imagefolder:{folder({'train': 10, 'plane': 10}, size=(30, 20))}", n_val=0)
    assert ds.class_names == ("plane", "train")
    assert ds.input_shape == (3, 20, 20)  # by its shorter side
    assert len(ds.train) + len(ds.test) == 20


def test_large_images_need_a_resolution(folder):
    spec = f"imagefolder:{folder({'a': 5, 'b': 5}, size=(600, 513))}"
    assert "its images are 513 px: give a resolution in 8..512 px" in refusal(spec)
    assert data.load(spec, resolution=16, n_val=0).input_shape == (3, 16, 16)


@pytest.mark.parametrize("parts", [("",), ("train", "test")])
def test_folders_of_classes_may_be_links(folder, parts):
    place = folder({"a": 10, "b": 10, "c": 10}, parts)
    for part in parts:
        elsewhere = place.parent / f"elsewhere{part}"
        (place / part / "c").rename(elsewhere)
        (place / part / "c").symlink_to(elsewhere)
    ds = data.load(f"imagefolder:{place}", n_val=0)
    assert ds.class_names == ("a", "b", "c")
    assert len(ds.train) + len(ds.test) == 30 * len(parts)


def test_labels_from_a_metadata_table(folder):
    place = folder({"x": 20})
    lines = [f"x/{i:03}.png,{'odd' if i % 2 else 'even'}" for i in range(20)]
    (place / "metadata.csv").write_text("\n".join(["file_name,label", *lines]))
    ds = data.load(f"imagefolder:{place}", n_val=0)
    assert ds.class_names == ("even", "odd")
    assert (ds.train.y == ds.train.groups % 2).all()


# --- folders that cannot be used


def test_no_folder(tmp_path):
    assert f"{tmp_path}/none does not exist" in refusal(f"imagefolder:{tmp_path}/none")
    (tmp_path / "file").touch()
    assert "file is no folder" in refusal(f"parquet:{tmp_path}/file")
    (tmp_path / "empty").mkdir()
    assert "empty holds no files" in refusal(f"imagefolder:{tmp_path}/empty")


GONE, FOLDER = object(), object()
NOISE = (np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8),)
DARK = (np.full((12, 12), 4000, np.uint16),)
ALL = [f"{name}/{i:03}.png" for name in "ab" for i in range(12)]
ONE_EACH = dict.fromkeys([*ALL[1:12], *ALL[13:]], GONE)
LABELS = "\n".join(["file_name,label", *(f"{i:03}.png,{'ab'[i % 2]}" for i in range(12))])
# two splits of equal labels, told by tables
SPLITS = {f"{part}/{i:03}.png": NOISE for part in ("train", "test") for i in range(12)}
SPLITS |= {"a": GONE, "b": GONE, "train/metadata.csv": LABELS, "test/metadata.csv": LABELS}
TABLE_ABOVE = {"train/metadata.csv": GONE, "metadata.csv": LABELS}


def only(*names):
    """These images in place of the two classes."""
    return {"a": GONE, "b": GONE} | dict.fromkeys(names, NOISE)


Image.fromarray(*NOISE).save(png := io.BytesIO(), "PNG")
TORN = png.getvalue()[:100]
HUGE = ("1", (12_000, 8_000))
TOO_MANY = "(12000×8000 px are too many: shrink it)"
NO_IMAGE = "cannot use a/000.png (nothing that Pillow knows as an image); and 2 more"
FEW = "too few for each of training, validation"
OFF_RED = ("RGB", (64, 64), (21, 43, 65))  # its means float32 rounds


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"c": FOLDER}, "class c is empty: add images or remove it"),
        ({"a/000.png": b"nope", "b/001.png": TORN, "b/002.png": TORN}, NO_IMAGE),
        ({"a/huge.png": HUGE}, f"cannot use a/huge.png {TOO_MANY}"),
        ({"a/000.png": HUGE}, f"cannot use a/000.png {TOO_MANY}"),  # the first, read beforehand
        ({"a/x.png": ("1", (20_000, 9_000))}, "a/x.png (Image size (180000000 pixels) exceeds"),
        ({"b/dot.png": ("RGB", (1, 1))}, "b/dot.png (1×1 px show nothing): repair or remove"),
        ({"b/f.tiff": ("F", (8, 8))}, "cannot use b/f.tiff (pixels of mode F have no known range"),
        ({"b/x.png": DARK}, "cannot use b/x.png (16-bit grey with no value above 4000"),
        ({"a/more/x.png": NOISE}, "a/more/x.png does not lie as <class>/<image>"),
        ({"x.png": NOISE}, "x.png does not lie as <class>/<image>"),
        ({"test/a/0.png": NOISE}, "a/000.png does not lie as <split>/<class>/<image>"),
        ({"__c/0.png": NOISE}, "__c/0.png: folders that begin with __ would be left out"),
        (only() | {"x.txt": ""}, "holds no images, only files such as x.txt"),
        ({"b": GONE}, "there is only the class 'a': nothing to tell apart"),
        (dict.fromkeys(ALL[14:], GONE), f"class 'b' has 2 image(s), {FEW}"),
        (ONE_EACH, f"2 images of 2 classes are {FEW}"),
        (ONE_EACH | {"c/x.png": NOISE, "d/x.png": NOISE}, FEW),
        (dict.fromkeys(ALL, OFF_RED), "the training images are all of one colour"),
        (only("train/0.png", "test/0.png"), "test/0.png lies in no folder of a class: put it in"),
        (only("test/a/0.png", "test/b/0.png"), "there is no train split, only test"),
        (only("train/Cat/0.png", "test/cat/0.png"), "class 'Cat' has no image in test"),
        ({"a/metadata.csv": LABELS}, "a/metadata.csv: a table of labels lies beside"),
        ({"metadata.csv": "garbage"}, "metadata.csv has to name the columns file_name and label"),
        (SPLITS | TABLE_ABOVE, "metadata.csv: a table of labels lies in each split's"),
        (SPLITS | {"test/metadata.csv": GONE}, "test has no table of labels"),
        (SPLITS | {"c/x.png": NOISE}, "c/x.png lies in none of the splits' folders"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_in_a_line(folder, files, words):
    place = folder({"a": 12, "b": 12})
    for name, what in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if what is FOLDER:
            path.mkdir()
        elif what is GONE:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        elif isinstance(what, tuple):  # the arguments that make an image
            make = Image.fromarray if isinstance(what[0], np.ndarray) else Image.new
            make(*what).save(path)
        else:
            path.write_bytes(what if isinstance(what, bytes) else what.encode())
    with warnings.catch_warnings(record=True) as said:  # an error would be caught with the others
        warnings.simplefilter("always")
        assert words in refusal(f"imagefolder:{place}")
    assert not [w.message for w in said if not issubclass(w.category, ResourceWarning)]


def test_more_than_half_of_the_memory_is_refused(folder, monkeypatch):
    spec = f"imagefolder:{folder({'a': 10, 'b': 10})}"
    memory = SimpleNamespace(total=2 * 20 * 3 * 12 * 12 * 3)
    monkeypatch.setattr(splits.psutil, "virtual_memory", lambda: memory)
    assert "20 images at 12 px need" in refusal(spec, n_val=0)  # float32: 4 bytes a pixel
    assert len(data.load(spec, n_train=4, n_val=0, n_test=4).train) == 4
    assert "40 images" not in refusal(spec, n_val=0, resolution=64)  # bytes already


# --- parquet files that cannot be used


@pytest.mark.parametrize(
    ("labels", "names"),
    [([7, 3], ("3", "7")), (["ä", "b"], ("b", "ä")), ([-1, 1], ("-1", "1"))],
)
def test_labels_as_numbers_or_text(tables, labels, names):
    place = tables("x.parquet", kind=["?"] * 40, label=labels * 20)
    ds = data.load(f"parquet:{place}", n_val=0)
    assert ds.class_names == names
    expected = [names.index(str(labels[int(g) % 2])) for g in ds.train.groups]
    assert ds.train.y.tolist() == expected


ZERO_ONE = [0, 1] * 20
TWO_COLUMNS = "label, class could each be the label column: add ?label=label to the name"
NO_IMAGES = "cannot use image 0 of train (nothing that Pillow knows as an image); and 39 more"


@pytest.mark.parametrize(
    ("columns", "asked", "words"),
    [
        ({"kind": ZERO_ONE}, "", "no label column among image, kind: add ?label=<column>"),
        ({"kind": ZERO_ONE}, "?label=sort", "no column 'sort', only image, kind"),
        ({"label": ZERO_ONE, "class": ZERO_ONE}, "", TWO_COLUMNS),
        ({"label": ZERO_ONE}, "?image=label", "column 'label' holds no images"),
        ({"label": ZERO_ONE}, "?lable=label", "behind ? stands label=<column>, image=<column>"),
        ({"label": [None, *[0, 1, 1] * 13]}, "", "1 image(s) of train have no 'label'"),
        ({"label": [0.5, 1.5] * 20}, "", "'label' holds no classes"),
        ({"image": ZERO_ONE, "label": ZERO_ONE}, "", "no image column among image, label"),
        ({"image": [b"x", *[None] * 39], "label": ZERO_ONE}, "", NO_IMAGES),
    ],
)
def test_columns_that_cannot_be_used(tables, columns, asked, words):
    assert words in refusal(f"parquet:{tables(**columns)}{asked}")


def test_the_column_asked_for_is_taken(tables):
    place = tables(coarse=[0] * 20 + [1] * 20, fine=[0, 1, 2, 3] * 10)
    assert len(data.load(f"parquet:{place}?label=fine", n_val=0).class_names) == 4
    ds = data.load(f"parquet:{place}?image=image&label=coarse", n_val=0)
    assert len(ds.class_names) == 2


def test_damaged_tables(tables):
    place = tables("train.parquet", "test.parquet")
    file = place / "train.parquet"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    assert "train.parquet is damaged" in refusal(f"parquet:{place}")
    file.write_bytes(content[:40] + bytes(400) + content[440:])
    assert "cannot be read: " in refusal(f"parquet:{place}")
    parquet.write_table(pa.table({"image": [b"x"], "kind": [1]}), file)
    assert "has the columns image, kind" in refusal(f"parquet:{place}")
    parquet.write_table(pa.table({"image": pa.array([], "binary")}), file)
    assert "train.parquet holds no rows" in refusal(f"parquet:{place}")
    file.rename(place / "extra.parquet")
    shutil.copy(place / "test.parquet", place / "extra.parquet")
    assert "extra.parquet belongs to no split" in refusal(f"parquet:{place}")
    for name in ("extra", "test"):
        (place / f"{name}.parquet").rename(place / f"{name}.txt")
    assert "holds no file *.parquet" in refusal(f"parquet:{place}")


def test_splits_by_the_name_of_a_file():
    names = (
        "train-00000-of-00001.parquet",
        "data/test_0.parquet",
        "valid/0.parquet",
        "latest.parquet",
    )
    assert [*map(folders._split_of, names)] == ["train", "test", "validation", None]


# --- the hub


@pytest.fixture
def offline(monkeypatch):
    """The hub's library and `datasets` ask no network."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def test_without_a_network_the_hub_is_given_up_at_once(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://localhost:9")
    start = time.monotonic()
    assert "no answer from http://localhost:9" in refusal("hf:uoft-cs/cifar10")
    assert time.monotonic() - start < 10


@pytest.mark.usefixtures("offline")
def test_offline_and_not_in_the_cache(monkeypatch, tmp_path):
    assert "neither reached nor in Hugging Face's cache" in refusal("hf:nobody/nothing")
    assert "is no hub id" in refusal("hf:a/b/c")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert "'mine' is a path here" in refusal("hf:mine")


@pytest.fixture
def hub_gives(monkeypatch, offline):  # noqa: ARG001
    """Lets the hub, which is out of reach of a test, answer with the splits given; what it was
    asked for.
    """

    def prepare(image="image", label="label", **labels_of):
        names = datasets.ClassLabel(names=["x", "y"])
        features = datasets.Features({image: datasets.Image(), label: names})
        images = [Image.new("L", (8, 8), i) for i in range(20)]
        parts = datasets.DatasetDict()
        for part, labels in labels_of.items():
            rows = {image: images, label: labels}
            parts[part] = datasets.Dataset.from_dict(rows, features=features)

        def answer(*args, **options):
            asked.append((args, options))
            return parts

        monkeypatch.setattr(datasets, "load_dataset", answer)
        return asked

    asked = []
    return prepare


def test_a_set_of_the_hub_with_its_configuration_and_revision(hub_gives):
    labels = [0, 1] * 10
    asked = hub_gives("picture", "fine", train=labels, validation=labels, test=[-1] * 20)
    ds = data.load("hf:who/what:plain@v1")
    assert asked == [(("who/what", "plain"), {"revision": "v1"})]
    assert ds.class_names == ("x", "y")
    assert [len(getattr(ds, part)) for part in PARTS] == [16, 20, 4]  # the test split has no labels
    assert ds.input_shape == (1, 8, 8)
    data.load("hf:who/what:plain@v1")
    assert len(asked) == 1  # from the cache
    hub_gives(training=[0, 1] * 10, dev=[0, 1] * 10, test=[0, 1] * 10)
    assert [len(getattr(data.load("hf:a/b"), part)) for part in PARTS] == [20, 20, 20]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("Config name is missing.\nPlease pick one among: ['x', 'y']"), "'x', 'y'"),
        (ValueError("Config name is missing.\nPlease"), "write hf:a/b:<configuration>"),
        (ArithmeticError("an HTTP client's own"), "cannot be read: an HTTP client's own"),
        (FileNotFoundError("LocalEntryNotFoundError: files here"), "try again later"),
    ],
)
@pytest.mark.usefixtures("offline")
def test_whatever_the_hub_raises_is_one_line(monkeypatch, error, words):
    def fail(*_, **__):
        assert not logging.getLogger("huggingface_hub").isEnabledFor(logging.WARNING)  # of retries
        raise error

    monkeypatch.setattr(datasets, "load_dataset", fail)
    assert words in refusal("hf:a/b")


# --- the cache


def test_images_of_one_channel_are_no_images_of_one_colour(folder, rng):
    place = folder({"a": 12, "b": 12})
    for file in place.rglob("*.png"):
        green = np.zeros((12, 12, 3), np.uint8)
        green[..., 1] = rng.integers(0, 256, (12, 12))
        green[..., 2] = 77
        Image.fromarray(green).save(file)
    ds = data.load(f"imagefolder:{place}", n_val=0)
    assert ds.std[0] == ds.std[2] == 1  # nothing to divide by
    assert ds.test.x.abs().max() < 10
    assert torch.equal(pixels(ds, "test")[:, 2], torch.full_like(pixels(ds, "test")[:, 2], 77))


def negative(file):
    """Turn the image into another of equal size and time of change."""
    before = file.stat()
    Image.eval(Image.open(file), lambda level: 255 - level).save(file, "BMP")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size


def test_a_folder_is_known_by_its_place_not_by_how_it_is_written(folder, monkeypatch, tmp_path):
    place = folder({"a": 10, "b": 10}, suffix=".bmp")
    for name in ("here", "there"):
        shutil.copytree(place, tmp_path / name / "pics")
    for file in (tmp_path / "there" / "pics").rglob("*.bmp"):
        negative(file)
    monkeypatch.chdir(tmp_path / "here")
    first = data.load("imagefolder:pics", n_val=0)
    assert data.load("imagefolder:./pics", n_val=0).fingerprint == first.fingerprint
    monkeypatch.chdir(tmp_path / "there")
    other = data.load("imagefolder:pics", n_val=0)
    assert torch.equal(pixels(other), 255 - pixels(first))
    monkeypatch.setenv("HOME", str(tmp_path / "here"))
    assert data.load("imagefolder:~/pics", n_val=0).fingerprint == first.fingerprint


@pytest.mark.parametrize("name", ["000.png", "__x.png"])
def test_a_file_replaced_by_one_of_equal_size_and_time_is_read_again(folder, name):
    place = folder({"a": 10, "b": 10}, suffix=".bmp")  # whatever it shows, of one size
    file = (place / "a" / "000.bmp").rename(place / "a" / name)
    first = data.load(f"imagefolder:{place}", n_val=0)
    negative(file)
    assert data.load(f"imagefolder:{place}", n_val=0).fingerprint != first.fingerprint


def test_a_changed_file_is_read_again_and_an_emptied_class_refused(folder):
    place = folder({"a": 10, "b": 10})
    first = data.load(f"imagefolder:{place}", n_val=0)
    moved = place.rename(place.parent / "moved")
    assert data.load(f"imagefolder:{moved}", n_val=0).fingerprint == first.fingerprint
    Image.new("RGB", (12, 12)).save(moved / "a" / "000.png")
    assert data.load(f"imagefolder:{moved}", n_val=0).fingerprint != first.fingerprint
    (moved / "c").mkdir()  # although the images are kept
    assert "class c is empty" in refusal(f"imagefolder:{moved}")


@pytest.mark.parametrize("how", ["read only", "no folder"])
def test_a_cache_that_cannot_be_written_stops_nobody(folder, cache_folder, how):
    if how == "no folder":
        cache_folder.write_text("no folder")
    elif os.geteuid():
        cache_folder.mkdir(mode=0o500)
    else:
        pytest.skip("root may write everywhere")
    with pytest.warns(UserWarning, match="going on without"):
        assert len(data.load(f"imagefolder:{folder({'a': 10, 'b': 10})}", n_val=0).train) == 16
