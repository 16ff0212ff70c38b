"""Notebook 07 Latency."""
