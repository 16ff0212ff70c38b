"""Notebook 01 Search spaces."""
