"""A family of networks trained side by side: who is compared with whom.

Everything is a data frame. Networks: name, arch (as text), width_mult, resolution, macs, params.
Results: one row per network, length of training and seed, with the test accuracy in per cent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lightlab import train
from lightlab.data import DataSet
from lightlab.measure import cost
from lightlab.space.arch import adapt, catalog, decode, encode

FULL, SEPARABLE, AS_MANY_MACS = "full", "separable", "separable, as many MACs"
THIN, SHALLOW = "thin", "shallow"
_NEAR = 0.06  # how far MACs may be apart that are called equal
_WIDTHS_TRIED = 40  # steps of width, more than it takes to pass by what is near
_SOURCES = {FULL: "mobilenet_32_full", SHALLOW: "mobilenet_32_shallow"}


@dataclass(frozen=True)
class Task:
    """What the images ask of a network: their side in px, channels, classes."""

    resolution: int
    in_channels: int
    n_classes: int

    @classmethod
    def of(cls, images: DataSet) -> "Task":
        channels, side, _ = images.input_shape
        return cls(side, channels, len(images.class_names))

    def network(self, name: str, width_mult: float, resolution: int | None = None) -> dict:
        """The network `name`, one of this module's, as a row of a frame of networks."""
        arch = catalog.get(_SOURCES.get(name, "mobilenet_32"), width_mult=width_mult)
        arch = adapt(
            arch,
            resolution=resolution or self.resolution,
            in_channels=self.in_channels,
            n_classes=self.n_classes,
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

    def matching(self, name: str, macs: int) -> dict:
        """The network `name` of the width (in steps of 0.005) that takes about as many MACs.

        Of the widths within 6 per cent of `macs` the one with most channels in eights, then the
        closest: other channel counts fall off the fast path of some runtimes, which would confound
        a comparison of times. ValueError where there is none.
        """
        low, high = 1, 2000
        while low < high:  # MACs never fall when the width grows
            middle = (low + high) // 2
            enough = self.network(name, middle / 200)["macs"] >= (1 - _NEAR) * macs
            low, high = (low, middle) if enough else (middle + 1, high)
        around = [self.network(name, width / 200) for width in range(low, low + _WIDTHS_TRIED)]
        close = [found for found in around if abs(found["macs"] / macs - 1) <= _NEAR]
        if not close:
            closest = min(around, key=lambda found: abs(found["macs"] - macs))
            raise ValueError(
                f"no width of {name!r} comes within {_NEAR:.0%} of {macs} MACs (closest "
                f"{closest['macs']}): choose another width for the network that it is to match"
            )
        return min(close, key=lambda found: (_odd_channels(found), abs(found["macs"] - macs)))


def _odd_channels(network: dict) -> float:
    """Share of the blocks whose number of channels is no multiple of eight."""
    blocks = decode(network["arch"]).blocks
    return sum(block.out_channels % 8 > 0 for block in blocks) / len(blocks)


def operators(task: Task, width_mult: float) -> pd.DataFrame:
    """The full-convolution network, its separable twin, and the separable one of equal MACs."""
    full = task.network(FULL, width_mult)
    twin = task.network(SEPARABLE, width_mult)
    return pd.DataFrame([full, twin, task.matching(AS_MANY_MACS, full["macs"])])


def depth_or_width(task: Task, width_mult: float) -> pd.DataFrame:
    """The deep network, thin, and the shallow and wider one of equal MACs (MobileNet table 5)."""
    thin = task.network(THIN, width_mult)
    return pd.DataFrame([thin, task.matching(SHALLOW, thin["macs"])])


def grid(task: Task, widths: Iterable[float], resolutions: Iterable[int]) -> pd.DataFrame:
    """The separable network in all widths and resolutions."""
    return pd.DataFrame(
        [task.network(f"{w:g} at {r} px", w, r) for w in widths for r in resolutions]
    )


def lengths(networks: pd.DataFrame, epochs: float, n: int) -> list[float]:
    """`n` lengths of training, the first of `epochs`, each longer than the last by the factor that
    the full network's MACs are more than its twin's.

    So the separable network at one length has spent as much as the full one at the length before.
    """
    macs = networks.set_index("name")["macs"]
    return [epochs * (macs[FULL] / macs[SEPARABLE]) ** i for i in range(n)]


def trainings(
    networks: pd.DataFrame, epochs: Iterable[float], seeds: Iterable[int]
) -> pd.DataFrame:
    """Each network with each length of training and each seed."""
    out = networks.merge(pd.DataFrame({"epochs": list(epochs)}), how="cross")
    return out.merge(pd.DataFrame({"seed": list(seeds)}), how="cross")


def train_all(
    wanted: pd.DataFrame, images: Mapping[int, DataSet], recipe: train.Recipe, **how: Any
) -> pd.DataFrame:
    """Train and test what `trainings` lists; a training that is listed twice is done once.

    `images` by resolution; `recipe` but for its epochs; `how` goes to `train.fit_many`. Adds to
    the rows train_macs (spent on training), seconds (of one core), loss (training, of the last
    epoch) and accuracy (test, per cent). The test images are looked at once, after training.
    """
    key = ["arch", "epochs", "seed"]
    different = wanted.drop_duplicates(key)
    longest_first = np.argsort(-different["macs"] * different["epochs"], kind="stable")
    different = different.iloc[longest_first]
    jobs = [
        train.Job(
            decode(t.arch),
            images[t.resolution].train,
            replace(recipe, epochs=t.epochs),
            seed=t.seed,
            test=images[t.resolution].test,
            name=f"{t.name}, {t.epochs:.3g} epochs, seed {t.seed}",
        )
        for t in different.itertuples()
    ]
    done = train.fit_many(jobs, **how)
    found = different[key].assign(
        train_macs=[t.history["macs"].iloc[-1] for t in done],
        seconds=[t.history["seconds"].iloc[-1] for t in done],
        loss=[t.history["loss"].iloc[-1] for t in done],
        accuracy=[100 * t.metrics["test_accuracy"] for t in done],
    )
    return wanted.merge(found, on=key)
