"""What lies in a folder of parquet files or images, and which split it belongs to."""

import glob
import os
import re
import warnings
from collections import Counter
from pathlib import Path

SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
SPLITS |= dict.fromkeys(("validation", "valid", "val", "dev"), "validation")
TABLES = {"metadata.csv", "metadata.jsonl", "metadata.parquet"}  # `datasets` takes labels from it
File = tuple[str, int, int, int, int]  # relative name, bytes, ns of content and of change, inode


def listing(place: str) -> list[File]:
    """Every file below `place`, sorted, hidden ones left out; folders end in / and have zeros."""
    if not os.path.isdir(place):
        wrong = "is no folder" if os.path.exists(place) else "does not exist"
        raise ValueError(f"{os.path.abspath(place)} {wrong}")
    try:
        found = _below(place, "")
    except OSError as error:
        raise ValueError(f"{error.filename}: {error.strerror}") from None
    if all(name.endswith("/") for name, *_ in found):
        raise ValueError(f"{os.path.abspath(place)} holds no files")
    return sorted(found)


def file_names(place: str) -> list[str]:
    return [name for name, *_ in listing(place) if not name.endswith("/")]


def _below(folder: str, prefix: str) -> list[File]:
    """By scandir: with 50,000 files it takes half the time of Path.rglob and stat."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                name = f"{prefix}{entry.name}/"
                found += [(name, 0, 0, 0, 0), *_below(entry.path, name)]
            else:
                s = entry.stat()
                times = s.st_mtime_ns, s.st_ctime_ns  # a copy may keep the former
                found.append((prefix + entry.name, s.st_size, *times, s.st_ino))
    return found


def parquet_files(place: str) -> dict[str, list[str]]:
    """Files per split, told by a word of their path: `train-00000-of-00001.parquet`, `test/0`."""
    import pyarrow
    from pyarrow import parquet

    names = [name for name in file_names(place) if name.endswith(".parquet")]
    if not names:
        raise ValueError("holds no file *.parquet")
    columns: dict[str, list[str]] = {}
    for name in names:
        try:
            facts = parquet.read_metadata(os.path.join(place, name))
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"{name} is damaged ({error}): fetch it anew") from None
        if not facts.num_rows:
            raise ValueError(f"{name} holds no rows")
        columns[name] = sorted(facts.schema.to_arrow_schema().names)
        if columns[name] != columns[names[0]]:
            first, own = (", ".join(columns[n]) for n in (names[0], name))
            raise ValueError(f"{name} has the columns {own}, {names[0]} has {first}")
    told, files = {name: _split_of(name) for name in names}, {}
    for name, split in told.items():
        if split is None and any(told.values()):
            raise ValueError(
                f"{name} belongs to no split: put train, validation or test in its name, or in no "
                "file's name"
            )
        files.setdefault(split or "train", []).append(glob.escape(os.path.join(place, name)))
    return files


def _split_of(name: str) -> str | None:
    words = re.split(r"[^a-z]+", name.lower())
    return next((SPLITS[word] for word in words if word in SPLITS), None)


def image_patterns(place: str) -> dict[str, list[str]]:
    """Globs per split of `<class>/<image>` or `<split>/<class>/<image>`.

    ValueError for other layouts and empty classes: `datasets` silently leaves out what it does not
    expect.
    """
    names = [tuple(name.split("/")) for name in file_names(place)]
    if any(name[-1] in TABLES for name in names):
        tops = {n[0] for n in names if n[0].lower() in SPLITS and len(n) > 1}
        _check_tables(names, tops)
    else:
        tops = {n[0] for n in names if n[0].lower() in SPLITS and len(n) > 2}
        _check_layout(place, names, tops)
    patterns: dict[str, list[str]] = {}
    for top in sorted(tops) or ["."]:
        where = os.path.join(os.path.abspath(place), top) if tops else os.path.abspath(place)
        split = SPLITS[top.lower()] if tops else "train"
        with os.scandir(where) as entries:  # ** does not go into folders that are links
            seen = (e for e in entries if not e.name.startswith("."))
            links = sorted(e.path for e in seen if e.is_symlink() and e.is_dir())
        patterns.setdefault(split, []).extend(
            os.path.join(glob.escape(p), "**") for p in (where, *links)
        )
    return patterns


def _images(names: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Those that are images; ValueError for one in a folder that `datasets` silently leaves out."""
    from datasets.packaged_modules.imagefolder.imagefolder import ImageFolder

    images = [name for name in names if Path(name[-1]).suffix.lower() in ImageFolder.EXTENSIONS]
    for name in images:
        if any(part.startswith("__") for part in name[:-1]):
            what = "folders that begin with __ would be left out: rename or remove it"
            raise ValueError(f"{'/'.join(name)}: {what}")
    return images


def _check_tables(names: list[tuple[str, ...]], tops: set[str]) -> None:
    expected = {(top,) for top in tops} or {()}
    where = "in each split's folder" if tops else "beside the images' folders"
    found = {name[:-1]: name for name in names if name[-1] in TABLES}
    for folder, name in found.items():
        if folder not in expected:
            raise ValueError(f"{'/'.join(name)}: a table of labels lies {where}, not here")
    for folder in sorted(expected - found.keys()):
        raise ValueError(f"{folder[0]} has no table of labels: it lies {where}, or nowhere")
    for name in _images(names):
        if tops and name[0] not in tops:
            raise ValueError(f"{'/'.join(name)} lies in none of the splits' folders")


def _check_layout(place: str, names: list[tuple[str, ...]], tops: set[str]) -> None:
    depth = 3 if tops else 2
    images = _images(names)
    if not images:
        raise ValueError(f"holds no images, only files such as {'/'.join(names[0])}")
    if not tops and {name[0].lower() for name in images if len(name) == 2} <= SPLITS.keys():
        where = f"lies in no folder of a class: put it in {images[0][0]}/<class>/"
        raise ValueError(f"{'/'.join(images[0])} {where}")
    expected = "<split>/<class>/<image>" if tops else "<class>/<image>"
    for name in images:
        if len(name) != depth or (tops and name[0] not in tops):
            raise ValueError(f"{'/'.join(name)} does not lie as {expected}")
    filled = {name[:-1] for name in images}
    for top in sorted(tops) or [""]:
        for folder in sorted(Path(place, top).iterdir()):
            own = (top, folder.name) if tops else (folder.name,)
            is_class = folder.is_dir() and not folder.name.startswith((".", "__"))
            if is_class and own not in filled:
                raise ValueError(f"class {'/'.join(own)} is empty: add images or remove it")
    other = Counter(name[-1] for name in names) - Counter(name[-1] for name in images)
    if other:
        some = (
            f"{other.total()} file(s) that are no images are left out, such as {next(iter(other))}"
        )
        warnings.warn(f"imagefolder:{place}: {some}", stacklevel=2)
