"""Reviewing what was run: the site of a run, and two runs side by side."""
