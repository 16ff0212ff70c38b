"""Notebook 11 Compression."""
