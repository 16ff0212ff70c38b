"""Image data through Hugging Face `datasets`: from the hub, parquet files, folders of images."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lightlab.data import folders

if TYPE_CHECKING:
    from datasets import Dataset

_PARTS = {"train": "train", "test": "test", "validation": "val"}
_LABELS = ("label", "labels", "class", "target", "y")  # names of a column without class names
_BINARY = ("binary", "large_binary")
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_REACH_S = 5.0


@dataclass(frozen=True)
class Records:
    """Encoded images of one split; a slice gives dicts of `bytes` or `path`, and `name`."""

    column: Any
    split: str
    root: str

    def __len__(self) -> int:
        return len(self.column)

    def __getitem__(self, rows: slice) -> list[dict[str, Any]]:
        found = []
        for i, one in enumerate(self.column[rows], rows.start or 0):
            content, path = (one[key] if one else None for key in ("bytes", "path"))
            name = f"image {i} of {self.split}" + (f" ({path})" if path else "")
            if path and content is None:
                name = os.path.relpath(path, self.root) if self.root else path
            found.append({"bytes": content, "path": path, "name": name})
        return found


def opened(
    kind: str, place: str, columns: dict[str, str], scratch: str
) -> tuple[dict[str, Records], dict[str, np.ndarray], tuple[str, ...]]:
    """By split the records of images and labels 0..K-1, and the K names, of the source that a spec
    names; what `datasets` writes for a local one goes to `scratch`.
    """
    from datasets import ClassLabel, Image

    parts = _from_hub(place) if kind == "hf" else _local(kind, place, scratch)
    splits: dict[str, Dataset] = {}
    for name in sorted(parts, key=_PARTS.__contains__):  # where both are, `validation` over `dev`
        split = folders.SPLITS.get(name.lower())
        if split and len(parts[name]):
            splits[_PARTS[split]] = parts[name]
    if "train" not in splits:
        raise ValueError(f"there is no train split, only {', '.join(parts) or 'nothing'}")
    features = splits["train"].features
    image = _image_column(features, columns.get("image"))
    named = [name for name, feature in features.items() if isinstance(feature, ClassLabel)]
    usual = [name for name in features if name.lower() in _LABELS and name != image]
    label = _only("label", named or usual, features, columns.get("label"))
    labels, names = _labels(splits, label)
    root = os.path.abspath(place) if kind == "imagefolder" else ""
    encoded = {
        split: part.select_columns(image).cast_column(image, Image(decode=False))
        for split, part in splits.items()
    }
    records = {split: Records(part[image], split, root) for split, part in encoded.items()}
    return records, {s: labels[s] for s in records}, names


def _local(kind: str, place: str, scratch: str) -> Mapping[str, "Dataset"]:
    """The splits of a folder, as `datasets` reads them without asking any network."""
    import datasets

    files = folders.parquet_files(place) if kind == "parquet" else folders.image_patterns(place)
    options = {} if kind == "parquet" else {"drop_labels": False}
    with _quiet():
        try:
            return datasets.load_dataset(kind, data_files=files, cache_dir=scratch, **options)
        except Exception as error:  # its readers of tables raise whatever they meet
            reason = _first_line(error.__cause__ or error)
            tables = [n for n in folders.file_names(place) if os.path.basename(n) in folders.TABLES]
            if kind == "imagefolder" and tables:
                reason = f"{reason} ({tables[0]} has to name the columns file_name and label)"
            raise ValueError(f"cannot be read: {reason}") from None


@contextmanager
def _quiet(bars: bool = False) -> Iterator[None]:
    """No log of `datasets` and the hub for what a ValueError says, and no short `bars`."""
    import datasets
    from huggingface_hub import logging as hub_logging

    shown = not datasets.are_progress_bars_disabled()
    loggers = (datasets.logging, hub_logging)
    levels = [logger.get_verbosity() for logger in loggers]
    if not bars:
        datasets.disable_progress_bars()
    for logger in loggers:
        logger.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.set_verbosity(level)
        if shown:
            datasets.enable_progress_bars()


def _from_hub(place: str) -> Mapping[str, "Dataset"]:
    """The splits of a data set on the hub, or of its copy in Hugging Face's cache when offline."""
    import datasets
    from huggingface_hub import constants

    name, _, revision = place.partition("@")
    name, _, configuration = name.partition(":")
    if not _HUB_ID.fullmatch(name):
        raise ValueError(f"{name!r} is no hub id: it looks like `uoft-cs/cifar10`")
    if os.path.exists(name):
        raise ValueError(f"{name!r} is a path here: say parquet:{name} or imagefolder:{name}")
    if not constants.HF_HUB_OFFLINE:
        _check_reached(constants.ENDPOINT)
    try:
        with _quiet(bars=True):
            return datasets.load_dataset(name, configuration or None, revision=revision or None)
    except datasets.exceptions.DatasetNotFoundError:
        raise ValueError(
            "the hub has no such data set, or not for everybody: check its name, or log in with "
            "`hf auth login`"
        ) from None
    except ConnectionError as error:
        raise ValueError(
            f"neither reached nor in Hugging Face's cache ({_first_line(error)}): load it "
            "once with a network, without HF_HUB_OFFLINE"
        ) from None
    except Exception as error:  # of the hub's HTTP client, or of a reader of its files
        reason = _first_line(error)
        if "Config name is missing" in reason:  # the second line holds the names
            reason = " ".join(str(error).splitlines()[:2])
            reason = f"{reason}: write hf:{name}:<configuration>"
        elif "LocalEntryNotFoundError" in reason:  # it speaks of files here and of our network
            reason = "the hub answered with an error: try again later"
        raise ValueError(f"cannot be read: {reason}") from None


def _check_reached(endpoint: str) -> None:
    """One short request: without a network `datasets` itself would try for half a minute."""
    from huggingface_hub import get_session

    try:
        get_session().head(endpoint, timeout=_REACH_S)
    except Exception as error:  # of whatever HTTP client the hub's library is built on
        raise ValueError(
            f"no answer from {endpoint} ({_first_line(error)}): check the network, or set "
            "HF_HUB_OFFLINE=1 to use what is in Hugging Face's cache"
        ) from None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _image_column(features: Mapping[str, Any], asked: str | None) -> str:
    from datasets import Image

    def holds_images(feature: Any) -> bool:
        if isinstance(feature, dict):
            return set(feature) == {"bytes", "path"}
        return isinstance(feature, Image) or getattr(feature, "dtype", "") in _BINARY

    found = [name for name, feature in features.items() if holds_images(feature)]
    if asked in features and asked not in found:
        raise ValueError(f"column {asked!r} holds no images")
    return _only("image", found, features, asked)


def _only(kind: str, found: list[str], features: Mapping[str, Any], asked: str | None) -> str:
    if asked is not None:
        if asked not in features:
            raise ValueError(f"no column {asked!r}, only {', '.join(features)}")
        return asked
    if not found:
        names = ", ".join(features)
        raise ValueError(f"no {kind} column among {names}: add ?{kind}=<column> to the name")
    if len(found) > 1:
        names, how = ", ".join(found), f"add ?{kind}={found[0]} to the name"
        raise ValueError(f"{names} could each be the {kind} column: {how}")
    return found[0]


def _labels(
    splits: dict[str, "Dataset"], column: str
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Labels 0..K-1 of every split and the K class names; a split without labels is left out."""
    values = {split: list(part[column][:]) for split, part in splits.items()}
    kinds = {type(v) for own in values.values() for v in own if v is not None}
    if len(kinds) != 1 or not kinds <= {int, str, bool}:
        raise ValueError(f"{column!r} holds no classes: they are whole numbers or text")
    named = getattr(splits["train"].features[column], "names", None)
    none = {None, -1} if named else {None}
    for split in [s for s, own in values.items() if s != "train" and set(own) <= none]:
        del values[split], splits[split]
    for split, own in values.items():
        n_without = sum(v in none for v in own)
        if n_without:
            raise ValueError(f"{n_without} image(s) of {split} have no {column!r}")
    if named is None:
        kept = sorted({v for own in values.values() for v in own})
        number = {value: i for i, value in enumerate(kept)}
        values = {split: [number[v] for v in own] for split, own in values.items()}
        named = map(str, kept)
    return {s: np.array(own, dtype=np.int64) for s, own in values.items()}, tuple(named)
