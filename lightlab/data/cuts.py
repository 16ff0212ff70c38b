"""Which image goes where: a seeded order in which classes come up evenly, and cuts through it."""

import numpy as np

from lightlab.data.splits import PARTS, DataError, TooFewError

TEST_SHARE = 0.2  # of the training images, where the source has no test split
VAL_SHARE = 0.1  # of what then remains, where it has no validation split
Cut = dict[str, tuple[str, np.ndarray]]  # part -> split of the source, rows in it


def even_order(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random order of which every stretch holds the classes in their proportions.

    Folders are sorted by class: the first images as they lie would be of one class.
    """
    place = np.empty(len(labels))
    for label in np.unique(labels):
        own = rng.permutation(np.flatnonzero(labels == label))
        place[own] = (np.arange(len(own)) + 0.5) / len(own)
    return np.lexsort((rng.random(len(labels)), place))


def cut(
    spec: str,
    labels: dict[str, np.ndarray],
    names: tuple[str, ...],
    seed: int,
    asked: dict[str, int | None],
) -> Cut:
    """Rows for the three parts; the source's own splits where `labels` has them.

    Validation images are taken from one end of the training order and training images from the
    other, so that neither depends on the number of the other. DataError for a size that cannot be
    had, and for a class that a part of default size would miss.
    """
    orders = {
        part: even_order(labels[part], np.random.default_rng([seed, tag]))
        for tag, part in enumerate(PARTS)
        if part in labels
    }
    rest, source = orders["train"], {part: part if part in labels else "train" for part in PARTS}
    if "test" not in labels:
        at = _share(TEST_SHARE, len(rest), len(names))
        orders["test"], rest = rest[:at], rest[at:]
    if not len(rest):
        raise DataError(
            f"{spec}: {len(labels['train'])} images of {len(names)} classes are too few for each "
            "of training, validation and test: add images, or give a test split"
        )
    n_test = size(spec, "test", asked["test"], len(orders["test"]), len(orders["test"]))
    if "val" in labels:
        n_val = size(spec, "val", asked["val"], len(orders["val"]), len(orders["val"]))
    else:
        most = len(rest) - 1
        default = min(_share(VAL_SHARE, len(rest), len(names)), most)
        n_val = size(spec, "val", asked["val"], default, most)
        orders["val"], rest = rest[:n_val], rest[n_val:]
    orders["train"] = rest[::-1]
    n_train = size(spec, "train", asked["train"], len(rest), len(rest))
    for part in PARTS:
        if asked[part] is None or (part == "test" and "test" not in labels):
            _check_whole(spec, part, labels, source[part], orders[part], names)
    sizes = {"train": n_train, "val": n_val, "test": n_test}
    return {part: (source[part], orders[part][: sizes[part]]) for part in PARTS}


def _share(share: float, n: int, n_classes: int) -> int:
    """Images of a cut: a share of all, and of a small set enough for one image a class."""
    return max(round(share * n), n_classes)


def size(spec: str, part: str, asked: int | None, default: int, most: int) -> int:
    """Images of a part; DataError where there are not as many as asked for."""
    n = default if asked is None else asked
    least = 0 if part == "val" else 1
    if not least <= n <= most:
        raise DataError(f"{spec}: n_{part} must lie in {least}..{most}, got {n}")
    return n


def _check_whole(
    spec: str,
    part: str,
    labels: dict[str, np.ndarray],
    source: str,
    rows: np.ndarray,
    names: tuple[str, ...],
) -> None:
    """TooFewError for a class of which a part that was cut here has no image."""
    if source == part != "train" or not len(rows):
        return
    missing = np.setdiff1d(range(len(names)), labels[source][rows])
    if len(missing):
        name, n = names[missing[0]], np.sum(labels[source] == missing[0])
        raise TooFewError(
            f"{spec}: class {name!r} has {n} image(s), too few for each of training, validation "
            f"and test ({part} would have none): add images, or give a test split"
        )
