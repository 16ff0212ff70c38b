"""Notebook 03 Three levels."""
