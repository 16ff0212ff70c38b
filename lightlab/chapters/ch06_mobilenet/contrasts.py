"""What came of trainings that are compared: differences within seeds, and a line through all.

`results` as of `family.train_all`: one row per network, length of training and seed.
"""

import numpy as np
import pandas as pd

from lightlab.measure import stats


def differences(
    results: pd.DataFrame,
    first: str,
    second: str,
    comparison: str,
    *,
    later: int = 0,
    published: float = np.nan,
) -> pd.DataFrame:
    """Accuracy of the network `first` minus that of `second`, within seeds, for every length.

    With `later` 1 the first is taken from the next length on: as many MACs spent by `lengths`.
    Columns: comparison, length (in words), epochs (of `second`), seed, difference, mean, ci_low,
    ci_high (% points, 95 %), published.
    """
    by_name = results.groupby("name")
    a, b = (
        by_name.get_group(name).pivot(index="seed", columns="epochs", values="accuracy")
        for name in (first, second)
    )
    rows = []
    for longer, epochs in zip(a.columns[later:], b.columns, strict=False):
        difference = a[longer] - b[epochs]
        mean, low, high = stats.mean_ci(difference)
        found = pd.DataFrame({"seed": a.index, "difference": difference.to_numpy()})
        found["comparison"], found["epochs"] = comparison, epochs
        found["length"] = f"{longer:.3g} against {epochs:.3g}" if later else f"{epochs:.3g}"
        found["length"] += " epoch" if epochs == 1 else " epochs"
        found["mean"], found["ci_low"], found["ci_high"] = mean, low, high
        rows.append(found.assign(published=published))
    return pd.concat(rows, ignore_index=True)


def summary(pairs: pd.DataFrame) -> pd.DataFrame:
    """`differences` in one row per comparison and length, with what the interval says of it.

    Columns: comparison, trained, difference, ci_low, ci_high (% points), seeds, published, reading:
    the first is "ahead" or "behind" where the whole interval is, else it is "undecided".
    """
    keys = ["comparison", "length", "mean", "ci_low", "ci_high", "published"]
    rows = pairs.groupby(keys, sort=False, dropna=False).size().rename("seeds").reset_index()
    rows["reading"] = np.select(
        [rows["ci_low"] > 0, rows["ci_high"] < 0], ["ahead", "behind"], "undecided"
    )
    rows = rows.rename(columns={"length": "trained", "mean": "difference"})
    order = ["comparison", "trained", "difference", "ci_low", "ci_high", "seeds", "reading"]
    return rows[[*order, "published"]]


def trained(results: pd.DataFrame) -> pd.DataFrame:
    """One row per network and length of training: macs, params, epochs, accuracy (mean) with
    ci_low and ci_high, seeds, loss and seconds (means).
    """
    keys = ["name", "resolution", "macs", "params", "epochs"]
    rows = stats.grouped_ci(results, keys, "accuracy")
    means = results.groupby(keys)[["loss", "seconds"]].mean().reset_index()
    return rows.rename(columns={"mean": "accuracy", "n": "seeds"}).merge(means, on=keys)


def last(pairs: pd.DataFrame, comparison: str) -> np.ndarray:
    """The differences of one comparison after the longest training, one per seed."""
    found = pairs[pairs["comparison"] == comparison]
    return found.loc[found["epochs"] == found["epochs"].max(), "difference"].to_numpy()


def log_linear(points: pd.DataFrame, thinnest: float) -> pd.DataFrame:
    """The line accuracy = intercept + slope · log10(MACs) through all but the thinnest networks.

    `points`: width_mult, macs, accuracy, seed. One row per seed: intercept, slope (% points per
    tenfold MACs), r2 (of the points that the line was fitted to) and jump: how far the networks of
    width `thinnest` lie under the line, on average. ValueError on fewer than three points for the
    line, or none of that width.
    """
    rows = []
    for seed, part in points.groupby("seed"):
        thin = part["width_mult"] == thinnest
        x, y = np.log10(part["macs"].to_numpy(float)), part["accuracy"].to_numpy()
        if (n := int((~thin).sum())) < 3:
            raise ValueError(
                f"a line through {n} networks says nothing: more widths or resolutions"
            )
        if not thin.any():
            raise ValueError(f"no network has the width {thinnest:g}")
        slope, intercept = np.polyfit(x[~thin], y[~thin], 1)
        left = y - (intercept + slope * x)
        r2 = 1 - np.var(left[~thin]) / np.var(y[~thin])
        rows.append((seed, intercept, slope, r2, -left[thin].mean()))
    return pd.DataFrame(rows, columns=["seed", "intercept", "slope", "r2", "jump"])


def line(fit: pd.DataFrame, macs: pd.Series) -> pd.DataFrame:
    """The mean line of `log_linear` from the least to the most MACs: columns macs, mean."""
    ends = np.array([macs.min() / 1.2, macs.max() * 1.2])
    return pd.DataFrame(
        {"macs": ends, "mean": fit["intercept"].mean() + fit["slope"].mean() * np.log10(ends)}
    )
