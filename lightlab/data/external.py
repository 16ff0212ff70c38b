"""Data sets from outside: read and decoded once, kept whole, then cut as asked."""

import json
import os
import tempfile
from dataclasses import dataclass

import numpy as np

from lightlab.data import decode, folders, hub
from lightlab.data.splits import PARTS, DataError
from lightlab.measure import cache

KINDS = ("hf", "parquet", "imagefolder")
_VERSION = 2  # raise it when a change makes other pixels from the same files


@dataclass(frozen=True)
class Kept:
    """All images of a source, uint8 (N, C, S, S), their labels, and the SHA-256 of it all."""

    images: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    class_names: tuple[str, ...]
    sha256: str

    def first(self, split: str) -> int:
        """The number of the first image of `split` when all splits are counted through."""
        before = PARTS[: PARTS.index(split)]
        return sum(len(self.labels[s]) for s in before if s in self.labels)


def read(
    kind: str,
    place: str,
    resolution: int | None,
    image_column: str | None,
    label_column: str | None,
) -> Kept:
    """The images of a source at `resolution` px; from the cache if they were decoded before.

    What is kept is that of a local folder as long as its place, its folders' names and its files'
    names, sizes, times and inodes are the same, and that of the hub by its name and revision.
    DataError says what cannot be read.
    """
    what = f"{kind}:{place}"
    state: object = place
    if kind != "hf":
        place = os.path.realpath(os.path.expanduser(place))
        state = [place, folders.listing(kind, place)]
    settings = {"kind": kind, "state": state, "version": _VERSION, "resolution": resolution}
    settings |= {"columns": [image_column, label_column]}

    def make() -> dict[str, np.ndarray]:
        with tempfile.TemporaryDirectory(prefix="lightlab-", ignore_cleanup_errors=True) as scratch:
            source = hub.opened(kind, place, image_column, label_column, scratch)
            _check_classes(what, source.labels, source.class_names)
            images = decode.images(source.records, resolution, what)
        names = np.frombuffer(json.dumps(source.class_names).encode(), dtype=np.uint8)
        made = {f"{split}_x": x for split, x in images.items()}
        return made | {f"{s}_y": y for s, y in source.labels.items()} | {"class_names": names}

    arrays, sha256 = cache.arrays(f"{kind}-{cache.digest(settings)[:16]}", make)
    splits = [part for part in PARTS if f"{part}_x" in arrays]
    return Kept(
        images={s: arrays[f"{s}_x"] for s in splits},
        labels={s: arrays[f"{s}_y"] for s in splits},
        class_names=tuple(json.loads(arrays["class_names"].tobytes())),
        sha256=sha256,
    )


def _check_classes(what: str, labels: dict[str, np.ndarray], names: tuple[str, ...]) -> None:
    """DataError unless there are two classes and each has images in every split."""
    if len(names) < 2:
        raise DataError(f"{what}: there is only the class {names[0]!r}: nothing to tell apart")
    for split, own in labels.items():
        counts = np.bincount(own, minlength=len(names))
        for name in (names[i] for i in np.flatnonzero(counts == 0)):
            others = ", ".join(s for s in labels if s != split) or "any other split"
            raise DataError(
                f"{what}: class {name!r} has no image in {split} (it may be in {others}): classes "
                "have to be the same in all splits, letter by letter"
            )
