"""Inputs, layers and outputs of a network as points in space; how far apart the classes lie."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from lightlab import train
from lightlab.data import DataSet
from lightlab.measure import stats

Points = dict[str, np.ndarray]  # by layer: (n, units)


@torch.no_grad()
def activations(model: nn.Sequential, x: Tensor) -> Points:
    """Points of images `x` (n, C, H, W) as they enter, after every ReLU, and as they leave.

    Keys: input, layer 1, layer 2, …, output; each (n, units) in float64.
    """
    points = {"input": x.flatten(1).double().numpy()}
    training = model.training
    model.eval()
    for i, module in enumerate(model):
        x = module(x)
        if isinstance(module, nn.ReLU):
            points[f"layer {len(points)}"] = x.flatten(1).double().numpy()
        elif i == len(model) - 1:
            points["output"] = x.flatten(1).double().numpy()
    model.train(training)
    return points


def watch(
    model: nn.Sequential, ds: DataSet, recipe: train.Recipe, epochs: Sequence[int], seed: int
) -> dict[int, tuple[Points, Points]]:
    """Train `model`; keep the points of training and test images at these epochs and before.

    ValueError for an epoch that the recipe does not reach.
    """
    if not epochs or not 0 <= min(epochs) <= max(epochs) <= recipe.epochs:
        raise ValueError(f"epochs have to lie in 0..{recipe.epochs}, got {list(epochs)}")
    wanted = {0, *epochs}
    kept: dict[int, tuple[Points, Points]] = {}

    def keep(network: nn.Module, row: Mapping[str, float]) -> None:
        if row["epoch"] in wanted:
            kept[int(row["epoch"])] = (
                activations(network, ds.train.x),
                activations(network, ds.test.x),
            )

    keep(model, {"epoch": 0})
    train.fit(model, ds.train, recipe, seed=seed, callback=keep)
    return kept


def clouds(kept: Mapping[int, Points], labels: Tensor, n_points: int) -> pd.DataFrame:
    """The first `n_points` of each cloud in the plane of its first two principal components.

    The plane is that of the last epoch, for all epochs: what moves on the page moves in the layer.
    Columns: epoch, layer, x, y, digit.
    """
    frames = []
    for layer, last in kept[max(kept)].items():
        plane = PCA(2, svd_solver="full").fit(last)
        for epoch, points in kept.items():
            flat = plane.transform(points[layer])
            x, y = flat[:n_points].T
            columns = {"epoch": epoch, "layer": layer, "x": x, "y": y}
            frames.append(pd.DataFrame(columns).assign(digit=labels[:n_points].numpy()))
    return pd.concat(frames, ignore_index=True)


def probe(train_points: np.ndarray, y: Tensor, test_points: np.ndarray, y_test: Tensor) -> float:
    """Test accuracy of a linear softmax classifier on a layer's points (Alain & Bengio 2016)."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, tol=1e-3))
    return float(classifier.fit(train_points, y.numpy()).score(test_points, y_test.numpy()))


def scatter(points: np.ndarray, y: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Scatter between and within classes, each (d, d); they add up to the covariance matrix."""
    labels = y.numpy()
    classes, counts = np.unique(labels, return_counts=True)
    means = np.array([points[labels == c].mean(0) for c in classes])
    away = means - points.mean(0)
    inside = points - means[np.searchsorted(classes, labels)]
    between = (away * counts[:, None]).T @ away / len(points)
    return between, inside.T @ inside / len(points)


def separation(points: np.ndarray, y: Tensor) -> float:
    """Fisher's criterion as a ratio of traces: variance between the classes over that within."""
    between, within = scatter(points, y)
    return float(np.trace(between) / np.trace(within))


def fuzziness(points: np.ndarray, y: Tensor) -> float:
    """tr(S_w S_b^+), small where classes are well apart (He & Su 2023, eq. 1)."""
    between, within = scatter(points, y)
    return float(np.trace(within @ np.linalg.pinv(between, rcond=1e-10, hermitian=True)))


def by_layer(
    watched: Mapping[int, Mapping[int, tuple[Points, Points]]], sets: Mapping[int, DataSet]
) -> pd.DataFrame:
    """Probe accuracy and separation on test images, fuzziness on training images.

    `watched` and `sets` by seed. Columns: seed, epoch, depth (0: input), layer, probe, separation,
    fuzziness.
    """
    rows: list[dict[str, Any]] = []
    for seed, kept in watched.items():
        y, y_test = sets[seed].train.y, sets[seed].test.y
        for epoch, (seen, unseen) in kept.items():
            for depth, layer in enumerate(seen):
                rows.append(
                    {
                        "seed": seed,
                        "epoch": epoch,
                        "depth": depth,
                        "layer": layer,
                        "probe": probe(seen[layer], y, unseen[layer], y_test),
                        "separation": separation(unseen[layer], y_test),
                        "fuzziness": fuzziness(seen[layer], y),
                    }
                )
    return pd.DataFrame(rows)


def over_seeds(layers: pd.DataFrame) -> pd.DataFrame:
    """Mean and interval of `by_layer`: quantity, epoch, depth, layer, mean, ci_low, ci_high, n."""
    keys = ["epoch", "depth", "layer"]
    return pd.concat(
        [
            stats.grouped_ci(layers, keys, quantity).assign(quantity=quantity)
            for quantity in ("probe", "separation", "fuzziness")
        ],
        ignore_index=True,
    )


def depth_correlation(layers: pd.DataFrame) -> np.ndarray:
    """Pearson correlation of depth and log fuzziness from input to last hidden layer, per seed.

    -1 where every layer shrinks the fuzziness by the same factor (He & Su 2023). `layers` holds
    one epoch of `by_layer` with a column seed. ValueError with fewer than two hidden layers.
    """
    inner = layers[layers.layer != "output"].assign(log=lambda t: np.log(t.fuzziness))
    if inner.depth.nunique() < 3:
        raise ValueError("a correlation with depth needs at least two hidden layers")
    return np.array([g.depth.corr(g.log) for _, g in inner.groupby("seed")])
