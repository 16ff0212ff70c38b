"""Notebook 06 MobileNet."""
