"""Figures, one module a topic: data frames in, a matplotlib figure out."""
