"""The process on [0, 1] does what probability theory says."""

import numpy as np
import pytest
from botorch.acquisition import LogExpectedImprovement
from scipy.stats import multivariate_normal

from lightlab.chapters.ch04_gaussian_process import experiment, lesson
from lightlab.chapters.ch04_gaussian_process.lesson import Process


def test_evidence_is_the_density_of_the_data():
    x, y = np.array([0.1, 0.4, 0.8]), np.array([0.3, -0.5, 1.0])
    table = experiment.evidence(x, y, 0.1, [0.2, 0.5])
    for length, value in zip(table["length"], table["log_evidence"], strict=True):
        prior = lesson.matern(x, x, length)
        exact = multivariate_normal(cov=prior + (0.01 + 1e-8) * np.eye(3)).logpdf(y)
        assert value == pytest.approx(exact, abs=1e-9)


def test_prior_samples_have_the_kernels_spread():
    samples = experiment.prior_samples(0.1, 200, seed=0)
    for _, group in samples.groupby("kernel"):
        assert group["value"].std() == pytest.approx(1.0, abs=0.1)


def test_thompsons_curve_passes_through_what_was_seen():
    x = experiment.GRID[[30, 150, 250]]
    process = Process(x, experiment.hills(x), 0.2)
    curve = experiment.thompson(process, np.random.default_rng(0))(None, None)
    np.testing.assert_allclose(curve[[30, 150, 250]], experiment.hills(x), atol=2e-3)
    other = experiment.thompson(process, np.random.default_rng(1))(None, None)
    assert np.abs(curve - other).max() > 0.1


def test_what_botorch_believes_is_what_the_formulas_say():
    x = np.array([0.1, 0.4, 0.8])
    process = Process(x, experiment.hills(x), 0.2)
    model = experiment.to_botorch(process)
    belief = experiment.believe(model, LogExpectedImprovement(model, best_f=0.5))
    rules = {"EI": lambda m, s: lesson.expected_improvement(m, s, 0.5)}
    ours = experiment.acquire(process, rules)
    for column in ("mean", "sd", "acqf"):
        np.testing.assert_allclose(belief[column], ours[column], atol=1e-4)
    assert belief["chosen"].idxmax() == ours["chosen"].idxmax()


def test_the_band_is_honest_under_its_own_prior():
    right = experiment.coverage(0.15, 6, 150, np.random.default_rng(0))
    assert right.mean() == pytest.approx(0.954, abs=0.02)


def test_more_data_less_doubt_and_more_beta_more_doubt():
    assert experiment.shrinkage(np.array([0.1, 0.5, 0.9]), 0.2) < 1e-6
    assert experiment.ucb_order(0.2, 10, np.random.default_rng(0)) == 0


def test_folds_become_observations_with_their_own_noise():
    folds = experiment.digits_folds(3, np.array([-4.0, -3.0]), seed=0)
    bands, points = experiment.folds_to_belief(folds, [0, 2])
    assert len(folds) == 6
    last = points[points["panel"] == "2 values tried"]
    mean = folds.groupby("x", sort=False)["accuracy"].mean()
    np.testing.assert_allclose(last["value"], mean)
    none = bands[bands["panel"] == "0 values tried"]
    assert np.ptp(none["mean"]) < 1e-9
