"""How sure a network is, in bits, while it is trained: entropy against the work spent."""

import functools
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from lightlab import train
from lightlab.chapters.ch02_entropy import entropy
from lightlab.data import DataSet, Split
from lightlab.measure import cost

_NATS_PER_BIT = float(np.log(2))


def in_bits(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Mean surprise at the true labels, and the surprise that the network itself expects.

    Keys: cross_entropy_bits, predictive_entropy_bits (mean entropy of the softmax),
    miscalibration_bits (their difference: 0 when the stated chances are the true ones, above 0
    when the network is too sure of itself), accuracy. `logits` (N, classes), `labels` (N,).
    """
    log_p = logits.double().log_softmax(dim=1)
    surprise = -log_p.gather(1, labels[:, None]).mean().item() / _NATS_PER_BIT
    expected = -(log_p.exp() * log_p).sum(dim=1).mean().item() / _NATS_PER_BIT
    return {
        "cross_entropy_bits": surprise,
        "predictive_entropy_bits": expected,
        "miscalibration_bits": surprise - expected,
        "accuracy": (logits.argmax(1) == labels).double().mean().item(),
    }


def weights(model: nn.Module) -> np.ndarray:
    """All entries of its matrices and kernels in one row; biases and normalisation left out."""
    parts = [p.detach().cpu().double().flatten() for p in model.parameters() if p.ndim > 1]
    return torch.cat(parts).numpy()


def histogram_entropy(
    values: np.ndarray, *, bin_width: float | None = None, n_bins: int | None = None
) -> float:
    """Bits of the histogram of `values` (n,), with one of two rulers (ValueError unless one).

    `bin_width`: bins of this width, centred on multiples of it, as many as it takes: a ruler that
    stays the same. `n_bins`: so many between the smallest and the largest value: one that
    stretches with the values.
    """
    if (bin_width is None) == (n_bins is None):
        raise ValueError("say either bin_width or n_bins")
    if bin_width is not None:
        bins = np.rint(np.asarray(values) / bin_width)
        counts = np.unique(bins, return_counts=True)[1]
    else:
        counts = np.histogram(values, bins=n_bins)[0]
    return float(entropy.entropy(entropy.normalise(counts)))


def log_steps(n_steps: int, n_points: int) -> list[int]:
    """About `n_points` step numbers from 1 to `n_steps`, evenly spread on a log axis."""
    return sorted({round(s) for s in np.geomspace(1, n_steps, n_points)})


def training_entropy(
    make: Callable[[int], nn.Module],
    datasets: Mapping[int, DataSet],
    recipe: train.Recipe,
    bin_width: float,
    n_bins: int,
    n_points: int = 24,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train `make(seed)` on each seed's data, looking at `n_points` moments from step 0 on.

    Give each seed its own split: networks that share test images are not independent. Returns
    the curve (seed, step, macs, keys of `in_bits` on the test images, weights_fixed_bits,
    weights_stretched_bits) and the first seed's weights at both ends (moment, weight).
    """
    rows, snapshots = [], []
    for seed, dataset in datasets.items():
        model = make(seed)
        look = functools.partial(_note, rows, dataset.test, seed, bin_width, n_bins)
        first = weights(model)
        look(model, {"step": 0, "macs": 0})
        _fit_and_look(model, dataset.train, recipe, seed, n_points, look)
        snapshots = snapshots or [("random", first), ("trained", weights(model))]
    moments = [pd.DataFrame({"moment": moment, "weight": w}) for moment, w in snapshots]
    return pd.DataFrame(rows), pd.concat(moments, ignore_index=True)


def _note(
    rows: list[dict[str, float]],
    test: Split,
    seed: int,
    bin_width: float,
    n_bins: int,
    model: nn.Module,
    at: dict[str, float],
) -> None:
    """Add to `rows` what `model` is like at this step of its training."""
    w = weights(model)
    rows.append(
        {"seed": seed, "step": int(at["step"]), "macs": int(at["macs"])}
        | in_bits(train.logits(model, test), test.y)
        | {"weights_fixed_bits": histogram_entropy(w, bin_width=bin_width)}
        | {"weights_stretched_bits": histogram_entropy(w, n_bins=n_bins)}
    )


def _fit_and_look(
    model: nn.Module,
    training: Split,
    recipe: train.Recipe,
    seed: int,
    n_points: int,
    look: Callable[[nn.Module, dict[str, float]], None],
) -> None:
    """Train, and look at steps that lie evenly on a log axis."""
    per_epoch = len(training) // min(recipe.batch_size, len(training))
    stops = set(log_steps(max(1, round(recipe.epochs * per_epoch)), n_points))

    def at_stops(model: nn.Module, row: dict[str, float]) -> None:
        if row["step"] in stops:
            look(model, row)

    macs = cost.count_macs(model, tuple(training.x.shape[1:]))
    train.fit(
        model, training, recipe, seed=seed, eval_every=1, callback=at_stops, macs_per_image=macs
    )
