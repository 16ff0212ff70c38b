"""Notebook 14 Summary."""
