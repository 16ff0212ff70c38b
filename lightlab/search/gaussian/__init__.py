"""Bayesian optimisation by Gaussian processes."""
