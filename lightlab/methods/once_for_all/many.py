"""Where notebook 11 still looks for `shrink_many`, which is in `shrinking`."""

from lightlab.methods.once_for_all.shrinking import shrink_many

__all__ = ["shrink_many"]
