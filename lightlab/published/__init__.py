"""Published numbers and claims, as data with their sources."""
