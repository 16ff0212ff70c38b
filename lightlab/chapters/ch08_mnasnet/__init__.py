"""Notebook 08 MnasNet."""
