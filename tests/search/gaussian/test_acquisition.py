"""Closed forms against BoTorch's, against integration, and in the far tail."""

import mpmath
import numpy as np
import pytest
import torch
from botorch.acquisition import analytic
from scipy.integrate import quad
from scipy.stats import norm

from lightlab.search.gaussian import acquisition

MEAN = np.array([-0.3, 0.0, 0.4, 2.0])
SD = np.array([0.5, 1.0, 0.01, 0.3])


def test_expected_improvement_is_the_integral():
    for mean, sd in zip(MEAN, SD, strict=True):
        integral, _ = quad(
            lambda f, m=mean, s=sd: (f - 0.2) * norm.pdf(f, m, s),
            0.2,
            mean + 12 * sd + 0.3,
            points=[mean] if mean > 0.2 else None,
        )
        assert acquisition.expected_improvement(mean, sd, 0.2) == pytest.approx(integral, abs=1e-9)


def test_equals_botorchs_helpers():
    u = torch.linspace(-50, 8, 300, dtype=torch.float64)
    ours = acquisition.log_h(u.numpy())
    np.testing.assert_allclose(ours, analytic._log_ei_helper(u).numpy(), rtol=1e-9, atol=1e-12)
    plain = acquisition.expected_improvement(u.numpy(), 1.0, 0.0)
    np.testing.assert_allclose(plain, analytic._ei_helper(u).numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("u", [-0.999, -1.001, -5.0, -40.0, -900.0, -9.9e3, -1.01e4, -1e6])
def test_log_h_in_the_tail(u):
    with mpmath.workdps(60):
        exact = mpmath.log(mpmath.npdf(u) + u * mpmath.ncdf(u))
        assert acquisition.log_h(u) == pytest.approx(float(exact), rel=1e-9)


def test_probability_and_bound():
    np.testing.assert_allclose(
        acquisition.probability_of_improvement(MEAN, SD, 0.1), norm.sf(0.1, MEAN, SD)
    )
    np.testing.assert_allclose(acquisition.upper_confidence_bound(MEAN, SD, 4.0), MEAN + 2 * SD)
