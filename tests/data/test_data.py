"""Data sets: real digits, drawn clutter, disjoint splits, the cache."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from sklearn.datasets import load_digits

from lightlab import data
from lightlab.data import embedded, splits

SMALL = {"n_train": 60, "n_val": 20, "n_test": 30}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LIGHTLAB_CACHE", str(tmp_path))
    return tmp_path


def test_digits_are_scikit_learns():
    ds = data.load("digits", seed=3)
    source = load_digits()
    split = ds.test
    pixels = split.x[:, 0] * ds.std[0] + ds.mean[0]
    original = torch.tensor(source.images[split.groups.numpy()] / 16)
    assert torch.allclose(pixels.double(), original, atol=0.5 / 255 + 1e-6)  # kept in 8 bits
    assert split.y.tolist() == source.target[split.groups.numpy()].tolist()
    assert [len(s) for s in (ds.train, ds.val, ds.test)] == [1097, 200, 500]


@pytest.mark.parametrize("spec", ["digits", "cluttered-digits"])
def test_no_digit_is_in_two_splits(spec):
    ds = data.load(spec, seed=1, n_train=900, n_val=150, n_test=300)
    groups = [set(s.groups.tolist()) for s in (ds.train, ds.val, ds.test)]
    assert len(set.union(*groups)) == sum(map(len, groups))
    labels = load_digits().target
    for split in (ds.train, ds.val, ds.test):
        assert split.y.tolist() == labels[split.groups.numpy()].tolist()


@pytest.mark.parametrize("resolution", [8, 16, 24, 32, 48])
def test_standardised_at_every_resolution(resolution):
    ds = data.load(resolution=resolution, **SMALL)
    assert ds.train.x.shape == (60, 1, resolution, resolution)
    assert ds.input_shape == (1, resolution, resolution)
    assert ds.train.x.dtype == torch.float32
    assert ds.train.y.dtype == torch.int64
    assert ds.train.x.mean().item() == pytest.approx(0, abs=1e-5)
    assert ds.train.x.std().item() == pytest.approx(1, abs=1e-5)
    assert ds.val.x.std().item() != pytest.approx(1, abs=1e-5)  # by the training pixels


def test_pictures_are_the_same_on_every_machine():
    """A constant: other pictures under the same version would make recorded results wrong."""
    images, index = embedded.draw(load_digits().images[:50] / 16, 40, embedded.Clutter(), [7])
    assert int(images.long().sum()) == 1_153_236
    assert int(index.sum()) == 1_123


def test_equal_settings_equal_pictures_and_the_fingerprint_tells_what_differs():
    changes = ({}, {"n_test": 31}, {"resolution": 16}, {"difficulty": 0.5}, {"seed": 1})
    found = [data.load(**{**SMALL, **change}) for change in (*changes, {})]
    assert len({ds.fingerprint for ds in found}) == len(changes)
    assert torch.equal(found[0].train.x, found[-1].train.x)
    assert not torch.equal(found[0].train.x, found[-2].train.x)


def test_fewer_images_are_the_first_of_more():
    few, many = (data.load(n_train=n, n_val=0, n_test=1) for n in (30, 700))
    pixels = [ds.train.x * ds.std[0] + ds.mean[0] for ds in (few, many)]
    assert torch.allclose(pixels[0], pixels[1][:30], atol=1e-6)
    assert torch.equal(few.train.y, many.train.y[:30])


def test_difficulty_zero_is_a_clean_digit_in_the_middle():
    ds = data.load(difficulty=0.0, **SMALL)
    pixels = ds.train.x[:, 0] * ds.std[0] + ds.mean[0]
    ink = pixels.double()
    rows = (ink.sum(2) * torch.arange(32)).sum(1) / ink.sum((1, 2))
    assert (rows - 15.5).abs().max() < 2.5  # the digits themselves are not quite centred
    assert pixels[:, :8].max() < 1e-6  # 14 px of digit in the middle: nothing in the margin
    noisy = data.load(difficulty=2.0, **SMALL)
    assert (noisy.train.x[:, 0, :8] * noisy.std[0] + noisy.mean[0]).mean() > 0.05


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), side=st.floats(8, 30), wander=st.floats(0, 1))
def test_a_digit_stays_on_the_canvas(seed, side, wander):
    """Upright, its ink is what it was before: none is cut off at the border."""
    style = embedded.Clutter((side, side), wander, rotation=0, fragments=0, noise=0)
    images, _ = embedded.draw(np.ones((1, 8, 8)), 5, style, [seed])
    ink = images.double().sum((1, 2, 3)) / 255
    assert torch.allclose(ink, torch.full_like(ink, side**2), rtol=0.06)


def test_twelve_thousand_pictures_in_seconds():
    """The bar is 3 s of quiet time; a busy machine may take twice as much processor time."""
    start = time.process_time()
    embedded.draw(load_digits().images / 16, 12_000, embedded.Clutter(), [0])
    assert time.process_time() - start < 6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"spec": "digit"}, "unknown data set 'digit': choose one of digits, cluttered-digits"),
        ({"spec": "digits", "n_train": 2000}, "digits: n_train must lie in 1..1097, got 2000"),
        ({"n_train": 0}, "n_train must lie in 1..100000, got 0"),
        ({"n_test": 100_001}, "n_test must lie in 1..100000"),
        ({"n_val": -1}, "n_val must lie in 0.."),
        ({"resolution": 7}, "resolution must lie in 8..64 px, got 7"),
        ({"difficulty": 2.1}, "difficulty must lie in 0..2, got 2.1"),
        ({"difficulty": float("nan")}, "difficulty must lie in 0..2, got nan"),
        ({"difficulty": "much"}, "difficulty has to be a number, got 'much'"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"seed": 1.5}, "seed has to be a whole number"),
        ({"n_train": True}, "n_train has to be a whole number"),
        ({"resolution": 16.5}, "resolution has to be a whole number"),
    ],
)
def test_what_cannot_be_had_is_said_in_a_line(arguments, words):
    with pytest.raises(ValueError, match=words.replace(".", r"\.")) as error:
        data.load(**arguments)
    assert "\n" not in str(error.value)


def test_the_second_time_comes_from_the_cache(folder, monkeypatch):
    first = data.load(**SMALL)
    monkeypatch.setattr(embedded, "draw", None)
    assert torch.equal(data.load(**SMALL).train.x, first.train.x)
    assert data.load(resolution=16, **SMALL).train.x.shape[-1] == 16  # one drawing, all sizes
    assert [p.suffix for p in folder.iterdir()] == [".safetensors"]


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "other"])
def test_a_damaged_cache_is_made_anew_and_said_so(folder, damage):
    first = data.load(**SMALL)
    (path,) = folder.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "other":
        save_file({"train_x": np.zeros((60, 1, 32, 32), np.uint8)}, path, {"sha256": "0" * 64})
    else:
        content[-len(content) // 3] ^= damage == "bit"
        path.write_bytes(content[: {"cut": len(content) // 2, "empty": 0}.get(damage)])
    with pytest.warns(UserWarning, match="is damaged .*made anew"):
        again = data.load(**SMALL)
    assert torch.equal(first.train.x, again.train.x)
    assert torch.equal(data.load(**SMALL).train.x, first.train.x)  # mended, no warning


@settings(max_examples=15)
@given(k=st.integers(2, 8), seed=st.integers(0, 100))
def test_folds_share_no_digit_and_cover_everything(k, seed):
    split = _labelled(200, 80, seed)
    folds = list(data.k_folds(split, np.int64(k), seed))
    assert len(folds) == k
    assert sorted(torch.cat([fold.x[:, 0, 0, 0] for _, fold in folds]).tolist()) == list(range(200))
    for rest, fold in folds:
        assert len(rest) + len(fold) == 200
        assert not set(rest.groups.tolist()) & set(fold.groups.tolist())


def test_folds_keep_the_classes_even():
    split = data.load("digits", n_train=600).train
    for _, fold in data.k_folds(split, 3, seed=0):
        shares = torch.bincount(fold.y, minlength=10) / len(fold)
        whole = torch.bincount(split.y, minlength=10) / len(split)
        assert (shares - whole).abs().max() < 0.015


def _labelled(n: int, n_groups: int, seed: int) -> data.Split:
    """Images whose first pixel is their number."""
    rng = np.random.default_rng(seed)
    groups = torch.from_numpy(
        np.concatenate([np.arange(n_groups), rng.integers(n_groups, size=n - n_groups)])
    )
    x = torch.arange(n, dtype=torch.float32).view(-1, 1, 1, 1).expand(n, 1, 8, 8)
    return data.Split(x, groups % 10, groups)


def test_numbers_of_any_type_are_taken():
    how = {"seed": 1, "resolution": 16, "difficulty": 0.5, "n_train": 30, "n_val": 0, "n_test": 20}
    types = (np.int64, np.int64, np.float32, np.int64, float, np.int32)
    same = {name: kind(value) for (name, value), kind in zip(how.items(), types, strict=True)}
    first = data.load("cluttered-digits", **how).fingerprint
    assert data.load("cluttered-digits", **same).fingerprint == first


def test_drawn_images_that_memory_cannot_hold_are_refused(monkeypatch):
    monkeypatch.setattr(splits.psutil, "virtual_memory", lambda: SimpleNamespace(total=2000))
    with pytest.raises(ValueError, match="more than half of this machine's memory"):
        data.load("digits", n_train=20, n_val=0, n_test=20)


@pytest.mark.parametrize(
    ("n", "n_groups", "how", "words"),
    [
        (10, 5, {"k": 1}, r"k must lie in 2\.\.5"),
        (10, 5, {"k": 6}, r"k must lie in 2\.\.5"),
        (20, 20, {"k": 5}, r"5 folds need a class of 5 images.* largest has 2"),
        (40, 20, {"k": 2.5}, "k has to be a whole number, got 2.5"),
        (40, 20, {"k": 2, "seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_impossible_folds(n, n_groups, how, words):
    with pytest.raises(ValueError, match=words):
        next(data.k_folds(_labelled(n, n_groups, 0), **how))


def test_images_do_not_depend_on_the_number_of_threads():
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(data.load("cluttered-digits", n_train=3000, n_val=0, n_test=10))
    finally:
        torch.set_num_threads(before)
    assert found[0].mean == found[1].mean
    assert torch.equal(found[0].train.x, found[1].train.x)
