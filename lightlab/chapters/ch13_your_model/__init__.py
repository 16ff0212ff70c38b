"""Notebook 13 Your own model."""
