"""The warp of values, and the model: its kernel, priors, noise, and what breaks a fit."""

import math

import gpytorch
import numpy as np
import pytest
import torch
from gpytorch.kernels import MaternKernel
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, skew, yeojohnson, yeojohnson_normmax

from lightlab.search import surrogate
from lightlab.search.searcher import Trial
from lightlab.search.surrogate import MixedMatern, Warp
from lightlab.space.hyper import Choice, Float, HyperSpace

LINE = HyperSpace({"x": Float(0.0, 1.0)})


def on_line(x, y, noise=None):
    noise = [None] * len(x) if noise is None else [(v,) for v in noise]
    return [Trial({"x": a}, (b,), s) for a, b, s in zip(x, y, noise, strict=True)]


@pytest.mark.parametrize("power", [None, 0.0, 1.0, 0.3, 1.7])
def test_slope_and_moments_of_the_warp(power):
    values = np.random.default_rng(0).gamma(2.0, size=40)
    warp = Warp(values, power)
    numeric = (warp(values + 1e-6) - warp(values - 1e-6)) / 2e-6
    np.testing.assert_allclose(warp.slope(values), numeric, rtol=1e-4)
    exact = warp.moments(warp(values), np.full(40, 1e-9))
    np.testing.assert_allclose(exact[0], values, rtol=1e-6)  # so `moments` inverts it
    z = np.random.default_rng(1).standard_normal(100_000)
    sampled = warp.moments(0.2 + 0.3 * z, np.full(len(z), 1e-9))[0]
    mean, sd = warp.moments(np.array([0.2]), np.array([0.3]))
    assert (mean[0], sd[0]) == pytest.approx((sampled.mean(), sampled.std()), rel=0.02)


def test_a_long_bad_tail_is_drawn_in_as_by_scipys_transform():
    values = -np.random.default_rng(0).lognormal(0, 1.0, 60)
    warp, z = Warp(values), (values - values.mean()) / values.std()
    assert warp.power == pytest.approx(min(yeojohnson_normmax(z), 2.0), abs=1e-4)
    assert abs(skew(warp(values))) < 0.5 * abs(skew(values))
    bent = yeojohnson(z, warp.power)
    np.testing.assert_allclose(warp(values), (bent - bent.mean()) / bent.std(), atol=1e-9)
    assert Warp(values, power=1.0)(values) == pytest.approx(z)


@settings(max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.sampled_from([1e-160, 1, 1e160]))
def test_values_of_any_scale_become_finite_ones_in_the_same_order(values, scale):
    values = np.array(values) * scale
    warped = Warp(values)(values)
    assert np.isfinite(warped).all()
    assert np.all(np.diff(warped[np.argsort(values, kind="stable")]) >= -1e-9)
    if len(set(values)) > 1 and np.ptp(values) > 1e-6 * np.abs(values).max():
        assert warped.std() == pytest.approx(1.0)


def test_the_kernel_is_matern_and_two_options_are_one_length_scale_apart():
    space = HyperSpace({"x": Float(0.0, 1.0), "kind": Choice("abc"), "z": Float(0.0, 1.0)})
    kernel = MixedMatern(space.columns).double()
    kernel.lengthscale = torch.tensor([0.5, 0.7, 0.9]).double()
    points = [{"x": 0.2, "kind": k, "z": z} for k, z in (("a", 0.4), ("c", 0.4), ("b", 0.9))]
    K = kernel(torch.from_numpy(space.to_cube(points))).to_dense()
    plain = MaternKernel(nu=2.5).double()
    plain.lengthscale = 1.0
    for (i, j), distance in {(0, 1): 1 / 0.7, (1, 2): math.hypot(1 / 0.7, 0.5 / 0.9)}.items():
        wanted = plain(torch.zeros(1, 1).double(), torch.full((1, 1), distance).double())
        assert K[i, j].item() == pytest.approx(wanted.to_dense().item(), abs=1e-6)


def test_a_prior_has_its_density_over_the_logarithm():
    prior = surrogate.log_normal(-2.0, 1.5)
    logs = torch.linspace(-5, 1, 7)
    density = (prior.log_prob(logs.exp())).exp().numpy()
    wanted = norm.pdf(logs, -2.0, 1.5)
    np.testing.assert_allclose(density / density[0], wanted / wanted[0], rtol=1e-4)


def test_noise_is_inferred_where_it_is_unknown_and_taken_where_known():
    rng = np.random.default_rng(1)
    x = rng.random(80)
    y = np.sin(6 * x) + 0.3 * rng.standard_normal(80)
    inferred = surrogate.fit(LINE, on_line(x, y), 1.0, power=1.0)
    sd = inferred.model.likelihood.noise.sqrt().item() * inferred.warp.scale
    assert sd == pytest.approx(0.3, rel=0.25)
    known = surrogate.fit(LINE, on_line(x, y, [0.09] * 80), 1.0, power=1.0)
    np.testing.assert_allclose(known.model.likelihood.noise * known.warp.scale**2, 0.09, rtol=1e-6)
    grid = [{"x": v} for v in np.linspace(0, 1, 20)]
    for model in (inferred, known):
        mean, sd = model.predict(grid)
        assert np.abs(mean - np.sin(6 * np.linspace(0, 1, 20))).max() < 0.4
        assert sd.max() < 0.3


def test_exact_values_are_interpolated_and_a_start_leads_to_the_same_fit():
    x = np.linspace(0, 1, 8)
    trials = on_line(x, np.sin(6 * x))
    cold = surrogate.fit(LINE, trials, 1.0)
    np.testing.assert_allclose(
        cold.predict([t.config for t in trials])[0], np.sin(6 * x), atol=1e-3
    )
    before = surrogate.fit(LINE, trials[:6], 1.0)
    warm = surrogate.fit(LINE, trials, 1.0, start=before)
    assert warm.length_scales["x"] == pytest.approx(cold.length_scales["x"], rel=1e-2)


@pytest.mark.parametrize("x", [[0.2] * 6, list(0.5 + np.linspace(0, 1e-9, 120))])
def test_repeated_places_and_constant_values_fit(x):
    model = surrogate.fit(LINE, on_line(x, np.full(len(x), 3.0)), 1.0)
    mean, sd = model.predict([{"x": x[0]}, {"x": 0.9}])
    assert mean == pytest.approx(3.0, abs=1e-3)
    assert np.isfinite(sd).all()


def test_a_fit_leaves_threads_and_random_numbers_alone():
    before = torch.get_num_threads(), torch.random.get_rng_state()
    surrogate.fit(LINE, on_line([0.1, 0.5, 0.9], [0.0, 1.0, 0.5]), 1.0)
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])
    assert gpytorch.settings.min_fixed_noise.value(torch.double) > 0
