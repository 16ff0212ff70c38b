"""A room for each notebook: what it measures, and the figures that show it."""
