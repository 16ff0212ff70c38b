import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import skew, yeojohnson, yeojohnson_normmax

from lightlab.search import surrogate

POWERS = [0.0, 0.5, 1.0, 1.7, 2.0]


@pytest.mark.parametrize("power", POWERS)
def test_inverse_and_slope(power):
    w = surrogate.Warp(2.0, 3.0, power, 0.4, 1.3)
    values = np.linspace(-40, 60, 201)
    np.testing.assert_allclose(w.inverse(w(values)), values, rtol=1e-9, atol=1e-9)
    numeric = (w(values + 1e-5) - w(values - 1e-5)) / 2e-5
    np.testing.assert_allclose(w.slope(values), numeric, rtol=1e-5)
    assert np.all(np.diff(w(values)) > 0)


@pytest.mark.parametrize("power", POWERS)
def test_moments_are_those_of_samples(power):
    w = surrogate.Warp(0.0, 1.0, power, 0.0, 1.0)
    mean, sd = np.array([0.3, -1.0]), np.array([0.2, 0.5])
    z = np.random.default_rng(0).standard_normal((200_000, 1))
    sampled = w.inverse(mean + sd * z)
    ours = w.moments(mean, sd)
    np.testing.assert_allclose(ours[0], sampled.mean(0), atol=0.01)
    np.testing.assert_allclose(ours[1], sampled.std(0), rtol=0.02)


def test_a_long_bad_tail_is_drawn_in():
    values = -np.random.default_rng(0).lognormal(0, 1.5, 60)
    w = surrogate.fit_warp(values)
    assert w.power > 1.5
    assert abs(skew(w(values))) < 0.5 * abs(skew(values))
    assert surrogate.fit_warp(values, power=1.0)(values) == pytest.approx(
        (values - values.mean()) / values.std()
    )


@settings(max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_any_values_become_finite_ones_in_the_same_order(values):
    values = np.array(values)
    warped = surrogate.fit_warp(values)(values)
    assert np.isfinite(warped).all()
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(warped[order]) >= -1e-12)


def test_equal_values_stay_equal():
    w = surrogate.fit_warp(np.full(5, 7.0))
    assert w(np.full(5, 7.0)) == pytest.approx(0.0)
    assert w.inverse(np.zeros(1)) == pytest.approx(7.0)


def test_equals_scipys_transform():
    z = np.random.default_rng(0).gamma(2.0, size=50) - 2
    for power in POWERS:
        w = surrogate.Warp(0.0, 1.0, power, 0.0, 1.0)
        np.testing.assert_allclose(w(z), yeojohnson(z, power), rtol=1e-9, atol=1e-12)
    standard = (z - z.mean()) / z.std()
    assert surrogate.fit_warp(z).power == pytest.approx(yeojohnson_normmax(standard), abs=1e-4)
