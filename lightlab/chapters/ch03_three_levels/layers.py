"""Small networks written as one line of text, and where their layers move the images.

`conv3-16` is a 3x3 convolution with 16 channels, ReLU and 2x2 max-pooling; `dense-32` is a fully
connected layer with 32 units and ReLU (the notation of Simonyan & Zisserman 2015, table 1).
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from lightlab import train
from lightlab.data import DataSet, Split
from lightlab.measure import stats
from lightlab.nets.build import predicting

LINEAR = "linear"  # no hidden layer: softmax regression
_LAYER = re.compile(r"(?:conv([1357])|dense)-([1-9]\d{0,3})")

Points = dict[str, np.ndarray]  # by layer: (n, units)
Watched = dict[int, tuple[Points, Points]]  # by epoch: of training and of test images


def stack(
    layers: str, input_shape: tuple[int, int, int] = (1, 8, 8), n_out: int = 10, *, seed: int = 0
) -> nn.Sequential:
    """The network of `layers`, e.g. "conv3-8 conv3-16 dense-32", then a linear layer.

    Convolutions keep the size, pooling halves it until one pixel is left. ValueError as `parse`.
    """
    channels, height, width = input_shape
    modules: list[nn.Module] = []
    flat = False
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for kernel, size in parse(layers):
            if kernel:
                modules += [_he(nn.Conv2d(channels, size, kernel, padding=kernel // 2)), nn.ReLU()]
                if min(height, width) > 1:
                    modules.append(nn.MaxPool2d(2))
                    height, width = height // 2, width // 2
                channels = size
                continue
            if not flat:
                modules.append(nn.Flatten())
                channels, height, width, flat = channels * height * width, 1, 1, True
            modules += [_he(nn.Linear(channels, size)), nn.ReLU()]
            channels = size
        if not flat:
            modules.append(nn.Flatten())
        return nn.Sequential(*modules, nn.Linear(channels * height * width, n_out))


def parse(layers: str) -> list[tuple[int, int]]:
    """(kernel size, or 0 for dense; channels or units) of every hidden layer."""
    if layers == LINEAR:
        return []
    found = []
    for word in layers.split():
        match = _LAYER.fullmatch(word)
        if match is None:
            raise ValueError(f"{word!r} is no layer: write conv3-16, dense-32 or {LINEAR!r} alone")
        found.append((int(match[1] or 0), int(match[2])))
    if not found:
        raise ValueError(f"no layer given: write {LINEAR!r} for a network without hidden layers")
    if any(kernel and not before for (before, _), (kernel, _) in pairwise(found)):
        raise ValueError(f"{layers!r}: convolutions come before dense layers")
    return found


def write(convs: int, kernel: int, channels: int, denses: int, units: int) -> str:
    """The text of `convs` equal convolutions and then `denses` equal dense layers."""
    words = [f"conv{kernel}-{channels}"] * convs + [f"dense-{units}"] * denses
    return " ".join(words) or LINEAR


def _he(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    """Weights of variance 2 / fan-in keep the signal's size through ReLU layers; biases 0."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


def activations(model: nn.Sequential, x: Tensor) -> Points:
    """Points of images `x` (n, C, H, W) as they enter, after every ReLU, and as they leave."""
    points = {"input": x}
    with predicting(model):
        for module in model:
            x = module(x)
            if isinstance(module, nn.ReLU):
                points[f"layer {len(points)}"] = x
    points["output"] = x
    return {layer: x.flatten(1).double().numpy() for layer, x in points.items()}


def watch(
    network: str, ds: DataSet, recipe: train.Recipe, epochs: Sequence[int], seed: int
) -> Watched:
    """Train a stack of layers; keep its points of training and test images before and at `epochs`;
    ValueError for an epoch that the recipe does not reach.
    """
    if not epochs or not 0 <= min(epochs) <= max(epochs) <= recipe.epochs:
        raise ValueError(f"epochs have to lie in 0..{recipe.epochs}, got {list(epochs)}")
    model = stack(network, ds.input_shape, len(ds.class_names), seed=seed)
    kept: Watched = {}

    def keep(model: nn.Sequential, row: Mapping[str, float]) -> None:
        if row["epoch"] in {0, *epochs}:
            kept[int(row["epoch"])] = activations(model, ds.train.x), activations(model, ds.test.x)

    keep(model, {"epoch": 0})
    train.fit(model, ds.train, recipe, seed=seed, callback=keep)
    return kept


def clouds(watched: Watched, test: Split, n_points: int) -> pd.DataFrame:
    """The first test images in the plane of a layer's two principal components at the last epoch:
    what moves on the page moves in the layer.
    """
    frames, digits = [], test.y[:n_points].numpy()
    for layer, last in watched[max(watched)][1].items():
        plane = PCA(2, svd_solver="full").fit(last)
        for epoch, (_, points) in watched.items():
            x, y = plane.transform(points[layer])[:n_points].T
            columns = {"epoch": epoch, "layer": layer, "x": x, "y": y, "digit": digits}
            frames.append(pd.DataFrame(columns))
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


def by_layer(watched: Mapping[int, Watched], sets: Mapping[int, DataSet]) -> pd.DataFrame:
    """Probe and separation on test images, fuzziness on training images; arguments by seed."""
    rows = []
    for seed, kept in watched.items():
        y, y_test = sets[seed].train.y, sets[seed].test.y
        for epoch, (seen, unseen) in kept.items():
            for depth, (layer, points) in enumerate(seen.items()):
                row = {"seed": seed, "epoch": epoch, "depth": depth, "layer": layer}
                row["probe"] = probe(points, y, unseen[layer], y_test)
                row["separation"] = separation(unseen[layer], y_test)
                row["fuzziness"] = fuzziness(points, y)
                rows.append(row)
    return pd.DataFrame(rows)


def over_seeds(layers: pd.DataFrame) -> pd.DataFrame:
    """Mean and interval of each quantity of `by_layer`."""
    keys, quantities = ["epoch", "depth", "layer"], ["probe", "separation", "fuzziness"]
    frames = [stats.grouped_ci(layers, keys, q).assign(quantity=q) for q in quantities]
    return pd.concat(frames, ignore_index=True)


def depth_correlation(layers: pd.DataFrame) -> np.ndarray:
    """Pearson correlation of depth and log fuzziness from input to last hidden layer, per seed: −1
    where every layer shrinks it by the same factor (He & Su 2023). `layers` holds one epoch.

    ValueError with fewer than two hidden layers.
    """
    inner = layers[layers.layer != "output"].assign(log=lambda t: np.log(t.fuzziness))
    if inner.depth.nunique() < 3:
        raise ValueError("a correlation with depth needs at least two hidden layers")
    return np.array([g.depth.corr(g.log) for _, g in inner.groupby("seed")])
