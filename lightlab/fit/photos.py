"""The user's images, with enough of them to choose on."""

import os

from lightlab import data
from lightlab.data import DataSet
from lightlab.data.splits import TooFewError

FEW = 2000  # training and validation images, below which a quarter of them validates
_VAL_SHARE = 0.25


def loaded(spec: str, *, seed: int = 0, n_eval: int | None = None, **how: object) -> DataSet:
    """`data.load` of a spec or a folder's path, with `n_eval` validation and test images if given.

    Of a small data set without validation images of its own a quarter validates, not a tenth: every
    choice is made on them, and rare classes have some.
    """
    if os.path.isdir(spec):
        spec = f"imagefolder:{spec}"
    elif ":" not in spec and spec not in data.SPECS:
        how = "give a folder with one folder of images for each class, parquet:… or hf:…"
        raise ValueError(f"{os.path.abspath(spec)}: there is no such folder: {how}")
    if n_eval is not None:
        return data.load(spec, seed=seed, n_val=n_eval, n_test=n_eval, **how)
    try:
        images = data.load(spec, seed=seed, **how)
    except TooFewError:  # of some class a tenth has no image
        n = len(data.load(spec, seed=seed, n_val=0, **how).train)
        images = data.load(spec, seed=seed, n_val=round(_VAL_SHARE * n), **how)
        if len(images.val.y.unique()) < len(images.class_names):
            raise
        return images
    n = len(images.train) + len(images.val)
    # Cut from the training images: their numbers lie among those of these, else behind them.
    cut = len(images.val) and images.val.groups.min() < images.train.groups.max()
    if spec in data.SPECS or n >= FEW or not cut:
        return images
    n_val = max(len(images.val), round(_VAL_SHARE * n))
    return data.load(spec, seed=seed, n_val=n_val, **how)
