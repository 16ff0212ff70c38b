"""What a model file says about an image file."""

from pathlib import Path

import numpy as np
import pandas as pd

from lightlab.data import DataError, decode
from lightlab.deploy.facts import facts_of
from lightlab.deploy.model import DeployError, session


class Predictor:
    """A file of `export_onnx` or `quantize_int8`, loaded once for many images; `facts` is what it
    says about itself. DeployError where it is missing or damaged.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        self._session = session(path, threads)
        self.facts = facts_of(self._session, path)

    def __call__(self, image_file: str | Path) -> pd.DataFrame:
        """Columns class and probability, the likeliest first, for any image that Pillow reads.

        It is turned, cut, made grey or RGB and resized as training images are (`data.decode`), and
        standardised with the mean and std of the model's metadata. DeployError where it is missing
        or damaged, or where the answer is not finite.
        """
        facts = self.facts
        channels, side, _ = facts.input_shape
        try:
            pixels = decode.one(image_file, side, channels)
        except DataError as e:
            raise DeployError(str(e)) from e
        mean, std = (np.float32(v)[:, None, None] for v in (facts.mean, facts.std))
        images = ((np.float32(pixels) / 255 - mean) / std)[None]
        [logits] = self._session.run(None, {"input": images})[0].astype(float)
        if not np.isfinite(logits).all():
            raise DeployError(f"the model answers {image_file} with NaN or infinity")
        odds = np.exp(logits - logits.max())
        table = pd.DataFrame({"class": facts.class_names, "probability": odds / odds.sum()})
        return table.sort_values("probability", ascending=False, kind="stable", ignore_index=True)
