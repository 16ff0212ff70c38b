"""The process against BoTorch/GPyTorch, its gradients against finite differences."""

import numpy as np
import pytest
import torch
from scipy.optimize import approx_fprime

from lightlab.search import gp
from lightlab.search.acquisition import log_ei_grad, log_expected_improvement
from lightlab.search.nehvi import to_botorch

RNG = np.random.default_rng(0)
FEATURES = gp.Features((None, (1 / 6, 0.5, 5 / 6), None))


def _data(n=14, noise=np.nan):
    X = RNG.random((n, 3))
    X[:, 1] = RNG.choice([1 / 6, 0.5, 5 / 6], n)
    y = np.sin(5 * X[:, 0]) + (X[:, 1] > 0.6) + 0.1 * RNG.standard_normal(n)
    return FEATURES(X), (y - y.mean()) / y.std(), np.full(n, noise)


def test_features_put_two_different_options_one_apart():
    Z = FEATURES(np.array([[0.2, 1 / 6, 0.4], [0.2, 5 / 6, 0.4], [0.2, 5 / 6, 0.9]]))
    assert Z.shape == (3, 5)
    assert np.linalg.norm(Z[0] - Z[1]) == pytest.approx(1.0)
    assert np.linalg.norm(Z[1] - Z[2]) == pytest.approx(0.5)
    assert FEATURES.group.tolist() == [0, 1, 1, 1, 2]


def test_posterior_equals_botorchs():
    Z, y, noise = _data(noise=0.01)
    process = gp.fit(Z, y, FEATURES.group, noise)
    test = _data(9)[0]
    posterior = to_botorch(process).posterior(torch.from_numpy(test))
    mean, sd = process.predict(test)
    np.testing.assert_allclose(mean, posterior.mean.detach()[:, 0], atol=1e-8)
    np.testing.assert_allclose(sd**2, posterior.variance.detach()[:, 0], atol=1e-8)


@pytest.mark.parametrize("noise", [np.nan, 0.02])
def test_gradient_of_the_log_posterior_density(noise):
    objective = gp._Objective(
        *_data(noise=noise)[:2], FEATURES.group, _data(noise=noise)[2], gp.Prior()
    )
    theta = np.array([-0.5, 0.3, 0.9, 0.2, -3.0, 0.4])
    numeric = approx_fprime(theta, lambda t: objective(t)[0], 1e-6)
    np.testing.assert_allclose(objective(theta)[1], numeric, rtol=1e-3, atol=1e-4)


def test_likelihood_equals_gpytorchs():
    import gpytorch

    Z, y, noise = _data(noise=0.02)
    flat = gp.Prior(length_scale=1e9, variance_scale=1e9, noise_scale=1e9, mean_scale=1e9)
    theta = np.log([0.5, 0.7, 2.0, 1.3, 1e-3, 1.0])
    ours = gp._Objective(Z, y, FEATURES.group, noise, flat)(theta)[0]
    hyper = gp.Hyperparameters(np.exp(theta[:3]), 1.3, 1e-3, 0.0)
    model = to_botorch(gp.GP(Z, y, hyper, FEATURES.group, noise)).train()
    mll = gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)
    with gpytorch.settings.fast_computations(log_prob=False):
        theirs = -mll(model(*model.train_inputs), model.train_targets).item() * len(y)
    assert ours + 0.5 * len(y) * np.log(2 * np.pi) == pytest.approx(theirs, abs=1e-6)


def test_gradients_of_the_prediction_and_of_log_ei():
    Z, y, noise = _data()
    process = gp.fit(Z, y, FEATURES.group, noise)
    z = RNG.random(5)
    mean, sd, d_mean, d_sd = process.predict_grad(z)
    assert (mean, sd) == pytest.approx([v[0] for v in process.predict(z[None])])

    def at(k):
        return lambda v: process.predict(v[None])[k][0]

    np.testing.assert_allclose(d_mean, approx_fprime(z, at(0), 1e-6), atol=1e-4)
    np.testing.assert_allclose(d_sd, approx_fprime(z, at(1), 1e-6), atol=1e-4)
    value, slope = log_ei_grad(mean, sd, d_mean, d_sd, best_f=1.0)

    def log_ei(v):
        return log_expected_improvement(*process.predict(v[None]), 1.0)[0]

    assert value == pytest.approx(log_ei(z))
    np.testing.assert_allclose(slope, approx_fprime(z, log_ei, 1e-6), atol=1e-3)


def test_interpolates_exact_values_and_reverts_to_the_prior_far_away():
    Z = np.linspace(0, 1, 8)[:, None]
    y = np.sin(6 * Z[:, 0])
    hyper = gp.Hyperparameters(np.array([0.2]), 1.5, 0.1, 0.3)
    process = gp.GP(Z, y, hyper, np.array([0]), np.zeros(8))
    mean, sd = process.predict(Z)
    np.testing.assert_allclose(mean, y, atol=1e-5)
    assert sd.max() < 1e-3
    mean, sd = process.predict(np.array([[50.0]]))
    assert (mean[0], sd[0]) == pytest.approx((0.3, np.sqrt(1.5)))


def test_noise_is_inferred_where_it_is_unknown():
    rng = np.random.default_rng(1)
    Z = rng.random((80, 1))
    y = np.sin(6 * Z[:, 0]) + 0.3 * rng.standard_normal(80)
    process = gp.fit(Z, y, np.array([0]), np.full(80, np.nan))
    assert np.sqrt(process.hyper.noise) == pytest.approx(0.3, rel=0.25)


def test_believing_its_own_mean_only_lowers_uncertainty():
    Z, y, noise = _data()
    process = gp.fit(Z, y, FEATURES.group, noise)
    new = _data(3)[0]
    after = process.condition(new)
    test = _data(20)[0]
    np.testing.assert_allclose(after.predict(test)[0], process.predict(test)[0], atol=1e-5)
    assert np.all(after.predict(test)[1] <= process.predict(test)[1] + 1e-6)
    assert np.all(after.predict(new)[1] < 0.5 * process.predict(new)[1] + 0.02)


def test_constant_values_and_repeated_places_fit():
    Z = np.repeat(np.array([[0.2, 0.4]]), 6, axis=0)
    process = gp.fit(Z, np.zeros(6), np.array([0, 1]), np.full(6, np.nan))
    mean, sd = process.predict(np.array([[0.9, 0.9]]))
    assert np.isfinite(mean).all()
    assert np.isfinite(sd).all()


def test_many_readings_in_one_place_do_not_break_the_factorisation():
    Z = np.linspace(0.5, 0.5 + 1e-9, 120)[:, None]
    hyper = gp.Hyperparameters(np.array([5.0]), 100.0, 0.0, 0.0)
    mean, _ = gp.GP(Z, np.ones(120), hyper, np.array([0]), np.zeros(120)).predict(Z[:1])
    assert mean[0] == pytest.approx(1.0, abs=1e-4)
