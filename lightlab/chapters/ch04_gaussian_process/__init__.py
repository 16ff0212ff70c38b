"""Notebook 04 Gaussian process."""
