"""From encoded images to uint8 arrays: upright, square, one size, grey or RGB."""

import functools
import os
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm.auto import tqdm

from lightlab.data.splits import check_memory

RESOLUTIONS = range(8, 513)
MIXED_PX = 32  # side where images differ in size and nobody asked for one
LEAST_PX = 2  # an image with a shorter side shows nothing
_GREY = ("1", "L", "LA", "I;16", "I;16B", "I;16L", "I;16N")
_COLOUR = ("RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV")
_LEAST_LEVELS = 4096  # 16-bit images that stay below are of 12 bits or fewer, or nearly black
_BATCH = 64
_THREADED_BYTES = 16_384  # smaller files spend their time in Python, where threads only wait
# an image that is too large is an error of ours, not a warning of Pillow's
_no_warning = functools.partial(
    warnings.catch_warnings, action="ignore", category=Image.DecompressionBombWarning
)
Records = Sequence[dict[str, Any]]  # per image: `bytes` or `path`, and `name`


@dataclass(frozen=True)
class Frame:
    """What all images come to; `size` is the one that all have if `side` was taken from it."""

    side: int
    channels: int
    size: tuple[int, int] | None


class Misfit(Exception):
    """An image is not as the first one let expect; the argument is a `Frame` that fits both."""


def images(
    sources: Mapping[str, Records], resolution: int | None, what: str
) -> dict[str, np.ndarray]:
    """Every split as uint8 (N, C, S, S); ValueError counts the images that cannot be read.

    Size and channels are those of the first readable image; if others differ, all is read again, at
    32 px or in RGB. Greys of 16 bits become the upper 8; those that use only the lower 12 are
    refused, since their range is not known.
    """
    frame = _first_frame(sources["train"], resolution)
    while True:  # a second time at most for size and once for colour
        if frame.side not in RESOLUTIONS:
            allowed = f"{RESOLUTIONS.start}..{RESOLUTIONS.stop - 1} px"
            raise ValueError(f"its images are {frame.side} px: give a resolution in {allowed}")
        try:
            return _all(sources, frame, what)
        except Misfit as misfit:
            (frame,) = misfit.args


def one(file: str | os.PathLike, side: int, channels: int) -> np.ndarray:
    """One image as uint8 (C, S, S); colours become grey for one channel. ValueError if it cannot be
    used.
    """
    frame = Frame(side, 3, None)
    try:
        with _no_warning():
            image = _upright({"bytes": None, "path": file}, frame)
        if channels == 1 and image.mode in _GREY:
            return _pixels(image, replace(frame, channels=1))
        pixels = _pixels(image, frame)
    except FileNotFoundError:
        raise ValueError(f"{file}: there is no such file") from None
    except Exception as error:  # decoders of damaged files raise whatever they meet
        raise ValueError(f"{file}: is no image that can be used ({_words(error)})") from error
    if channels == 3:
        return pixels
    return np.asarray(Image.fromarray(pixels.transpose(1, 2, 0)).convert("L"))[None]


def _first_frame(records: Records, resolution: int | None) -> Frame:
    for i in range(len(records)):
        try:
            with _no_warning():
                image = _upright(records[i : i + 1][0])
        except Exception:  # it is named among the others below
            continue
        size = image.size if resolution is None else None
        return Frame(resolution or min(image.size), 1 if image.mode in _GREY else 3, size)
    return Frame(resolution or MIXED_PX, 3, None)


def _all(sources: Mapping[str, Records], frame: Frame, what: str) -> dict[str, np.ndarray]:
    """Every split in `frame`, batch by batch; Misfit as soon as an image does not fit."""
    total = sum(len(records) for records in sources.values())
    check_memory(total, (frame.channels, frame.side, frame.side), np.uint8)
    done = {
        split: np.empty((len(records), frame.channels, frame.side, frame.side), np.uint8)
        for split, records in sources.items()
    }
    batches = [
        (records, at, done[split])
        for split, records in sources.items()
        for at in range(0, len(records), _BATCH)
    ]
    sizes = [
        os.path.getsize(r["path"]) if r["bytes"] is None else len(r["bytes"])
        for r in sources["train"][0:_BATCH]
        if r["bytes"] is not None or os.path.isfile(r["path"] or "")
    ]
    threaded = sizes and np.mean(sizes) > _THREADED_BYTES
    pool = ThreadPoolExecutor((os.cpu_count() or 1) if threaded else 1)
    try:
        with _no_warning(), tqdm(total=total, desc=f"decoding {what}", unit="image") as bar:
            faults: list[str] = []
            for found, n in pool.map(lambda batch: _batch(*batch, frame), batches):
                faults += found
                bar.update(n)
    finally:
        pool.shutdown(cancel_futures=True)
    if faults:
        more = f"; and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise ValueError(f"cannot use {faults[0]}{more}: repair or remove")
    return done


def _batch(records: Records, at: int, out: np.ndarray, frame: Frame) -> tuple[list[str], int]:
    """Decode some images into `out`; what cannot be used, in words, and how many there were."""
    faults, batch = [], records[at : at + _BATCH]
    for i, record in enumerate(batch, start=at):
        try:
            out[i] = _pixels(_upright(record, frame), frame)
        except Misfit:
            raise
        except Exception as error:  # decoders of damaged files raise whatever they meet
            faults.append(f"{record['name']} ({_words(error)})")
    return faults, len(batch)


def _upright(record: dict[str, Any], frame: Frame | None = None) -> Image.Image:
    """The image as its camera was held; ValueError for one that shows nothing or is too large."""
    if record["bytes"] is None and record["path"] is None:
        raise ValueError("there is no image")
    content = record["path"] if record["bytes"] is None else BytesIO(record["bytes"])
    with Image.open(content) as image:
        if image.width * image.height > Image.MAX_IMAGE_PIXELS:
            raise ValueError(f"{image.width}×{image.height} px are too many: shrink it")
        if min(image.size) < LEAST_PX:
            raise ValueError(f"{image.width}×{image.height} px show nothing")
        if image.mode not in _GREY + _COLOUR:
            raise ValueError(f"pixels of mode {image.mode} have no known range: save 8-bit ones")
        if frame is not None:
            image.draft(None, (2 * frame.side, 2 * frame.side))  # large JPEGs: decode fewer pixels
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return image


def _pixels(image: Image.Image, frame: Frame) -> np.ndarray:
    """The middle square as uint8 (C, S, S), transparent parts on white."""
    if frame.channels == 1 and image.mode not in _GREY:
        raise Misfit(replace(frame, channels=3))
    if frame.size not in (None, image.size):
        raise Misfit(replace(frame, side=MIXED_PX, size=None))
    if image.mode.startswith("I;16"):  # Pillow's own conversion cuts off instead of scaling
        levels = np.asarray(image)
        if 0 < levels.max() < _LEAST_LEVELS:
            raise ValueError(
                f"16-bit grey with no value above {levels.max()}: of how many bits? save 8-bit ones"
            )
        image = Image.fromarray((levels >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L" if frame.channels == 1 else "RGB")
    if image.size != (frame.side, frame.side):
        image = ImageOps.fit(image, (frame.side, frame.side), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[None] if frame.channels == 1 else pixels.transpose(2, 0, 1)


def _words(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # its own words are an address in memory
        return "nothing that Pillow knows as an image"
    return " ".join(str(error).split()) or type(error).__name__
