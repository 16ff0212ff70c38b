"""A Gaussian process on [0, 1] watched while it learns a curve, and put to the test."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.models import SingleTaskGP
from gpytorch.kernels import MaternKernel, ScaleKernel
from gpytorch.settings import min_fixed_noise
from sklearn.datasets import load_digits
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, Matern
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from lightlab.chapters.ch04_gaussian_process import lesson
from lightlab.chapters.ch04_gaussian_process.lesson import Process
from lightlab.search import surrogate
from lightlab.search.searcher import Trial
from lightlab.space.hyper import Float, HyperSpace

GRID = np.linspace(0.0, 1.0, 301)
KERNELS = {
    "Matérn-1/2": lambda length: Matern(length, nu=0.5),
    "Matérn-3/2": lambda length: Matern(length, nu=1.5),
    "Matérn-5/2": lambda length: Matern(length, nu=2.5),
    "RBF": lambda length: RBF(length),
}
Acqf = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of mean and sd, each (n,)


def hills(x: np.ndarray) -> np.ndarray:
    """The curve to be found out: three hills on [0, 1], the highest at the right."""
    return x * np.sin(2 * np.pi * (1.25 - 1.2 * x)) + 0.7 * np.sin(2 * np.pi * (1.7 - 2.6 * x))


def prior_samples(length: float, n: int, seed: int) -> pd.DataFrame:
    """`n` curves from each kernel's prior: kernel, sample, x, value. The same noise for each."""
    frames = []
    for name, kernel in KERNELS.items():
        prior = GaussianProcessRegressor(kernel(length))
        for i, curve in enumerate(prior.sample_y(GRID[:, None], n, random_state=seed).T):
            frames.append(pd.DataFrame({"kernel": name, "sample": i, "x": GRID, "value": curve}))
    return pd.concat(frames, ignore_index=True)


def band(process: Process, **labels: object) -> pd.DataFrame:
    """The posterior along [0, 1]: x, mean, sd, and the labels as columns."""
    mean, sd = process.predict(GRID)
    return pd.DataFrame({"x": GRID, "mean": mean, "sd": sd} | labels)


def learn(
    x: np.ndarray, y: np.ndarray, length: float, counts: Sequence[int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The posterior after the first `counts` observations, and those: columns panel, x, …"""
    bands, points = [], []
    for n in counts:
        panel = f"{n} observation" + "s" * (n != 1)
        bands.append(band(Process(x[:n], y[:n], length), panel=panel))
        points.append(pd.DataFrame({"panel": panel, "x": x[:n], "value": y[:n]}))
    return pd.concat(bands), pd.concat(points)


def coverage(length: float, n_seen: int, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Share of unseen places where a curve lies within ±2 sd, per curve drawn from the prior."""
    places = rng.random((n_draws, n_seen + 50))
    shares = []
    for x in places:
        K = lesson.matern(x, x, length)
        y = np.linalg.cholesky(K + 1e-8 * np.eye(len(x))) @ rng.standard_normal(len(x))
        mean, sd = Process(x[:n_seen], y[:n_seen], length).predict(x[n_seen:])
        shares.append(np.mean(np.abs(y[n_seen:] - mean) < 2 * np.hypot(sd, 1e-4)))
    return np.array(shares)


def shrinkage(places: np.ndarray, length: float) -> float:
    """The largest growth of the standard deviation anywhere when one more place is observed."""
    sds = [
        Process(places[:n], hills(places[:n]), length).predict(GRID)[1]
        for n in range(len(places) + 1)
    ]
    return float(np.max(np.diff(sds, axis=0)))


def evidence(
    x: np.ndarray, y: np.ndarray, noise_sd: float, lengths: Sequence[float]
) -> pd.DataFrame:
    """log p(y | length scale) and its two parts (Rasmussen & Williams 2006, eq. 2.30)."""
    rows = []
    for length in lengths:
        fit, simplicity = Process(x, y, length, noise_sd**2).log_evidence()
        rows.append((length, fit, simplicity, fit + simplicity - len(y) / 2 * np.log(2 * np.pi)))
    return pd.DataFrame(rows, columns=["length", "fit", "simplicity", "log_evidence"])


def at_lengths(
    x: np.ndarray, y: np.ndarray, noise_sd: float, lengths: Mapping[str, float]
) -> pd.DataFrame:
    """The posterior at each of the named length scales: panel, length, x, mean, sd."""
    return pd.concat(
        band(Process(x, y, v, noise_sd**2), panel=f"{name}: {v:.2g}", length=v)
        for name, v in lengths.items()
    )


def acquire(process: Process, acqfs: Mapping[str, Acqf]) -> pd.DataFrame:
    """Posterior and acquisition functions: judge (whose), x, mean, sd, acqf, chosen (maximum)."""
    frames = []
    for name, acqf in acqfs.items():
        frame = band(process, judge=name)
        frame["acqf"] = acqf(frame["mean"].to_numpy(), frame["sd"].to_numpy())
        frame["chosen"] = frame.index == frame["acqf"].idxmax()
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def ucb(beta: float) -> Acqf:
    """The upper confidence bound at this price of uncertainty."""
    return lambda mean, sd: lesson.upper_confidence_bound(mean, sd, beta)


def ucb_order(length: float, n: int, rng: np.random.Generator) -> int:
    """How often, over `n` random posteriors, a larger β took a place that is known better."""
    wrong = 0
    for _ in range(n):
        process = Process(x := rng.random(4), hills(x), length)
        swept = acquire(process, {str(b): ucb(b) for b in np.geomspace(0.01, 1000, 12)})
        wrong += int((np.diff(swept.loc[swept["chosen"], "sd"]) < 0).sum())
    return wrong


def thompson(process: Process, rng: np.random.Generator) -> Acqf:
    """One curve drawn from the posterior: its highest place is the next point (Thompson 1933)."""
    K = process.covariance(GRID)
    factor = np.linalg.cholesky(K + 1e-8 * np.eye(len(K)))
    curve = process.predict(GRID)[0] + factor @ rng.standard_normal(len(K))
    return lambda _mean, _sd: curve


def to_botorch(process: Process) -> SingleTaskGP:
    """The same process as a model of BoTorch, nothing fitted."""
    X, Y = (torch.from_numpy(v)[:, None] for v in (process.x, process.y))
    kernel = ScaleKernel(MaternKernel(nu=2.5))
    Yvar = torch.from_numpy(process.noise)[:, None]
    with min_fixed_noise(double_value=1e-8):
        model = SingleTaskGP(X, Y, Yvar, covar_module=kernel, outcome_transform=None)
    kernel.base_kernel.lengthscale, kernel.outputscale = process.length, process.variance
    model.mean_module.constant.data.fill_(process.mean)
    return model.eval()


def botorch_ei(process: Process, best_f: float) -> np.ndarray:
    """BoTorch's expected improvement along [0, 1] over the same process."""
    acqf = LogExpectedImprovement(to_botorch(process), best_f)
    with torch.no_grad():
        return acqf(torch.from_numpy(GRID)[:, None, None]).exp().numpy()


def believe(model: SingleTaskGP, acqf: LogExpectedImprovement) -> pd.DataFrame:
    """What a model of BoTorch expects along [0, 1], as `acquire`; acqf: expected improvement."""
    X = torch.from_numpy(GRID)[:, None]
    with torch.no_grad():
        posterior, value = model.posterior(X), acqf(X[:, None]).exp()
    frame = pd.DataFrame({"x": GRID, "mean": posterior.mean[:, 0], "acqf": value})
    frame["sd"] = posterior.variance[:, 0].sqrt()
    return frame.assign(chosen=frame.index == frame["acqf"].idxmax())


def digits_folds(n_folds: int, log_gammas: np.ndarray, seed: int) -> pd.DataFrame:
    """Accuracy of a support vector machine on digits: x = log10 gamma, fold, accuracy."""
    X, y = load_digits(return_X_y=True)
    keep = np.random.default_rng(seed).permutation(len(y))[:300]
    frames = []
    for x in log_gammas:
        scores = cross_val_score(SVC(gamma=10**x), X[keep], y[keep], cv=n_folds)
        frames.append(pd.DataFrame({"x": x, "fold": range(n_folds), "accuracy": scores}))
    return pd.concat(frames, ignore_index=True)


def folds_to_belief(
    folds: pd.DataFrame, counts: Sequence[int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Beliefs about the accuracy after the first of the tried values, and the points seen by then.

    The fold mean is the observation, the fold variance over the number of folds its noise. All
    panels share the hyperparameters fitted to all points.
    """
    seen = folds.groupby("x", sort=False)["accuracy"].agg(["mean", "var", "count"]).reset_index()
    seen["sd"] = np.sqrt(seen["var"] / seen["count"])
    space = HyperSpace({"x": Float(seen["x"].min(), seen["x"].max())})
    rows = seen[["x", "mean", "sd"]].to_numpy().tolist()
    model = surrogate.fit(space, [Trial({"x": x}, (m,), (s**2,)) for x, m, s in rows], sign=1.0)
    gp, bands, points = model.model, [], []
    whole = [v.numpy().ravel() for v in (*gp.train_inputs, gp.train_targets, gp.likelihood.noise)]
    kernel, mean = gp.covar_module, gp.mean_module.constant.item()
    hyper = kernel.base_kernel.lengthscale.item(), kernel.outputscale.item(), mean
    for n in counts:
        panel = f"{n} values tried"
        x, y, noise = (v[:n] for v in whole)
        belief = band(Process(x, y, hyper[0], noise, *hyper[1:]), panel=panel)
        mean, sd = model.warp.moments(belief["mean"].to_numpy(), belief["sd"].to_numpy())
        log_gamma = [c["x"] for c in space.from_cube(belief[["x"]].to_numpy())]
        bands.append(belief.assign(x=log_gamma, mean=mean, sd=sd))
        points.append(seen[:n].assign(panel=panel, value=seen["mean"]))
    return pd.concat(bands), pd.concat(points)
