"""Notebook 12 The level playing field."""
