"""Compression as search: what to take from a trained network, for several wishes at once."""
