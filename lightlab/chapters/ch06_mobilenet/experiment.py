"""Small MobileNets side by side: lengths of training, differences within seeds, a line, times.

A network is a row of a frame: name, arch (as text), width_mult, resolution, macs, params; `results`
have a row per network, length of training and seed, with the test accuracy in per cent.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lightlab import latency, train
from lightlab.data import DataSet
from lightlab.measure import cost, stats
from lightlab.space import scaling
from lightlab.space.arch import decode, encode
from lightlab.space.scaling import adapt

FULL, SEPARABLE, AS_MANY_MACS = "full", "separable", "separable, as many MACs"
THIN, SHALLOW = "thin", "shallow"
_NEAR = 0.06  # how far MACs may be apart that are called equal
_WIDTHS_TRIED = 40  # steps of width, more than it takes to pass by what is near
_SOURCES = {FULL: "mobilenet_32_full", SHALLOW: "mobilenet_32_shallow"}


def network(
    name: str, images: DataSet, width_mult: float, resolution: int | None = None
) -> dict[str, Any]:
    """The network `name` (one that is not known here is the separable one), made for `images`."""
    channels, side, _ = images.input_shape
    arch = adapt(
        scaling.get(_SOURCES.get(name, "mobilenet_32"), width_mult=width_mult),
        resolution=resolution or side,
        in_channels=channels,
        n_classes=len(images.class_names),
        min_map=1,  # every stride stays: a multiplier must not change the network otherwise
    )
    return {
        "name": name,
        "arch": encode(arch),
        "width_mult": width_mult,
        "resolution": arch.resolution,
        "macs": cost.macs(arch),
        "params": cost.param_count(arch),
    }


def matching(name: str, images: DataSet, macs: int) -> dict[str, Any]:
    """The network `name` of the width (in steps of 0.005) that takes within 6 per cent of `macs`:
    of several the one with most channels in eights (some runtimes are slow with others), then the
    closest. ValueError where there is none.
    """
    widths = range(1, 2000)  # MACs never fall when the width grows
    least = (1 - _NEAR) * macs
    low = 1 + bisect_left(widths, least, key=lambda w: network(name, images, w / 200)["macs"])
    around = [network(name, images, width / 200) for width in range(low, low + _WIDTHS_TRIED)]
    close = [found for found in around if abs(found["macs"] / macs - 1) <= _NEAR]
    if not close:
        closest = min(around, key=lambda found: abs(found["macs"] - macs))
        none = f"no width of {name!r} comes within {_NEAR:.0%} of {macs} MACs"
        hint = "choose another width for the network that it is to match"
        raise ValueError(f"{none} (closest {closest['macs']}): {hint}")

    def preference(found: dict[str, Any]) -> tuple[float, int]:
        odd = [block.out_channels % 8 > 0 for block in decode(found["arch"]).blocks]
        return sum(odd) / len(odd), abs(found["macs"] - macs)

    return min(close, key=preference)


def operators(images: DataSet, width_mult: float) -> pd.DataFrame:
    """The full-convolution network, its separable twin, and the separable one of equal MACs."""
    full = network(FULL, images, width_mult)
    twin = network(SEPARABLE, images, width_mult)
    return pd.DataFrame([full, twin, matching(AS_MANY_MACS, images, full["macs"])])


def depth_or_width(images: DataSet, width_mult: float) -> pd.DataFrame:
    """The deep network, thin, and the shallow and wider one of equal MACs (MobileNet table 5)."""
    thin = network(THIN, images, width_mult)
    return pd.DataFrame([thin, matching(SHALLOW, images, thin["macs"])])


def grid(images: DataSet, widths: Iterable[float], resolutions: Iterable[int]) -> pd.DataFrame:
    """The separable network in all widths and resolutions."""
    return pd.DataFrame(
        [network(f"{w:g} at {r} px", images, w, r) for w in widths for r in resolutions]
    )


def lengths(networks: pd.DataFrame, epochs: float, n: int) -> list[float]:
    """`n` lengths of training from `epochs` on, each longer by the ratio of the twins' MACs: at one
    the separable network has spent as much as the full one at the length before.
    """
    macs = networks.set_index("name")["macs"]
    return [epochs * (macs[FULL] / macs[SEPARABLE]) ** i for i in range(n)]


def trainings(
    networks: pd.DataFrame, epochs: Iterable[float], seeds: Iterable[int]
) -> pd.DataFrame:
    """Each network with each length of training and each seed."""
    each = pd.DataFrame(product(epochs, seeds), columns=["epochs", "seed"])
    return networks.merge(each, how="cross")


def train_all(
    wanted: pd.DataFrame,
    images: Mapping[int, DataSet],
    recipe: train.Recipe,
    resume: Path | None = None,
) -> pd.DataFrame:
    """Train what `trainings` lists, each different one once, on `images` by resolution, and test it
    at the end (%). train_macs: of training; seconds: of one core; loss: of the last epoch.
    """
    key = ["arch", "epochs", "seed"]
    different = wanted.drop_duplicates(key)
    longest = np.argsort(-different["macs"] * different["epochs"], kind="stable")
    jobs = {
        (t.arch, t.epochs, t.seed): train.Job(
            decode(t.arch),
            images[t.resolution].train,
            replace(recipe, epochs=t.epochs),
            seed=t.seed,
            test=images[t.resolution].test,
            name=f"{t.name}, {t.epochs:.3g} epochs, seed {t.seed}",
        )
        for t in different.iloc[longest].itertuples()  # these first
    }
    found = train.tabulate(train.train_each(jobs, resume=resume), *key)
    found = found.rename(columns={"macs": "train_macs"}).drop(columns="samples")
    return wanted.merge(found, on=key)


def differences(
    results: pd.DataFrame,
    first: str,
    second: str,
    comparison: str,
    *,
    later: int = 0,
    published: float = np.nan,
) -> pd.DataFrame:
    """Accuracy of the network `first` minus that of `second` (% points), within seeds, by length;
    with `later` 1 the first has trained for the next length: as many MACs spent by `lengths`.
    """
    a, b = (results[results["name"] == name] for name in (first, second))
    rows = []
    for longer, epochs in zip(np.unique(a["epochs"])[later:], np.unique(b["epochs"]), strict=False):
        both = pd.concat([a[a["epochs"] == longer], b[b["epochs"] == epochs]])
        difference = stats.paired(both, "accuracy", "name", first, second)
        mean, low, high = stats.mean_ci(difference)
        length = f"{longer:.3g} against {epochs:.3g}" if later else f"{epochs:.3g}"
        said = {"comparison": comparison, "epochs": epochs}
        said["length"] = length + (" epoch" if epochs == 1 else " epochs")
        said |= {"mean": mean, "ci_low": low, "ci_high": high, "published": published}
        rows.append(difference.rename("difference").reset_index().assign(**said))
    return pd.concat(rows, ignore_index=True)


def summary(pairs: pd.DataFrame) -> pd.DataFrame:
    """`differences` by comparison and length: "ahead" or "behind" where the whole interval is."""
    keys = ["comparison", "length", "mean", "ci_low", "ci_high", "published"]
    rows = pairs.groupby(keys, sort=False, dropna=False).size().rename("seeds").reset_index()
    rows["reading"] = np.select(
        [rows["ci_low"] > 0, rows["ci_high"] < 0], ["ahead", "behind"], "undecided"
    )
    rows = rows.rename(columns={"length": "trained", "mean": "difference"})
    return rows.assign(published=rows.pop("published"))  # behind the others


def last(pairs: pd.DataFrame, comparison: str) -> np.ndarray:
    """The differences of one comparison after the longest training, one per seed."""
    found = pairs[pairs["comparison"] == comparison]
    return found.loc[found["epochs"] == found["epochs"].max(), "difference"].to_numpy()


def log_linear(points: pd.DataFrame, thinnest: float) -> pd.DataFrame:
    """The line accuracy = intercept + slope · log10(MACs) through all but the thinnest networks, by
    seed, r2 of its points, and jump: how far the networks of width `thinnest` lie under it, on
    average. ValueError on fewer than three points, or none of that width.
    """
    rows = []
    for seed, part in points.groupby("seed"):
        thin = part["width_mult"] == thinnest
        x, y = np.log10(part["macs"].to_numpy(float)), part["accuracy"].to_numpy()
        if (n := (~thin).sum()) < 3:
            said = f"a line through {n} networks says nothing"
            raise ValueError(f"{said}: more widths or resolutions")
        if not thin.any():
            raise ValueError(f"no network has the width {thinnest:g}")
        slope, intercept = np.polyfit(x[~thin], y[~thin], 1)
        left = y - (intercept + slope * x)
        r2 = 1 - np.var(left[~thin]) / np.var(y[~thin])
        rows.append((seed, intercept, slope, r2, -left[thin].mean()))
    return pd.DataFrame(rows, columns=["seed", "intercept", "slope", "r2", "jump"])


def mean_line(
    fit: pd.DataFrame, macs: pd.Series
) -> tuple[pd.DataFrame, tuple[float, float, float]]:
    """The mean over the seeds of `log_linear` from the least to the most MACs; and of its jump,
    with its interval (NaN for one seed).
    """
    ends = np.array([macs.min() / 1.2, macs.max() * 1.2])
    mean = fit["intercept"].mean() + fit["slope"].mean() * np.log10(ends)
    return pd.DataFrame({"macs": ends, "mean": mean}), stats.mean_ci(fit["jump"])


def time_all(networks: pd.DataFrame, rounds: int) -> tuple[pd.DataFrame, float]:
    """Each different network timed with the others in turn (ONNX Runtime, one thread, one image),
    and by how many per cent a second timing would change a value.
    """
    different = networks.drop_duplicates("arch")
    archs = {n: decode(a) for n, a in zip(different["name"], different["arch"], strict=True)}
    timings = latency.measure_many(archs, plan=latency.Plan(rounds=rounds))
    return different.merge(timings.table, on="name"), timings.noise_pct


def trained(results: pd.DataFrame, timed: pd.DataFrame) -> pd.DataFrame:
    """One row per network and length of training: means over seeds, latency_ms by `timed`."""
    keys = ["name", "resolution", "macs", "params", "epochs"]
    rows = stats.grouped_ci(results, keys, "accuracy")
    rows = rows.rename(columns={"mean": "accuracy", "n": "seeds"})
    means = results.groupby(keys)[["loss", "seconds"]].mean().reset_index()
    ms = results.merge(timed[["arch", "latency_ms"]], on="arch").groupby("name")["latency_ms"]
    return rows.merge(means, on=keys).assign(latency_ms=lambda r: r["name"].map(ms.first()))
