"""Measuring: data, training, cost, statistics."""
