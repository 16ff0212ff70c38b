"""Accuracy predicted from an architecture, learnt from sub-networks that were really evaluated.

Cai et al. 2020, section 3.4 and appendix A: three hidden layers of 400 units over a one-hot code.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LinearRegression, RidgeCV
from torch import Tensor
from torch.nn import functional as F

from lightlab.data import DataSet
from lightlab.measure.machine import torch_threads
from lightlab.methods import subnets
from lightlab.methods.price import Price
from lightlab.methods.subnet_search import Score
from lightlab.nets.elastic import ElasticNetwork
from lightlab.space.once_for_all import OfaSpace
from lightlab.train.parallel import run_beside

LEAST_SAMPLES = 4
MEMBERS, STEPS, DECAY = 3, 150, 1e-2

Predictor = Callable[[np.ndarray, np.ndarray], np.ndarray]  # codes (n, d), MACs (n,): %, (n,)


class MLP:
    """An ensemble of perceptrons that share nothing but the data; their spread is the uncertainty.

    MEMBERS networks of three layers of 400 units, trained together by Adam for STEPS full batches,
    with the first author's rate of 1e-3, and an output that begins at the mean. His weight decay of
    1e-4 is for 16,000 samples: with 240 it leaves nearly twice the error of DECAY
    (benchmarks/once_for_all.md).
    """

    def __init__(
        self, codes: np.ndarray, accuracy: np.ndarray, *, decay: float = DECAY, seed: int = 0
    ) -> None:
        X, y = torch.from_numpy(np.asarray(codes, dtype=np.float32)), np.asarray(accuracy)
        _check(X, y)
        self._mean, self._scale = float(y.mean()), float(y.std()) or 1.0
        target = torch.from_numpy((y - self._mean) / self._scale).float()
        generator = torch.Generator().manual_seed(seed)
        self._layers = []
        for a, b in pairwise([X.shape[1], 400, 400, 400, 1]):
            weight = torch.randn(MEMBERS, a, b, generator=generator) * (2 / a) ** 0.5  # He 2015
            bias = torch.zeros(MEMBERS, 1, b, requires_grad=True)
            self._layers.append((weight.requires_grad_(), bias))
        with torch.no_grad():
            self._layers[-1][0].mul_(0.01)  # begins at the mean
        parameters = [p for layer in self._layers for p in layer]
        adam = torch.optim.Adam(parameters, lr=1e-3, weight_decay=decay, fused=True)
        with torch_threads(1):  # small products: a second thread gains little and may cost all
            for _ in range(STEPS):
                adam.zero_grad(set_to_none=True)
                F.mse_loss(self._forward(X), target.expand(MEMBERS, -1)).backward()
                adam.step()
        for parameter in parameters:
            parameter.requires_grad_(False)

    def _forward(self, X: Tensor) -> Tensor:
        """Outputs (members, n)."""
        h = X.expand(len(self._layers[0][0]), -1, -1)
        for i, (weight, bias) in enumerate(self._layers):
            h = torch.baddbmm(bias, h, weight)
            h = h.relu_() if i < len(self._layers) - 1 else h
        return h[..., 0]

    def each(self, codes: np.ndarray) -> np.ndarray:
        """What every member says, (members, n), in %."""
        rows = torch.from_numpy(np.asarray(codes, dtype=np.float32)).split(8192)
        found = torch.cat([self._forward(part) for part in rows], dim=1)
        return self._mean + self._scale * found.numpy().astype(float)

    def __call__(self, codes: np.ndarray, macs: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """Mean over the members, (n,), in %."""
        return self.each(codes).mean(0)


def linear(codes: np.ndarray, accuracy: np.ndarray) -> Predictor:
    """Ridge regression on the code, its penalty by leave-one-out."""
    _check(codes, accuracy)
    model = RidgeCV(np.logspace(-2, 3, 11)).fit(codes, accuracy)
    return lambda codes, macs: model.predict(codes)  # noqa: ARG005


def macs_only(macs: np.ndarray, accuracy: np.ndarray) -> Predictor:
    """A straight line over the logarithm of the MACs."""
    _check(macs, accuracy)
    model = LinearRegression().fit(np.log(macs)[:, None], accuracy)
    return lambda codes, macs: model.predict(np.log(macs)[:, None])  # noqa: ARG005


MODELS = {
    "perceptrons": lambda codes, macs, y, seed: MLP(codes, y, seed=seed),  # noqa: ARG005
    "linear": lambda codes, macs, y, seed: linear(codes, y),  # noqa: ARG005
    "MACs only": lambda codes, macs, y, seed: macs_only(macs, y),  # noqa: ARG005
}


def _check(codes: np.ndarray | Tensor, accuracy: np.ndarray) -> None:
    if len(codes) != len(accuracy) or len(accuracy) < LEAST_SAMPLES:
        raise ValueError(
            f"{len(codes)} networks and {len(accuracy)} accuracies: a predictor needs as many of "
            f"both, {LEAST_SAMPLES} or more"
        )


@dataclass(frozen=True, eq=False)
class Samples:
    """Sub-networks that were really evaluated: `points` (n, decisions), `accuracy` (n,) in % on the
    validation images, `macs` (n,), and the `seconds` of one core that this took.
    """

    points: np.ndarray
    accuracy: np.ndarray
    macs: np.ndarray
    seconds: float


def sample(
    supernet: ElasticNetwork, images: DataSet, n: int, seed: int = 0, workers: int | None = None
) -> Samples:
    """`n` random sub-networks, no two alike where the space has as many, see `run_beside`."""
    space = supernet.space
    drawn = space.canonical(space.sample(np.random.default_rng(seed), 4 * n))
    points = np.array(list(dict.fromkeys(map(tuple, drawn.tolist())))[:n])
    parts = np.array_split(points, max(1, len(points) // 10))
    task = {"supernet": supernet, "images": images.train.x, "split": images.val}
    jobs = {i: task | {"points": part.tolist()} for i, part in enumerate(parts)}
    macs = Price.macs(space).of(points)
    found = run_beside(_timed, jobs, macs.sum() * 2 * len(images.val), workers)
    accuracy = np.concatenate([values for values, _ in found.values()])
    return Samples(points, accuracy, macs, sum(seconds for _, seconds in found.values()))


def _timed(**job: Any) -> tuple[np.ndarray, float]:
    begin = time.process_time()
    return subnets.accuracies(**job), time.process_time() - begin


def make_score(space: OfaSpace, model: Predictor) -> Score:
    """What evolution asks: the accuracies that `model` predicts for points."""
    macs = Price.macs(space)
    return lambda points: model(space.encode(points), macs.of(points))
