"""Closed forms against BoTorch's, against integration, and in the far tail."""

import mpmath
import numpy as np
import pytest
import torch
from botorch.acquisition import analytic
from scipy.integrate import quad
from scipy.stats import norm

from lightlab.search import acquisition
from lightlab.search.searcher import keys
from lightlab.space.hyper import Choice, Float, HyperSpace, Int

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


SPACE = HyperSpace(
    {"x": Float(0.0, 1.0), "n": Int(0, 30), "c": Choice(tuple("abcde")), "y": Float(0.0, 1.0)}
)
TARGET = SPACE.to_cube([{"x": 0.37, "n": 17, "c": "d", "y": 0.81}])[0]


def _but(taken):
    return lambda _, key: key not in taken


ANY = _but(set())


class Bowl:
    """Highest, 0, at TARGET; a wrong option costs 0.3."""

    def __call__(self, X):
        return -((X - TARGET)[:, [0, 1, 3]] ** 2).sum(1) - 0.3 * (X[:, 2] != TARGET[2])

    def grad(self, x):
        slope = -2 * (x - TARGET)
        slope[2] = 0.0
        return float(self(x[None])[0]), slope


def test_finds_the_top_of_a_mixed_cube():
    x = acquisition.maximize(Bowl(), SPACE.columns, np.empty((0, 4)), ANY, np.random.default_rng(0))
    np.testing.assert_allclose(x, TARGET, atol=1e-4)


def test_passes_over_taken_places():
    columns = HyperSpace({"n": Int(0, 4), "c": Choice("ab")}).columns

    class First:
        def __call__(self, X):
            return -X[:, 0] - X[:, 1]

    best = np.array([columns[0].levels[0], columns[1].levels[0]])
    x = acquisition.maximize(
        First(), columns, best[None], _but(set(keys(best))), np.random.default_rng(0)
    )
    assert keys(x) != keys(best)
    assert First()(x[None])[0] >= -0.6 - 1e-9


def test_none_when_everything_is_taken():
    space = HyperSpace({"n": Int(0, 2), "c": Choice("ab")})
    allowed = _but(set(keys(space.to_cube(space.grid(3)))))
    rng = np.random.default_rng(0)
    found = acquisition.maximize(lambda X: X[:, 0], space.columns, np.empty((0, 2)), allowed, rng)
    assert found is None


def test_snap_moves_to_the_nearest_level():
    X = np.random.default_rng(0).random((200, 4))
    snapped = acquisition.snap(SPACE.columns, X)
    np.testing.assert_array_equal(snapped[:, [0, 3]], X[:, [0, 3]])
    np.testing.assert_allclose(snapped, SPACE.to_cube(SPACE.from_cube(X)), atol=1e-12)
