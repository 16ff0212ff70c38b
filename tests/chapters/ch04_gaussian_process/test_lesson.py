"""The lines that a reader reads say what GPyTorch, BoTorch and the integrals say."""

import numpy as np
import pytest
import torch
from botorch.acquisition import analytic
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.settings import fast_computations
from scipy.integrate import quad
from scipy.stats import norm

from lightlab.chapters.ch04_gaussian_process import experiment, lesson
from lightlab.chapters.ch04_gaussian_process.lesson import Process

MEAN, SD = np.array([-0.3, 0.0, 0.4, 2.0]), np.array([0.5, 1.0, 0.01, 0.3])
RNG = np.random.default_rng(0)
NOISY = Process(RNG.random(9), RNG.standard_normal(9), 0.2, RNG.random(9) * 0.1, 1.7, 0.4)


def test_the_posterior_is_gpytorchs():
    x = RNG.random(20)
    posterior = experiment.to_botorch(NOISY).posterior(torch.from_numpy(x)[:, None])
    mean, sd = NOISY.predict(x)
    np.testing.assert_allclose(mean, posterior.mean.detach()[:, 0], rtol=1e-4)
    covariance = posterior.mvn.covariance_matrix.detach()
    np.testing.assert_allclose(NOISY.covariance(x), covariance, atol=1e-5)
    np.testing.assert_allclose(sd**2, covariance.diag(), atol=1e-5)


def test_the_evidence_is_gpytorchs():
    model = experiment.to_botorch(NOISY).train()
    mll = ExactMarginalLogLikelihood(model.likelihood, model)
    with fast_computations(log_prob=False):
        theirs = 9 * mll(model(*model.train_inputs), model.train_targets).item()
    assert sum(NOISY.log_evidence()) - 4.5 * np.log(2 * np.pi) == pytest.approx(theirs, abs=1e-3)


def test_expected_improvement_is_the_integral_and_botorchs():
    for mean, sd in zip(MEAN, SD, strict=True):
        low = (0.2 - mean) / sd
        integral, _ = quad(lambda t, m=mean, s=sd: (m + s * t - 0.2) * norm.pdf(t), low, low + 40)
        assert lesson.expected_improvement(mean, sd, 0.2) == pytest.approx(integral, abs=1e-9)
    u = np.linspace(-5, 8, 100)
    theirs = analytic._ei_helper(torch.from_numpy(u))
    np.testing.assert_allclose(lesson.expected_improvement(u, 1.0, 0.0), theirs, atol=1e-12)


def test_probability_and_bound():
    found = lesson.probability_of_improvement(MEAN, SD, 0.1)
    np.testing.assert_allclose(found, norm.sf(0.1, MEAN, SD))
    np.testing.assert_allclose(lesson.upper_confidence_bound(MEAN, SD, 4.0), MEAN + 2 * SD)
