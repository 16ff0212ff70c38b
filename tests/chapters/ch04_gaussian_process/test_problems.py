"""Test functions and their lowest values."""

import numpy as np
import pytest

from lightlab.chapters.ch04_gaussian_process.problems import CLASSIC, DEVELOPMENT, HELD_OUT, problem


@pytest.mark.parametrize(
    ("name", "published"),
    [("Branin", 0.397887), ("Hartmann-6", -3.32237), ("Shekel", -10.536443), ("Cosine8", -0.8)],
)
def test_lowest_values_agree_with_the_published_ones(name, published):
    assert problem(name).optimal_value == pytest.approx(published, abs=5e-6)


@pytest.mark.parametrize("name", CLASSIC + HELD_OUT + DEVELOPMENT)
def test_nothing_lies_below_the_lowest_value(name):
    at = problem(name)
    values = [at(p) for p in at.space.sample(np.random.default_rng(0), 300)]
    assert min(values) > at.optimal_value


def test_unknown_names_are_refused():
    with pytest.raises(KeyError, match="no problem"):
        problem("Nobody")
