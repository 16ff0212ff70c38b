"""Linear classifiers whose weights come from a person or a formula, not from steps of training."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from lightlab.data import DataSet, Split

INK = {".": 0.0, "+": 0.5, "#": 1.0}


@dataclass(frozen=True)
class Linear:
    """Scores x @ weights + bias; weights (d, classes), bias (classes,)."""

    weights: np.ndarray
    bias: np.ndarray

    def scores(self, X: np.ndarray) -> np.ndarray:
        """(n, classes) for inputs (n, d)."""
        return X @ self.weights + self.bias

    def accuracy(self, split: Split) -> float:
        """Share of images, 0..1, whose highest score is that of their class."""
        return float(np.mean(self.scores(points(split)).argmax(1) == split.y.numpy()))


def points(split: Split) -> np.ndarray:
    """The images as points of float64, one row each: (n, C * H * W)."""
    return split.x.flatten(1).numpy().astype(float)


def one_hot(split: Split, n_classes: int | None = None) -> np.ndarray:
    """(n, classes). Without `n_classes` as many as the highest label tells, and a ValueError where
    one of them has no image to learn from.
    """
    labels = split.y.numpy()
    counts = np.bincount(labels)
    if n_classes is None and not counts.all():
        raise ValueError(f"class {int(counts.argmin())} has no image")
    return np.eye(n_classes or len(counts))[labels]


def from_drawings(drawings: Sequence[str], ds: DataSet) -> Linear:
    """Templates drawn by hand (characters `.`, `+`, `#`), one per class: correlation with each.

    They have mean 0 and length 1: more ink is no advantage. ValueError where they are not of the
    images' size.
    """
    ink = np.array([[INK[c] for c in "".join(d.split())] for d in drawings])
    if ink.shape != (len(ds.class_names), int(np.prod(ds.input_shape))):
        raise ValueError(f"drawings of shape {ink.shape} for images of shape {ds.input_shape}")
    centred = ink - ink.mean(1, keepdims=True)
    templates = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return Linear(templates.T, np.zeros(len(templates)))


def class_means(split: Split) -> Linear:
    """Nearest class mean: |x - m|^2 is smallest where 2 m.x - |m|^2 is largest, linear in x."""
    X, Y = points(split), one_hot(split)
    means = (Y.T @ X) / Y.sum(0)[:, None]
    return Linear(2 * means.T, -np.sum(means**2, axis=1))


def ridge(split: Split, penalty: float) -> Linear:
    """Least squares on one-hot targets with `penalty` times the squared weights (Hoerl 1970), not
    the bias: W = (X'X + penalty I)^-1 X'Y with X and Y centred.
    """
    X, Y = points(split), one_hot(split)
    x_mean, y_mean = X.mean(0), Y.mean(0)
    Xc = X - x_mean
    gram = Xc.T @ Xc + penalty * np.eye(X.shape[1])
    weights = np.linalg.solve(gram, Xc.T @ (Y - y_mean))
    return Linear(weights, y_mean - x_mean @ weights)


def ridge_objective(model: Linear, split: Split, penalty: float) -> float:
    """What ridge regression minimises: summed squared error plus the penalised weights."""
    error = model.scores(points(split)) - one_hot(split, len(model.bias))
    return float(np.sum(error**2) + penalty * np.sum(model.weights**2))


def ridge_by_gradient(split: Split, penalty: float, max_steps: int = 1000) -> pd.DataFrame:
    """The same objective minimised from zero weights by conjugate gradients, which are exact."""
    X, Y = points(split), one_hot(split)
    X1 = np.hstack([X, np.ones((len(X), 1))])
    decay = penalty * np.append(np.ones(X.shape[1]), 0.0)[:, None]

    def value_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        W = flat.reshape(X1.shape[1], Y.shape[1])
        error = X1 @ W - Y
        value = np.sum(error**2) + np.sum(decay * W**2)
        return value, (2 * X1.T @ error + 2 * decay * W).ravel()

    start = np.zeros(X1.shape[1] * Y.shape[1])
    options = {"maxiter": max_steps, "gtol": 1e-9, "return_all": True}
    found = minimize(value_and_gradient, start, jac=True, method="CG", options=options)
    values = [value_and_gradient(flat)[0] for flat in found.allvecs]
    return pd.DataFrame({"step": range(len(values)), "objective": values})


def macs(kind: str, n: int, d: int, classes: int) -> int:
    """Multiply-accumulates to find the weights: none when drawn, one pass for means, X'X, X'Y and a
    Cholesky solution (d^3 / 6 and 2 d^2 / 2 per class) for ridge.
    """
    return {
        "drawn": 0,
        "class means": n * d,
        "ridge": n * d * d // 2 + n * d * classes + d**3 // 6 + d * d * classes,
    }[kind]
