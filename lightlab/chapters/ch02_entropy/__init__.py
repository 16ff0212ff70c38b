"""Notebook 02 Entropy."""
