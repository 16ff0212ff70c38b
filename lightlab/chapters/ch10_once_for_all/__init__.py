"""Notebook 10 Once-for-All."""
