"""Pictures of a delivered model."""

import io

import numpy as np
import pandas as pd

from lightlab.fit import figures as plots

NAMES = ("$5_$10", "$under_$20")  # formulas, if they were taken for such


def test_names_of_classes_are_no_formulas():
    pairs = [(a, b, 1) for a in NAMES for b in NAMES]
    confusion = plots.confusion(pd.DataFrame(pairs, columns=["true", "said", "images"]))
    rows = {"class": NAMES, "images": 2, "recognised": 50.0, "low": 10.0, "high": 90.0,
            "taken_for": NAMES[::-1]}  # fmt: skip
    classes = plots.classes(pd.DataFrame(rows))
    pixels = [np.zeros((4, 4, 1)) for _ in NAMES]
    shown = {"class": NAMES, "said": NAMES[::-1], "sure": 0.9, "pixels": pixels}
    for figure in (confusion, classes, plots.examples(pd.DataFrame(shown))):
        figure.savefig(io.BytesIO(), format="png")
