"""`load`: one spec, one data set in memory.

Images from outside are read and decoded once, kept whole, then cut as asked.
"""

import json
import os
import tempfile
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lightlab import disk
from lightlab.data import decode, embedded, folders, hub, splits
from lightlab.data.splits import PARTS, DataSet, Split, check_memory, naming, whole

KINDS = ("hf", "parquet", "imagefolder")
_VERSION = 2  # raise it when a change makes other pixels from the same files


@dataclass(frozen=True)
class Kept:
    """All images of a source, uint8 (N, C, S, S), their labels, and the SHA-256 of it all."""

    images: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    class_names: tuple[str, ...]
    sha256: str


def read(kind: str, place: str, resolution: int | None, columns: dict[str, str]) -> Kept:
    """The images of a source at `resolution` px, from the cache if they were decoded before: those
    of a folder while names, sizes, times and inodes are the same, those of the hub by name and
    revision.
    """
    asked, state = f"{kind}:{place}", place
    if kind != "hf":
        place = os.path.realpath(os.path.expanduser(place))
        with naming(f"{kind}:{place}"):
            state = [place, folders.listing(place)]
    settings = {"kind": kind, "state": state, "version": _VERSION, "resolution": resolution}
    settings |= {"columns": [columns.get("image"), columns.get("label")]}

    def make() -> dict[str, np.ndarray]:
        with tempfile.TemporaryDirectory(prefix="lightlab-", ignore_cleanup_errors=True) as scratch:
            with naming(f"{kind}:{place}"):
                records, labels, class_names = hub.opened(kind, place, columns, scratch)
            with naming(asked):
                _check_classes(labels, class_names)
                images = decode.images(records, resolution, asked)
        names = np.frombuffer(json.dumps(class_names).encode(), dtype=np.uint8)
        made = {f"{split}_x": x for split, x in images.items()}
        return made | {f"{s}_y": y for s, y in labels.items()} | {"class_names": names}

    arrays, sha256 = disk.cached_arrays(f"{kind}-{disk.digest(settings)[:16]}", make)
    splits = [part for part in PARTS if f"{part}_x" in arrays]
    return Kept(
        images={s: arrays[f"{s}_x"] for s in splits},
        labels={s: arrays[f"{s}_y"] for s in splits},
        class_names=tuple(json.loads(arrays["class_names"].tobytes())),
        sha256=sha256,
    )


def _check_classes(labels: dict[str, np.ndarray], names: tuple[str, ...]) -> None:
    if len(names) < 2:
        raise ValueError(f"there is only the class {names[0]!r}: nothing to tell apart")
    for split, own in labels.items():
        counts = np.bincount(own, minlength=len(names))
        for name in (names[i] for i in np.flatnonzero(counts == 0)):
            others = ", ".join(s for s in labels if s != split) or "any other split"
            raise ValueError(
                f"class {name!r} has no image in {split} (it may be in {others}): classes "
                "have to be the same in all splits, letter by letter"
            )


SPECS = (*embedded.SPECS, *(f"{kind}:…" for kind in KINDS))
_LEAST_STD = 1 / 255 / 100  # of a channel that is not constant
_CHUNK = 2048  # images made float32 at a time: what is worked on stays in the processor's cache


def load(
    spec: str = "cluttered-digits",
    *,
    seed: int = 0,
    n_train: int | None = None,
    n_val: int | None = None,
    n_test: int | None = None,
    resolution: int | None = None,
    difficulty: float = 1.0,
) -> DataSet:
    """Load or draw a data set: images in memory, standardised by the training pixels.

    `spec` is `digits` (scikit-learn's, 8 px), `cluttered-digits` (32 px, `difficulty` 0..2),
    `hf:<hub id>[:<configuration>][@<revision>]`, `parquet:<dir>` or `imagefolder:<dir>`. Those
    from outside are decoded once, at `resolution`, and kept (`disk.cached_arrays`); hub data is
    not asked for anew as long as it is kept. Their test and validation splits are the source's;
    where it has none, the first fifth of its training images in the order of `seed` is the test
    split, and a tenth of what remains the validation split. Near-duplicates across such a cut
    cannot be known. `seed` orders the images so that every class comes up evenly, and decides
    which digits go where; a smaller `n_…` gives the first images of a larger one.

    Images are turned upright, cropped to the middle square and resized with a low-pass filter.
    Without `resolution` they keep their shorter side if all have one size, and come to 32 px
    otherwise. They are RGB, transparent parts on white; 1-channel only if all are grey. Greys of
    16 bits are scaled by 1/256; images of 12 bits or fewer stored in 16 are refused. Where several
    columns could be meant, `?label=<column>&image=<column>` behind the spec says which.

    ValueError for sizes that the set does not have, a resolution outside 8..64 px (digits) or
    8..512 px, a source that cannot be read whole, and images that would fill half of the memory.
    """
    seed = whole("seed", seed, least=0)
    resolution = None if resolution is None else whole("resolution", resolution)
    asked = {
        part: None if n is None else whole(f"n_{part}", n)
        for part, n in (("train", n_train), ("val", n_val), ("test", n_test))
    }
    kind, _, place = spec.partition(":")
    is_embedded = spec in embedded.SPECS
    if not is_embedded and not (kind in KINDS and place):
        raise ValueError(f"unknown data set {spec!r}: choose one of {', '.join(SPECS)}")
    allowed = embedded.RESOLUTIONS if is_embedded else decode.RESOLUTIONS
    if resolution is not None and resolution not in allowed:
        ends = f"{allowed.start}..{allowed.stop - 1}"
        raise ValueError(f"resolution must lie in {ends} px, got {resolution}")
    if is_embedded:
        settings, raw = embedded.read(spec, seed, asked, difficulty)
        with naming(spec):
            return _embedded(settings, raw, resolution)
    place, columns = _columns(spec, place)
    kept = read(kind, place, resolution, columns)
    with naming(spec):
        return _external(spec, kept, seed, asked)


def _columns(spec: str, place: str) -> tuple[str, dict[str, str]]:
    where, mark, query = place.rpartition("?")
    if not mark or os.path.exists(os.path.expanduser(place)):
        return place, {}
    columns = dict(pair.partition("=")[::2] for pair in query.split("&"))
    if not columns.keys() <= {"image", "label"} or not all(columns.values()):
        raise ValueError(f"{spec}: behind ? stands label=<column>, image=<column>, or both with &")
    return where, columns


def _embedded(settings: dict, raw: dict[str, np.ndarray], resolution: int | None) -> DataSet:
    side = resolution or raw["train_x"].shape[-1]
    n, channels = sum(len(raw[f"{part}_x"]) for part in PARTS), raw["train_x"].shape[1]
    check_memory(n, (channels, side, side), np.float32)
    how, x = {"mode": "bilinear", "antialias": True, "align_corners": False}, {}
    for part in PARTS:
        images = torch.from_numpy(raw[f"{part}_x"]).float() / 255
        if not len(images):
            images = images.new_zeros(0, channels, side, side)
        elif side != images.shape[-1]:
            images = F.interpolate(images, (side, side), **how)
        x[part] = images
    chosen = {part: (raw[f"{part}_y"], raw[f"{part}_groups"]) for part in PARTS}
    content = (raw[f"{part}_{what}"] for part in PARTS for what in ("x", "y", "groups"))
    fingerprint = disk.digest({**settings, "resolution": resolution}, *content)
    return _finish(settings["spec"], x, chosen, embedded.CLASS_NAMES, fingerprint)


def _external(spec: str, kept: Kept, seed: int, asked: dict[str, int | None]) -> DataSet:
    index = splits.cut(kept.labels, kept.class_names, seed, asked)
    sizes = {part: len(rows) for part, (_, rows) in index.items()}
    check_memory(sum(sizes.values()), kept.images["train"].shape[1:], np.float32)
    first, n = {}, 0  # the number of a split's first image when all are counted through
    for split in kept.labels:
        first[split], n = n, n + len(kept.labels[split])
    x = {part: _gather(kept.images[split], rows) for part, (split, rows) in index.items()}
    chosen = {part: (kept.labels[s][rows], rows + first[s]) for part, (s, rows) in index.items()}
    fingerprint = disk.digest({"sha256": kept.sha256, "seed": seed, "sizes": sizes})
    return _finish(spec, x, chosen, kept.class_names, fingerprint)


def _gather(images: np.ndarray, rows: np.ndarray) -> Tensor:
    flat = images.reshape(len(images), -1)  # taking whole rows is much faster than an index in 4-D
    x = torch.empty(len(rows), flat.shape[1])
    for start in range(0, len(rows), _CHUNK):
        part = torch.from_numpy(flat.take(rows[start : start + _CHUNK], axis=0))
        torch.div(part, 255, out=x[start : start + _CHUNK])
    return x.view(len(rows), *images.shape[1:])


def _moments(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation by channel, summed in 64 bits and rounded to 32: sums in 32 bits,
    and all that is trained on them, depend on the number of threads.
    """
    sums, squares = torch.zeros(2, images.shape[1], dtype=torch.float64)
    for part in images.split(_CHUNK):
        wide = part.double()
        sums += wide.sum((0, 2, 3))
        squares += wide.square_().sum((0, 2, 3))
    n = images[:, 0].numel()
    mean = sums / n
    variance = (squares - n * mean**2).clamp(min=0) / max(1, n - 1)
    return tuple(mean.float().tolist()), tuple(variance.sqrt().float().tolist())


def _finish(
    spec: str,
    x: dict[str, Tensor],
    chosen: dict[str, tuple[np.ndarray, np.ndarray]],
    class_names: tuple[str, ...],
    fingerprint: str,
) -> DataSet:
    """Standardise in place by the training pixels; a channel that never changes is divided by 1."""
    mean, std = _moments(x["train"])
    if max(std) < _LEAST_STD:
        raise ValueError("the training images are all of one colour: nothing to learn")
    std = tuple(s if s >= _LEAST_STD else 1.0 for s in std)
    splits = {}
    for part, (y, groups) in chosen.items():
        for c, (m, s) in enumerate(zip(mean, std, strict=True)):
            x[part][:, c].sub_(m).div_(s)
        splits[part] = Split(x[part], torch.from_numpy(y), torch.from_numpy(groups))
    return DataSet(
        spec=spec, **splits, class_names=class_names, mean=mean, std=std, fingerprint=fingerprint
    )
