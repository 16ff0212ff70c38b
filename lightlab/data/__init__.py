"""Data sets as tensors in memory, with splits, class names and a fingerprint."""

from lightlab.data.source import SPECS, load
from lightlab.data.splits import DataSet, Split, k_folds

__all__ = ["SPECS", "DataSet", "Split", "k_folds", "load"]
